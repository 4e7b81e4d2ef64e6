"""An entity made into an image: planned, built, verified, named, pushed, noted."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sinara.containerize.free import check_archive, is_named, named_digest, pushed_digest
from sinara.containerize.recipe import ABOUT, make_recipe
from sinara.containerize.sbom import FILE as SBOM
from sinara.containerize.values import Containerized, Plan, Request
from sinara.containerize.verify import verify
from sinara.errors import RegistryError, SinaraError, UsageError
from sinara.images.backends import Means, choose
from sinara.images.reference import parse_reference
from sinara.images.values import Backend, Built, Say
from sinara.names import StepName, image_name, parse_full_name, shown
from sinara.serving.entity import samples_of
from sinara.serving.find import holds_service, published_service
from sinara.settings import Settings
from sinara.settings.images import base_image
from sinara.store import Note, StepStore, open_store
from sinara.store.api import cache_folder

_PLATFORM = re.compile(r"linux/[a-z0-9_]+(?:/[a-z0-9]+)?")


def complete(settings: Settings, request: Request) -> Request:
    """Return a request with what the settings say where it says nothing.

    Raises:
        UsageError: If there is no base image, or something does not fit together.
    """
    images = settings.images
    request = replace(
        request,
        registry=request.registry or images.registry,
        base=request.base or images.base,
        backend=request.backend or images.backend,
        insecure=(*request.insecure, *images.insecure),
    )
    if not request.base:
        raise UsageError(
            "There is no base image. Name one with Python in it: --base "
            "python:3.11-slim@sha256:…, or base in the table [images] of sinara.toml."
        )
    try:
        base_image(request.base)
    except ValueError as error:
        raise UsageError(f"--base: {error}") from error
    if request.push and not request.registry:
        raise UsageError("There is no registry to push to. Name it: --registry host:5000/team")
    if request.offline and request.wheelhouse is None:
        raise UsageError(
            "Without a network packages have to come from a folder: --wheelhouse DIR. Fill it "
            "where there is one: see sinara model requirements --help"
        )
    if request.wheelhouse is not None and not request.wheelhouse.is_dir():
        raise UsageError(f"The wheelhouse {request.wheelhouse} is no folder.")
    if request.platform is not None and not _PLATFORM.fullmatch(request.platform):
        raise UsageError(
            f"--platform: {shown(request.platform)} cannot be: write linux/amd64 or linux/arm64."
        )
    if request.archive is not None:
        check_archive(request.archive)
    return request


@contextmanager
def planned(settings: Settings, entity: str, run_id: str, request: Request) -> Iterator[Plan]:
    """Give what will be built, with its files, which are gone afterwards.

    Args:
        settings: Where the envs are.
        entity: Full name of the entity.
        run_id: The run that published it.
        request: As :func:`complete` returned it.

    Raises:
        ServiceError: If the entity holds no service.
        CorruptError: If it is not what was published.
        BadNameError: If its names cannot be an image's.
        UsageError: If what builds it does not build on such a base, or keeps no images.
        ImageError: If nothing here can build it.
    """
    step, name = parse_full_name(entity)
    store = _store(settings, step)
    with tempfile.TemporaryDirectory(prefix="sinara-containerize-") as temporary:
        folder = Path(temporary)
        (folder / "entity").mkdir()
        saved = published_service(store, run_id, name, folder / "entity")
        others = [one for one in holds_service(store, run_id) if one != name]
        image = image_name(request.registry, step, run_id, name if others else None)
        means = Means(request.insecure, cache_folder("layers"), request.archive)
        backend, why = choose(request.backend or None, means)
        _check_base(backend, request.base)
        if backend.name == "direct" and not (request.push or request.archive):
            raise UsageError(
                "direct keeps no images on this machine: add --push, or --archive FILE."
            )
        recipe = make_recipe(saved, entity, run_id, request.base, request, folder)
        yield Plan(image, entity, run_id, saved, recipe, backend, why)


def containerize(
    settings: Settings, plan: Plan, request: Request, say: Say, log: Say
) -> Containerized:
    """Build an image, verify it if asked, give it its name, push it if asked.

    An image that fails on the way gets no name and is removed.

    Args:
        settings: Where the envs are.
        plan: What to build.
        request: What was asked for.
        say: Is told what happens.
        log: Is given what the builder writes.

    Raises:
        ImageError: If it cannot be built or started, or its name is another one's.
        AnswersDifferError: If it does not answer what the notebook predicted.
        RegistryError: If the registry refuses, or cannot be reached.
    """
    backend, image = plan.backend, plan.image
    cannot = backend.cannot_run() if request.verify else ""
    if cannot:
        raise UsageError(f"--verify: what {backend.name} builds cannot be started here: {cannot}")
    if request.push:  # or a registry that is down were told after the build
        named_digest(image, request.insecure)
    say(f"Building {image}, with {plan.why}")
    built = backend.build(plan.recipe, log)
    named = False
    try:
        was_there = is_named(backend, built, image)
        digest = (
            pushed_digest(built, image, request.platform, request.insecure) if request.push else ""
        )
        told = verify(backend, built, samples_of(plan.saved), say) if request.verify else ""
        if not was_there:
            backend.tag(built, image)
        named = True
        if request.push and not digest:  # somebody may have been quicker meanwhile
            digest = pushed_digest(built, image, request.platform, request.insecure)
        if request.push and not digest:
            say(f"Sending it to {parse_reference(image).located().registry}")
            digest = _push(plan, built, request, log)
    finally:
        if not named:
            backend.discard(built)
    done = Containerized(
        image=image,
        entity=plan.entity,
        run_id=plan.run_id,
        id=built.id,
        digest=digest,
        backend=backend.name,
        base=plan.recipe.base,
        base_digest=built.base_digest,
        verified=told,
        was_there=was_there,
        archive=str(request.archive or ""),
    )
    return _noted(settings, plan, built, done)


def _check_base(backend: Backend, base: str) -> None:
    """Check that a backend can build on a base image of this name."""
    if backend.name == "direct":
        return
    if base.startswith(("oci:", "oci-archive:")):
        raise UsageError(
            f"{backend.name} builds on an image of its own storage or of a registry, and {base} is "
            "a file's: take --backend direct, or load it and name what it is called then."
        )
    parse_reference(base)


def _push(plan: Plan, built: Built, request: Request, log: Say) -> str:
    """Send an image; if that fails, say what is left of it here."""
    try:
        return plan.backend.push(built, plan.image, log)
    except RegistryError as error:
        kept = f"{plan.image} is on this machine."
        if plan.backend.name == "direct":
            kept = f"The image is in {request.archive}." if request.archive else "Nothing is kept."
        line = f"{kept} The same command sends it once the registry takes it."
        raise RegistryError(*error.lines, line) from error


def _noted(settings: Settings, plan: Plan, built: Built, done: Containerized) -> Containerized:
    """Keep the image's digests and its packages with the run; a store may be read-only."""
    step, name = parse_full_name(plan.entity)
    sbom = (plan.recipe.model / ABOUT / SBOM).read_bytes()
    try:
        store = _store(settings, step)
        store.put_file(plan.run_id, f"images/{name}-{built.id[7:19]}.cdx.json", sbom)
        if not any(_says(note, done) for note in store.notes(plan.run_id)):
            store.add_note(plan.run_id, "image", done.as_note())
    except SinaraError as error:
        line = f"The run keeps no note of this image: {error}"
        return replace(done, warnings=(*done.warnings, line))
    return done


def _says(note: Note, done: Containerized) -> bool:
    """Return whether a note says all that is known of an image already."""
    told = {**done.as_note(), "verified": done.verified or note.body.get("verified")}
    return note.what == "image" and dict(note.body) == told


def _store(settings: Settings, step: StepName) -> StepStore:
    env = settings.env(step.env)
    store = open_store(
        env.root, storage_options=env.storage_options, durability=settings.durability
    )
    return store.step(step)
