"""Which installed packages a substep's code rests on, and their versions; nothing is imported.

A package that is installed from a folder of sources (``pip install -e``) changes without a new
version, so the state of its files counts there.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata as metadata
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlparse

from sinara.packages.fingerprint import fingerprint

_OURSELVES = "sinara"
_SCATTERED = re.compile(r"[-_.]+")
_SOURCES = (".py", ".pyi", ".so", ".pyd", ".json", ".toml", ".yaml", ".yml")


class Installed:
    """The packages of one Python environment, read once.

    Attributes:
        versions: Name (normalised as PEP 503 says) -> version.
    """

    def __init__(self, interpreter: str) -> None:
        every = list(_distributions(interpreter))
        every.reverse()  # the first one of a name wins
        self._found = {name: found for name, _, found in every}
        versions = {name: version for name, version, _ in every}
        self.versions: Mapping[str, str] = dict(sorted(versions.items()))
        self._providers: dict[str, list[str]] = {}
        for name, found in self._found.items():
            for top in _top_levels(found):
                self._providers.setdefault(top, []).append(name)
        self._needs: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}
        self._told: dict[str, str] = {}

    def of(self, imported: Iterable[str]) -> dict[str, str]:
        """Return name and version of the packages that give these modules, and of all they need.

        Args:
            imported: First parts of module names; those of no package are passed over.
        """
        return {name: self._version(name) for name in self._all(self.giving(imported))}

    def giving(self, imported: Iterable[str]) -> list[str]:
        """Return the packages that give these modules, by the first parts of their names."""
        return [name for top in imported for name in self._providers.get(top, ())]

    def pins(self, packages: Iterable[str]) -> dict[str, str]:
        """Return packages and all that they need, with their versions as an index knows them."""
        return {name: self.versions[name] for name in self._all(packages)}

    def origin(self, name: str) -> str:
        """Return where a package is from that is of no index; empty for all others."""
        return _origin(self._found[name])

    def _all(self, packages: Iterable[str]) -> list[str]:
        pending = [(name, "") for name in packages]
        seen: set[tuple[str, str]] = set()
        while pending:
            one = pending.pop()
            name, _ = one
            if one not in seen and name in self._found and name != _OURSELVES:
                seen.add(one)
                pending += self._needed(*one)
        return sorted({name for name, _ in seen})

    def requirements(self) -> str:
        """Return everything that is installed, one ``name==version`` a line, as pip reads it."""
        lines = []
        for name, found in sorted(self._found.items()):
            origin = _origin(found)
            pinned = f"{name}=={self.versions[name]}"
            lines.append(f"# {name} @ {origin}" if origin else pinned)
        return "\n".join(lines) + "\n"

    def _version(self, name: str) -> str:
        if name not in self._told:
            version, sources = self.versions[name], _editable(self._found[name])
            state = f" ({fingerprint(sources, _SOURCES)})" if sources else ""
            self._told[name] = f"{version}{state}"
        return self._told[name]

    def _needed(self, name: str, extra: str) -> tuple[tuple[str, str], ...]:
        """Return what a package needs, or one of its extras: names and extras of packages."""
        if (name, extra) not in self._needs:
            self._needs[name, extra] = tuple(_requirements(self._found[name], extra))
        return self._needs[name, extra]


def installed(interpreter: str) -> Installed:
    """Return the packages of the environment of a Python interpreter.

    They are read again if something was installed or removed since.
    """
    return _installed(interpreter, _state(interpreter))


@functools.lru_cache(maxsize=8)
def _installed(interpreter: str, state: tuple[tuple[str, int], ...]) -> Installed:
    del state
    return Installed(interpreter)


def _state(interpreter: str) -> tuple[tuple[str, int], ...]:
    """Return the folders of packages, and when something in each was added or removed last."""
    places = sys.path if interpreter == sys.executable else _places(interpreter)
    found = []
    for place in places:
        with contextlib.suppress(OSError):
            found.append((place, os.stat(place or ".").st_mtime_ns))  # noqa: PTH116 - for each substep
    return tuple(found)


def normal(name: str) -> str:
    """Return a package's name as PEP 503 normalises it."""
    return _SCATTERED.sub("-", name).lower()


def _distributions(interpreter: str) -> Iterator[tuple[str, str, metadata.Distribution]]:
    """Yield name, version and files of each package, as Python finds them.

    Both stand in the name of a package's folder of metadata. The metadata themselves take a
    millisecond each, so they are read only of packages of the older form.

    Source:
        https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    """
    for place in sys.path if interpreter == sys.executable else _places(interpreter):
        try:
            entries = sorted(Path(place or ".").iterdir())
        except OSError:  # there is no such folder, or it is an archive
            entries = []
            yield from _of_older_form(place)
        if any(entry.name.endswith((".egg-info", ".egg")) for entry in entries):
            yield from _of_older_form(place)
        for entry in entries:
            name, dash, version = entry.name.removesuffix(".dist-info").partition("-")
            leftover = name.startswith("~")  # of a pip that was interrupted
            whole = entry.suffix == ".dist-info" and dash and not leftover
            if whole and (entry / "METADATA").exists():
                yield normal(name), version.replace("_", "-"), metadata.Distribution.at(entry)


def _of_older_form(place: str) -> Iterator[tuple[str, str, metadata.Distribution]]:
    for found in metadata.distributions(path=[place]):
        if found.name:
            yield normal(found.name), found.version, found


def _places(interpreter: str) -> list[str]:
    places = Path(interpreter).parent.parent.glob("lib*/python3*/site-packages")
    return sorted(map(str, places))


def _top_levels(found: metadata.Distribution) -> set[str]:
    told = found.read_text("top_level.txt")
    if told:
        return set(told.split())
    record = found.read_text("RECORD")
    paths = record.splitlines() if record else map(str, found.files or ())
    tops = set()
    for path in paths:
        top, inside, _ = path.partition("/")
        top = top if inside else top.partition(",")[0]
        if inside or top.endswith((".py", ".so", ".pyd")):
            tops.add(top.partition(".")[0])
    return {top for top in tops if top.isidentifier()}


def _requirements(found: metadata.Distribution, extra: str) -> Iterator[tuple[str, str]]:
    from packaging.requirements import InvalidRequirement, Requirement

    for line in found.requires or ():
        try:
            needed = Requirement(line)
        except InvalidRequirement:
            continue
        if needed.marker is None or needed.marker.evaluate({"extra": extra}):
            yield from ((normal(needed.name), extra) for extra in ("", *sorted(needed.extras)))


def _direct_url(found: metadata.Distribution) -> dict[str, object]:
    """Return what pip wrote down of a package that is from no index.

    Source:
        https://packaging.python.org/en/latest/specifications/direct-url/
    """
    try:
        told = json.loads(found.read_text("direct_url.json") or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _editable(found: metadata.Distribution) -> Path | None:
    told = _direct_url(found)
    info = told.get("dir_info")
    if not isinstance(info, dict) or not info.get("editable"):
        return None
    return Path(unquote(urlparse(str(told.get("url", ""))).path))


def _origin(found: metadata.Distribution) -> str:
    from sinara.repository import without_credentials

    url = _direct_url(found).get("url")
    return without_credentials(str(url)) if url else ""
