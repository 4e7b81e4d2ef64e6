"""Readings kept from one time to the next, in this user's cache: only what changed is read again.

A reading holds as long as names, sizes, times and inode numbers of the files in the step's
folders are the same. A file that changed within the last two seconds before it was read may
change again without a trace (some file systems count whole seconds), so what holds such a file is
not kept. Whatever is wrong with the cache, it is read as empty: it can make nothing worse.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from sinara import __version__
from sinara.contract import Contract, as_literal, read_contract
from sinara.errors import SettingsError, SinaraError
from sinara.graph.halves import in_halves
from sinara.graph.read import ReadProblem, StepReading, SubstepReading, read_step
from sinara.interface import KINDS, CustomRef, InputRef, Interface
from sinara.reading.collections import no_collections
from sinara.settings import FILE_NAME, find_settings_file, load_settings

_RACY = 2_000_000_000  # ns
_SUFFIXES = (".ipynb", ".py", ".json", ".yaml", ".yml", ".toml")
_FORMAT = 2


def cached_steps(
    folders: Iterable[Path], env_name: str | None, *, place: Path | None = None
) -> tuple[StepReading, ...]:
    """Return the reading of each step, from the cache where it still holds.

    Args:
        folders: The steps' folders, absolute.
        env_name: As for :func:`sinara.graph.read.read_step`.
        place: Where caches lie; the user's cache folder by default.
    """
    steps = list(folders)
    file = _file(steps, env_name, place)
    known = _load(file)
    around = _Around()
    readings: dict[str, StepReading] = {}
    kept: dict[str, Any] = {}
    with no_collections():
        for folder in map(str, steps):
            reading = _still_good(folder, known.get(folder), around)
            if reading is not None:
                readings[folder], kept[folder] = reading, known[folder]
        stale = [folder for folder in map(str, steps) if folder not in readings]
        entries = in_halves(lambda folder: _entry(folder, env_name, around), stale)
        for folder, entry in zip(stale, entries, strict=True):
            readings[folder] = _reading(entry["reading"])
            if entry.pop("lasting"):
                kept[folder] = entry
    if stale or kept.keys() != known.keys():
        _store(file, kept)
    return tuple(readings[str(folder)] for folder in steps)


def _entry(folder: str, env_name: str | None, around: _Around) -> dict[str, Any]:
    """Return what is kept of a step, and whether it lasts: no file may yet change unseen."""
    began = time.time_ns()
    step = Path(folder)
    reading = read_step(step, env_name, strict_default=around.strict(step))
    places = _places(reading)
    print_, newest = _fingerprint(step, places, around)
    lasting = newest <= began - _RACY
    return {"places": places, "print": print_, "reading": _plain(reading), "lasting": lasting}


class _Around:
    """What a reading depends on besides the step's own folders."""

    def __init__(self) -> None:
        chosen = {k: v for k, v in os.environ.items() if k.startswith(("SINARA_", "DSML_"))}
        self._environ = json.dumps(chosen, sort_keys=True)
        self._above: dict[Path, tuple[str, bool]] = {}

    def of(self, folder: Path) -> str:
        """Return environment and settings file, as a text that changes when they do."""
        return f"{self._environ}{self._of_parent(folder)[0]}"

    def strict(self, folder: Path) -> bool:
        """Return whether a step is strict where its own file does not say."""
        own = (folder / FILE_NAME).exists()
        return _strict(folder) if own else self._of_parent(folder)[1]

    def _of_parent(self, folder: Path) -> tuple[str, bool]:
        parent = folder.parent
        if parent not in self._above:
            file = find_settings_file(parent)
            self._above[parent] = f"{file}{_times(file) if file else ''}", _strict(folder)
        return self._above[parent]


def _strict(folder: Path) -> bool:
    try:
        return load_settings(folder).strict_params
    except SettingsError:  # told by `sinara step check`; it changes no interface
        return False


def _times(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def _places(reading: StepReading) -> list[str]:
    """Return the folders inside the step's that its files lie in."""
    inside = {os.path.dirname(substep.name) for substep in reading.substeps}  # noqa: PTH120
    return sorted({"", "params", *inside})


def _fingerprint(folder: Path, places: Iterable[str], around: _Around) -> tuple[str, int]:
    """Return a digest of what lies in the places, and the newest time of any of it, in ns."""
    newest = 0
    digest = hashlib.sha256(around.of(folder).encode("utf-8", "surrogateescape"))
    for place in places:
        lines = []
        with contextlib.suppress(OSError), os.scandir(folder / place) as entries:
            for entry in entries:
                if not entry.name.endswith(_SUFFIXES):
                    continue
                found = entry.stat()  # of what a link leads to
                newest = max(newest, found.st_mtime_ns, found.st_ctime_ns)
                lines.append(
                    f"{entry.name}\0{stat.S_IFMT(found.st_mode)} {found.st_size} "
                    f"{found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"
                )
        digest.update("\0\0".join([place, *sorted(lines)]).encode("utf-8", "surrogateescape"))
    return digest.hexdigest(), newest


def _still_good(folder: str, entry: Any, around: _Around) -> StepReading | None:
    try:
        if _fingerprint(Path(folder), entry["places"], around)[0] != entry["print"]:
            return None
        return _reading(entry["reading"])
    except (TypeError, KeyError, ValueError, SinaraError):
        return None


# -- as JSON ---------------------------------------------------------------------------------


def _plain(reading: StepReading) -> list[Any]:
    """Return a reading as lists: shorter than dictionaries, and quicker to read back."""
    substeps = [
        [
            substep.name,
            substep.parameters,
            _plain_interface(substep.interface) if substep.interface else None,
            [_plain_problem(problem) for problem in substep.problems],
        ]
        for substep in reading.substeps
    ]
    problems = [_plain_problem(problem) for problem in reading.problems]
    names = (reading.env_name, reading.pipeline_name, reading.zone_name, reading.step_name)
    return [reading.folder, *names, substeps, problems]


def _plain_problem(problem: ReadProblem) -> list[str]:
    return [problem.severity, problem.code, problem.text]


def _plain_interface(interface: Interface) -> list[list[Any]]:
    return [
        *([_plain_reference(item) for item in getattr(interface, kind)] for kind in KINDS),
        [[_plain_reference(of), as_literal(contract)] for of, contract in interface.contracts],
    ]


def _plain_reference(reference: InputRef | CustomRef | str) -> Any:
    return reference if isinstance(reference, str) else list(vars(reference).values())


def _reading(plain: list[Any]) -> StepReading:
    folder, env, pipeline, zone, step, substeps, problems = plain
    made = tuple(
        SubstepReading(
            name,
            tuple((key, value) for key, value in parameters),
            _interface(*kinds) if kinds else None,
            tuple(ReadProblem(*problem) for problem in wrong),
        )
        for name, parameters, kinds, wrong in substeps
    )
    told = tuple(ReadProblem(*problem) for problem in problems)
    return StepReading(folder, env, pipeline, zone, step, made, told)


def _interface(
    inputs: Any, outputs: Any, custom_inputs: Any, custom_outputs: Any, *more: Any
) -> Interface:
    tmp_inputs, tmp_outputs, tmp_entities, contracts = more
    return Interface(
        tuple(InputRef(*values) for values in inputs),
        tuple(outputs),
        tuple(CustomRef(*values) for values in custom_inputs),
        tuple(CustomRef(*values) for values in custom_outputs),
        tuple(tmp_inputs),
        tuple(tmp_outputs),
        tuple(tmp_entities),
        tuple(map(_contract, contracts)),
    )


def _contract(plain: Any) -> tuple[InputRef | str, Contract]:
    of, literal = plain
    contract, _ = read_contract(literal)
    if contract is None:
        raise ValueError("what the cache holds is no contract")
    return of if isinstance(of, str) else InputRef(*of), contract


def _file(folders: list[Path], env_name: str | None, place: Path | None) -> Path:
    base = place or Path(platformdirs.user_cache_dir("sinara", appauthor=False))
    key = json.dumps([_FORMAT, __version__, env_name, sorted({str(f.parent) for f in folders})])
    return base / "graphs" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _load(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _store(file: Path, entries: Mapping[str, Any]) -> None:
    """Write beside, then move into place; a cache that cannot be written is none."""
    scratch = None
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=file.parent, prefix=".tmp-")
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(json.dumps(entries))  # in one go: json.dump is many times slower
        Path(scratch).replace(file)
    except (OSError, ValueError):
        if scratch:
            Path(scratch).unlink(missing_ok=True)
