"""What an image holds, read from its layers: nothing of it is run, nothing else is written.

The layers are read from the last to the first, so that what a layer changes or removes is known
before the layers below it are looked at::

    layer 3     x/.wh.old       whiteout: x/old of the layers below is gone
    layer 2     x/new           counts; x/new of the layers below does not
    layer 1     x/.wh..wh..opq  opaque: nothing in x of the layers below counts

Source: github.com/opencontainers/image-spec ``layer.md``, "Whiteouts".
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from sinara.errors import ImageError
from sinara.extract import Limits
from sinara.extract.limits import Meter
from sinara.extract.members import MemberNames, Parts, member_parts, refusal
from sinara.extract.tars import ForwardReader, kind_of, members_of, reported, write_member
from sinara.extract.tree import Tree, new_tree
from sinara.images.origin import ImageSource, read_config
from sinara.images.packed import unpacked
from sinara.images.streams import CheckedReader
from sinara.names import shown

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_SPECIAL = ".wh..wh."  # AUFS keeps its own affairs there


@dataclass(frozen=True)
class Found:
    """What was written: how many files, and how many bytes together."""

    files: int
    bytes: int


def labels(source: ImageSource) -> dict[str, str]:
    """Return the labels of an image.

    Raises:
        ImageError: If its configuration cannot be had, or is damaged.
    """
    inner = read_config(source).get("config")
    found = inner.get("Labels") if isinstance(inner, dict) else None
    pairs: Mapping[object, object] = found if isinstance(found, dict) else {}
    return {str(key): value for key, value in pairs.items() if isinstance(value, str)}


def extract_files(
    source: ImageSource,
    prefix: str,
    folder: str | os.PathLike[str],
    limits: Limits | None = None,
) -> Found:
    """Write the files that an image holds below a path into a folder.

    Args:
        source: The image.
        prefix: The path in it: ``/home/bentoml/bento``.
        folder: Gets what lies below that path. Made if it is missing.
        limits: What to refuse; see :class:`sinara.extract.Limits`.

    Raises:
        ArchiveError: If a layer is hostile, or holds a link or a device below the path; nothing
            is written then.
        ImageError: If the image cannot be read, is damaged, or has no such files.
    """
    allowed = limits or Limits()
    config, view = read_config(source), _View(tuple(prefix.strip("/").split("/")))
    total = Meter(f"Image {source.where}", sum(b.size for b in source.manifest().layers), allowed)
    names = MemberNames(total.where)
    with new_tree(folder) as tree:
        into = _Into(tree, names, total, allowed)
        for number in reversed(range(len(source.manifest().layers))):
            with source.layer(number) as stream:
                _layer(stream, config["rootfs"]["diff_ids"][number], source, number, view, into)
            view.turn()
        if not into.files:
            raise ImageError(
                f"Image {source.where} has no file below {shown(prefix)}: it holds no service."
            )
    return Found(into.files, total.bytes)


@dataclass
class _Into:
    """Where files go, and what is allowed."""

    tree: Tree
    names: MemberNames
    total: Meter
    limits: Limits
    files: int = 0


@dataclass
class _View:
    """Which paths still count, seen from the last layer down. Paths are parts from the root."""

    prefix: Parts
    hidden: set[Parts] = field(default_factory=set)  # nothing at it, nor below it
    folders: set[Parts] = field(default_factory=set)  # a folder: no file of that name counts
    opaque: set[Parts] = field(default_factory=set)  # nothing below it
    _new: list[tuple[set[Parts], Parts]] = field(default_factory=list)

    def inside(self, parts: Parts) -> Parts | None:
        """Return the path below the prefix, if it is below."""
        size = len(self.prefix)
        return parts[size:] if parts[:size] == self.prefix else None

    def concerns(self, parts: Parts) -> bool:
        """Return whether a path is above the prefix, the prefix itself, or below it."""
        return parts[: len(self.prefix)] == self.prefix[: len(parts)]

    def counts(self, parts: Parts, *, folder: bool) -> bool:
        """Return whether no later layer has hidden a path."""
        if parts in self.hidden or (parts in self.folders and not folder):
            return False
        above = [parts[:depth] for depth in range(len(parts))]
        return not any(one in self.hidden or one in self.opaque for one in above)

    def note(self, parts: Parts, *, folder: bool) -> None:
        """Remember a member; it counts for the layers below only."""
        self._new += [(self.folders, parts[:depth]) for depth in range(1, len(parts))]
        self._new.append((self.folders if folder else self.hidden, parts))

    def remove(self, parts: Parts) -> None:
        """Remember a whiteout."""
        self._new.append((self.hidden, parts))

    def seal(self, parts: Parts) -> None:
        """Remember an opaque folder."""
        self._new.append((self.opaque, parts))

    def turn(self) -> None:
        """Let what was remembered count: the layer is done."""
        for where, parts in self._new:
            where.add(parts)
        self._new.clear()


def _layer(
    stream: CheckedReader,
    diff_id: str,
    source: ImageSource,
    number: int,
    view: _View,
    into: _Into,
) -> None:
    where = f"Image {source.where}, layer {number + 1}"
    meter = Meter(where, source.manifest().layers[number].size, into.limits)
    wrong = ImageError(f"{where} is not what the configuration says. It is damaged.")
    with reported(where):
        plain = CheckedReader(unpacked(stream, where), diff_id, None, wrong)
        reader = ForwardReader(plain, meter)  # type: ignore[arg-type]
        with tarfile.open(fileobj=reader, mode="r:", errors="surrogateescape") as tar:  # type: ignore[call-overload]
            for member in members_of(tar, reader):
                if not _member(member, reader, where, view, into):
                    reader.skip(tar.offset - reader.tell())
        plain.finish()


def _member(
    member: tarfile.TarInfo, reader: ForwardReader, where: str, view: _View, into: _Into
) -> bool:
    """Do with one member what has to be done; return whether its content was read."""
    parts = _parts(member.name, where)
    if not parts or not view.concerns(parts[:-1] if _is_whiteout(parts) else parts):
        return False
    if _is_whiteout(parts):
        _whiteout(parts, view)
        return False
    folder = member.isdir()
    counts = view.counts(parts, folder=folder)
    into.total.add(0)
    view.note(parts, folder=folder)
    inside = view.inside(parts)
    if not inside or not counts:
        return False
    kind = kind_of(member)
    if kind:
        raise refusal(where, member.name, kind)
    safe = member_parts(where, "/".join(inside), into.limits.max_depth)
    into.names.add(safe, folder=folder)
    into.total.add(0 if folder else member.size, files=0)
    if folder:
        into.tree.make_folder(safe)
        return False
    write_member(member, reader, into.tree.create(safe, member.mode))
    into.files += 1
    return True


def _parts(name: str, where: str) -> Parts:
    """Return the path of a member from the root of the image."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise refusal(where, name, "leads outside the folder")
    return parts


def _is_whiteout(parts: Parts) -> bool:
    return parts[-1].startswith(_WHITEOUT)


def _whiteout(parts: Parts, view: _View) -> None:
    *above, name = parts
    if name == _OPAQUE:
        view.seal(tuple(above))
    elif not name.startswith(_SPECIAL):
        view.remove((*above, name.removeprefix(_WHITEOUT)))
