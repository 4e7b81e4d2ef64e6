"""Serve from a notebook, while its author tries things out."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sinara.errors import UsageError
from sinara.serving import server as servers
from sinara.serving.load import LoadedService
from sinara.serving.server import Server

_running: dict[int, tuple[Any, Server, Path]] = {}  # by the service's identity; it is kept alive


def start(service: Any, *, debug: bool = False, port: int = 5000) -> Server:
    """Serve a service; see :func:`sinara.bentoml.start_dev_bentoservice`."""
    stop(service)
    place = Path(tempfile.mkdtemp(prefix="sinara-dev-"))
    try:
        folder = service.folder if isinstance(service, LoadedService) else _unsaved(service, place)
        out = os.dup(2) if debug else None
        try:
            server = _started(folder, port, out, place)
        finally:
            if out is not None:
                os.close(out)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    if not _running:
        atexit.register(stop_all)
    _running[id(service)] = (service, server, place)
    return server


def stop(service: Any) -> bool:
    """End what serves a service; return whether something did."""
    found = _running.pop(id(service), None)
    if found is None:
        return False
    _, server, place = found
    server.stop()
    shutil.rmtree(place, ignore_errors=True)
    return True


def stop_all() -> None:
    """End all; for the end of this process."""
    for service, _, _ in list(_running.values()):
        stop(service)


def _unsaved(service: Any, place: Path) -> Path:
    """Return the folder of a bento of a service that nobody saved."""
    from sinara.serving.make import make_bento, of_nobody, write_folder

    folder = place / "bento"
    (place / "work").mkdir()
    made = make_bento(service, of_nobody(), place / "work")
    write_folder(made.bento.files, folder)
    return folder


def _started(folder: Path, port: int, out: int | None, place: Path) -> Server:
    if not 0 <= port < 65536:
        raise UsageError(f"Port {port} cannot be: it is a number from 0 to 65535.")
    try:
        return servers.start(folder, port=port, out=out, gone=(place,))
    except UsageError:  # another notebook's
        return servers.start(folder, out=out, gone=(place,))
