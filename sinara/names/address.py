"""Names joined into full names, URLs and image names, and taken apart again.

A root is a setting, not a name: it is passed on as it is. Everything below it is checked.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from sinara.errors import BadNameError
from sinara.names.grammar import PLAIN_LIMIT, check_name, shown
from sinara.names.runid import check_run_id

_REPOSITORY_LIMIT = 255  # characters of a Docker repository name
# Source: github.com/distribution/reference, regexp.go
_HOST = r"(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])"
_DOMAIN = re.compile(rf"(?:{_HOST}(?:\.{_HOST})*|\[[0-9a-f:.]+\])(?::[0-9]{{1,5}})?")
_PATH_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


@dataclass(frozen=True, order=True)
class StepName:
    """The four names that tell one step of one env from all others."""

    env: str
    pipeline: str
    zone: str
    step: str

    def __post_init__(self) -> None:
        lines: list[str] = []
        for kind in ("env", "pipeline", "zone", "step"):
            try:
                check_name(kind, getattr(self, kind))
            except BadNameError as error:
                lines.extend(error.lines)
        if lines:
            raise BadNameError(*lines)

    @property
    def path(self) -> str:
        """``pipeline/zone/step``: where the step lies below the root of its env."""
        return f"{self.pipeline}/{self.zone}/{self.step}"

    @property
    def dotted(self) -> str:
        """``env.pipeline.zone.step``."""
        return f"{self.env}.{self.pipeline}.{self.zone}.{self.step}"

    @property
    def key(self) -> str:
        """``env/pipeline/zone/step``."""
        return f"{self.env}/{self.path}"

    @classmethod
    def from_key(cls, key: str) -> StepName:
        """Return the name whose :attr:`key` is ``key``.

        Raises:
            BadNameError: If there are not four parts, or one breaks the grammar.
        """
        parts = key.split("/")
        if len(parts) != 4:
            raise BadNameError(
                f"step {shown(key)} cannot be used: write it as env/pipeline/zone/step"
            )
        return cls(*parts)


@dataclass(frozen=True, order=True)
class EntityAddress:
    """The parts of an entity URL."""

    root: str
    pipeline: str
    zone: str
    step: str
    run_id: str
    folder: str


def full_name(step: StepName, entity: str) -> str:
    """Return ``env.pipeline.zone.step.entity``."""
    return f"{step.dotted}.{check_name('entity', entity)}"


def parse_full_name(value: str) -> tuple[StepName, str]:
    """Return the step and the entity that a full name names.

    Raises:
        BadNameError: If there are fewer than five parts, or one breaks the grammar.
    """
    parts = value.split(".", 4)
    if len(parts) != 5:
        raise BadNameError(
            f"full name {shown(value)} cannot be used: write it as env.pipeline.zone.step.entity"
        )
    return StepName(*parts[:4]), check_name("entity", parts[4])


def entity_folder(entity: str) -> str:
    """Return the name of an entity's folder: the entity's name with ``.`` as ``_``."""
    return check_name("entity", entity).replace(".", "_")


def reports_entity(substep: str) -> str:
    """Return the entity that holds the reports of a substep: ``reports.train.ipynb``.

    A substep's name may be longer and richer than an entity's: what does not fit is replaced,
    and a digest of the whole name keeps two such substeps apart.
    """
    name = check_name("substep", substep)
    plain = f"reports.{name}"
    if len(plain) <= PLAIN_LIMIT and re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        return plain
    stem, _, suffix = name.rpartition(".")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    room = PLAIN_LIMIT - len(f"reports.-{digest}.{suffix}")
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", stem)[:room]
    return f"reports.{safe}-{digest}.{suffix}"


def run_url(root: str, step: StepName, run_id: str) -> str:
    """Return where the entities of a run lie: ``<root>/<pipeline>/<zone>/<step>/<run_id>``."""
    base = root if root.endswith("://") else root.rstrip("/") + "/"
    return f"{base}{step.path}/{check_run_id(run_id)}"


def entity_url(root: str, step: StepName, run_id: str, entity: str) -> str:
    """Return where an entity of a run lies: the folder of the entity in the run's folder."""
    return f"{run_url(root, step, run_id)}/{entity_folder(entity)}"


def parse_entity_url(url: str) -> EntityAddress:
    """Return the parts of an entity URL; a local one may begin with ``file://``.

    Raises:
        BadNameError: If a part is missing, breaks the grammar or climbs out of its folder.
    """
    parts = url.removeprefix("file://").rstrip("/").rsplit("/", 5)
    root = parts[0] if len(parts) == 6 else ""
    climbs = ".." in re.split(r"[/\\]", root) or any(ord(c) < 32 for c in root)
    if (not root and not url.startswith(("/", "file:///"))) or len(parts) != 6 or climbs:
        raise BadNameError(
            f"entity URL {shown(url)} cannot be used: "
            "write it as <root>/<pipeline>/<zone>/<step>/<run_id>/<entity>"
        )
    pipeline, zone, step = (
        check_name(k, v) for k, v in zip(("pipeline", "zone", "step"), parts[1:4], strict=True)
    )
    return EntityAddress(
        root or "/",
        pipeline,
        zone,
        step,
        check_run_id(parts[4]),
        check_name("entity folder", parts[5]),
    )


def image_name(registry: str, step: StepName, run_id: str, entity: str | None = None) -> str:
    """Return ``<registry>/<env>.<pipeline>.<zone>.<step>:<run_id>``, all but the tag in lower case.

    Args:
        registry: ``host``, ``host:5000``, ``host/namespace/…``, ``namespace`` or empty.
        step: The step that made it.
        run_id: Becomes the tag, as it is.
        entity: Appended to the name only when one run holds several services.

    Raises:
        BadNameError: If the names cannot be a Docker reference, even in lower case.

    Source:
        The reference grammar of github.com/distribution/reference.
    """
    last = (step.dotted if entity is None else full_name(step, entity)).lower()
    if not _PATH_COMPONENT.fullmatch(last):
        raise BadNameError(
            f"image name {shown(last)} cannot be used: Docker wants a letter or a digit at both "
            "ends of every part, and one . or _, two _, or any number of - between"
        )
    repository = f"{_registry(registry)}{last}"
    if len(repository) > _REPOSITORY_LIMIT:
        raise BadNameError(
            f"image name {shown(repository)} cannot be used: "
            f"it is longer than Docker's {_REPOSITORY_LIMIT} characters"
        )
    return f"{repository}:{check_run_id(run_id)}"


def _registry(registry: str) -> str:
    """Return ``registry`` in lower case with a ``/`` after it, or an empty string."""
    if not registry:
        return ""
    first, *path = registry.lower().removesuffix("/").split("/")
    is_host = "." in first or ":" in first or first == "localhost"
    good = _DOMAIN.fullmatch(first) if is_host else _PATH_COMPONENT.fullmatch(first)
    if not (good and registry.isascii() and all(map(_PATH_COMPONENT.fullmatch, path))):
        raise BadNameError(
            f"registry {shown(registry)} cannot be used: write it as host:port/namespace, without https://"
        )
    return f"{'/'.join([first, *path])}/"
