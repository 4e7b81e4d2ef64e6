"""Make a base image with Python from the Debian packages of this machine, without a network.

::

    python tools/base_image.py --oci-archive FILE [NAME]   a file that every engine loads
    python tools/base_image.py --engine buildah NAME       into that engine's storage
    python tools/base_image.py --missing                   which packages have to be installed

The image holds Debian's Python of the same minor version as the Python that runs this, what it
needs, a shell, coreutils and the certificates of Mozilla; nothing of this machine: users, hosts,
certificates and time stamps are those of the packages, which tools/test.sh installs. On one
machine two files are the same bytes.

Writing the file needs no root. Loading it needs what the engine needs: root, or a user with
ranges in /etc/subuid.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import platform
import py_compile
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
WANTED = (
    *("base-files", "base-passwd", "netbase", "media-types", "libc-bin", "dash", "coreutils"),
    *("ca-certificates", "libstdc++6", "libgomp1"),  # numpy and scikit-learn need the last two
    *(f"python{MINOR}-minimal", f"libpython{MINOR}-stdlib"),
)
# What packages depend on to be configured, not to be used.
NEEDLESS = {
    *("debconf", "debconf-2.0", "dpkg", "perl-base", "perl", "tar", "apt", "openssl"),
    "init-system-helpers",
}
FOR_READERS = re.compile(r"/usr/share/(doc|doc-base|man|info|locale|lintian|bug|menu|perl5)(/|$)")
MERGED = re.compile(r"^/(bin|sbin|lib|lib64)(?=/)")
LINKS = {
    **{name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")},
    **dict.fromkeys(("usr/bin/python3", "usr/bin/python"), f"python{MINOR}"),
    "usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt",  # where Debian's OpenSSL looks
}
FOLDERS = {
    "tmp": 0o1777,
    "var/tmp": 0o1777,
    "root": 0o700,
    **dict.fromkeys(("dev", "etc", "home", "opt", "proc", "run", "sys", "var/lib"), 0o755),
}
# What scripts of the packages put into /etc, from where they take it.
SETTINGS = {
    "etc/passwd": "/usr/share/base-passwd/passwd.master",
    "etc/group": "/usr/share/base-passwd/group.master",
    "etc/nsswitch.conf": "/usr/share/libc-bin/nsswitch.conf",
}
AUTHORITIES, BUNDLE = (
    Path("/usr/share/ca-certificates/mozilla"),
    "etc/ssl/certs/ca-certificates.crt",
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
EPOCH = 1_700_000_000
CREATED = "2023-11-14T22:13:20Z"


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    way = words.add_mutually_exclusive_group(required=True)
    way.add_argument("--oci-archive", metavar="FILE", type=Path, help="where to write it")
    way.add_argument("--engine", choices=["buildah", "podman", "docker"], help="which loads it")
    way.add_argument("--missing", action="store_true", help="which packages are not installed")
    words.add_argument("name", nargs="?", default=f"localhost/python:{MINOR}")
    asked = words.parse_args()
    if asked.missing:
        for package in missing():
            print(package)
    elif asked.oci_archive:
        print(write_archive(asked.oci_archive, asked.name))
    else:
        print(load(asked.engine, asked.name))


def missing() -> list[str]:
    """Return the packages that have to be installed first."""
    needs, _ = _packages()
    return [name for name in WANTED if name not in needs]


def load(engine: str, name: str) -> str:
    """Make the image in the storage of ``engine``; return its id, ``sha256:…``."""
    if shutil.which(engine) is None:
        sys.exit(f"{engine} is not installed. Install it: apt-get install {engine}")
    with tempfile.TemporaryDirectory(prefix="base-image-") as folder:
        file = Path(folder) / "image.tar"
        id_ = write_archive(file, name)
        if engine == "docker":
            _run("docker", "load", "--quiet", "--input", str(file))
        else:
            pulled = _run(engine, "pull", "--quiet", f"oci-archive:{file}").split()[-1]
            _run(engine, "tag", pulled, name)
    return id_


def write_archive(file: Path, name: str) -> str:
    """Write the image to ``file``, as ``skopeo`` and ``docker load`` read it; return its id."""
    files = _installed_files()
    with tempfile.TemporaryDirectory(prefix="base-image-") as folder:
        layer = Path(folder) / "layer.tar"
        with tarfile.open(layer, "w", format=tarfile.GNU_FORMAT) as tar:
            _write_layer(tar, files)
        with layer.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        config = _json(_config(content))
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
                "layers": [
                    {
                        "mediaType": "application/vnd.oci.image.layer.v1.tar",
                        "digest": f"sha256:{content}",
                        "size": layer.stat().st_size,
                    }
                ],
            }
        )
        found = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
        found["annotations"] = {"org.opencontainers.image.ref.name": name}
        with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as tar:
            _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
            _add(tar, "index.json", _json({"schemaVersion": 2, "manifests": [found]}))
            _add(tar, "manifest.json", _json([_for_docker(name, config, content)]))
            for blob in (config, manifest):
                _add(tar, _blob(hashlib.sha256(blob).hexdigest()), blob)
            with layer.open("rb") as stream:
                tar.addfile(_entry(_blob(content), size=layer.stat().st_size), stream)
    return f"sha256:{hashlib.sha256(config).hexdigest()}"


def _installed_files() -> list[str]:
    """Return what the wanted packages, and those that they need, have on this machine."""
    if shutil.which("dpkg-query") is None:
        sys.exit("This is no Debian: there are no packages to make the image from.")
    needs, given_by = _packages()
    lacking = [name for name in WANTED if name not in needs]
    if lacking:
        sys.exit(
            f"Not installed: {' '.join(lacking)}. Install: apt-get install {' '.join(lacking)}"
        )
    todo, taken = list(WANTED), set[str]()
    while todo:
        name = todo.pop()
        name = name if name in needs else given_by.get(name, "")
        if name and name not in taken and name not in NEEDLESS:
            taken.add(name)
            # of "this | that": the first that is installed
            todo += [
                next((a for a in ways if a in needs or a in given_by), "") for ways in needs[name]
            ]
    listed = _run("dpkg-query", "-L", *sorted(taken)).splitlines()
    return sorted({MERGED.sub(r"/usr/\1", f) for f in listed if f.startswith("/")})


def _packages() -> tuple[dict[str, list[list[str]]], dict[str, str]]:
    """Return what each installed package needs, and the package that stands for a virtual one."""
    if shutil.which("dpkg-query") is None:
        sys.exit("This is no Debian: there are no packages to make the image from.")
    form = "${Package}\t${db:Status-Abbrev}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    needs: dict[str, list[list[str]]] = {}
    given_by: dict[str, str] = {}
    for line in sorted(_run("dpkg-query", "-W", f"-f={form}").splitlines()):
        name, status, depends, provides = line.split("\t")
        if status.startswith("ii"):
            needs[name] = [_names(one, "|") for one in depends.split(",") if one.strip()]
            for virtual in _names(provides, ","):
                given_by.setdefault(virtual, name)
    return needs, given_by


def _names(text: str, between: str) -> list[str]:
    """Return the packages of a field, without versions and architectures."""
    return [re.split(r"[ (:]", part.strip())[0] for part in text.split(between) if part.strip()]


def _write_layer(tar: tarfile.TarFile, files: list[str]) -> None:
    for name, target in LINKS.items():
        tar.addfile(_entry(name, type=tarfile.SYMTYPE, linkname=target, mode=0o777))
    for name, mode in FOLDERS.items():
        tar.addfile(_entry(name, type=tarfile.DIRTYPE, mode=mode))
    for name, source in SETTINGS.items():
        _add(tar, name, Path(source).read_bytes())
    _add(tar, BUNDLE, b"".join(f.read_bytes() for f in sorted(AUTHORITIES.glob("*.crt"))))
    made = {*LINKS, *FOLDERS, *SETTINGS, BUNDLE}
    taken = [f for f in files if f[1:] and f[1:] not in made and not FOR_READERS.match(f)]
    for path in map(Path, taken):
        if path.is_symlink() or path.exists():
            _add_installed(tar, path)
    for name, code in _bytecode([Path(f) for f in taken if f.endswith(".py")]):
        _add(tar, name, code)


def _add_installed(tar: tarfile.TarFile, path: Path) -> None:
    """Add a file, a folder or a link of a package: root's, and never set to another user."""
    stat = path.lstat()
    name, mode = str(path)[1:], stat.st_mode & 0o1777
    if path.is_symlink():
        target = str(path.readlink())
        tar.addfile(_entry(name, type=tarfile.SYMTYPE, linkname=target, mode=0o777))
    elif path.is_dir():
        tar.addfile(_entry(name, type=tarfile.DIRTYPE, mode=mode))
    else:
        with path.open("rb") as stream:
            tar.addfile(_entry(name, size=stat.st_size, mode=mode), stream)


def _bytecode(sources: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield the compiled modules; a user who may not write there would compile at each start."""
    with tempfile.TemporaryDirectory(prefix="base-image-") as folder:
        for source in sources:
            out = Path(folder) / "module.pyc"
            py_compile.compile(
                str(source),
                cfile=str(out),
                dfile=str(source),
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
            name = f"{source.stem}.{sys.implementation.cache_tag}.pyc"
            yield str(source.parent / "__pycache__" / name)[1:], out.read_bytes()


def _config(layer: str) -> dict[str, object]:
    return {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": CREATED,
        "config": {"Env": [f"PATH={PATH}", "LANG=C.UTF-8"], "Cmd": ["python3"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": CREATED, "created_by": "tools/base_image.py"}],
    }


def _for_docker(name: str, config: bytes, layer: str) -> dict[str, object]:
    """Return the entry of the index that ``docker load`` reads."""
    config_file = _blob(hashlib.sha256(config).hexdigest())
    return {"Config": config_file, "RepoTags": [name], "Layers": [_blob(layer)]}


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    return {"mediaType": media_type, "digest": digest, "size": len(blob)}


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_entry(name, size=len(data)), io.BytesIO(data))


def _entry(name: str, **fields: object) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mtime, entry.mode = EPOCH, 0o644
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
