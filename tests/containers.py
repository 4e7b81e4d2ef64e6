"""Storage for container images that belongs to the tests alone, a base image, and tiny wheels."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
BASE = f"localhost/python:{PYTHON}"
_MAKE_BASE = Path(__file__).parents[1] / "tools" / "base_image.py"


@dataclass(frozen=True)
class Storage:
    """Where buildah and podman keep images, and the variables that lead them there."""

    folder: Path
    environ: Mapping[str, str]

    def run(self, *command: str) -> str:
        """Return what an engine prints."""
        done = subprocess.run(
            command, env={**os.environ, **self.environ}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Lead this process there."""
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)

    def containers(self) -> list[str]:
        """Return the containers that are there, those of a build too."""
        return self.run("podman", "ps", "--all", "--external", "--quiet").split()


def need(*programs: str) -> None:
    """Skip a test that needs what is not installed, and say how to install it."""
    lacking = [program for program in programs if shutil.which(program) is None]
    if lacking:
        pytest.skip(f"{' '.join(lacking)} not installed: apt-get install -y {' '.join(lacking)}")


def make_storage(folder: Path) -> Storage:
    """Return storage with the base image in it.

    Skips the test where there is no engine, or it does not work: as another user than root it needs
    ranges in /etc/subuid.
    """
    need("buildah", "podman", "runc")
    made = _configure(folder)
    try:
        _check(made)
        make = [sys.executable, str(_MAKE_BASE), "--engine", "buildah", BASE]
        environ = {**os.environ, **made.environ}
        done = subprocess.run(make, env=environ, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            pytest.skip(f"no base image: {done.stderr.strip()}")
    except BaseException:
        remove(made)
        raise
    return made


@contextlib.contextmanager
def storage(folder: Path) -> Iterator[Storage]:
    """Give storage with the base image in it; nothing of it is left, no mount either."""
    made = make_storage(folder)
    try:
        yield made
    finally:
        remove(made)


@contextlib.contextmanager
def shared_storage(parent: Path) -> Iterator[Storage]:
    """Give the storage that all workers of one test session share; the last one removes it."""
    folder, users = parent / "containers", parent / "containers-users"
    mine = users / str(os.getpid())
    with _locked(parent / "containers-lock"):
        users.mkdir(exist_ok=True)
        made = _configured(folder) if any(users.iterdir()) else make_storage(folder)
        mine.touch()
    try:
        yield made
    finally:
        with _locked(parent / "containers-lock"):
            mine.unlink()
            if not any(users.iterdir()):
                remove(made)


def remove(made: Storage) -> None:
    """Remove containers, images, mounts and the folder."""
    for command in (
        ["podman", "rm", "--all", "--force", "--time", "0"],
        ["buildah", "rm", "--all"],
    ):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                command, env={**os.environ, **made.environ}, capture_output=True, timeout=120
            )
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed(mounts):
        if mount.startswith(f"{made.folder}/"):
            subprocess.run(["umount", "--lazy", mount], capture_output=True, timeout=60)
    shutil.rmtree(made.folder, ignore_errors=True)


def wheel(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """Write a pure wheel that holds ``files``; return it."""
    info = f"{name}-{version}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in content.items()
    }
    lines = [f"{path},sha256={digest},{len(content[path])}" for path, digest in digests.items()]
    content[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in content.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return file


def _configured(folder: Path) -> Storage:
    names = {
        "CONTAINERS_STORAGE_CONF": "storage.conf",
        "CONTAINERS_CONF": "containers.conf",
        "CONTAINERS_REGISTRIES_CONF": "registries.conf",
    }
    environ = {name: str(folder / file) for name, file in names.items()}
    # builders keep their caches where this says, and would share them with the machine's own
    environ |= {"TMPDIR": str(folder / "tmp"), "DOCKER_CONFIG": str(folder / "docker")}
    return Storage(folder, environ)


def _configure(folder: Path) -> Storage:
    made = _configured(folder)
    for name in ("tmp", "docker"):
        (folder / name).mkdir(parents=True)
    (folder / "docker" / "config.json").write_text("{}")
    limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    allowed = [f"{name}={n}:{n}" for name, n in ((k, _limit(v)) for k, v in limits.items())]
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/store"\nrunroot = "{folder}/run"\n'
    )
    (folder / "containers.conf").write_text(
        f"[containers]\ndefault_ulimits = {json.dumps(allowed)}\n"
        'log_driver = "k8s-file"\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        f'[engine.runtimes]\nrunc = ["{shutil.which("runc")}"]\n'
    )
    (folder / "registries.conf").write_text("unqualified-search-registries = []\n")
    return made


def _limit(kind: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return 32_768 if hard == resource.RLIM_INFINITY else min(hard, 32_768)


def _check(made: Storage) -> None:
    for program in ("buildah", "podman"):
        done = subprocess.run(
            [program, "info"],
            env={**os.environ, **made.environ},
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode != 0:
            pytest.skip(f"{program} does not work here: {done.stderr.strip()[-300:]}")


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
