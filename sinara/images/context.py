"""The folder that a build sees, made by us byte for byte, and gone afterwards.

::

    <temporary folder, 0700>/
        Dockerfile
        context/  requirements.txt  code/  model/
                  build/            mounted: inside.py, uv, wheels/
        secrets/  settings  uv  ca
        id                          where the builder writes the image's id

Everything in ``context`` is a plain file or a folder, readable by all, with one time stamp.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sinara.errors import ImageError
from sinara.images import dockerfile, inside, sources
from sinara.images.values import Recipe

PIN = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==([A-Za-z0-9.!+_-]+)")
_ELF = b"\x7fELF"


@dataclass(frozen=True)
class Place:
    """Where a build finds what it needs.

    Attributes:
        root: The folder drawn above.
        inputs: Digest of what the build mounts.
        secrets: Names of the secrets that are there.
    """

    root: Path
    inputs: str = "sha256:…"
    secrets: tuple[str, ...] = dockerfile.SECRETS

    @property
    def dockerfile(self) -> Path:
        """The Dockerfile."""
        return self.root / "Dockerfile"

    @property
    def context(self) -> Path:
        """What the builder is given as its context."""
        return self.root / "context"

    @property
    def id_file(self) -> Path:
        """Where the builder writes the image's id."""
        return self.root / "id"

    def secret(self, name: str) -> Path:
        """Return the file of a secret."""
        return self.root / "secrets" / name


@contextlib.contextmanager
def prepared(recipe: Recipe) -> Iterator[Place]:
    """Make the folder for one build; it is removed at the end, whatever happens.

    Raises:
        ImageError: If the recipe holds what no image may hold, or the disk is full.
    """
    root = Path(tempfile.mkdtemp(prefix="sinara-image-"))
    try:
        yield _fill(root, recipe)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def pins(file: Path) -> list[str]:
    """Return the ``name==version`` lines of a requirements file; comments are left out.

    Raises:
        ImageError: If a line is anything else: an option could name an index, and its password.
    """
    try:
        lines = [line.split("#")[0].strip() for line in file.read_text("utf-8").splitlines()]
    except (OSError, UnicodeError) as error:
        raise ImageError(f"{file} cannot be read: {_why(error)}.") from None
    for number, line in enumerate(lines, 1):
        if line and not PIN.fullmatch(line):
            raise ImageError(
                f"{file}, line {number} is no name==version: an image takes pins and nothing else. "
                "Make the entity again with pinned packages."
            )
    return [line for line in lines if line]


def _fill(root: Path, recipe: Recipe) -> Place:
    place = Place(root)
    wanted = pins(recipe.requirements)
    if recipe.offline and recipe.wheelhouse is None and wanted:
        raise ImageError(
            f"Offline, and no folder of wheels to take {len(wanted)} packages from. "
            "Name one: --wheelhouse DIR (uv or pip download fills it)."
        )
    try:
        build = place.context / "build"
        build.mkdir(parents=True)
        place.dockerfile.write_text(dockerfile.text(), "utf-8")
        (place.context / "requirements.txt").write_text("".join(f"{p}\n" for p in wanted), "utf-8")
        shutil.copyfile(inside.__file__, build / "inside.py")
        used = [build / "inside.py"]
        if recipe.wheelhouse is not None:
            used += _copy_wheels(recipe.wheelhouse, build / "wheels", wanted)
        if uv := find_linux_uv():
            shutil.copyfile(uv, build / "uv")
        for source, name in ((recipe.code, "code"), (recipe.model, "model")):
            _copy_tree(source, place.context / name)
        _settle(place.context)
        given = sources.secrets() if recipe.wheelhouse is None else {}
        return Place(root, _digest(used), _write_secrets(place, given))
    except OSError as error:
        raise ImageError(
            f"The files of the build cannot be written to {root}: {_why(error)}."
        ) from None


def find_linux_uv() -> Path | None:
    """Return the uv of this machine, if a Linux could run it."""
    beside = Path(sys.executable).with_name("uv")
    found = [beside, *map(Path, filter(None, [shutil.which("uv")]))]
    for file in found:
        with contextlib.suppress(OSError), file.open("rb") as stream:
            if stream.read(4) == _ELF:
                return file
    return None


def _copy_wheels(source: Path, target: Path, wanted: list[str]) -> list[Path]:
    """Copy the wheels that the pins name; others would only make the build differ."""
    target.mkdir()
    names = {tuple(map(_plain, pin.split("=="))) for pin in wanted}
    if not source.is_dir():
        raise ImageError(f"{source} is no folder of wheels.")
    copied = []
    for wheel in sorted(source.glob("*.whl")):
        if tuple(map(_plain, wheel.name.split("-")[:2])) in names and wheel.is_file():
            copied.append(Path(shutil.copyfile(wheel, target / wheel.name)))
    return copied


def _copy_tree(source: Path, target: Path) -> None:
    """Copy plain files and folders; a link could lead anywhere.

    Raises:
        ImageError: If there is anything else, or ``source`` is no folder.
    """
    if not source.is_dir():
        raise ImageError(f"{source} is no folder.")
    target.mkdir()
    for folder, folders, files in os.walk(source):
        there = target / Path(folder).relative_to(source)
        for name in (*folders, *files):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                (there / name).mkdir()
            elif stat.S_ISREG(mode):
                shutil.copyfile(path, there / name)
            else:
                raise ImageError(
                    f"{path} is neither a file nor a folder: an image holds only those."
                )


def _settle(top: Path) -> None:
    """Give everything fixed permissions and one time stamp."""
    for folder, _, files in os.walk(top, topdown=False):
        for name in files:
            path = Path(folder, name)
            path.chmod(0o755 if path == top / "build" / "uv" else 0o644)
            os.utime(path, (inside.LAYER_TIME, inside.LAYER_TIME))
        Path(folder).chmod(0o755)
        os.utime(folder, (inside.LAYER_TIME, inside.LAYER_TIME))


def _write_secrets(place: Place, given: dict[str, bytes]) -> tuple[str, ...]:
    place.secret("").mkdir()
    for name, content in given.items():
        place.secret(name).write_bytes(content)
    return tuple(name for name in dockerfile.SECRETS if name in given)


def _digest(files: list[Path]) -> str:
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{file.name} {content}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def _plain(name: str) -> str:
    """Return a package's name or version as wheels and pins both can spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is no UTF-8 text"
