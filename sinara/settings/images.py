"""Where images come from and go to: the table ``images``, and ``SINARA_IMAGES_*``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sinara.names import shown
from sinara.settings import checks
from sinara.settings.options import advice, keep
from sinara.settings.values import ImageSettings

BACKENDS = ("buildah", "podman", "docker", "direct")
_VARIABLE = "SINARA_IMAGES_"
_REFERENCE = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]+-]*")


def read_images(
    file: Path | None, value: Any, environ: Mapping[str, str], lines: list[str]
) -> ImageSettings:
    """Return what the file and the environment set; what is wrong goes to ``lines``.

    Args:
        file: Where the table stands, for messages.
        value: The table ``images``.
        environ: ``SINARA_IMAGES_BASE`` and its like win over the file.
        lines: Gets one line per finding.
    """
    found: dict[str, Any] = {}
    if not isinstance(value, dict):
        lines.append(f"{file}: images: {shown(value)} is not a table. Write [images].")
        value = {}
    for key, setting in value.items():
        if key in _CHECKS:
            keep(found, key, _CHECKS[key], setting, f"{file}: images.{key}", lines)
        else:
            told = advice(key, _CHECKS)
            lines.append(f"{file}: images: {shown(key)} is not a setting of images. {told}")
    for key, check in _CHECKS.items():
        variable = f"{_VARIABLE}{key.upper()}"
        if environ.get(variable):
            keep(found, key, check, environ[variable], variable, lines)
    return ImageSettings(**found)


def _reference(value: Any) -> str:
    """Return the name of an image or a registry, which no program takes for an option."""
    if isinstance(value, str) and _REFERENCE.fullmatch(value):
        return value
    raise ValueError(f"{shown(value)} is not a name, as in registry.example.org:5000/team")


def base_image(value: Any) -> str:
    """Return a base image: a reference, or ``oci:FOLDER``, ``oci-archive:FILE``.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(value, str) and value.startswith(("oci:", "oci-archive:")):
        if value.isprintable():
            return value
        raise ValueError(f"{shown(value)} holds a control character")
    return _reference(value)


def _references(value: Any) -> tuple[str, ...]:
    return tuple(_reference(word) for word in checks.words(value))


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "base": base_image,
    "registry": _reference,
    "backend": checks.one_of(*BACKENDS),
    "insecure": _references,
}
