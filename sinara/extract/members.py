"""The names inside an archive: which are safe, and which cannot stand beside each other."""

from __future__ import annotations

import os
import re
import unicodedata

from sinara.errors import ArchiveError

Parts = tuple[str, ...]

_NAME_BYTES = 255  # NAME_MAX of every file system in use
_PATH_BYTES = 4096  # PATH_MAX of Linux
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")
# Source: "Naming Files, Paths, and Namespaces", Microsoft. Only Windows cannot store these.
_WINDOWS = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$|.*[<>:\"|?*]|.*[ .]$")


def member_parts(
    where: str, name: str, max_depth: int, *, windows: bool = os.name == "nt"
) -> Parts:
    """Return the path of a member as a tuple of names, safe to join below any folder.

    Args:
        where: What holds the name, for the refusal: "Archive x.tar".
        name: As the archive spells it, ``/`` between folders; ``.`` and empty parts are dropped.
        max_depth: How many names may follow each other.
        windows: Refuse what Windows cannot store, too.

    Returns:
        The names in order; empty for the archive's own top folder.

    Raises:
        ArchiveError: If the name is absolute, leads outside, or cannot be stored everywhere.
    """
    if len(name) > _PATH_BYTES:
        raise refusal(where, name, "is too long")
    if _CONTROL.search(name):
        raise refusal(where, name, "holds a control character")
    if "\\" in name:
        raise refusal(where, name, "holds a backslash")
    if name.startswith("/") or _DRIVE.match(name):
        raise refusal(where, name, "is an absolute path")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise refusal(where, name, "leads outside the folder")
    if len(parts) > max_depth:
        raise refusal(where, name, f"lies more than {max_depth} folders deep")
    try:
        longest = max((len(part.encode()) for part in parts), default=0)
    except UnicodeEncodeError as error:
        raise refusal(where, name, "is not valid UTF-8") from error
    if longest > _NAME_BYTES or len(name.encode()) > _PATH_BYTES:
        raise refusal(where, name, "is too long")
    if windows and any(_WINDOWS.match(part) for part in parts):
        raise refusal(where, name, "cannot be stored on Windows")
    return parts


def refusal(where: str, name: str, why: str) -> ArchiveError:
    """Return the error for one member, in one line whatever its name holds."""
    shown = repr(name if len(name) <= 100 else f"{name[:97]}...")
    return ArchiveError(f"{where}: member {shown} {why}. Nothing was written.")


def one_line(text: object) -> str:
    """Return what a library said of hostile bytes as one short line that a terminal may show."""
    joined = " ".join(str(text).split())
    shown = "".join(one if one.isprintable() else repr(one)[1:-1] for one in joined[:300])
    return shown.rstrip(".")


class MemberNames:
    """The names seen so far; refuses the second of two that one disk somewhere would merge.

    Two names are one where only case differs (macOS, Windows) or the composition of an accent
    (macOS), and a file cannot be a folder.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._seen: dict[str, tuple[str, bool]] = {}  # folded path -> path, is it a folder
        self._last_parent: Parts = ()

    def add(self, parts: Parts, *, folder: bool) -> None:
        """Remember a member.

        Raises:
            ArchiveError: If its name, or that of a folder above it, collides with an earlier one.
        """
        parent = parts[:-1]
        if parent != self._last_parent:
            for depth in range(1, len(parts)):
                self._put(parts[:depth], folder=True)
            self._last_parent = parent
        if parts:
            self._put(parts, folder=folder, only_once=not folder)

    def _put(self, parts: Parts, *, folder: bool, only_once: bool = False) -> None:
        path = "/".join(parts)
        known = len(self._seen)
        earlier, was_folder = self._seen.setdefault(_fold(path), (path, folder))
        if len(self._seen) > known:
            return
        if earlier != path:
            raise refusal(self._where, path, f"collides with {earlier!r}: only the case differs")
        if folder != was_folder:
            raise refusal(self._where, path, "is a file and a folder at once")
        if only_once:
            raise refusal(self._where, path, "is there twice")


def _fold(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
