"""The invariants of reliability, checked with nothing but the files.

I1 the log has no gap, and every entry agrees with its digest
I2 a run, and a trigger, is published at most once
I3 what is published is there, whole, and agrees with its digests
I4 what was acknowledged is in the log
I5 a mark for other engines means that the run is in the log
I6 after recovery every published run has its marks
I7 after recovery nothing unpublished is left: no data, no mark, no temporary file
I9 earlier runs do not change
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entries(folder: Path, lines: list[str]) -> list[dict[str, Any]]:
    """Return the bodies of the log, in order; note what breaks I1."""
    found = sorted(path for path in (folder / "_commits").glob("*.json"))
    bodies = []
    for number, path in enumerate(found, 1):
        if path.name != f"{number:020d}.json":
            lines.append(f"I1: {path.name} is entry {number}")
        try:
            whole = json.loads(path.read_bytes())
            body = whole["body"]
            inner = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            if digest(inner.encode()) != whole["sha256"] or body["sequence"] != number:
                lines.append(f"I1: {path.name} differs from its digest")
            bodies.append(body)
        except (ValueError, KeyError, TypeError) as error:
            lines.append(f"I1: {path.name} cannot be read: {error!r}")
    return bodies


def published(bodies: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the bodies of runs that were not taken back, by run id."""
    runs: dict[str, dict[str, Any]] = {}
    for body in bodies:
        if body.get("kind") == "tombstone":
            runs.pop(body["run_id"], None)
        else:
            runs[body["run_id"]] = body
    return runs


def violations(
    folder: Path, *, acked: set[str], recovered: bool, drafts: frozenset[str] = frozenset()
) -> list[str]:
    """Return one line per broken invariant of one step's folder.

    Args:
        folder: The step's folder.
        acked: Runs whose commit returned.
        recovered: Whether a recovery came after the last death.
        drafts: Runs that stay, though they are never published.
    """
    lines: list[str] = []
    bodies = entries(folder, lines)
    runs = published(bodies)
    commits = [body for body in bodies if body.get("kind") != "tombstone"]
    ids = [body["run_id"] for body in commits]
    keys = [body["trigger_key"] for body in commits if body["trigger_key"]]
    lines += [f"I2: run {name} twice" for name in {n for n in ids if ids.count(n) > 1}]
    lines += [f"I2: trigger {key} twice" for key in {k for k in keys if keys.count(k) > 1}]
    lines += [f"I4: {name} was acknowledged, and is not there" for name in acked - set(runs)]
    for run_id, body in runs.items():
        lines.extend(_check_run(folder / run_id, body, recovered))
    for mark in folder.glob("run-*/*/_SUCCESS"):
        if mark.stat().st_size == 0 and mark.parts[-3] not in ids:
            lines.append(f"I5: {mark.relative_to(folder)} of a run that is not published")
    if recovered:
        lines.extend(_leftovers(folder, set(runs) | drafts, drafts))
    return lines


def _check_run(base: Path, body: dict[str, Any], recovered: bool) -> Iterator[str]:
    for name, entity in body["entities"].items():
        where = f"{base.name}/{entity['folder']}"
        try:
            whole = json.loads((base / "_manifests" / f"{entity['folder']}.json").read_bytes())
        except (OSError, ValueError) as error:
            yield f"I3: manifest of {where}: {error!r}"
            continue
        manifest = whole["body"]
        inner = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if digest(inner.encode()) != entity["manifest_sha256"] or manifest["entity"] != name:
            yield f"I3: manifest of {where} is another one"
        folder = base / entity["folder"]
        there = {
            path.relative_to(folder).as_posix(): path
            for path in folder.rglob("*")
            if path.is_file() and path != folder / "_SUCCESS"
        }
        if set(there) != set(manifest["files"]):
            yield f"I3: {where} holds {sorted(there)}, not {sorted(manifest['files'])}"
            continue
        for path, (size, sha) in manifest["files"].items():
            data = there[path].read_bytes()
            if len(data) != size or digest(data) != sha:
                yield f"I3: {where}/{path} differs"
        if recovered and not (folder / "_SUCCESS").exists():
            yield f"I6: {where} has no _SUCCESS"
    if recovered and not (base / "_COMMIT").exists():
        yield f"I6: {base.name} has no _COMMIT"


def _leftovers(folder: Path, known: set[str], drafts: frozenset[str]) -> Iterator[str]:
    for path in folder.iterdir():
        if not path.name.startswith("_") and path.name not in known:
            yield f"I7: {path.name} is not published, and is there"
    marks = {f"{draft}.claim" for draft in drafts}
    for inside in ("_open", "_trash"):
        for path in (folder / inside).glob("*"):
            if path.name not in marks:
                yield f"I7: {inside}/{path.name} is there"
    for record in folder.glob("_runs/*/record.json"):
        try:
            running = json.loads(record.read_bytes())["status"] == "running"
        except ValueError as error:
            yield f"I7: record of {record.parent.name}: {error}"
            continue
        if running:
            yield f"I7: {record.parent.name} says it is running"


def content(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a folder (I9)."""
    return {
        path.relative_to(folder).as_posix(): digest(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
