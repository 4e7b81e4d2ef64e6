r"""What may lie in an entity's folder: data, litter of engines, and what is refused. Pure.

Names of data files: Unicode in NFC, printable, at most 255 bytes each, without any of
``\ : * ? " < > | [ ]``, without a space at either end and without a dot at the end. So
``year=2025/part-0.parquet`` and ``Größe 1.csv`` are fine, on any system, and no engine
takes a name for a pattern. A leading ``_`` or ``.`` is data (``_delta_log``), unless it
is known litter.
"""

from __future__ import annotations

import fnmatch
import unicodedata
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from sinara.errors import OutputError
from sinara.store.layout import SUCCESS

_REFUSED = frozenset('\\:*?"<>|[]')
_LITTER_FILES = (
    "_committed_*", "_started_*",  # Databricks' commit protocol
    ".*.crc",  # Hadoop's checksums
    ".DS_Store", "._*", "Thumbs.db", "desktop.ini", ".*.sw?", "*~", ".#*",
)  # fmt: skip
_LITTER_FOLDERS = (".ipynb_checkpoints", "__MACOSX")
_UNFINISHED_FOLDERS = ("_temporary", ".spark-staging-*")
_UNFINISHED_FILES = ("*.inprogress", "*.inprogress.*", "*._COPYING_", ".nfs*")


@dataclass(frozen=True)
class Seen:
    """One thing in an entity's folder."""

    path: str  # relative to the folder, with "/"; empty: the entity itself is this one file
    kind: str  # "file", "folder", "link" or "special"
    size: int
    mark: tuple[object, ...]  # changes when the content does: inode and time, or an ETag
    links: int = 1
    changed: int = 0  # ctime in ns, where there is one


@dataclass(frozen=True)
class Sorted:
    """An entity's folder, sorted out."""

    data: tuple[Seen, ...]  # files, by path
    litter: tuple[str, ...]  # files to be removed
    empty: tuple[str, ...]  # folders to be removed, deepest first


def sort_out(entity: str, found: Sequence[Seen], shared: Container[str] = ()) -> Sorted:
    """Tell data from litter.

    Args:
        entity: For the error.
        found: All that lies there.
        shared: Paths of published files, which may have a second name and never change.

    Raises:
        OutputError: One line per thing that cannot be published: an unfinished write, a
            link, a device, a file with several names, a name that breaks the grammar.
    """
    litter = [seen for seen in found if seen.kind != "folder" and _is_litter(seen)]
    names = {seen.path for seen in litter}
    rest = [seen for seen in found if seen.kind != "folder" and seen.path not in names]
    problems = [line for seen in rest if (line := _refuse(entity, seen, shared))]
    if problems:
        raise OutputError(*problems[:20])
    folders = [seen.path for seen in found if seen.kind == "folder"]
    passing = _UNFINISHED_FOLDERS + _LITTER_FOLDERS
    empty = [path for path in folders if _matches(_last(path), passing)]
    inner = [path for path in folders if any(path.startswith(f"{top}/") for top in empty)]
    return Sorted(
        tuple(sorted(rest, key=lambda seen: seen.path)),
        tuple(sorted(names)),
        tuple(sorted({*empty, *inner}, key=lambda path: (-path.count("/"), path))),
    )


def _is_litter(seen: Seen) -> bool:
    *folders, name = seen.path.split("/")
    if any(_matches(folder, _LITTER_FOLDERS) for folder in folders):
        return True
    if name == SUCCESS:
        return not folders or seen.size == 0
    return _matches(name, _LITTER_FILES)


def _refuse(entity: str, seen: Seen, shared: Container[str]) -> str | None:
    where = f"Output '{entity}'" + (f": {seen.path!r}" if seen.path else "")
    *folders, name = seen.path.split("/")
    if any(_matches(folder, _UNFINISHED_FOLDERS) for folder in folders) or _matches(
        name, _UNFINISHED_FILES
    ):
        return f"{where} was left by a write that did not finish. Write the output again."
    if seen.kind == "link":
        return f"{where} is a symbolic link. Write the file itself."
    if seen.kind != "file":
        return f"{where} is no regular file. Write data files only."
    if seen.links > 1 and seen.path not in shared:
        return f"{where} is a hard link: it can be changed under another name. Copy the file."
    return f"{where}: {problem}" if (problem := bad_path(seen.path)) else None


def bad_path(path: str) -> str | None:
    """Return why ``path`` cannot be the name of a data file, or None; "" stands for one file."""
    if not path:
        return None
    if len(path.encode("utf-8", "surrogatepass")) > 1024:
        return "the path is longer than 1024 bytes."
    for name in path.split("/"):
        if name in ("", ".", "..") or name != name.strip() or name.endswith("."):
            return "a name may not be empty, end with a dot, or begin or end with a space."
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in name):
            return "the name is not UTF-8."
        if bad := sorted({c for c in name if c in _REFUSED or not c.isprintable()}):
            return f"a name may not hold {' '.join(repr(letter) for letter in bad)}."
        if unicodedata.normalize("NFC", name) != name:
            return "the name is not in Unicode's composed form (NFC)."
        if len(name.encode()) > 255:
            return "a name may not be longer than 255 bytes."
    return None


def partitions(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the keys of hive partitions (``year=2025/…``) in ``paths``, in their order."""
    keys: dict[str, None] = {}
    for path in paths:
        for folder in path.split("/")[:-1]:
            key, equals, _ = folder.partition("=")
            if equals and key:
                keys.setdefault(key)
    return tuple(keys)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _last(path: str) -> str:
    return path.rpartition("/")[2]
