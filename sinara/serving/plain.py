"""A service made from a plain model and a sample of its input: no server code to write."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.errors import UsageError
from sinara.names import check_name
from sinara.serving.sample import SampleRows, read_sample
from sinara.serving.shipped.sinara_served import ServedModel, as_input


@dataclass(frozen=True)
class PlainService:
    """A model that will be served as it is; made by :func:`make_service`.

    Attributes:
        name: Of the service.
        model: As it was given.
        sample: Rows and what they say about the input.
        method: Which of the model's methods predicts.
        given: The sample's rows as the model takes them.
        timeout: Seconds that one request may take.
        max_batch_size: Rows that are predicted at once, if many ask at a time.
        answers: What a model in a file predicts for the sample; loading it takes time, so it is
            asked once. None for a model in memory, which is asked when it is saved.
        state: Of the file when it was asked.
    """

    name: str
    model: Any
    sample: SampleRows
    method: str
    given: Any
    timeout: float
    max_batch_size: int
    answers: tuple[Any, ...] | None = None
    state: str = ""


def make_service(
    model: Any,
    sample: Any,
    *,
    name: str = "model",
    method: str = "predict",
    optional: Collection[str] = (),
    timeout: float = 60.0,
    max_batch_size: int = 100,
) -> PlainService:
    """Return a service that answers with what a model predicts.

    It has ``predict``, with one answer per row of ``{"rows": […]}`` whose types are those of the
    sample, ``test_data`` with the sample and what the model predicts for it, and ``version``.

    Args:
        model: From scikit-learn or anything that pickle takes and that has the method; a path to an
            ``.onnx`` file or an ONNX model; a PyTorch module or exported program.
        sample: Some rows of its input: a frame of pandas or polars, an Arrow table, an array, a
            list of texts, or the URL of an entity. The first twenty are kept.
        name: Of the service.
        method: Which method of the model predicts: ``predict_proba``, ``transform``, …;
            ``__call__`` for the model itself. Of an ONNX model: the name of the output that is the
            answer, the first by default. PyTorch has only one way.
        optional: Columns that a request may leave out, besides those in which the sample misses
            a value; the model then gets a missing value.
        timeout: Seconds that one request may take.
        max_batch_size: Rows that are predicted at once, if many ask at a time.

    Raises:
        UsageError: If the sample cannot be one, or the name or a number cannot be.
    """
    check_name("service", name)
    if not timeout > 0 or not max_batch_size > 0:
        raise UsageError("timeout and max_batch_size have to be greater than 0.")
    rows = read_sample(sample, optional)
    file = Path(model) if isinstance(model, str | os.PathLike) else None
    return PlainService(
        name=name,
        model=model,
        sample=rows,
        method=method,
        given=as_input({"input": rows.input}, rows.rows),
        timeout=float(timeout),
        max_batch_size=int(max_batch_size),
        answers=None if file is None else predicted_by_file(file, rows, method),
        state="" if file is None else state_of(file),
    )


def predicted_by_file(file: Path, sample: SampleRows, method: str) -> tuple[Any, ...]:
    """Return what a model in a file predicts for a sample.

    Raises:
        UsageError: If it is no file that can be served, or does not take the sample.
    """
    from sinara.serving.formats import ask_model, onnx_file

    found = onnx_file(file, method)
    description = {"format": found.format, "input": dict(sample.input), **found.told}
    return tuple(ask_model(lambda: ServedModel.of_file(description, file), sample.rows))


def state_of(file: Path) -> str:
    """Return what tells whether a file was changed since."""
    state = file.stat()
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ino}"


def describe(
    service: PlainService, format_name: str, file: str, told: Mapping[str, Any]
) -> dict[str, Any]:
    """Return ``model.json``, but for ``answer``.

    Args:
        service: The model and its sample.
        format_name: ``pickle``, ``onnx`` or ``torch``.
        file: Path of the model's file beside ``model.json``.
        told: What the format and the run add.

    Returns:
        See :mod:`sinara.serving.shipped.sinara_served`.
    """
    return {
        "name": service.name,
        "format": format_name,
        "file": file,
        "input": dict(service.sample.input),
        "timeout": service.timeout,
        "max_batch_size": service.max_batch_size,
        **told,
    }


def answer_type(answers: list[Any]) -> str:
    """Return the type that all answers have, for the OpenAPI page; ``any`` if they have none."""
    kinds = {type(answer).__name__ for answer in answers if answer is not None}
    if kinds == {"int", "float"}:
        kinds = {"float"}
    known = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}
    return known.get(kinds.pop(), "any") if len(kinds) == 1 else "any"


def bento_name(name: str) -> str:
    """Return a name that BentoML takes: lower case, 63 characters at most.

    Source:
        ``bentoml._internal.tag``: letters, digits, ``_ - .``, letters or digits at both ends.
    """
    return re.sub(r"[^a-z0-9]+$", "", re.sub(r"[^a-z0-9._-]", "_", name.lower())[:63]) or "model"
