"""Compare two versions of an entity: by their digests, and if these differ by their values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sinara.errors import SinaraError
from sinara.store import Commit, StepStore

if TYPE_CHECKING:
    import pyarrow as pa

Verdict = Literal["equal", "within tolerance", "different", "missing"]


@dataclass(frozen=True)
class Comparison:
    """How an entity came out.

    Attributes:
        entity: Its name.
        verdict: ``equal``: every byte, or every value; ``within tolerance``: every number nearly.
        why: In what it differs; empty if it is equal.
        rows: How many rows it had then and has now; ``None`` if it is no table.
    """

    entity: str
    verdict: Verdict
    why: str = ""
    rows: tuple[int | None, int | None] = (None, None)


def compare(
    store: StepStore, old: Commit, new: Commit, tolerance: float, options: Mapping[str, Any]
) -> Iterator[Comparison]:
    """Yield how each entity of a run came out in another run.

    Args:
        store: Of the step.
        old: The run.
        new: The other run.
        tolerance: Largest relative difference of two numbers that are nearly the same.
        options: What fsspec needs to read the store.
    """
    for name in sorted(old.entities):
        if name.startswith(("reports.", "reports_")):
            continue
        before, now = old.entities[name], new.entities.get(name)
        if now is None:
            yield Comparison(name, "missing", "it was not written", (before.rows, None))
        elif before.manifest_sha256 == now.manifest_sha256:
            yield Comparison(name, "equal", rows=(before.rows, now.rows))
        else:
            urls = [store.entity_url(commit.run_id, name) for commit in (old, new)]
            verdict, why = _values(urls[0], urls[1], tolerance, options)
            yield Comparison(name, verdict, why, (before.rows, now.rows))


def _values(
    old: str, new: str, tolerance: float, options: Mapping[str, Any]
) -> tuple[Verdict, str]:
    """Return how the values of two tables differ; files that are no tables are just different."""
    from sinara.substep.tables import read_table

    try:
        before: pa.Table = read_table(old, "arrow", None, options)
        now: pa.Table = read_table(new, "arrow", None, options)
    except (SinaraError, OSError):
        return "different", "its files differ"
    if before.schema.names != now.schema.names:
        gone = [n for n in before.schema.names if n not in now.schema.names]
        added = [n for n in now.schema.names if n not in before.schema.names]
        told = [*(f"-{n}" for n in gone), *(f"+{n}" for n in added)] or ["their order"]
        return "different", f"columns: {', '.join(told)}"
    if before.num_rows != now.num_rows:
        return "different", f"{before.num_rows:,} rows then, {now.num_rows:,} now"
    nearly = []
    for name in before.schema.names:
        if before.schema.field(name).type != now.schema.field(name).type:
            types = f"{before.schema.field(name).type} → {now.schema.field(name).type}"
            return "different", f"column {name}: {types}"
        verdict, why = _column(before.column(name), now.column(name), tolerance)
        if verdict == "different":
            return verdict, f"column {name}: {why}"
        if verdict == "within tolerance":
            nearly.append(f"column {name}: {why}")
    return ("within tolerance", "; ".join(nearly)) if nearly else ("equal", "")


def _column(before: pa.ChunkedArray, now: pa.ChunkedArray, tolerance: float) -> tuple[Verdict, str]:
    import pyarrow as pa

    if before.equals(now):
        return "equal", ""
    if not pa.types.is_floating(before.type):
        count = sum(a != b for a, b in zip(before.to_pylist(), now.to_pylist(), strict=True))
        return "different", f"{count:,} of {len(before):,} values"
    largest, count = 0.0, 0
    for a, b in zip(before.to_pylist(), now.to_pylist(), strict=True):
        apart = _apart(a, b)
        largest = max(largest, apart)
        count += apart > tolerance
    if count:
        return "different", f"{count:,} of {len(before):,} values, by up to {largest:.2g}"
    return ("within tolerance", f"by up to {largest:.2g}") if largest else ("equal", "")


def _apart(a: float | None, b: float | None) -> float:
    """Return the relative difference of two numbers; two that are no numbers are the same."""
    if a is None or b is None:
        return 0.0 if a is b else math.inf
    if math.isnan(a) or math.isnan(b):
        return 0.0 if math.isnan(a) and math.isnan(b) else math.inf
    if a == b:
        return 0.0
    if math.isinf(a) or math.isinf(b):
        return math.inf
    return abs(a - b) / max(abs(a), abs(b))
