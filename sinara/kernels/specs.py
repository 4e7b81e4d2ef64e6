"""Which program a kernel's name stands for.

Names are looked up where Jupyter looks (``jupyter --paths``: the ``kernels`` folders of
the environment, the user and the system), without reading any Jupyter configuration.
``python3`` is the driver's own interpreter where nothing else is installed under that name.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sinara.errors import NotebookError, suggest

NATIVE = "python3"
PROVISIONER = "sinara-provisioner"  # ours, by the name that Jupyter knows it by
NATIVE_ARGV = ("python", "-m", "ipykernel_launcher", "-f", "{connection_file}")

BOOT = Path(__file__).with_name("boot.py")  # stands in for ``python -m``


@dataclass(frozen=True)
class KernelSpec:
    """One installed kernel, as its ``kernel.json`` describes it.

    Source:
        https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs
    """

    name: str
    argv: tuple[str, ...]
    language: str = "python"
    env: Mapping[str, str] = field(default_factory=dict)
    interrupt_mode: str = "signal"  # or "message"
    folder: Path | None = None

    @property
    def is_ipykernel(self) -> bool:
        """True if its options are those of ipykernel."""
        return any(part.startswith("ipykernel") for part in self.argv)

    @property
    def is_own(self) -> bool:
        """True for an ipykernel of the driver's own interpreter, started in the usual way."""
        return self.argv[1:] == NATIVE_ARGV[1:] and self.argv[0] in _OWN_PYTHON

    def command(self, connection_file: Path) -> list[str]:
        """Return the argument list that starts this kernel."""
        argv = list(self.argv)
        if argv[0] in _OWN_PYTHON:
            argv[0] = sys.executable
        if argv[1:2] == ["-m"] and self.is_ipykernel:
            argv[1] = str(BOOT)
        values = {
            "connection_file": str(connection_file),
            "resource_dir": str(self.folder or ""),
            "prefix": sys.prefix,
        }
        pattern = re.compile(r"\{(connection_file|resource_dir|prefix)\}")
        return [pattern.sub(lambda found: values[found[1]], part) for part in argv]


_OWN_PYTHON = {"python", "python3", f"python3.{sys.version_info[1]}", sys.executable}


def find_kernel(name: str | None, metadata: Mapping[str, Any] | None = None) -> KernelSpec:
    """Return the kernel to start, and start nothing.

    Args:
        name: A kernel's name; without it the notebook's own counts, and then ``python3``.
        metadata: The notebook's metadata, where ``kernelspec.name`` is.

    Raises:
        NotebookError: If no kernel of that name is installed; the line says which are.
    """
    own = (metadata or {}).get("kernelspec", {}).get("name")
    wanted = name or own or NATIVE
    installed = installed_kernels()
    folder = installed.get(str(wanted).lower())
    if folder is not None:
        return _read(wanted, folder)
    if wanted == NATIVE and importlib.util.find_spec("ipykernel") is not None:
        return KernelSpec(NATIVE, NATIVE_ARGV)
    there = sorted({*installed, *([NATIVE] if importlib.util.find_spec("ipykernel") else [])})
    source = "asked for by kernel_name" if name else "named by the notebook's metadata"
    advice = suggest(str(wanted), there) or f"Set kernel_name, e.g. to '{(there or [NATIVE])[0]}'."
    raise NotebookError(
        f"Kernel '{wanted}' ({source}) is not installed here. "
        f"Installed: {', '.join(there) or 'none; pip install ipykernel'}. {advice}"
    )


def installed_kernels() -> dict[str, Path]:
    """Return the folder of every installed kernel by its name in lower case."""
    return dict(_installed(tuple((folder, _changed(folder)) for folder in _kernel_folders())))


def _changed(folder: Path) -> int:
    """Return when a kernel was added or removed last, ns; 0 if there is no such folder."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=4)  # a pipeline asks for the kernel of each of its notebooks
def _installed(folders: tuple[tuple[Path, int], ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for parent, _ in folders:
        try:
            names = sorted(entry.name for entry in os.scandir(parent))
        except OSError:
            continue
        for name in names:
            if (parent / name / "kernel.json").is_file():
                found.setdefault(name.lower(), parent / name)
    return found


def _kernel_folders() -> list[Path]:
    from jupyter_core.paths import jupyter_path

    try:
        folders = [Path(folder) for folder in jupyter_path("kernels")]
    except RuntimeError:  # no home folder can be found
        folders = [Path(sys.prefix) / "share" / "jupyter" / "kernels"]
    ipython = os.environ.get("IPYTHONDIR")
    return [*folders, Path(ipython) / "kernels"] if ipython else folders


def _read(name: str, folder: Path) -> KernelSpec:
    file = folder / "kernel.json"
    try:
        spec = json.loads(file.read_text(encoding="utf-8"))
        argv = tuple(str(part) for part in spec["argv"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotebookError(f"Kernel '{name}' cannot be used: {file}: {error}.") from error
    other = (spec.get("metadata") or {}).get("kernel_provisioner", {}).get("provisioner_name")
    if other not in {None, "local-provisioner", PROVISIONER} or not argv:
        raise NotebookError(
            f"Kernel '{name}' ({file}) is started by '{other}', which sinara cannot drive. "
            "Choose a kernel that is started by a command."
        )
    return KernelSpec(
        name=folder.name,
        argv=argv,
        language=str(spec.get("language", "")),
        env={str(key): str(value) for key, value in (spec.get("env") or {}).items()},
        interrupt_mode=str(spec.get("interrupt_mode", "signal")),
        folder=folder,
    )
