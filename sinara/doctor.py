"""What this machine has of the things that sinara uses, read without changing anything."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sinara import __version__
from sinara.errors import SinaraError
from sinara.settings import load_settings

_EXTRAS = (
    ("jupyterlab", "lab", "authoring by hand in JupyterLab"),
    ("s3fs", "s3", "a store on S3"),
    ("pyspark", "spark", "SinaraSpark"),
    ("bentoml", "bento", "serving models"),
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    found: str
    advice: str = ""
    needed: bool = False  # nothing works without it


def examine(folder: Path | None = None) -> tuple[Finding, ...]:
    """Look at this machine, from the point of view of the step in ``folder``.

    Returns:
        One finding per thing, in the order in which a run needs them.
    """
    return tuple(_look(Path.cwd() if folder is None else folder))


def _look(folder: Path) -> Iterator[Finding]:
    yield Finding("sinara", True, f"{__version__} in {Path(__file__).parent}")
    yield Finding(
        "Python",
        sys.version_info >= (3, 11),
        platform.python_version(),
        "3.11 or newer",
        needed=True,
    )
    git = shutil.which("git")
    yield Finding("Git", git is not None, git or "not found", "apt-get install git, or git-scm.com")
    yield _kernel()
    yield _sockets()
    yield from _kernels()
    yield from _roots(folder)
    for package, extra, purpose in _EXTRAS:
        yield _extra(package, extra, purpose)
    yield _builders()
    java = shutil.which("java")
    yield Finding(
        "Java",
        java is not None,
        java or "not found",
        "SinaraSpark needs it: apt-get install default-jre-headless",
    )


def _kernel() -> Finding:
    from sinara.kernels.specs import installed_kernels

    specs = sorted(installed_kernels())
    advice = "pip install ipykernel"
    return Finding("Jupyter kernels", bool(specs), ", ".join(specs) or "none", advice, needed=True)


def _kernels() -> Iterator[Finding]:
    """What holds here of what sinara says of kernels: warmth, ends, limits."""
    linux = sys.platform == "linux"
    yield Finding(
        "warm kernels",
        linux,
        "forked from a process with IPython, pyarrow and pandas"
        if linux
        else "none: each is started anew",
        "only Linux can fork a process that is at work",
    )
    group = _control_group()
    found_by = "its control group" if group.kills else "the environment that it inherited"
    yield Finding(
        "orphans",
        linux,
        "all that a kernel started ends with it; if guard and supervisor are killed at once, "
        f"it is found by {found_by}"
        if linux
        else "only the kernel's process group is stopped",
        "on Linux processes that left the group are stopped as well",
    )
    yield Finding(
        "memory limits",
        linux,
        "held by a control group, for a kernel and all that it starts"
        if group.limits
        else "held for each process alone (RLIMIT_DATA)"
        if linux
        else "not held",
        "on Linux they are",
    )


@dataclass(frozen=True)
class _Group:
    """What a control group of ours can do."""

    kills: bool = False
    limits: bool = False


def _control_group() -> _Group:
    if sys.platform != "linux":
        return _Group()
    from sinara.kernels import groups

    made = groups.make(memory=1 << 40)
    if made is None:
        return _Group()
    kills = (Path(made.path) / "cgroup.kill").exists()
    made.remove()
    return _Group(kills, made.limits_memory)


def _sockets() -> Finding:
    import socket

    if not hasattr(socket, "AF_UNIX"):
        return Finding(
            "private sockets", False, "this system has none", "kernels use TCP on 127.0.0.1 instead"
        )
    with tempfile.TemporaryDirectory(prefix="sinara-") as scratch:
        path = f"{scratch}/0123456789/kernel-1"
        Path(path).parent.mkdir()
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.bind(path)
        except OSError as error:
            return Finding(
                "private sockets",
                False,
                f"{path}: {error}",
                "set TMPDIR to a short local path",
                needed=True,
            )
    return Finding("private sockets", True, "kernels talk over files that only you can open")


def _roots(folder: Path) -> Iterator[Finding]:
    try:
        settings = load_settings(folder)
    except SinaraError as error:
        yield Finding("settings", False, " ".join(error.lines), "correct sinara.toml", needed=True)
        return
    yield Finding(
        "settings", True, str(settings.file) if settings.file else "none; defaults beside the step"
    )
    for name, env in settings.envs.items():
        if "://" in env.root:
            yield Finding(f"env {name}", True, env.root)
            continue
        there = _nearest(Path(env.root))
        ok = os.access(there, os.W_OK)
        yield Finding(
            f"env {name}",
            ok,
            env.root if ok else f"{env.root}: no right to write in {there}",
            "choose another root in sinara.toml",
        )


def _nearest(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _builders() -> Finding:
    from sinara.images.backends import available

    found = available()
    able = [one.name for one in found if not one.missing]
    lacking = "; ".join(f"{one.name}: {one.missing}" for one in found if one.missing)
    return Finding(
        "images", bool(able), f"built by {', '.join(able)}" if able else lacking, lacking
    )


def _extra(package: str, extra: str, purpose: str) -> Finding:
    try:
        return Finding(package, True, f"{importlib.metadata.version(package)} ({purpose})")
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            package, False, f"not installed ({purpose})", f"pip install 'sinara[{extra}]'"
        )
