"""A sweep: a pipeline over many values of its parameters, compared at the end.

Every point is a way through the pipeline. Ways that go together for a while share the steps there:
those run once. Nobody reads a point by default; who wants one runs with its values, and finds it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sinara.errors import UsageError
from sinara.params.text import read_dict
from sinara.record import PipelineRecord, Point

_MOST = 10_000  # points


@dataclass(frozen=True)
class PointResult:
    """What became of one point.

    Attributes:
        number: From 1, in the order of the points.
        values: What was set: ``step.parameter`` -> the value's text.
        status: ``succeeded`` if all of its steps gave something, otherwise what the worst did.
        seconds: What its own steps took together; shared ones count for each point.
        metrics: ``step.metric`` -> value.
        runs: Step -> its run.
        best: Whether it is the best of all.
    """

    number: int
    values: dict[str, str]
    status: str
    seconds: float
    metrics: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    best: bool = False


def grid(axes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return every point of a grid.

    Args:
        axes: ``step.parameter=value,value,…``, or a JSON list of values.

    Raises:
        UsageError: If an axis has no values, stands there twice, or there are too many points.
    """
    names: list[str] = []
    values: list[list[str]] = []
    for axis in axes:
        name, equals, text = axis.partition("=")
        found = _values(text)
        if not equals or not name or not found:
            raise UsageError(f"--grid {axis}: write step.parameter=value,value.")
        if name in names:
            raise UsageError(f"--grid {axis}: {name} is there twice.")
        names.append(name)
        values.append([f"{name}={value}" for value in found])
    points = tuple(itertools.islice(itertools.product(*values), _MOST + 1))
    if len(points) > _MOST:
        raise UsageError(f"The grid has more than {_MOST:,} points. Take fewer values.")
    return points if names else ()


def read_points(path: Path) -> tuple[tuple[str, ...], ...]:
    """Return the points in a file: a list of dictionaries ``step.parameter: value``.

    Args:
        path: JSON or YAML with ``points:``, or CSV with a column for each parameter.

    Raises:
        UsageError: If the file holds none.
        ParamsError: If it cannot be read.
    """
    if path.suffix.lower() == ".csv":
        rows = list(_csv(path))
    else:
        rows = read_dict(path).get("points") or []
    if not isinstance(rows, list) or not rows or not all(isinstance(r, dict) and r for r in rows):
        raise UsageError(f"{path}: write a list 'points' of dictionaries step.parameter: value.")
    if len(rows) > _MOST:
        raise UsageError(f"{path}: more than {_MOST:,} points.")
    return tuple(tuple(f"{name}={_text(value)}" for name, value in row.items()) for row in rows)


def results(record: PipelineRecord) -> tuple[PointResult, ...]:
    """Return what became of every point of a sweep, the best one marked."""
    found = [_result(record, number, point) for number, point in enumerate(record.points, 1)]
    scores = {
        place: float(one.metrics[record.best])
        for place, one in enumerate(found)
        if _is_number(one.metrics.get(record.best))
    }
    if not scores:
        return tuple(found)
    place = (min if record.lowest else max)(scores, key=lambda at: scores[at])
    found[place] = PointResult(**{**vars(found[place]), "best": True})
    return tuple(found)


def best_overrides(record: PipelineRecord) -> tuple[str, ...]:
    """Return the overrides of the best point; none if there is no best one."""
    for one in results(record):
        if one.best:
            return record.points[one.number - 1].overrides
    return ()


def check_best(best: str, steps: Sequence[str]) -> None:
    """Refuse a metric of no step.

    Raises:
        UsageError: If ``best`` is not ``step.metric`` of one of the steps.
    """
    step, dot, metric = best.partition(".")
    if best and (not dot or not metric or step not in steps):
        raise UsageError(f"--best {best}: write step.metric; the steps are {', '.join(steps)}.")


def _result(record: PipelineRecord, number: int, point: Point) -> PointResult:
    states = {step.name: step for step in record.steps}
    own = [states[name] for name in point.steps.values() if name in states]
    bad = [s.status for s in own if s.status not in ("succeeded", "reused", "skipped")]
    order = ("failed", "lost", "cancelled", "running", "pending")
    status = min(bad, key=order.index, default="succeeded")
    metrics = {
        f"{base}.{metric}": value
        for base, name in point.steps.items()
        if name in states
        for one in states[name].substeps
        for metric, value in one.metrics.items()
    }
    return PointResult(
        number,
        dict(_split(override) for override in point.overrides),
        status,
        round(sum(step.seconds for step in own), 3),
        metrics,
        {base: states[name].run_id or "" for base, name in point.steps.items() if name in states},
    )


def varying(found: Sequence[PointResult]) -> list[str]:
    """Return the metrics that are not the same at all points, in their order."""
    names = list(dict.fromkeys(name for one in found for name in one.metrics))
    return [n for n in names if len({repr(one.metrics.get(n)) for one in found}) > 1] or names


def _split(override: str) -> tuple[str, str]:
    name, _, value = override.partition("=")
    return name, value


def _values(text: str) -> list[str]:
    """Return the values of an axis: between commas, but for those in brackets or quotes."""
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except ValueError:
            listed = None
        if isinstance(listed, list):
            return [_text(value) for value in listed]
    found, depth, quote, part = [], 0, "", ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in ")}]":
            depth -= 1
        elif character == "," and depth == 0:
            found.append(part.strip())
            part = ""
            continue
        part += character
    return [value for value in [*found, part.strip()] if value]


def _csv(path: Path) -> Iterator[dict[str, str]]:
    import csv

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.DictReader(file), 1):
                if None in row or None in row.values():
                    raise UsageError(
                        f"{path}: point {number} has more or fewer values than there are columns."
                    )
                yield {name: value for name, value in row.items() if name}
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: is no CSV: {error}.") from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
