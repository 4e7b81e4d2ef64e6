"""The sealed list of an entity's files, and whether a folder still agrees with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sinara.errors import CorruptError
from sinara.store.codec import seal, unseal
from sinara.store.layout import SUCCESS
from sinara.store.trees import Seen
from sinara.store.values import SCHEMA_VERSION, Manifest, Problem


def encode(manifest: Manifest) -> tuple[bytes, str]:
    """Return the file of a manifest, and its digest."""
    return seal(
        {
            "schema_version": SCHEMA_VERSION,
            "entity": manifest.entity,
            "folder": manifest.folder,
            "files": {path: list(entry) for path, entry in manifest.files.items()},
            "bytes": manifest.bytes,
            "rows": manifest.rows,
            "schema": [list(column) for column in manifest.columns],
        }
    )


def decode(data: bytes, where: str) -> tuple[Manifest, str]:
    """Return a manifest and its digest.

    Raises:
        CorruptError: If the file differs from its digest, or is of a version that this
            program does not know.
    """
    body, digest = unseal(data, where)
    check_version(body, where)
    try:
        files = {str(path): (int(size), str(sha)) for path, (size, sha) in body["files"].items()}
        columns = tuple((str(name), str(kind)) for name, kind in body["schema"])
        manifest = Manifest(
            body["entity"], body["folder"], files, body["bytes"], body["rows"], columns
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptError(f"{where} is damaged: it is no manifest.") from error
    return manifest, digest


def check_version(body: dict[str, Any], where: str) -> None:
    """Refuse a file that a newer program wrote.

    Raises:
        CorruptError: If the version is not known.
    """
    version = body.get("schema_version")
    if version != SCHEMA_VERSION:
        raise CorruptError(
            f"{where} has schema version {version}; this sinara reads {SCHEMA_VERSION}. "
            "Upgrade sinara."
        )


def compare(manifest: Manifest, base: str, found: Sequence[Seen]) -> Iterator[Problem]:
    """Yield what differs between a manifest and a folder, contents apart.

    Args:
        manifest: What was published.
        base: The folder's path, for the problems.
        found: All that lies in the folder now.
    """
    there = {seen.path: seen for seen in found if seen.kind != "folder"}
    mark = there.pop(SUCCESS, None)
    if mark is not None and (mark.kind != "file" or mark.size):
        yield Problem(f"{base}/{SUCCESS}", "is not the empty file that was written there")
    for path, (size, _) in manifest.files.items():
        seen = there.pop(path, None)
        if seen is None:
            yield Problem(f"{base}/{path}", "is missing")
        elif seen.kind != "file":
            yield Problem(f"{base}/{path}", "is no regular file any more")
        elif seen.size != size:
            yield Problem(f"{base}/{path}", f"has {seen.size} bytes; {size} were published")
    for path in there:
        yield Problem(f"{base}/{path}", "was added after the run was published")
