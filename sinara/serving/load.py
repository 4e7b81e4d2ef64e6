"""A saved service back in a notebook: verified, unpacked, and imported only when it is used."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from sinara.errors import ServiceError
from sinara.serving.classes import require_bentoml
from sinara.serving.values import SavedService, ServiceInfo

_unpacked: set[str] = set()  # folders whose modules this process may have imported


class LoadedService:
    """A service that was saved, on this machine.

    ``loaded.predict(rows)`` and every other method of the service can be called: the service is
    imported, and its model loaded, with the first one.

    Attributes:
        folder: The unpacked bento.
        info: What is known of it.
    """

    def __init__(self, saved: SavedService, folder: Path) -> None:
        self.folder = folder
        self.info: ServiceInfo = saved.info
        self._saved = saved

    @cached_property
    def service(self) -> Any:
        """The class of the service, imported from the bento.

        Raises:
            ServiceError: If it cannot be imported here.
        """
        return import_service(self.folder)

    @cached_property
    def instance(self) -> Any:
        """The service with its model in memory."""
        return self.service()

    def __getattr__(self, name: str) -> Any:
        """Return a method of the service."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.instance, name)

    def __repr__(self) -> str:
        return f"LoadedService({self.info.version})"


def import_service(folder: Path) -> Any:
    """Import the service of an unpacked bento into this process.

    Modules of services that were loaded before are forgotten first: many have the same names.

    Raises:
        ServiceError: If it cannot be imported here.
    """
    require_bentoml()
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None) or ""
        if any(place.startswith(f"{other}{os.sep}") for other in _unpacked):
            del sys.modules[name]
    _unpacked.add(os.path.realpath(folder))
    import bentoml

    try:
        return bentoml.load(str(folder))
    except Exception as error:  # a service may raise anything when it is imported
        line = " ".join(str(error).split())
        raise ServiceError(f"The service cannot be imported here: {line}") from error


def missing_packages(requirements: str, installed: Mapping[str, str]) -> tuple[str, ...]:
    """Return which packages are here in another version, or not at all, one line each.

    Args:
        requirements: ``requirements.txt`` of the service.
        installed: Name -> version of what is here.
    """
    lines = []
    for line in requirements.splitlines():
        name, _, version = line.partition("==")
        here = installed.get(name)
        if version and here != version:
            lines.append(f"{name} {version}, here {here or 'not installed'}")
    return tuple(lines)
