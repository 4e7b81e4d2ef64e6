"""The packages of an image, laid out by uv on this machine: wheels only, and none of them is run.

The settings of this machine's indexes reach uv through its environment and nowhere else. What uv
notes about itself beside each package is removed.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sinara.errors import ImageError
from sinara.images import sources
from sinara.images.call import ask, follow
from sinara.images.values import PACKAGES, Recipe, Say
from sinara.names import shown

NO_UV = "uv is not installed. Install it: pip install uv"
_NOTES = frozenset({"direct_url.json", "uv_cache.json", "REQUESTED"})
_PLATFORMS = {
    "linux/amd64": "x86_64-unknown-linux-gnu",
    "linux/arm64": "aarch64-unknown-linux-gnu",
}
_QUIET = {
    "UV_NO_PROGRESS": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_LINK_MODE": "copy",  # what is changed here must not change uv's cache
    "UV_COMPILE_BYTECODE": "0",
}
# The same bytecode each time, and no module of the working folder in the compiler's way.
_COMPILING = {"PYTHONHASHSEED": "0", "PYTHONPATH": "", "PYTHONSAFEPATH": "1"}


@dataclass(frozen=True)
class Python:
    """A Python of this machine: the program, and its full version."""

    program: str
    version: str


def find_uv() -> list[str] | None:
    """Return the words with which uv is called, or None if there is none."""
    beside = Path(sys.executable).with_name("uv")
    if beside.is_file():
        return [str(beside)]
    found = shutil.which("uv")
    if found:
        return [found]
    module = [sys.executable, "-m", "uv"]
    return module if ask([*module, "--version"]).code == 0 else None


def find_python(minor: str) -> Python | None:
    """Return a Python of this machine of one minor version, ``"3.11"``, or None."""
    own = str(getattr(sys, "_base_executable", None) or sys.executable)
    for program in (own, shutil.which(f"python{minor}")):
        if program:
            done = ask([program, "-I", "-c", "import platform as p; print(p.python_version())"])
            version = done.out.strip()
            if done.code == 0 and version.split(".")[:2] == minor.split("."):
                return Python(program, version)
    return None


def wheels(wheelhouse: Path, pins: Sequence[str]) -> list[Path]:
    """Return the wheels of a folder that some pins name.

    Raises:
        ImageError: If it is no folder.
    """
    if not wheelhouse.is_dir():
        raise ImageError(f"{wheelhouse} is no folder of wheels.")
    wanted = {tuple(map(_plain, pin.split("=="))) for pin in pins}
    found = sorted(wheelhouse.glob("*.whl"))
    return [path for path in found if tuple(map(_plain, path.name.split("-")[:2])) in wanted]


def install_command(uv: Sequence[str], recipe: Recipe, pins: Path, site: Path) -> list[str]:
    """Return the call of uv that fills ``site``.

    Raises:
        ImageError: If there are no wheels for the platform.
    """
    platform = _PLATFORMS.get((recipe.platform or "").removesuffix("/v8"))
    if platform is None:
        known = ", ".join(_PLATFORMS)
        raise ImageError(
            f"No packages can be had for the platform {shown(recipe.platform)}; for these they "
            f"can: {known}. For others, build with buildah, podman or docker."
        )
    command = [*uv, "pip", "install", "--python", sys.executable, "--target", str(site)]
    command += ["--no-deps", "--only-binary", ":all:", "--python-version", recipe.python]
    command += ["--python-platform", platform]
    if recipe.wheelhouse is not None:
        command += ["--no-index", "--find-links", str(recipe.wheelhouse)]
    command += ["--offline"] if recipe.offline else []
    return [*command, "--requirements", str(pins)]


def compile_command(python: str, site: Path) -> list[str]:
    """Return the call that compiles ``site`` as it will lie in the image."""
    command = [python, "-s", "-m", "compileall", "-qq", "-j", "0"]
    command += ["-s", str(site), "-p", PACKAGES]  # or the path of this build is in every file
    return [*command, "--invalidation-mode", "checked-hash", str(site)]


def settings(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that uv needs: this machine's indexes and their passwords."""
    told = json.loads(sources.secrets(environ).get("settings", b"{}"))
    return {**{str(key): str(value) for key, value in told.items()}, **_QUIET}


def install(
    uv: Sequence[str],
    recipe: Recipe,
    pins: Sequence[str],
    site: Path,
    python: Python | None,
    say: Say,
) -> None:
    """Fill a folder with the packages of a recipe, as they will lie in the image.

    Args:
        uv: How uv is called.
        recipe: With its platform.
        pins: ``name==version``, complete.
        site: A folder that is not there yet; one beside it holds the pins.
        python: What compiles them; None: they are not compiled.
        say: Is given what uv says.

    Raises:
        ImageError: If a package cannot be had as a wheel, or uv fails.
    """
    listed = site.with_name("pins.txt")
    listed.write_text("".join(f"{pin}\n" for pin in pins), "utf-8")
    site.mkdir()
    if pins:
        done = follow(install_command(uv, recipe, listed, site), say, env=settings())
        if done.code != 0:
            said = [f"    {line}" for line in done.lines if line.strip()]
            raise ImageError(
                "The packages cannot be installed from wheels; uv says:",
                *said[-10:],
                "If one of them has no wheel, build with buildah, podman or docker.",
            )
    tidy(site)
    if python is not None:
        follow(compile_command(python.program, site), say, env=_COMPILING)


def tidy(site: Path) -> None:
    """Remove what no import needs: scripts with paths of this machine, and uv's own notes."""
    shutil.rmtree(site / "bin", ignore_errors=True)
    (site / ".lock").unlink(missing_ok=True)
    for record in site.glob("*.dist-info/RECORD"):
        for name in _NOTES:
            (record.parent / name).unlink(missing_ok=True)
        rows = list(csv.reader(io.StringIO(record.read_text("utf-8"))))
        kept = [row for row in rows if row and _is_there(site, row[0])]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(sorted(kept))
        record.write_text(text.getvalue(), "utf-8")


def _plain(name: str) -> str:
    """Return a package's name or version as wheels and pins both can spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_there(site: Path, name: str) -> bool:
    """Return whether a file of a RECORD is still there, inside the folder."""
    path = os.path.normpath(site / name)
    return Path(path).is_relative_to(site) and os.path.lexists(path)
