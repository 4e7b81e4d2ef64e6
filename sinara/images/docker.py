"""docker, or whatever answers at its socket: images built and run by a daemon.

With BuildKit a build gets its secrets; the classic builder of podman's socket mounts, but takes
none, and the classic builder of Docker itself does not mount at all. Time stamps are Docker's to
set: two builds share the layers that it keeps, and are not the same bytes without them.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sinara.errors import ImageError, RegistryError
from sinara.images import dockerfile, running
from sinara.images.call import ask, follow
from sinara.images.context import Place, prepared
from sinara.images.engines import check, no_base
from sinara.images.reference import parse_reference
from sinara.images.values import Built, Recipe, Running, Say

_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")
_BUILT_IN = 23  # the first version whose client has no BuildKit without the plugin buildx


class Docker:
    """docker through its command line; its daemon has to answer."""

    name = "docker"

    def __init__(self, insecure: Sequence[str] = ()) -> None:
        self.insecure = tuple(insecure)  # the daemon's own settings decide

    def missing(self) -> str:
        """Return why it cannot build here and what to install; empty if it can."""
        if shutil.which("docker") is None:
            return "docker is not installed. Install it: see docs.docker.com/engine/install"
        try:
            done = ask(["docker", "version", "--format", "{{json .}}"], seconds=20)
            told = json.loads(done.out) if done.out.strip() else {}
        except (ImageError, ValueError) as error:
            return f"docker does not tell its version: {error}"
        if not told.get("Server"):
            return f"docker's daemon does not answer: {done.reason}. Start it, or log in to it."
        if not _has_buildkit() and not _is_podman(told):
            return "docker has no BuildKit here. Install it: apt-get install docker-buildx-plugin"
        return ""

    def commands(self, recipe: Recipe) -> list[list[str]]:
        """Return what :meth:`build` would start; names of folders stand for those it makes."""
        return [self._build(recipe, Place(Path("BUILD")), kit=True)]

    def build(self, recipe: Recipe, say: Say) -> Built:
        """Build an image without a name.

        Raises:
            ImageError: With the builder's last lines.
        """
        parse_reference(recipe.base)
        if recipe.offline and self._look(recipe.base) is None:
            raise no_base(recipe.base, self.name)
        kit = _has_buildkit()
        with prepared(recipe) as place:
            if place.secrets and not kit:
                say("docker without BuildKit takes no secrets: this machine's index settings and "
                    "certificates are not used")  # fmt: skip
            environment = {"DOCKER_BUILDKIT": "1" if kit else "0"}
            command = self._build(recipe, place, kit=kit)
            done = follow(command, say, patient=True, env=environment)
            check(done, "docker could not build the image")
            id_ = place.id_file.read_text("utf-8").strip()
        return Built(id_, self._digest(recipe.base), id_)

    def tagged(self, name: str) -> str | None:
        """Return the id of the image that has this name here, if there is one."""
        told = self._look(name)
        return str(told["Id"]) if told else None

    def labels(self, name: str) -> dict[str, str] | None:
        """Return the labels of an image, or None if there is none of that name."""
        told = self._look(name)
        return None if told is None else dict(told.get("Config", {}).get("Labels") or {})

    def tag(self, built: Built, name: str) -> None:
        """Give it a name. Whether the name is free was asked before."""
        check(ask(["docker", "tag", built.id, name]), f"docker could not name the image {name}")

    def discard(self, built: Built) -> None:
        """Remove an image that gets no name; one that has a name from before stays."""
        with contextlib.suppress(ImageError):
            told = self._look(built.id)
            if told and not told.get("RepoTags"):
                ask(["docker", "rmi", "--no-prune", built.id])

    def push(self, built: Built, name: str, say: Say) -> str:
        """Send a tagged image to the registry in its name; return the manifest's digest.

        Raises:
            RegistryError: If the registry cannot be reached, or refuses.
        """
        self.tag(built, name)  # docker sends by name: this image, and no other
        done = follow(["docker", "push", name], say)
        found = [match[1] for match in map(_DIGEST.search, done.lines) if match]
        if done.code != 0 or not found:
            raise RegistryError(f"{name} could not be pushed: {done.reason}")
        return found[-1]

    def save(self, reference: str, file: Path) -> None:
        """Write an image of this machine to a docker-archive, without running it.

        Raises:
            ImageError: If there is no such image.
        """
        done = ask(["docker", "save", "--output", str(file), reference], seconds=3600)
        if done.code != 0:
            file.unlink(missing_ok=True)
        check(done, f"docker could not export {reference}")

    def cannot_run(self) -> str:
        """Return why :meth:`run` would fail here and what to install; empty if it would not."""
        return self.missing()

    def run(self, built: Built) -> Running:
        """Start what was built, confined: read-only, no capabilities, one port of 127.0.0.1."""
        return running.start("docker", built.id)

    def _build(self, recipe: Recipe, place: Place, *, kit: bool) -> list[str]:
        words = ["docker", "build", *(["--progress", "plain", "--load"] if kit else ["--force-rm"])]
        words += ["--network", "none"] if recipe.offline else []
        words += ["--platform", recipe.platform] if recipe.platform else []
        words += dockerfile.arguments(recipe.base, recipe.python, place.inputs)
        if kit:  # it knows this one without an ARG, and keeps layers whatever its value
            words += ["--build-arg", f"SOURCE_DATE_EPOCH={recipe.epoch}"]
            for name in place.secrets:
                words += ["--secret", f"id={name},src={place.secret(name)}"]
        for key, value in sorted(recipe.labels.items()):
            words += ["--label", f"{key}={value}"]
        words += ["--iidfile", str(place.id_file), "--file", str(place.dockerfile)]
        return [*words, str(place.context)]

    def _look(self, image: str) -> Mapping[str, Any] | None:
        done = ask(["docker", "image", "inspect", image])
        return dict(json.loads(done.out)[0]) if done.code == 0 else None

    def _digest(self, base: str) -> str:
        """Return the digest of the base's manifest; docker knows it only of what it pulled."""
        told = self._look(base) or {}
        return next((d.partition("@")[2] for d in told.get("RepoDigests") or ()), "")


def _has_buildkit() -> bool:
    if ask(["docker", "buildx", "version"]).code == 0:
        return True
    version = ask(["docker", "version", "--format", "{{.Client.Version}}"]).out.strip()
    major = version.partition(".")[0]
    return major.isdigit() and int(major) < _BUILT_IN


def _is_podman(told: Mapping[str, Any]) -> bool:
    parts = told["Server"].get("Components") or ()
    return any("podman" in str(part.get("Name", "")).lower() for part in parts)
