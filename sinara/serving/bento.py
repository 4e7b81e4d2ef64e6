"""A bento as files: what BentoML serves, before it becomes one archive.

::

    bento.yaml                      names, version, which service     changes with every run
    env/python/requirements.txt     the packages, pinned
    src/…                           the code
    src/model.json, src/model/…     the model                         changes with every run
    src/models/…, models/…          models of a service class         change with every run

A bento of a plain model is written here, without BentoML, which would copy the weights twice. Its
format is that of ``bento.yaml`` with ``spec: 2`` (``bentoml._internal.bento.bento.BentoInfoV2``).
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANIFEST = "bento.yaml"
REQUIREMENTS = "env/python/requirements.txt"
_SHIPPED = ("sinara_service.py", "sinara_served.py")


@dataclass(frozen=True)
class BentoFiles:
    """The files of a bento.

    Attributes:
        name: Of the service.
        kind: ``model``, ``class`` or ``bento``.
        format: Of a plain model; else empty.
        files: Path inside the bento -> the file on this machine, or its content.
        weights: Those of them that change with every run.
    """

    name: str
    kind: str
    format: str
    files: Mapping[str, Path | bytes]
    weights: frozenset[str] = field(default_factory=frozenset)


def plain_bento(
    manifest: Mapping[str, Any],
    description: Mapping[str, Any],
    samples: Mapping[str, Any],
    model: Mapping[str, Path],
    modules: Mapping[str, Path],
    requirements: str,
) -> BentoFiles:
    """Return the bento of a plain model.

    Args:
        manifest: What :func:`manifest_of` returns.
        description: ``model.json``.
        samples: ``samples.json``.
        model: Name in the folder ``model`` -> file.
        modules: Path -> file, of modules of the step's own.
        requirements: The packages, pinned.
    """
    code: dict[str, Path | bytes] = {
        REQUIREMENTS: requirements.encode(),
        **{f"src/{name}": _shipped(name) for name in _SHIPPED},
        **{f"src/{path}": file for path, file in modules.items()},
    }
    weights: dict[str, Path | bytes] = {
        MANIFEST: _yaml(manifest),
        "src/model.json": as_json(description),
        "src/samples.json": as_json(samples),
        **{f"src/model/{name}": file for name, file in model.items()},
    }
    name, format_name = str(description["name"]), str(description["format"])
    return BentoFiles(name, "model", format_name, {**code, **weights}, frozenset(weights))


def manifest_of(name: str, service: str, version: str, bentoml: str, created: str) -> Any:
    """Return ``bento.yaml`` of a plain model's bento.

    Args:
        name: Of the bento: see :func:`sinara.serving.plain.bento_name`.
        service: Of the service.
        version: Of the bento.
        bentoml: The version of BentoML.
        created: ISO 8601, UTC.
    """
    entry = {"name": service, "service": "", "models": [], "dependencies": []}
    return {
        "service": "sinara_service:SinaraService",
        "name": name,
        "version": version,
        "bentoml_version": bentoml,
        "creation_time": created,
        "labels": {},
        "models": [],
        "entry_service": service,
        "services": [{**entry, "config": {"workers": 1}}],
        "envs": [],
        "schema": {},
        "args": {},
        "spec": 2,
        "image": {
            "base_image": "",
            "python_version": python_version(),
            "commands": [],
            "python_requirements": "",
            "post_commands": [],
            "build_include": [],
        },
    }


def python_version() -> str:
    """Return the minor version of this Python: ``3.11``."""
    import sys

    return f"{sys.version_info.major}.{sys.version_info.minor}"


def as_json(value: Any) -> bytes:
    """Return a value as JSON that people can read, the same bytes each time."""
    text = json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False)
    return f"{text}\n".encode()


def _yaml(value: Any) -> bytes:
    import yaml

    content: str = yaml.safe_dump(value, sort_keys=False)
    return content.encode()


def _shipped(name: str) -> bytes:
    return importlib.resources.files("sinara.serving.shipped").joinpath(name).read_bytes()
