"""An image written with no builder and no daemon: its layers are files, its names are JSON.

::

    <scratch>/<image>/oci-layout …    an OCI image layout: what ``Built.where`` names
    <cache>/<key>/                    layers of packages, for the next build

The base is a name in a registry, ``oci:FOLDER[:NAME]`` or ``oci-archive:FILE``. Of a base in a
registry only the configuration is fetched: its layers are there already where the image goes to.

What it cannot do: run anything of the base. Packages come as wheels, and a base that does not say
which Python it has is taken at its word.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sinara.errors import ImageError
from sinara.images import context, loaded, local, packages
from sinara.images.call import ask
from sinara.images.compose import Base, check_base, compose
from sinara.images.files import FolderFiles, TarFiles
from sinara.images.hosts import is_loopback
from sinara.images.inside import LAYER_TIME
from sinara.images.kept import KeptLayers, key_of
from sinara.images.layers import Content, Layer, write_layer
from sinara.images.layout import (
    NAME,
    LayoutSource,
    blobs_folder,
    is_layout,
    put_blob,
    read_index,
    write_archive,
    write_index,
)
from sinara.images.manifest import machine_platform, same_platform
from sinara.images.origin import ImageSource, RegistrySource, open_source, read_config
from sinara.images.push import complete, copy_layers, push
from sinara.images.values import BENTO, PACKAGES, Built, Recipe, Running, Say

_STORED = "localhost"  # without a port: what engines put before names that belong to no registry
_OURS = 3  # layers that a build lays over the base


class Direct:
    """Images as OCI layouts; see :class:`sinara.images.values.Backend`.

    Args:
        insecure: Registries that may be asked by plain HTTP, beside those of this machine.
        cache: Where layers of packages are kept for the next build; None: nowhere.
        archive: The file that a tagged image is written to; None: it only goes to a registry.
        scratch: Where images lie until they are discarded, or this object is gone.
    """

    name = "direct"

    def __init__(
        self,
        insecure: Sequence[str] = (),
        *,
        cache: Path | None = None,
        archive: Path | None = None,
        scratch: Path | None = None,
    ) -> None:
        self._insecure = tuple(insecure)
        self._cache = KeptLayers(cache) if cache is not None else None
        self._archive = archive
        self._scratch = scratch
        self._python = ""  # that the last image asks for
        self._folders: list[Path] = []
        weakref.finalize(self, _remove_all, self._folders)

    def missing(self) -> str:
        """Return why it cannot build here and what to install; empty if it can."""
        return "" if packages.find_uv() else packages.NO_UV

    def commands(self, recipe: Recipe) -> list[list[str]]:
        """Return what :meth:`build` would start; ``BUILD`` stands for the folder that it makes."""
        site, asked = Path("BUILD", "site"), _with_platform(recipe)
        return [
            packages.install_command(["uv"], asked, Path("BUILD", "pins.txt"), site),
            packages.compile_command(f"python{recipe.python}", site),
        ]

    def build(self, recipe: Recipe, say: Say) -> Built:
        """Build an image without a name. If it fails, or is interrupted, nothing of it stays.

        Raises:
            ImageError: If the base does not fit, a package has no wheel, or the disk is full.
        """
        asked = _with_platform(recipe)
        source = self._open(asked)
        with contextlib.closing(source):
            base = _look(source)
            check_base(base, asked, asked.platform or "")
            folder = Path(tempfile.mkdtemp(prefix="sinara-image-", dir=self._scratch))
            self._folders.append(folder)
            try:
                layers = self._layers(asked, folder, say)
                config, manifest = compose(base, layers, asked)
                put_blob(folder, config)
                if not base.registry_name:
                    copy_layers(source, folder)
                write_index(folder, manifest, asked.platform or "")
            except BaseException as error:
                self._remove(folder)
                if isinstance(error, OSError):
                    raise _unwritten(folder, error) from None
                raise
        self._python = asked.python
        return Built(manifest.config.digest, base.manifest.digest, str(folder))

    def tagged(self, name: str) -> str | None:
        """Return the id of the image that has this name in the archive, if there is one."""
        if self._archive is None or not self._archive.is_file():
            return None
        with contextlib.closing(TarFiles(self._archive)) as files:
            if not is_layout(files):
                return None
            names = [entry.annotations.get(NAME) for entry in read_index(files).entries]
            if name not in names:
                return None
            return LayoutSource(files, name, "").manifest().config.digest

    def tag(self, built: Built, name: str) -> None:
        """Give it a name, and write it to the archive if there is to be one."""
        folder = Path(built.where)
        files = FolderFiles(folder)
        platform = read_index(files).entries[0].platform
        try:
            write_index(folder, LayoutSource(files, "", "").manifest(), platform, name)
        except OSError as error:
            raise _unwritten(folder, error) from None
        if self._archive is not None:
            complete(folder, insecure=self._insecure)
            write_archive(folder, self._archive, name)

    def discard(self, built: Built) -> None:
        """Remove an image; never raises."""
        self._remove(Path(built.where))

    def push(self, built: Built, name: str, say: Say) -> str:
        """Send an image to the registry in its name; return the manifest's ``sha256:…``.

        Raises:
            RegistryError: If the registry cannot be reached, or refuses.
        """
        return push(Path(built.where), name, say, insecure=self._insecure)

    def cannot_run(self) -> str:
        """Return why :meth:`run` would fail here and what to install; empty if it would not."""
        if loaded.find_program() or not self._python or packages.find_python(self._python):
            return ""
        return (
            f"There is neither podman nor docker here, nor a Python {self._python}. "
            "Install one of them: apt-get install podman"
        )

    def run(self, built: Built) -> Running:
        """Start what was built: in podman or docker, else by this machine's Python.

        Raises:
            ImageError: If it cannot be started.
        """
        folder = Path(built.where)
        files = FolderFiles(folder)
        platform = read_index(files).entries[0].platform
        if not same_platform(platform, machine_platform()):
            raise ImageError(f"The image is for {platform}; this machine is {machine_platform()}.")
        program = loaded.find_program()
        if program:
            return self._run_loaded(program, built, folder)
        python = packages.find_python(self._python)
        if python is None:
            raise ImageError(f"The image cannot be started here: {self.cannot_run()}")
        layers = LayoutSource(files, "", "").manifest().layers[-_OURS:]
        paths = [blobs_folder(folder) / layer.digest.removeprefix("sha256:") for layer in layers]
        return local.start(paths, python)

    def _run_loaded(self, program: str, built: Built, folder: Path) -> Running:
        complete(folder, insecure=self._insecure)
        with tempfile.TemporaryDirectory(prefix="sinara-image-", dir=self._scratch) as place:
            archive = Path(place, "image.tar")
            write_archive(folder, archive, "")
            return loaded.start(program, archive, built.id)

    def _open(self, recipe: Recipe) -> ImageSource:
        """Open the base, unless that asks a network that must not be asked."""
        source = open_source(recipe.base, platform=recipe.platform, insecure=self._insecure)
        if isinstance(source, RegistrySource) and source.registry.host == _STORED:
            source.close()
            raise ImageError(
                f"{recipe.base} is a name in the storage of an engine, which direct does not read. "
                "Name a base in a registry, oci:FOLDER or oci-archive:FILE."
            )
        far = isinstance(source, RegistrySource) and not is_loopback(source.registry.host)
        if recipe.offline and far:
            source.close()
            raise ImageError(
                f"Base image {recipe.base} lies in a registry, and no network may be asked. "
                "Name one that is here: oci:FOLDER or oci-archive:FILE"
            )
        return source

    def _layers(self, recipe: Recipe, folder: Path, say: Say) -> dict[str, Layer]:
        """Write the layers, the one that changes most often last."""
        blobs = blobs_folder(folder)
        written = {"packages": self._packages(recipe, folder / "work", blobs, say)}
        for name, content in (("code", recipe.code), ("model", recipe.model)):
            say(f"writing the layer of the {name}")
            contents = [Content(content, BENTO)]
            written[name] = write_layer(contents, blobs, epoch=LAYER_TIME, links=False)
        return written

    def _packages(self, recipe: Recipe, work: Path, blobs: Path, say: Say) -> Layer:
        """Return the layer of packages, of an earlier build if it holds the same."""
        pins, uv = context.pins(recipe.requirements), packages.find_uv()
        if uv is None:
            raise ImageError(packages.NO_UV)
        python = packages.find_python(recipe.python)
        key = _key(recipe, pins, uv, python)
        kept = self._cache.get(key, blobs) if self._cache else None
        if kept is not None:
            say(f"packages: {len(pins)}, as in an earlier build")
            return kept
        say(f"packages: {len(pins)}")
        if python is None:
            say(
                f"There is no Python {recipe.python} here to compile them: "
                "each container will do that when it starts."
            )
        work.mkdir()
        try:
            packages.install(uv, recipe, pins, work / "site", python, say)
            contents = [Content(work / "site", PACKAGES)]
            layer = write_layer(contents, blobs, epoch=LAYER_TIME)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        if self._cache:
            self._cache.put(key, layer)
        return layer

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(ValueError):
            self._folders.remove(folder)


def _unwritten(folder: Path, error: OSError) -> ImageError:
    return ImageError(f"The image was not written to {folder}: {error.strerror or error}")


def _with_platform(recipe: Recipe) -> Recipe:
    return replace(recipe, platform=recipe.platform or machine_platform())


def _look(source: ImageSource) -> Base:
    """Return what has to be known of a base."""
    name = source.where if isinstance(source, RegistrySource) else ""
    return Base(source.where, source.manifest(), read_config(source), name)


def _key(
    recipe: Recipe, pins: Sequence[str], uv: Sequence[str], python: packages.Python | None
) -> str:
    """Return a digest of all that decides over the layer of packages."""
    compiler = python.version if python else ""
    told = [recipe.python, recipe.platform or "", compiler, ask([*uv, "--version"]).out.strip()]
    if recipe.wheelhouse is not None:
        return key_of([*sorted(pins), *told], packages.wheels(recipe.wheelhouse, pins))
    indexes = [f"{name}={value}" for name, value in sorted(packages.settings().items())]
    return key_of([*sorted(pins), *told, *indexes])


def _remove_all(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
