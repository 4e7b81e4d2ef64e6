"""A service class of the step's own, or a built bento, as the files of a bento."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sinara.errors import MissingExtraError, ServiceError, UsageError
from sinara.names import check_name, shown
from sinara.serving.bento import MANIFEST, REQUIREMENTS, BentoFiles
from sinara.serving.formats import write_pickle
from sinara.serving.needs import Needs, needs_of, with_packages
from sinara.serving.plain import bento_name

_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LEFT_OUT = ("__pycache__", ".git", ".ipynb_checkpoints")
_WEIGHTS = ("src/models/", "models/")
# The builder's own files name indexes, with passwords if they have some; and nothing reads them.
_BUILDERS = ("env/python/requirements.in", "src/bentofile.yaml", "src/uv.lock", "env/docker/")


def require_bentoml() -> str:
    """Return the version of BentoML that is installed; it is not imported.

    Raises:
        MissingExtraError: If it is not installed, or is of the old kind.
    """
    import importlib.metadata

    try:
        version = importlib.metadata.version("bentoml")
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtraError.for_extra("bentoml", "bento") from None
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (1, 4):
        raise MissingExtraError(
            f"BentoML {version} is installed, and 1.4 is needed: pip install 'sinara[bento]'"
        )
    return version


def is_class(service: Any) -> bool:
    """Return whether it is a class with ``@bentoml.service``."""
    return type(service).__module__.startswith("_bentoml_sdk") and hasattr(service, "inner")


def is_bento(service: Any) -> bool:
    """Return whether it is a built bento."""
    return type(service).__name__ == "Bento" and type(service).__module__.startswith("bentoml.")


def is_old(service: Any) -> bool:
    """Return whether it is a service of BentoML 0.13, or one of 1.0 with runners."""
    kinds = {base.__name__ for base in type(service).__mro__}
    runners = "Service" in kinds and type(service).__module__.startswith("bentoml.")
    return "BentoService" in kinds or runners


def class_bento(
    service: Any, version: str, models: Mapping[str, Any], step_folder: Path, folder: Path
) -> tuple[BentoFiles, Needs]:
    """Return the bento of a service class, and what it needs.

    Args:
        service: A class with ``@bentoml.service``.
        version: Of the bento.
        models: Name -> file, folder, or object; they will be in the folder ``models`` beside
            the class's module, an object as ``<name>.pkl``.
        step_folder: Where modules of the step's own are.
        folder: For temporary files.

    Raises:
        UsageError: If the class cannot be imported elsewhere, or a model is not there.
        ServiceError: If BentoML refuses it.
    """
    module, name = service.inner.__module__, service.inner.__name__
    if module == "__main__":
        raise UsageError(
            f"{name} is defined in this notebook, so nobody else could import it. Move it to a .py "
            "file beside the notebook and import it from there."
        )
    needs = needs_of({module}, step_folder)
    if not needs.modules:
        raise UsageError(f"{name} comes from {module}, which is no file of the step's folder.")
    (folder / "given").mkdir()
    given, imported = _given_models(models, folder / "given")
    if imported:
        needs = needs_of({module, *imported}, step_folder)
    context = folder / "context"
    for path, file in needs.modules.items():
        target = context / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    place = _build(f"{module}:{_attribute(service, module)}", bento_name(name), version, context)
    files = {**_files_below(place), **given}
    needs = with_packages(needs, _packages_named(files))
    return _as_bento(name, "class", files, needs), needs


def built_bento(bento: Any, folder: Path) -> tuple[BentoFiles, Needs]:
    """Return the files of a built bento, with its models, and what it needs.

    Raises:
        UsageError: If it needs a package that is not installed here.
        ServiceError: If BentoML cannot export it.
    """
    place = folder / "exported"
    with _told(f"bento {bento.tag}"):
        bento.export(str(place), output_format="folder")
    files = _files_below(place)
    needs = with_packages(Needs({}, {}), {*_packages_named(files), "bentoml"})
    return _as_bento(str(bento.info.entry_service), "bento", files, needs), needs


def _as_bento(name: str, kind: str, files: Mapping[str, Path | bytes], needs: Needs) -> BentoFiles:
    check_name("service", name)
    kept = {path: file for path, file in files.items() if not path.startswith(_BUILDERS)}
    kept[MANIFEST] = _scrubbed(files[MANIFEST])
    kept[REQUIREMENTS] = needs.requirements.encode()
    changing = {path for path in kept if path.startswith(_WEIGHTS)} | {MANIFEST, "README.md"}
    return BentoFiles(name, kind, "", kept, frozenset(changing & set(kept)))


def _scrubbed(manifest: Path | bytes) -> bytes:
    """Return ``bento.yaml`` without what BentoML wrote of packages, indexes and base images.

    Values for the environment go as well: they may be secrets, and an image's is ours.
    """
    import yaml

    told = yaml.safe_load(manifest if isinstance(manifest, bytes) else manifest.read_bytes())
    if isinstance(told.get("image"), dict):
        nothing = {"python_requirements": "", "commands": [], "post_commands": [], "base_image": ""}
        told["image"] |= nothing
    told["envs"] = []
    content: str = yaml.safe_dump(told, sort_keys=False)
    return content.encode()


def _build(service: str, name: str, version: str, context: Path) -> Path:
    import bentoml
    from bentoml._internal.bento.bento import BentoStore

    store = context.parent / "bentos"
    store.mkdir()
    with _told(service):
        bento = bentoml.bentos.build(
            service,
            name=name,
            version=version,
            build_ctx=str(context),
            include=["*"],
            python={"lock_packages": False},
            _bento_store=BentoStore(store),
        )
    return Path(bento.path)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Keep BentoML's banner out of the notebook, and turn its errors into one line."""
    logger = logging.getLogger("bentoml")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except (UsageError, OSError):
        raise
    except Exception as error:  # BentoML raises many kinds, and passes on what a class raises
        line = " ".join(str(error).split()) or type(error).__name__
        raise ServiceError(f"BentoML cannot build {what}: {line}") from error
    finally:
        logger.setLevel(level)


def _attribute(service: Any, module: str) -> str:
    for name, value in vars(sys.modules[module]).items():
        if value is service:
            return name
    raise UsageError(
        f"Module {module} was imported again since, and its {service.inner.__name__} is another "
        "class now. Import it again in the notebook, too."
    )


def _given_models(
    models: Mapping[str, Any], folder: Path
) -> tuple[dict[str, Path | bytes], set[str]]:
    """Return models as files of a bento, and the modules that loading those of them imports.

    Args:
        models: Name -> file, folder, or object.
        folder: For the objects' files.
    """
    files: dict[str, Path | bytes] = {}
    modules: set[str] = set()
    for name, model in models.items():
        check_name("model", name.replace(".", "_"))
        if not isinstance(model, str | os.PathLike):
            file = folder / f"{name}.pkl"
            modules |= write_pickle(model, file)
            files[f"src/models/{name}.pkl"] = file
            continue
        path = Path(model)
        if path.is_dir():
            files |= {f"src/models/{name}/{below}": f for below, f in _files_below(path).items()}
        elif path.is_file():
            suffix = "" if name.endswith(path.suffix) else path.suffix
            files[f"src/models/{name}{suffix}"] = path
        else:
            raise UsageError(f"models: {shown(name)} is {path}, which is not there.")
    return files, modules


def _files_below(place: Path) -> dict[str, Path | bytes]:
    found: dict[str, Path | bytes] = {}
    for path in sorted(place.rglob("*")):
        inside = path.relative_to(place)
        if path.is_file() and not any(part in _LEFT_OUT for part in inside.parts):
            found[inside.as_posix()] = path
    return found


def _packages_named(files: Mapping[str, Path | bytes]) -> set[str]:
    """Return the packages that a bento's own requirements name, without versions and options."""
    content = files.get(REQUIREMENTS, b"")
    text = content.decode() if isinstance(content, bytes) else content.read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    found = (_PACKAGE.match(line) for line in lines if not line.startswith(("#", "-")))
    return {match[0] for match in found if match}
