"""What a service rests on: packages of the run's environment, and modules of the step's own."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sinara.errors import UsageError

_OURSELVES = "sinara"
# Always in an image: what the service itself imports.
SERVICE_MODULES = ("bentoml", "pydantic")


@dataclass(frozen=True)
class Needs:
    """What has to be beside a model so that it can be served elsewhere.

    Attributes:
        packages: Name -> version, complete: nothing is left to resolve.
        modules: Path below the step's folder -> the file, of modules of the step's own.
    """

    packages: Mapping[str, str]
    modules: Mapping[str, Path]

    @property
    def requirements(self) -> str:
        """The packages as pip reads them, one ``name==version`` a line."""
        return "".join(f"{name}=={version}\n" for name, version in self.packages.items())


def needs_of(modules: Iterable[str], step_folder: Path) -> Needs:
    """Return what these modules need: packages with all that they need, and files of the step's.

    Args:
        modules: Whole names of modules that are imported in this process, or can be.
        step_folder: Modules that lie in it, and in no package's place, go along as they are.

    Raises:
        UsageError: If a package is installed from a folder or an address: no index has it; or
            if a module of the step's imports sinara.
    """
    from sinara.packages import installed
    from sinara.reading.cells import CellSource
    from sinara.reading.modules import imported

    names = sorted({*modules, *SERVICE_MODULES})
    own = [name for name in names if _is_own(name, step_folder)]
    cell = CellSource(0, "code", "".join(f"import {name}\n" for name in own))
    found = imported([cell], step_folder)
    outside = {name.partition(".")[0] for name in names if name not in own} | found.names
    if _OURSELVES in outside:
        raise UsageError(
            f"{', '.join(sorted(found.modules)) or 'The model'}: needs sinara, which is not there "
            "where a model is served. Keep what uses sinara in the notebook."
        )
    files = {path: step_folder / path for path in found.modules if not path.startswith("../")}
    environment = installed(sys.executable)
    return with_packages(Needs({}, files), environment.giving(outside))


def with_packages(needs: Needs, packages: Iterable[str]) -> Needs:
    """Return the needs, and these packages with all that they need.

    Raises:
        UsageError: If one is not installed here, so that its version is not known, or is
            installed from a folder or an address.
    """
    from sinara.packages import installed, normal

    environment = installed(sys.executable)
    names = {normal(name) for name in packages}
    absent = sorted(name for name in names if name not in environment.versions)
    if absent:
        raise UsageError(
            f"The service needs {', '.join(absent)}, not installed here, so its version is not "
            f"known. Install it: pip install {' '.join(absent)}"
        )
    pins = environment.pins(names)
    strange = {name: origin for name in pins if (origin := environment.origin(name))}
    if strange:
        told = "; ".join(f"{name} from {origin}" for name, origin in sorted(strange.items()))
        raise UsageError(
            f"The service needs packages that no index has: {told}. Install a published version, "
            "or put the modules into the step's folder."
        )
    return Needs(dict(sorted({**needs.packages, **pins}.items())), needs.modules)


def _is_own(module: str, step_folder: Path) -> bool:
    """Return whether a module is a file of the step's own."""
    loaded = sys.modules.get(module)
    place = getattr(loaded, "__file__", None)
    if place is None:
        parts = module.split(".")
        base = step_folder.joinpath(*parts)
        return base.with_suffix(".py").is_file() or (base / "__init__.py").is_file()
    path = Path(place).resolve()
    inside = path.is_relative_to(step_folder.resolve())
    return inside and not any(part in ("site-packages", "dist-packages") for part in path.parts)
