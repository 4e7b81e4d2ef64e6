"""A sample of a model's input: what it says about the input's type, and its rows as JSON."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sinara.errors import UsageError
from sinara.names import shown
from sinara.serving.shipped.sinara_served import TYPES, as_json

MOST_ROWS = 20  # of a sample that are kept
_SORTS = "a pandas or polars frame, an Arrow table, an array, a list of texts, or an entity's URL"


@dataclass(frozen=True)
class SampleRows:
    """The rows of a sample, and what the service lets in.

    Attributes:
        input: The part ``input`` of ``model.json``: see
            :mod:`sinara.serving.shipped.sinara_served`.
        rows: As JSON.
    """

    input: Mapping[str, Any]
    rows: tuple[Any, ...]

    @property
    def modules(self) -> frozenset[str]:
        """What rows are made of before the model gets them."""
        columns = self.input.get("columns", ())
        arrow = any("[pyarrow]" in column["dtype"] for column in columns)
        tables = {"pandas"} if self.input["kind"] == "table" else set()
        return frozenset({"numpy", *tables, *({"pyarrow"} if arrow else ())})


def read_sample(
    sample: Any, optional: Collection[str] = (), storage_options: Mapping[str, Any] | None = None
) -> SampleRows:
    """Return what a sample says; of a long one the first rows are taken.

    Args:
        sample: A frame of pandas or polars, an Arrow table, or the URL of an entity: rows become
            dictionaries with a type per column. An array: its first axis are the rows. A list of
            texts or numbers: a row is one of them.
        optional: Columns that may be missing, besides those in which the sample misses a value.
        storage_options: For the URL, what fsspec needs.

    Raises:
        UsageError: If it is none of these, is empty, or holds what JSON cannot.
    """
    if isinstance(sample, str):
        from sinara.store.head import read_head

        sample = read_head(sample, MOST_ROWS, storage_options or {})
    frame = _as_frame(sample)
    if frame is not None:
        found = _of_frame(frame.head(MOST_ROWS).reset_index(drop=True), optional)
    elif hasattr(sample, "shape") and hasattr(sample, "dtype"):
        found = _of_array(sample[:MOST_ROWS] if len(sample.shape) else sample)
    elif isinstance(sample, Sequence):
        found = _of_list(list(sample[:MOST_ROWS]))
    else:
        raise UsageError(f"The sample is {shown(sample)}: give {_SORTS}.")
    if not found.rows:
        raise UsageError("The sample has no rows: give some, as the model will be asked for them.")
    return found


def _as_frame(sample: Any) -> Any:
    """Return a frame of pandas; None for what is no table."""
    import pandas as pd

    if isinstance(sample, pd.DataFrame):
        return sample
    if isinstance(sample, pd.Series):
        return None
    to_pandas = getattr(sample, "to_pandas", None)  # of polars and Arrow
    return to_pandas() if to_pandas and hasattr(sample, "schema") else None


def _of_frame(frame: Any, optional: Collection[str]) -> SampleRows:
    names = list(frame.columns)
    strange = [name for name in names if not isinstance(name, str) or not name]
    if strange or len(set(names)) != len(names):
        raise UsageError(
            f"The sample's columns have to be texts, each once; found {shown(str(names))}. "
            "Rename them: sample.columns = [...]."
        )
    unknown = sorted(set(optional) - set(names))
    if unknown:
        raise UsageError(
            f"optional names {', '.join(map(shown, unknown))}: no column of the sample."
        )
    columns = [_column(name, frame[name], name in optional) for name in names]
    plain = [as_json([_plain(value) for value in frame[name].tolist()]) for name in names]
    rows = [dict(zip(names, values, strict=True)) for values in zip(*plain, strict=True)]
    return SampleRows({"kind": "table", "columns": columns}, tuple(rows))


def _column(name: str, series: Any, optional: bool) -> dict[str, Any]:
    dtype = str(series.dtype)
    categories = None
    if dtype == "category":
        categories = as_json(series.cat.categories)
        dtype = str(series.cat.categories.dtype)
    kind = _type_of(name, series, dtype)
    if optional and dtype.startswith(("int", "uint", "bool")):
        dtype = "float64" if dtype[0] in "iu" else "object"  # as pandas has them, with one missing
    return {
        "name": name,
        "type": kind,
        "nullable": bool(optional or series.isna().any()),
        "dtype": dtype,
        "categories": categories,
    }


def _type_of(name: str, series: Any, dtype: str) -> str:
    low = dtype.lower()
    for start, kind in (
        ("bool", "boolean"),
        (("int", "uint"), "integer"),
        (("float", "double"), "number"),
        ("datetime", "timestamp"),
        (("str", "string"), "string"),
    ):
        if low.startswith(start):
            return kind
    kinds = {_type_of_value(value) for value in series.dropna().tolist()}
    if dtype == "object" and not kinds:
        raise UsageError(f"Column {shown(name)} of the sample is empty: give a row that has it.")
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    return _check_json(name, kinds.pop() if len(kinds) == 1 else "", dtype)


def _type_of_value(value: Any) -> str:
    import datetime

    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, datetime.datetime):
        return "timestamp"
    for kind in ("integer", "number", "string", "date"):
        if isinstance(value, TYPES[kind]):
            return kind
    return "any" if isinstance(value, list | dict) else type(value).__name__


def _check_json(name: str, kind: str, dtype: str) -> str:
    if kind in TYPES:
        return kind
    raise UsageError(
        f"Column {shown(name)} of the sample has the type {dtype}, which a request in JSON cannot "
        "hold. Turn it into numbers, texts, truth values or times before the model."
    )


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it: null for what is missing, ISO 8601 for a time."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _of_array(array: Any) -> SampleRows:
    import numpy as np

    if hasattr(array, "detach"):  # a tensor
        array = array.detach().cpu()
        array = array.float() if str(array.dtype) == "torch.bfloat16" else array  # numpy has none
    values = np.asarray(array)
    if values.ndim == 0 or values.dtype.kind not in "biuf":
        if values.ndim == 1 and values.dtype.kind in "OUS":
            return _of_list(values.tolist())
        raise UsageError(
            f"The sample is an array of {values.dtype} of shape {values.shape}: its first axis has "
            "to be the rows, and what it holds numbers or truth values."
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UsageError(
            "The sample's array holds NaN or infinity, which JSON cannot. Give a frame: there a "
            "missing value is null."
        )
    given = {"kind": "array", "dtype": str(values.dtype), "shape": list(values.shape[1:])}
    return SampleRows(given, tuple(as_json(values)))


def _of_list(values: list[Any]) -> SampleRows:
    kinds = {_type_of_value(value) for value in values}
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if len(kinds) > 1 or not kinds <= {"boolean", "integer", "number", "string"}:
        held = ", ".join(sorted({type(value).__name__ for value in values}))
        raise UsageError(f"The sample is a list of {held}: give {_SORTS}.")
    return SampleRows({"kind": "list", "type": next(iter(kinds), "string")}, tuple(values))
