"""A saved service back in a notebook: verified, unpacked, and imported only when it is used."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from sinara.errors import ServiceError
from sinara.serving.classes import require_bentoml
from sinara.serving.values import SavedService, ServiceInfo


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
        self._modules = Modules(folder / "src")

    @cached_property
    def service(self) -> Any:
        """The class of the service, imported from the bento.

        Raises:
            ServiceError: If it cannot be imported here.
        """
        require_bentoml()
        os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
        import bentoml

        with self._modules.used():
            try:
                return bentoml.load(str(self.folder))
            except Exception as error:  # a service may raise anything when it is imported
                line = " ".join(str(error).split())
                raise ServiceError(f"The service cannot be imported here: {line}") from error

    @cached_property
    def instance(self) -> Any:
        """The service with its model in memory."""
        service = self.service
        with self._modules.used():
            return service()

    def __getattr__(self, name: str) -> Any:
        """Return a method of the service."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.instance, name)

    def __repr__(self) -> str:
        return f"LoadedService({self.info.version})"


class Modules:
    """The modules of one bento, which are other ones than those of the same names elsewhere.

    A notebook has imported the class that it saved, and every service of a plain model has modules
    of the same names. So a bento's are put in place only while it is imported or loads its model.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: dict[str, ModuleType] = {}

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let ``import`` find the bento's modules, and nobody else's of the same names."""
        others = self._take_out()
        sys.modules.update(self._own)
        sys.path.insert(0, str(self._folder))
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path.remove(str(self._folder))
            self._own = self._take_out()
            sys.modules.update(others)

    def _take_out(self) -> dict[str, ModuleType]:
        """Remove every module from ``sys.modules`` that has the name of one of the bento's."""
        tops = {path.name.partition(".")[0] for path in self._folder.iterdir()}
        names = [name for name in sys.modules if name.partition(".")[0] in tops]
        return {name: sys.modules.pop(name) for name in names}


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
