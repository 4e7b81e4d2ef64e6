"""A commit as a side of a comparison: its notebooks, modules and parameter files, as committed.

Nothing is checked out, and nothing that the repository brings along is run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.compare.runs import flat
from sinara.compare.values import Part, Side
from sinara.errors import NotebookError, RepositoryError, UsageError
from sinara.reading import CellSource, cells_of, read_notebook_json
from sinara.reading.checkpoints import counted
from sinara.record import plain
from sinara.repository.call import reason, run
from sinara.repository.guard import READING_OPTIONS, reading

_PARAMS = (".json", ".yaml", ".yml")
_CODE = (".ipynb", ".py")
_REGULAR = ("100644", "100755")


@dataclass(frozen=True)
class _File:
    path: str
    blob: str


def commit_sides(folder: Path, old: str, new: str) -> tuple[Side, Side]:
    """Return two commits of the repository around ``folder``; only what is below it counts.

    Args:
        folder: The step's folder.
        old: A branch, tag or commit.
        new: Another one.

    Raises:
        UsageError: If one of them is no commit there.
        RepositoryError: If this is no repository, or git cannot read it.
    """
    git = Git(folder)
    commits = git.commit(old), git.commit(new)
    files = git.files(commits[0]), git.files(commits[1])
    blobs = {file.blob for side in files for file in side}
    content = git.blobs(blobs)
    first, second = (
        _side(f"{name} ({commit[:10]})", commit, side, content)
        for name, commit, side in zip((old, new), commits, files, strict=True)
    )
    return first, second


class Git:
    """One repository, read and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._how = reading(folder)

    def run(self, *arguments: str, **how: Any) -> str:
        """Return what git printed.

        Raises:
            RepositoryError: If it failed, in one line.
        """
        done = run(self._folder, *READING_OPTIONS, *arguments, **self._how, **how)
        if done.code != 0:
            raise RepositoryError(f"{self._folder}: git {arguments[0]} failed: {reason(done)}")
        return done.out

    def commit(self, name: str) -> str:
        """Return the commit that a name stands for.

        Raises:
            UsageError: If it stands for none.
            RepositoryError: If this is no repository.
        """
        done = run(
            self._folder, *READING_OPTIONS, "rev-parse", "--verify", "--quiet",
            "--end-of-options", f"{name}^{{commit}}", **self._how,
        )  # fmt: skip
        if done.code == 0 and done.out.strip():
            return done.out.strip()
        if "not a git repository" in done.err:
            raise RepositoryError(
                f"{self._folder}: is in no Git repository, so '{name}' can be no commit. "
                "Runs are given by their ids, or as last and last~1."
            )
        raise UsageError(
            f"{self._folder}: '{name}' is no run, and no branch, tag or commit of this repository."
        )

    def files(self, commit: str) -> list[_File]:
        """Return the files below the folder that are code or parameters, by path."""
        found = []
        for line in self.run("ls-tree", "-r", "-z", commit, "--", ".").split("\0"):
            head, _, path = line.partition("\t")
            mode, _, blob = (*head.split(" "), "", "", "")[:3]
            if mode in _REGULAR and _counts(path):
                found.append(_File(path, blob))
        return sorted(found, key=lambda file: file.path)

    def blobs(self, wanted: Iterable[str]) -> dict[str, bytes]:
        """Return the content of blobs, in one call of git."""
        names = sorted(wanted)
        if not names:
            return {}
        with tempfile.TemporaryFile() as asked:
            asked.write("".join(f"{name}\n" for name in names).encode())
            asked.seek(0)
            data = self.run("cat-file", "--batch", stdin=asked).encode("utf-8", "surrogateescape")
        found, at = {}, 0
        for name in names:
            head, _, _ = data[at : at + 200].partition(b"\n")
            words = head.split(b" ")
            if len(words) != 3:
                raise RepositoryError(f"{self._folder}: git has no object {name}.")
            begin = at + len(head) + 1
            size = int(words[2])
            found[name] = data[begin : begin + size]
            at = begin + size + 1
        return found


def _counts(path: str) -> bool:
    in_params = path.startswith("params/") and path.endswith(_PARAMS)
    return in_params or path.endswith(_CODE)


def _side(label: str, commit: str, files: list[_File], content: dict[str, bytes]) -> Side:
    params: dict[str, Any] = {}
    parts = []
    for file in files:
        data = content[file.blob]
        if file.path.endswith(_CODE):
            parts.append(Part(file.path, _cells(file.path, data)))
        else:
            params |= flat(_values(file.path, data), f"{file.path}: ")
    return Side(label, commit, params=params, parts=tuple(parts))


def _cells(path: str, data: bytes) -> tuple[CellSource, ...] | None:
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    if path.endswith(".py"):
        return counted([CellSource(0, "code", text.replace("\r\n", "\n"))])
    try:
        return counted(cells_of(read_notebook_json(text, Path(path)), Path(path)))
    except NotebookError:
        return None


def _values(path: str, data: bytes) -> dict[str, Any]:
    """Return what a parameter file holds; of one that cannot be read, its text."""
    import json

    import yaml

    text = data.decode("utf-8", "replace")
    try:
        read = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        return {"(the whole file, which cannot be read)": text}
    if not isinstance(read, dict):
        return {"(the whole file)": read}
    return _named(plain(read))  # as JSON holds it: YAML has keys and values of more kinds


def _named(read: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a parameter file with the list of substeps by their names."""
    listed = read.get("substeps_params")
    if not isinstance(listed, list):
        return read
    by_name: dict[str, Any] = {}
    for place, item in enumerate(listed):
        if isinstance(item, dict) and isinstance(item.get("substep_name"), str):
            rest = {key: value for key, value in item.items() if key != "substep_name"}
            by_name[item["substep_name"]] = rest.get("substep_params", rest.get("params", rest))
        else:
            by_name[str(item) if isinstance(item, str) else str(place)] = item
    return {**read, "substeps_params": {**by_name, "(order)": list(by_name)}}
