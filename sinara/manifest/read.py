"""A manifest read from its file: every key and every name checked, all findings told at once.

The form is that of ``pipeline.schema.json`` beside this file. What a schema cannot say (names
that would share a folder, inputs that nobody writes) is looked at by :mod:`sinara.manifest.flow`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sinara import names
from sinara.errors import BadNameError, InterfaceError, ManifestError, ParamsError, suggest
from sinara.interface import KINDS, Interface, make_interface
from sinara.manifest.flow import check_flow
from sinara.manifest.values import Manifest, StepPlan, SubstepPlan
from sinara.params.text import read_dict

HOSTS = ("local", "github", "gitlab")
_ALIASES = {"git_provider": "host", "git_organization": "organization"}
_TOP = ("pipeline_name", "zone_name", "host", "organization", "template", "steps")
_STEP = ("step_name", "template", "when", "step_params", "substeps")
_SUBSTEP = ("substep_name", "substep_params", *KINDS)
_INPUT = ("step_name", "entity_name", "env_name", "pipeline_name", "zone_name", "run_id")
_CUSTOM = ("entity_name", "entity_path")
_KEYS = dict.fromkeys(KINDS, ("entity_name",)) | {
    "inputs": _INPUT, "custom_inputs": _CUSTOM, "custom_outputs": _CUSTOM,
}  # fmt: skip


def schema() -> str:
    """Return the JSON schema of a manifest (draft 2020-12), as text."""
    return (Path(__file__).parent / "pipeline.schema.json").read_text(encoding="utf-8")


def read_manifest(path: Path) -> Manifest:
    """Return what a YAML or JSON file asks for.

    Args:
        path: The manifest; templates in it count from its folder.

    Raises:
        ManifestError: One line per finding, with its place: ``steps[1].substeps[0].inputs[2]``.
    """
    try:
        document = read_dict(path)
    except ParamsError as error:
        raise ManifestError(*error.lines) from None
    return check_manifest(document, str(path), path.parent.absolute())


def check_manifest(document: dict[str, Any], shown: str, folder: Path) -> Manifest:
    """Return a manifest from its values.

    Args:
        document: What the file holds.
        shown: How messages call the file.
        folder: Where templates count from.

    Raises:
        ManifestError: One line per finding.
    """
    reading = _Reading(shown, folder)
    manifest = reading.manifest(document)
    if not reading.lines:
        reading.lines += [f"{shown}: {line}" for line in check_flow(manifest)]
    if reading.lines:
        raise ManifestError(*reading.lines)
    return manifest


class _Reading:
    """A manifest while it is read; findings are gathered, not raised one by one."""

    def __init__(self, shown: str, folder: Path) -> None:
        self.shown, self.folder = shown, folder
        self.lines: list[str] = []

    def note(self, place: str, line: str) -> None:
        self.lines.append(f"{self.shown}: {place}: {line}" if place else f"{self.shown}: {line}")

    def manifest(self, document: dict[str, Any]) -> Manifest:
        for old, new in _ALIASES.items():
            if old in document and new not in document:
                document = {**document, new: document[old]}
                del document[old]
        self.keys(document, _TOP, "")
        host = self.text(document, "host", "")
        if host is not None and host not in HOSTS:
            hint = suggest(host, HOSTS) or f"Known are {', '.join(HOSTS)}."
            self.note("host", f"{names.shown(host)} is no kind of host. {hint}")
        template = self.template(document, "")
        found = self.listed(document, "steps", "", required=True)
        if found == []:
            self.note("steps", "the list is empty: write at least one step")
        steps = [self.step(each, f"steps[{n}]", template) for n, each in enumerate(found)]
        return Manifest(
            self.name(document, "pipeline_name", "", required=False),
            tuple(step for step in steps if step),
            self.name(document, "zone_name", "", required=False) or "zone",
            host,
            self.text(document, "organization", ""),
        )

    def step(self, value: Any, place: str, template: Path | None) -> StepPlan | None:
        if isinstance(value, str):
            value = {"step_name": value}
        if not self.dictionary(value, place):
            return None
        self.keys(value, _STEP, place)
        found = self.listed(value, "substeps", place)
        substeps = [self.substep(s, f"{place}.substeps[{n}]") for n, s in enumerate(found)]
        name = self.name(value, "step_name", place)
        own = self.template(value, place)
        params = self.values(value, "step_params", place)
        when = self.text(value, "when", place)
        if name is None:
            return None
        return StepPlan(name, tuple(s for s in substeps if s), params, own or template, when)

    def substep(self, value: Any, place: str) -> SubstepPlan | None:
        if isinstance(value, str):
            value = {"substep_name": value}
        if not self.dictionary(value, place):
            return None
        self.keys(value, _SUBSTEP, place)
        name = value.get("substep_name")
        if isinstance(name, str) and name != name.strip():
            self.note(f"{place}.substep_name", f"{names.shown(name)} begins or ends with a space")
        elif isinstance(name, str) and name and not name.endswith((".ipynb", ".py")):
            value = {**value, "substep_name": f"{name}.ipynb"}
        checked = self.name(value, "substep_name", place)
        params = self.values(value, "substep_params", place)
        interface = self.interface(value, place)
        if checked is None:
            return None
        if not checked.endswith(".ipynb"):
            self.note(f"{place}.substep_name", "only notebooks are made: end it in .ipynb")
        return SubstepPlan(checked, interface, params)

    def interface(self, value: dict[str, Any], place: str) -> Interface | None:
        if not any(kind in value for kind in KINDS):
            return None
        before = len(self.lines)
        lists = {}
        for kind in KINDS:
            found = self.listed(value, kind, place)
            where = f"{place}.{kind}"
            entries = [self.entity(e, kind, f"{where}[{n}]") for n, e in enumerate(found)]
            lists[kind] = [entry for entry in entries if entry]
        if len(self.lines) > before:
            return None
        try:
            return make_interface(**lists)
        except InterfaceError as error:
            for line in error.lines:
                self.note(place, line)
            return None

    def entity(self, value: Any, kind: str, place: str) -> dict[str, Any] | None:
        if isinstance(value, str) and _KEYS[kind] == ("entity_name",):
            value = {"entity_name": value}
        if not self.dictionary(value, place):
            return None
        before = len(self.lines)
        self.keys(value, _KEYS[kind], place)
        must = _KEYS[kind][:2] if kind == "inputs" or kind.startswith("custom") else _KEYS[kind]
        for key in _KEYS[kind]:
            self.name(value, key, place, required=key in must)
        if len(self.lines) > before:
            return None
        return {key.upper(): found for key, found in value.items() if found is not None}

    # -- single values -----------------------------------------------------------------------

    def dictionary(self, value: Any, place: str) -> bool:
        if isinstance(value, dict):
            return True
        self.note(place, f"{_short(value)} is no dictionary")
        return False

    def keys(self, value: dict[str, Any], known: Sequence[str], place: str) -> None:
        for key in value:
            if key not in known:
                hint = suggest(key, known) or f"It takes {', '.join(known)}."
                self.note(place, f"{names.shown(key)} is not known here. {hint}")

    def listed(
        self, value: dict[str, Any], key: str, place: str, *, required: bool = False
    ) -> list[Any]:
        found = value.get(key)
        if isinstance(found, list):
            return found
        at = f"{place}.{key}" if place else key
        if found is not None:
            self.note(at, f"{_short(found)} is no list")
        elif required:
            self.note(at, "it is missing: the list of steps")
        return []

    def name(
        self, value: dict[str, Any], key: str, place: str, *, required: bool = True
    ) -> str | None:
        """Return a checked name; ``None`` if it is missing or no good name, which is then told."""
        found = value.get(key)
        if found is None:
            if required:
                self.note(place, f"'{key}' is missing")
            return None
        check: Callable[[object], str] = _CHECKS.get(key) or (
            lambda name: names.check_name(key.removesuffix("_name"), name)
        )
        try:
            return check(found)
        except BadNameError as error:
            for line in error.lines:
                self.note(f"{place}.{key}" if place else key, line)
            return None

    def text(self, value: dict[str, Any], key: str, place: str) -> str | None:
        found = value.get(key)
        if found is None or (isinstance(found, str) and found and found.isprintable()):
            return found
        self.note(f"{place}.{key}" if place else key, f"{_short(found)} is no text")
        return None

    def values(self, value: dict[str, Any], key: str, place: str) -> dict[str, Any]:
        found = value.get(key)
        if found is None or isinstance(found, dict):
            return found or {}
        self.note(f"{place}.{key}", f"{_short(found)} is no dictionary")
        return {}

    def template(self, value: dict[str, Any], place: str) -> Path | None:
        found = self.text(value, "template", place)
        if found is None:
            return None
        folder = self.folder / found
        if not folder.is_dir():
            at = f"{place}.template" if place else "template"
            self.note(at, f"{folder} is no folder. Name one from the manifest's own folder.")
            return None
        return folder


def _check_path(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise BadNameError(f"path {names.shown(value)} cannot be used: it must be text, not empty")
    return value


_CHECKS: dict[str, Callable[[object], str]] = {
    "entity_path": _check_path,
    "run_id": names.check_run_id,
}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"
