"""The last touch on an image that buildah or podman built: labels, health check, one date.

They build in the OCI format, which gives one id for one content, but has no health check; their
Docker format has one, and the random name of a working container too. So the configuration is
written here, over the layers that are in the engine's storage already: a folder for
``pull dir:FOLDER``, which copies nothing.

Labels come in here and not by ``--label``, which buildah pastes into the Dockerfile.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sinara.images.dockerfile import HEALTH_COMMAND, HEALTH_RETRIES, HEALTH_SECONDS
from sinara.images.inside import LAYER_TIME

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_SECOND = 10**9  # in nanoseconds, as Docker counts


def finish(told: Mapping[str, Any], labels: Mapping[str, str], epoch: int) -> bytes:
    """Return the configuration of an image.

    Args:
        told: What the engine tells of what it built: an OCI configuration.
        labels: Of the image; those of the base stay beneath.
        epoch: When it was made, in seconds since 1970.
    """
    health = {
        "Test": ["CMD", *HEALTH_COMMAND],
        "Interval": HEALTH_SECONDS["interval"] * _SECOND,
        "Timeout": HEALTH_SECONDS["timeout"] * _SECOND,
        "StartPeriod": HEALTH_SECONDS["start-period"] * _SECOND,
        "Retries": HEALTH_RETRIES,
    }
    config = {key: value for key, value in told["config"].items() if value}
    config["Labels"] = {**(config.get("Labels") or {}), **labels}
    config["Healthcheck"] = health
    whole = {
        "architecture": told["architecture"],
        "os": told["os"],
        "created": _moment(epoch),
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": told["rootfs"]["diff_ids"]},
        "history": [_entry(entry, epoch) for entry in told["history"]],
    }
    return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()


def write_folder(folder: Path, config: bytes) -> str:
    """Write what ``pull dir:FOLDER`` reads; return the image's id, ``sha256:…``."""
    digest = hashlib.sha256(config).hexdigest()
    layers = json.loads(config)["rootfs"]["diff_ids"]
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "digest": f"sha256:{digest}", "size": len(config)},
        # the storage knows their sizes, and fills them in when it sends them
        "layers": [{"mediaType": _LAYER, "digest": layer, "size": 0} for layer in layers],
    }
    folder.mkdir()
    (folder / "version").write_text("Directory Transport Version: 1.1\n", "utf-8")
    (folder / "manifest.json").write_text(json.dumps(manifest, sort_keys=True), "utf-8")
    (folder / digest).write_bytes(config)
    return f"sha256:{digest}"


def _entry(entry: Mapping[str, Any], epoch: int) -> dict[str, Any]:
    """Return a line of the history: our steps at the image's date, without ids of other images."""
    kept = {key: value for key, value in entry.items() if key != "comment" and value}
    if str(kept.get("created", "")).startswith(_moment(LAYER_TIME)[:-1]):
        kept["created"] = _moment(epoch)
    return kept


def _moment(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
