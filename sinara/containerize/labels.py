"""What an image says of itself: OCI's own labels, and those by which sinara finds its entity.

Source:
    github.com/opencontainers/image-spec, annotations.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from sinara.record import plain
from sinara.serving.values import Origin, SavedService

ENTITY = "io.sinara.entity"
RUN_ID = "io.sinara.run_id"
MANIFEST = "io.sinara.entity.sha256"
LINEAGE = "io.sinara.lineage"
_OCI = "org.opencontainers.image"
_LONGEST = 16_384  # characters of a lineage; an image's configuration is read often


def image_labels(
    saved: SavedService, origin: Origin, entity: str, run_id: str, base: str
) -> dict[str, str]:
    """Return the labels of an image.

    Args:
        saved: The service.
        origin: Where it came from.
        entity: Full name of the entity.
        run_id: The run that published it.
        base: The base image as a person named it.
    """
    info = saved.info
    name, _, digest = base.partition("@")
    created = datetime.fromtimestamp(info.epoch, UTC).isoformat().replace("+00:00", "Z")
    labels = {
        f"{_OCI}.title": info.name,
        f"{_OCI}.version": run_id,
        f"{_OCI}.ref.name": entity,
        f"{_OCI}.created": created,
        f"{_OCI}.revision": origin.commit or "",
        f"{_OCI}.source": origin.remote or "",
        f"{_OCI}.base.name": name,
        f"{_OCI}.base.digest": digest,
        ENTITY: entity,
        RUN_ID: run_id,
        MANIFEST: saved.manifest,
        "io.sinara.version": origin.sinara,
        "io.sinara.bentoml": info.bentoml,
        "io.sinara.python": info.python,
        LINEAGE: _lineage(origin),
    }
    return {key: value for key, value in labels.items() if value}


def origin_in(labels: Mapping[str, str]) -> Origin | None:
    """Return where an image came from, by its label; None if it does not say so."""
    from sinara.errors import CorruptError
    from sinara.record import value_from_json

    if ENTITY not in labels or RUN_ID not in labels:
        return None
    told = labels.get(LINEAGE, "")
    try:
        found: Origin = value_from_json(told, Origin, "the image's lineage")
    except CorruptError:
        return Origin(labels[ENTITY], labels[RUN_ID])
    return found


def _lineage(origin: Origin) -> str:
    """Return an origin on one line, without who ran it; without inputs if it were too long."""
    told = plain(origin) | {"user": ""}
    text = json.dumps(told, separators=(",", ":"))
    if len(text) > _LONGEST:
        text = json.dumps(told | {"inputs": [], "dirty": []}, separators=(",", ":"))
    return text if len(text) <= _LONGEST else ""
