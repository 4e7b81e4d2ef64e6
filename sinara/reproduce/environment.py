"""The packages that were there when a run ran, in an environment of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sinara.errors import UsageError

KERNEL = "sinara-reproduce"
_OURSELVES = "sinara"
_MOST_TOLD = 5


def locked(lock: str) -> dict[str, str]:
    """Return name and version of each package of a lock; those from no index are left out."""
    lines = (line.strip() for line in lock.splitlines())
    pairs = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {name: version for name, _, version in pairs if version}


def differing(lock: str, now: Mapping[str, str], counts: Mapping[str, str]) -> tuple[str, ...]:
    """Return in which packages that count the environment is not as it was; a clause each.

    Args:
        lock: All packages that were there then.
        now: Those that are there now, name -> version.
        counts: Those that the run's code rests on.
    """
    then = locked(lock)
    return tuple(
        f"{name} {then[name]} → {now.get(name, 'not installed')}"
        for name in sorted(counts)
        if name in then and name != _OURSELVES and then[name] != now.get(name)
    )


def make_environment(lock: str, folder: Path) -> None:
    """Make an environment with the packages of a lock, and a kernel in it that Jupyter finds.

    Args:
        lock: What is installed, as pip reads it.
        folder: Where; it is made.

    Raises:
        UsageError: If the packages cannot be installed; the line says why.
    """
    interpreter = folder / "venv" / "bin" / "python"
    wanted = [f"{n}=={v}" for n, v in locked(lock).items() if n != _OURSELVES]
    file = folder / "requirements.txt"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    _run([sys.executable, "-m", "venv", str(folder / "venv")])
    uv = shutil.which("uv")
    install = [str(interpreter), "-m", "pip", "install", "--disable-pip-version-check"]
    if uv:
        install = [uv, "pip", "install", "--python", str(interpreter)]
    install += ["--quiet", "--no-deps", "-r", str(file)]
    _run(install)
    _link_sinara(interpreter, folder)
    _write_kernel(interpreter, folder)


def _link_sinara(interpreter: Path, folder: Path) -> None:
    """Have the environment find the sinara that runs here, and nothing else from here."""
    import sinara

    links = folder / "links"
    links.mkdir()
    (links / _OURSELVES).symlink_to(Path(sinara.__file__).parent)
    [packages] = (interpreter.parent.parent / "lib").glob("python3*/site-packages")
    (packages / "sinara-reproduce.pth").write_text(f"{links}\n", encoding="utf-8")


def _write_kernel(interpreter: Path, folder: Path) -> None:
    place = folder / "jupyter" / "kernels" / KERNEL
    place.mkdir(parents=True)
    argv = [str(interpreter), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "As it was", "language": "python"}
    (place / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


def offer_kernel(folder: Path) -> None:
    """Have this process, and what it starts, find the kernel of an environment."""
    before = os.environ.get("JUPYTER_PATH", "")
    place = str(folder / "jupyter")
    os.environ["JUPYTER_PATH"] = f"{place}{os.pathsep}{before}" if before else place


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = next((line for line in lines if "error" in line.lower()), "".join(lines[-1:]))
        raise UsageError(
            f"The packages of the run cannot be installed: {said.strip()}. "
            "To run it with those that are here: --here"
        )


def told(differences: tuple[str, ...]) -> str:
    """Return differences as one clause."""
    shown = ", ".join(differences[:_MOST_TOLD])
    more = len(differences) - _MOST_TOLD
    return f"{shown} and {more} more" if more > 0 else shown
