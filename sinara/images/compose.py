"""What makes layers an image: its configuration and its manifest, computed and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sinara.errors import ImageError
from sinara.images.finish import finish
from sinara.images.inside import LAYER_TIME
from sinara.images.layers import Layer
from sinara.images.manifest import (
    CONFIG,
    MANIFEST,
    Blob,
    Manifest,
    canonical,
    digest_of,
    same_platform,
)
from sinara.images.push import BASE_DIGEST, BASE_NAME
from sinara.images.runtime import CMD, ENTRYPOINT, EXPOSED, WORKING_FOLDER, environment
from sinara.images.values import USER, Recipe
from sinara.names import shown

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Of the base's own settings these hold on; what it would start, and how, is ours.
_KEPT = ("Env", "Labels", "StopSignal", "Volumes")


@dataclass(frozen=True)
class Base:
    """What the image is laid over.

    Attributes:
        where: Its name, for messages.
        manifest: Its manifest.
        config: Its configuration.
        registry_name: ``host/name:tag`` if its layers are to be had there; else empty.
    """

    where: str
    manifest: Manifest
    config: Mapping[str, Any]
    registry_name: str = ""


def check_base(base: Base, recipe: Recipe, platform: str) -> None:
    """Check that a base is for the platform, and has the Python that the recipe asks for.

    Raises:
        ImageError: If not. A base that does not say which Python it has is taken at its word.
    """
    found = "/".join(str(base.config.get(key, "")) for key in ("os", "architecture"))
    if not same_platform(found, "/".join(platform.split("/")[:2])):
        raise ImageError(
            f"Base image {base.where} is for {shown(found)}, not for {platform}. Name another one."
        )
    version = _variables(base.config).get("PYTHON_VERSION", "")
    if version and version.split(".")[:2] != recipe.python.split("."):
        raise ImageError(
            f"Base image {base.where} has Python {shown(version)}, the model was made with "
            f"{recipe.python}. Use a base image with Python {recipe.python}."
        )


def compose(base: Base, layers: Mapping[str, Layer], recipe: Recipe) -> tuple[bytes, Manifest]:
    """Return the configuration and the manifest of an image.

    Args:
        base: What it is laid over.
        layers: Ours, by what they hold, the lowest first.
        recipe: Its labels and its date.
    """
    told = {
        "architecture": base.config["architecture"],
        "os": base.config["os"],
        "config": _settings(base.config),
        "rootfs": {
            "diff_ids": [
                *base.config["rootfs"]["diff_ids"],
                *(layer.diff_id for layer in layers.values()),
            ]
        },
        "history": _history(base, list(layers)),
    }
    config = finish(told, recipe.labels, recipe.epoch)
    pieces = [*(layer.as_oci() for layer in base.manifest.layers)]
    pieces += [layer.blob for layer in layers.values()]
    annotations = {BASE_DIGEST: base.manifest.digest}
    if base.registry_name:
        annotations[BASE_NAME] = base.registry_name
    blob = Blob(CONFIG, digest_of(config), len(config))
    raw = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blob.as_json(),
            "layers": [piece.as_json() for piece in pieces],
            "annotations": annotations,
        }
    )
    return config, Manifest(raw, MANIFEST, blob, tuple(pieces), annotations)


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    inner = config.get("config")
    old = inner if isinstance(inner, dict) else {}
    variables = {"PATH": _PATH, **_variables(config), **environment()}
    return {
        **{key: old[key] for key in _KEPT if old.get(key)},
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "User": USER,
        "WorkingDir": WORKING_FOLDER,
        "ExposedPorts": {EXPOSED: {}},
        "Entrypoint": list(ENTRYPOINT),
        "Cmd": list(CMD),
    }


def _variables(config: Mapping[str, Any]) -> dict[str, str]:
    inner = config.get("config")
    listed = inner.get("Env") if isinstance(inner, dict) else None
    lines: Sequence[Any] = listed if isinstance(listed, list) else []
    pairs = (line.partition("=") for line in lines if isinstance(line, str))
    return {name: value for name, _, value in pairs}


def _history(base: Base, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return a line per layer; none at all if the base's lines do not fit its layers."""
    lines = base.config.get("history")
    told = [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
    if sum(not line.get("empty_layer") for line in told) != len(base.manifest.layers):
        return []
    moment = datetime.fromtimestamp(LAYER_TIME, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [*told, *({"created": moment, "created_by": f"sinara: {name}"} for name in names)]
