"""What an image says of itself, and its files: read, never run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sinara.containerize.labels import ENTITY, MANIFEST, origin_in
from sinara.errors import BadNameError, ImageError, RegistryError, SinaraError
from sinara.images import content
from sinara.images.backends import local_engines
from sinara.images.origin import ARCHIVE, LAYOUT, SAVED, ImageSource, open_source
from sinara.images.reference import parse_reference
from sinara.images.values import BENTO
from sinara.names import StepName, full_name, parse_full_name
from sinara.serving.artifacts import check_empty
from sinara.serving.find import holds_service
from sinara.serving.values import Origin
from sinara.settings import Settings
from sinara.store import open_store

_TIMEOUT = 10.0  # seconds for an answer of a registry: somebody waits


def is_image(text: str) -> bool:
    """Return whether a person means an image and not an entity: it has a tag, or it says so."""
    if text.startswith((LAYOUT, ARCHIVE, SAVED)):
        return True
    if "://" in text or ":" not in text or Path(text).exists():
        return False
    try:
        name = parse_reference(text)
    except BadNameError:
        return False
    return bool(name.tag or name.digest)


def image_labels(image: str, insecure: Sequence[str] = ()) -> dict[str, str]:
    """Return the labels of an image that is on this machine, else in its registry.

    Raises:
        ImageError: If it cannot be read.
        RegistryError: If it is not on this machine, and its registry does not give it.
    """
    if not image.startswith((LAYOUT, ARCHIVE, SAVED)):
        for engine in local_engines():
            found = engine.labels(image)
            if found is not None:
                return found
    with _closing(open_source(image, insecure=insecure, timeout=_TIMEOUT)) as source:
        return content.labels(source)


@dataclass(frozen=True)
class ImageOrigin:
    """Where an image came from.

    Attributes:
        origin: As its labels say, or its name.
        in_store: Whether the store has that run and entity.
        told: What a person has to know about how sure this is.
    """

    origin: Origin
    in_store: bool
    told: tuple[str, ...] = ()


def find_origin(settings: Settings, image: str) -> ImageOrigin:
    """Return where an image came from: by its labels, else by its name.

    Raises:
        ImageError: If neither says it.
    """
    told: list[str] = []
    try:
        labels = image_labels(image, settings.images.insecure)
        origin = origin_in(labels)
        if origin is None:
            raise ImageError(f"{image} was not made by sinara: it has no label {ENTITY}.")
    except RegistryError as error:
        named = _by_name(settings, image)
        if named is None:
            raise
        told.append(f"The image itself was not looked at: {error}")
        return ImageOrigin(named, True, tuple(told))
    entry = _published(settings, origin)
    if entry is None:
        told.append("The store here does not have that run: this is what the image's labels say.")
    elif entry != labels.get(MANIFEST, entry):
        told.append("The image's label names other content than the store has of that entity.")
    return ImageOrigin(origin, entry is not None, tuple(told))


def _published(settings: Settings, origin: Origin) -> str | None:
    """Return the digest of an entity's manifest; None if the store here does not have it."""
    try:
        step, name = parse_full_name(origin.entity)
        env = settings.env(step.env)
        store = open_store(env.root, storage_options=env.storage_options).step(step)
        held = store.commit(origin.run_id).entities.get(name)
    except SinaraError:
        return None
    return held.manifest_sha256 if held else None


def _by_name(settings: Settings, image: str) -> Origin | None:
    """Return which service the store has whose image would have this name."""
    reference = parse_reference(image)
    last = reference.repository.rpartition("/")[2]
    for env in settings.envs.values():
        if not last.startswith(f"{env.name.lower()}."):
            continue
        store = open_store(env.root, storage_options=env.storage_options)
        for pipeline, zone, step in store.steps():
            name = StepName(env.name, pipeline, zone, step)
            if not (last == name.dotted.lower() or last.startswith(f"{name.dotted.lower()}.")):
                continue
            try:
                services = holds_service(store.step(name), reference.tag)
            except SinaraError:
                continue
            for entity in services:
                if last in (name.dotted.lower(), full_name(name, entity).lower()):
                    return Origin(full_name(name, entity), reference.tag)
    return None


def extract_image(image: str, folder: Path, insecure: Sequence[str] = ()) -> int:
    """Write the files of an image's bento into an empty folder; return how many.

    Raises:
        UsageError: If the folder holds something.
        ImageError: If the image cannot be read, or holds no service.
        ArchiveError: If a layer is hostile.
    """
    check_empty(folder)
    with (
        tempfile.TemporaryDirectory(prefix="sinara-image-") as temporary,
        _closing(_source(image, Path(temporary), insecure)) as source,
    ):
        return content.extract_files(source, BENTO, folder).files


def _source(image: str, folder: Path, insecure: Sequence[str]) -> ImageSource:
    if not image.startswith((LAYOUT, ARCHIVE, SAVED)):
        for engine in local_engines():
            if engine.tagged(image) is not None:
                engine.save(image, folder / "image.tar")
                return open_source(f"{SAVED}{folder / 'image.tar'}")
    return open_source(image, insecure=insecure)


@contextmanager
def _closing(source: ImageSource) -> Iterator[ImageSource]:
    try:
        yield source
    finally:
        source.close()
