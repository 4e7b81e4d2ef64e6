"""A saved service unpacked into what the layers of an image are made from."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from sinara.containerize.labels import image_labels
from sinara.containerize.sbom import FILE as SBOM
from sinara.containerize.sbom import bill_of_materials
from sinara.containerize.values import Request
from sinara.errors import CorruptError, ServiceError
from sinara.images.values import Recipe
from sinara.serving.entity import origin_of, unpack
from sinara.serving.values import LINEAGE, REQUIREMENTS, SAMPLES, SAVE_INFO, SERVICE, SavedService

ABOUT = "sinara"  # the folder in a bento that says what it is


def make_recipe(
    saved: SavedService, entity: str, run_id: str, base: str, request: Request, folder: Path
) -> Recipe:
    """Return what goes into the image of a service.

    The code, and everything that changes with each run, lie in two folders afterwards: new weights
    change the last layer only.

    Args:
        saved: The service, verified.
        entity: Full name of the entity.
        run_id: The run that published it.
        base: The base image.
        request: What was asked for.
        folder: An empty folder for the files, which have to stay while the image is built.

    Raises:
        CorruptError: If the service is not what was saved.
        ServiceError: If it holds what an image says of itself.
        ArchiveError: If its archive is hostile.
    """
    code, model = folder / "code", folder / "model"
    model.mkdir()
    unpack(saved, code)
    for path in saved.info.weights:
        _move(code, model, path)
    about = model / ABOUT
    if (code / ABOUT).exists() or about.exists():
        raise ServiceError(
            f"The bento holds {ABOUT!r}, where an image says what it is. Rename that in the bento."
        )
    about.mkdir()
    for name in (SERVICE, SAMPLES, LINEAGE, SAVE_INFO):
        shutil.copyfile(saved.folder / name, about / name)
    requirements = saved.folder / REQUIREMENTS
    told = requirements.read_text(encoding="utf-8")
    sbom = bill_of_materials(saved.info, entity, told, base)
    (about / SBOM).write_text(sbom, encoding="utf-8")
    return Recipe(
        base=base,
        python=saved.info.python,
        requirements=requirements,
        code=code,
        model=model,
        labels=image_labels(saved, origin_of(saved), entity, run_id, base),
        epoch=saved.info.epoch,
        platform=request.platform,
        wheelhouse=request.wheelhouse,
        offline=request.offline,
    )


def _move(code: Path, model: Path, name: str) -> None:
    parts = PurePosixPath(name).parts
    source, target = code.joinpath(*parts), model.joinpath(*parts)
    if not source.is_file() or source.is_symlink():
        raise CorruptError(
            f"service.json names the file {name!r}, which its archive does not hold."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
