"""What is asked for, what was planned, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.images.values import Backend, Recipe
from sinara.serving.values import SavedService


@dataclass(frozen=True)
class Request:
    """What a person asks for; what is empty is taken from the settings.

    Attributes:
        registry: ``host:port/namespace``.
        base: The base image.
        backend: ``buildah``, ``podman``, ``docker`` or ``direct``.
        platform: ``linux/amd64``; this machine's by default.
        wheelhouse: A folder of wheels to take packages from.
        archive: Where ``direct`` writes the image to.
        push: Whether the image is sent to the registry.
        offline: Whether nothing may be asked of any network, but the registry to push to.
        verify: Whether it has to answer the samples before it gets its name.
        insecure: Registries that are asked over plain HTTP.
    """

    registry: str = ""
    base: str = ""
    backend: str = ""
    platform: str | None = None
    wheelhouse: Path | None = None
    archive: Path | None = None
    push: bool = False
    offline: bool = False
    verify: bool = False
    insecure: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What is going to be built, by what.

    Attributes:
        image: The whole name.
        entity: Full name of the entity.
        run_id: The run that published it.
        saved: The service.
        recipe: What goes into the image.
        backend: What builds it.
        why: Why this one.
    """

    image: str
    entity: str
    run_id: str
    saved: SavedService
    recipe: Recipe
    backend: Backend
    why: str


@dataclass(frozen=True)
class Containerized:
    """An image that was built and named.

    Attributes:
        image: The whole name.
        entity: Full name of the entity.
        run_id: The run that published it.
        id: ``sha256:…`` of the image's configuration.
        digest: ``sha256:…`` of the manifest in the registry; empty if it was not pushed.
        backend: What built it.
        base: The base image, as it was named.
        base_digest: ``sha256:…`` of its manifest.
        verified: What was verified, for people; empty if nothing was.
        was_there: Whether the very same image had the name already.
        archive: The file it was written to, if one was.
        warnings: What did not work and is no reason to fail.
    """

    image: str
    entity: str
    run_id: str
    id: str
    digest: str
    backend: str
    base: str
    base_digest: str
    verified: str = ""
    was_there: bool = False
    archive: str = ""
    warnings: tuple[str, ...] = ()

    def as_note(self) -> dict[str, Any]:
        """Return what the run keeps of it."""
        kept = ("image", "entity", "id", "digest", "backend", "base", "base_digest", "verified")
        return {name: getattr(self, name) for name in kept}
