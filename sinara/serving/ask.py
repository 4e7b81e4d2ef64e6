"""Samples asked of a service, and its answers compared with what the notebook predicted."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from sinara.errors import ServiceError
from sinara.names import shown
from sinara.serving.http import Asked, fetch
from sinara.serving.values import Outcome, Sample, Samples

SECONDS = 60.0  # that one answer may take
_LARGEST_ANSWER = 256 << 20
_ABSOLUTE = 0.01  # how far a number near zero may be off, as a share of the tolerance


def replay(
    url: str, samples: Samples, *, tolerance: float | None = None, seconds: float = SECONDS
) -> Iterator[Outcome]:
    """Ask a service all samples, one after the other, and say how each answer differs.

    Args:
        url: ``http://host:port``.
        samples: Requests and predictions.
        tolerance: How far a number may be off, as a share of it; the samples' own by default.
        seconds: How long one answer may take.

    Raises:
        ServiceError: If the tolerance is none.
    """
    allowed = samples.tolerance if tolerance is None else tolerance
    if not 0 <= allowed < math.inf:
        raise ServiceError(f"A tolerance of {allowed} compares nothing: it is a number from 0 on.")
    for sample in samples.samples:
        begun = time.monotonic()
        try:
            answer = ask(url, sample.route, sample.request, seconds)
        except ServiceError as error:
            yield Outcome(sample.route, str(error), time.monotonic() - begun)
            continue
        took = time.monotonic() - begun
        try:
            differs = difference(sample.answer, answer, allowed)
        except RecursionError:
            differs = "answer is nested too deep to be compared"
        yield Outcome(sample.route, differs, took)


def ask(url: str, route: str, request: Any, seconds: float = SECONDS) -> Any:
    """Return the answer of a service to one request, both as JSON.

    Raises:
        ServiceError: If it does not answer, refuses, or answers something else than JSON.
    """
    asked = Asked(
        f"{url.rstrip('/')}/{route.strip('/')}",
        _body(request),
        {"Content-Type": "application/json", "Accept": "application/json"},
    )
    try:
        answer = fetch(asked, seconds, _LARGEST_ANSWER + 1)
    except TimeoutError as error:
        raise ServiceError(f"/{route} did not answer within {seconds:g} s") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        raise ServiceError(f"{url} cannot be asked: {why}") from error
    content = answer.content
    if answer.status // 100 != 2:
        said = content[:2000].decode("utf-8", "replace")
        raise ServiceError(f"/{route} answers {answer.status}: {shown(said)}")
    if len(content) > _LARGEST_ANSWER:
        raise ServiceError(f"/{route} answers more than {_LARGEST_ANSWER >> 20} MB")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        said = shown(content[:80].decode("utf-8", "replace"))
        raise ServiceError(f"/{route} answers no JSON: {said}") from error


def _body(request: Any) -> bytes:
    try:
        return json.dumps(request, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise ServiceError(f"The sample cannot be sent as JSON: {error}.") from error


def difference(expected: Any, found: Any, tolerance: float, place: str = "answer") -> str:
    """Return where and how two values differ; an empty text if they do not.

    Args:
        expected: As JSON.
        found: As JSON.
        tolerance: How far a number may be off, as a share of the larger one.
        place: Of the values, for the text.
    """
    if _is_number(expected) and _is_number(found):
        close = _is_close(expected, found, tolerance)
        return "" if close else f"{place} is {shown(found)}, and {shown(expected)} was predicted"
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"{place} has {len(found)} items, and {len(expected)} were predicted"
        pairs: Iterable[tuple[str, Any, Any]] = (
            (f"{place}[{i}]", e, f) for i, (e, f) in enumerate(zip(expected, found, strict=True))
        )
    elif isinstance(expected, dict) and isinstance(found, dict):
        if expected.keys() != found.keys():
            there, wanted = (shown(", ".join(sorted(one))) for one in (found, expected))
            return f"{place} has the keys {there}, and {wanted} were predicted"
        pairs = ((f"{place}.{key}", expected[key], found[key]) for key in expected)
    else:
        same = type(expected) is type(found) and expected == found
        return "" if same else f"{place} is {shown(found)}, and {shown(expected)} was predicted"
    return next((d for p, e, f in pairs if (d := difference(e, f, tolerance, p))), "")


def answered(url: str, samples: Iterable[tuple[Sample, bool]]) -> list[Sample]:
    """Return samples with their answers; those without one get the service's.

    Args:
        url: The service's.
        samples: Each with whether its answer is known.

    Raises:
        ServiceError: If the service refuses one.
    """
    return [one if known else _answered(url, one) for one, known in samples]


def _answered(url: str, sample: Sample) -> Sample:
    return replace(sample, answer=ask(url, sample.route, sample.request))


def samples_from(url: str) -> Samples:
    """Return the samples that a service made from a plain model holds itself.

    Raises:
        ServiceError: If it has none.
    """
    from sinara.errors import CorruptError
    from sinara.record import value_from_json

    try:
        told = ask(url, "test_data", {})
        content = json.dumps({"samples": told})
        found: Samples = value_from_json(content, Samples, f"{url}/test_data")
    except (ServiceError, CorruptError) as error:
        raise ServiceError(
            f"{url} gives no samples ({error}). Name the entity that has them: --samples ENTITY"
        ) from error
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_close(expected: float, found: float, tolerance: float) -> bool:
    try:
        return math.isclose(expected, found, rel_tol=tolerance, abs_tol=tolerance * _ABSOLUTE)
    except OverflowError:  # a whole number that no float holds
        return expected == found
