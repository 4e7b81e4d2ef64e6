"""buildah and podman: images built through their command lines, without a daemon.

Both keep images in the same storage, and both are asked for the same thing in the same words, so
that they make the same image: layers that are kept for the next build, one time stamp, the OCI
format; then :mod:`sinara.images.finish` writes the configuration.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sinara.errors import ImageError, RegistryError
from sinara.images import dockerfile, running
from sinara.images.call import Done, ask, follow
from sinara.images.context import Place, prepared
from sinara.images.finish import finish, write_folder
from sinara.images.hosts import is_plain
from sinara.images.inside import LAYER_TIME
from sinara.images.manifest import same_platform
from sinara.images.reference import parse_reference
from sinara.images.values import Built, Recipe, Running, Say

_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_NO_HEALTH = "HEALTHCHECK is not supported for OCI image format"  # it comes in afterwards


@dataclass(frozen=True)
class Known:
    """What an engine knows of an image.

    Attributes:
        id: ``sha256:…`` of its configuration.
        digest: ``sha256:…`` of its manifest; empty if there is none.
        names: That it has here.
        config: Its OCI configuration.
    """

    id: str
    digest: str
    names: tuple[str, ...]
    config: Mapping[str, Any]


class _Containers:
    """What buildah and podman have in common: all but the words for looking at an image."""

    name = ""
    removes: Sequence[str] = ()

    def __init__(self, insecure: Sequence[str] = ()) -> None:
        self.insecure = tuple(insecure)

    def missing(self) -> str:
        """Return why it cannot build here and what to install; empty if it can."""
        if shutil.which(self.name) is None:
            return f"{self.name} is not installed. Install it: apt-get install {self.name}"
        try:
            done = ask([self.name, "info"])
        except ImageError as error:
            return str(error)
        return "" if done.code == 0 else f"{self.name} does not work here: {done.reason}"

    def commands(self, recipe: Recipe) -> list[list[str]]:
        """Return what :meth:`build` would start; names of folders stand for those it makes."""
        place = Place(Path("BUILD"))
        return [self._build(recipe, place), self._pull(place)]

    def build(self, recipe: Recipe, say: Say) -> Built:
        """Build an image without a name; layers of earlier builds are taken as they are.

        Raises:
            ImageError: With the builder's last lines.
        """
        base = parse_reference(recipe.base)
        here = self._look(recipe.base)
        if here is not None and (recipe.offline or base.registry == "localhost"):
            check_platform(here, recipe, self.name)
        if here is None:
            if recipe.offline:
                raise no_base(recipe.base, self.name)
            # spelled out, or every registry that this machine searches is asked for it
            recipe = replace(recipe, base=str(base.located()))
        with prepared(recipe) as place:
            command = self._build(recipe, place)
            done = follow(command, _without(_NO_HEALTH, say), patient=True)
            check(done, f"{self.name} could not build the image")
            made = self._look(_bare(place.id_file.read_text("utf-8")))
            if made is None:
                raise ImageError(f"{self.name} does not know the image that it has just built.")
            volume = dockerfile.volume_in_the_way(made.config["config"].get("Volumes") or ())
            if volume:
                raise ImageError(
                    f"The base image {recipe.base} declares a volume at {volume}, which would take "
                    "the packages away. Use one without, or --backend direct."
                )
            config = finish(made.config, recipe.labels, recipe.epoch)
            id_ = write_folder(place.root / "finished", config)
            check(ask(self._pull(place)), f"{self.name} could not store the image")
        known = self._look(recipe.base)
        return Built(id_, known.digest if known else "", id_)

    def tagged(self, name: str) -> str | None:
        """Return the id of the image that has this name here, if there is one."""
        known = self._look(_whole(name))
        return known.id if known and _whole(name) in known.names else None

    def labels(self, name: str) -> dict[str, str] | None:
        """Return the labels of an image, or None if there is none of that name."""
        known = self._look(_whole(name))
        if known is None:
            return None
        return dict(known.config.get("config", {}).get("Labels") or {})

    def tag(self, built: Built, name: str) -> None:
        """Give it a name. Whether the name is free was asked before."""
        done = ask([self.name, "tag", _bare(built.id), _whole(name)])
        check(done, f"{self.name} could not name the image {name}")

    def discard(self, built: Built) -> None:
        """Remove an image that gets no name; one that has a name from before stays."""
        with contextlib.suppress(ImageError):
            known = self._look(_bare(built.id))
            if known and not known.names:
                ask([self.name, *self.removes, _bare(built.id)])

    def push(self, built: Built, name: str, say: Say) -> str:
        """Send a tagged image to the registry in its name; return the manifest's digest.

        Raises:
            RegistryError: If the registry cannot be reached, or refuses.
        """
        with tempfile.TemporaryDirectory(prefix="sinara-image-") as folder:
            told = Path(folder) / "digest"
            words = ["push", *self._plain(name), "--digestfile", str(told)]
            done = follow([self.name, *words, _bare(built.id), f"docker://{name}"], say)
            if done.code != 0:
                raise RegistryError(f"{name} could not be pushed: {done.reason}")
            return told.read_text("utf-8").strip()

    def save(self, reference: str, file: Path) -> None:
        """Write an image of this machine to a docker-archive, without running it.

        Raises:
            ImageError: If there is no such image.
        """
        target = f"docker-archive:{file}"
        done = ask([self.name, "push", _whole(reference), target], seconds=3600)
        if done.code != 0:
            file.unlink(missing_ok=True)
        check(done, f"{self.name} could not export {reference}")

    def cannot_run(self) -> str:
        """Return why :meth:`run` would fail here and what to install; empty if it would not."""
        return Podman(self.insecure).missing()

    def run(self, built: Built) -> Running:
        """Start what was built, with podman, confined: read-only, no capabilities, one port."""
        if reason := self.cannot_run():
            raise ImageError(f"The image cannot be started here: {reason}")
        return running.start("podman", _bare(built.id))

    def _build(self, recipe: Recipe, place: Place) -> list[str]:
        isolation = os.environ.get("BUILDAH_ISOLATION", "")
        words = [self.name, "build", "--format", "oci", "--layers=true", "--force-rm"]
        words += ["--timestamp", str(LAYER_TIME), "--identity-label=false"]
        words += ["--pull=never"] if recipe.offline else ["--pull=false", *self._plain(recipe.base)]
        if not isolation:
            words += ["--isolation", "chroot"]  # needs neither a runtime nor cgroups
        elif isolation != "chroot" and recipe.offline:
            words += ["--network", "none"]  # chroot has none of its own; uv is told --no-index
        words += ["--platform", recipe.platform] if recipe.platform else []
        words += dockerfile.arguments(recipe.base, recipe.python, place.inputs)
        for name in place.secrets:
            words += ["--secret", f"id={name},src={place.secret(name)}"]
        words += ["--iidfile", str(place.id_file), "--file", str(place.dockerfile)]
        return [*words, str(place.context)]

    def _pull(self, place: Place) -> list[str]:
        return [self.name, "pull", "--quiet", f"dir:{place.root / 'finished'}"]

    def _plain(self, name: str) -> list[str]:
        plain = is_plain(parse_reference(name).located().registry, self.insecure)
        return ["--tls-verify=false"] if plain else []

    def _look(self, image: str) -> Known | None:
        """Return what the engine knows of an image, or None if there is none."""
        raise NotImplementedError


class Buildah(_Containers):
    """buildah, and podman to run what it built."""

    name = "buildah"
    removes = ("rmi",)

    def _look(self, image: str) -> Known | None:
        done = ask([self.name, "inspect", "--type", "image", image])
        if done.code != 0:
            return None
        told = json.loads(done.out)
        id_, listed = told["FromImageID"], ask([self.name, "images", "--json", "--no-trunc"])
        rows = json.loads(listed.out or "[]") or []
        names = [name for row in rows if id_ in row["id"] for name in row.get("names") or []]
        return Known(f"sha256:{id_}", told["FromImageDigest"], tuple(names), told["OCIv1"])


class Podman(_Containers):
    """podman, with the parts of buildah that are in it."""

    name = "podman"
    removes = ("rmi", "--no-prune")

    def _look(self, image: str) -> Known | None:
        done = ask([self.name, "image", "inspect", image])
        if done.code != 0:
            return None
        told = json.loads(done.out)[0]
        config = {
            "architecture": told["Architecture"],
            "os": told["Os"],
            "config": told["Config"],
            "rootfs": {"diff_ids": told["RootFS"]["Layers"]},
            "history": told["History"],
        }
        return Known(f"sha256:{told['Id']}", told["Digest"], tuple(told["RepoTags"] or ()), config)


def no_base(base: str, engine: str) -> ImageError:
    """Return the error for a base image that is not here while nothing may be fetched."""
    return ImageError(
        f"The base image {base} is not in {engine}'s storage, and offline nothing is fetched. "
        f"Fetch it first: {engine} pull {base}"
    )


def check_platform(here: Known, recipe: Recipe, engine: str) -> None:
    """Check that a base image is for the platform that is asked for.

    Raises:
        ImageError: If it is for another one.
    """
    found = f"{here.config['os']}/{here.config['architecture']}"
    asked = recipe.platform or found
    if not same_platform(found, "/".join(asked.split("/")[:2])):
        fetch = f"{engine} pull --platform {asked} {recipe.base}"
        local = parse_reference(recipe.base).registry == "localhost"
        raise ImageError(
            f"The base image {recipe.base} in {engine}'s storage is for {found}, not for {asked}. "
            + ("Name another one." if local else f"Fetch the other one first: {fetch}")
        )


def check(done: Done, what: str) -> None:
    """Turn a call that failed into an error with the last lines that it wrote.

    Raises:
        ImageError: If it failed.
    """
    if done.code != 0:
        before = [f"    {line}" for line in done.lines if line.strip()]
        raise ImageError(f"{what}: {done.reason}", *before[-10:])


def _whole(name: str) -> str:
    """Return a name as it is stored: a short one would be any image whose name ends so."""
    if _ID.fullmatch(name):
        return name
    return name if parse_reference(name).registry else f"localhost/{name}"


def _without(words: str, say: Say) -> Say:
    return lambda line: None if words in line else say(line)


def _bare(id_: str) -> str:
    return id_.strip().removeprefix("sha256:")
