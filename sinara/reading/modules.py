"""The step's own modules that a notebook imports, found without importing anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sinara.reading.cells import CellSource
from sinara.reading.imports import Import, Imports, imports_of_cell, imports_of_module
from sinara.reading.meaning import module_meaning

_MOST = 1000  # modules; a step with more has its virtual environment on the way


@dataclass(frozen=True)
class Imported:
    """What the cells of a notebook import, near and far.

    Attributes:
        modules: Of the step's own: path relative to its folder -> digest of the code.
        names: First part of the name of everything that is imported, by whomever.
    """

    modules: dict[str, str] = field(default_factory=dict)
    names: frozenset[str] = frozenset()


def local_modules(cells: Sequence[CellSource], folder: Path) -> dict[str, str]:
    """Return the modules of a step's own that its cells import; see :func:`imported`."""
    return imported(cells, folder).modules


def imported(cells: Sequence[CellSource], folder: Path) -> Imported:
    """Return what cells import, and what the modules of the step's own import that they import.

    Modules are looked for in the step's folder, and in those that a cell adds to ``sys.path`` by a
    plain text. Installed packages are not looked into.

    Args:
        cells: Of the notebook.
        folder: The step's folder.
    """
    all_of_them = [imports_of_cell(cell.source) for cell in cells if cell.cell_type == "code"]
    added = dict.fromkeys(folder / path for one in all_of_them for path in one.paths)
    search = _Search((folder, *added))
    for one in all_of_them:
        search.follow(one, folder)
    search.finish()
    modules = {_relative(path, folder): digest for path, digest in search.found.items()}
    return Imported(dict(sorted(modules.items())), frozenset(search.names))


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


class _Search:
    """Follows imports from file to file."""

    def __init__(self, roots: tuple[Path, ...]) -> None:
        self.found: dict[Path, str] = {}
        self.names: set[str] = set()
        self._roots = roots
        self._pending: list[Path] = []
        self._inside: dict[Path, frozenset[str]] = {}  # what lies in a folder

    def follow(self, imports: Imports, own: Path) -> None:
        """Take note of what a piece of code imports, which lies in the folder ``own``."""
        for one in imports.found:
            if one.level == 0:
                self.names.add(one.module.partition(".")[0])
            self._pending += self._files(one, own)

    def finish(self) -> None:
        """Read the files that are imported, and those that these import."""
        while self._pending and len(self.found) < _MOST:
            path = self._pending.pop()
            if path in self.found:
                continue
            try:
                content = path.read_bytes()
            except OSError:
                continue
            self.found[path] = module_meaning(content)
            self.follow(imports_of_module(content), path.parent)

    def _files(self, one: Import, own: Path) -> Iterator[Path]:
        parts = one.module.split(".") if one.module else []
        bases = self._roots if one.level == 0 else (_up(own, one.level - 1),)
        for base in bases:
            if not any(base == root or root in base.parents for root in self._roots):
                continue
            yield from self._on_the_way(base, parts)
            for name in one.names:
                yield from self._on_the_way(base, [*parts, name])

    def _on_the_way(self, base: Path, parts: Sequence[str]) -> Iterator[Path]:
        """Yield the files that the import of a dotted name reads: packages, then the module."""
        for part in parts:
            if part == "*":
                return
            inside = self._list(base)
            if part in inside and "__init__.py" in self._list(base / part):
                yield base / part / "__init__.py"
            elif f"{part}.py" in inside:
                yield base / f"{part}.py"
                return
            elif part not in inside:
                return
            base = base / part

    def _list(self, folder: Path) -> frozenset[str]:
        if folder not in self._inside:
            try:
                with os.scandir(folder) as entries:
                    self._inside[folder] = frozenset(entry.name for entry in entries)
            except OSError:
                self._inside[folder] = frozenset()
        return self._inside[folder]


def _up(folder: Path, levels: int) -> Path:
    for _ in range(levels):
        folder = folder.parent
    return folder
