"""A model that is served: what it is asked, as JSON, and what it answers, as JSON.

Part of sinara, and of every bento that sinara makes from a plain model; there it stands alone.
``model.json`` describes the model::

    {"format": "pickle" | "onnx" | "torch",
     "file": "model/model.pkl",          beside model.json
     "method": "predict",                of the model that was pickled
     "output": "",                       of the ONNX model; its first one
     "tensor": "float32",                what the PyTorch model takes
     "input": {"kind": "table", "columns": [{"name", "type", "nullable", "dtype", "categories"}]}
            | {"kind": "array", "dtype": "float64", "shape": [4]}       of one row
            | {"kind": "list", "type": "string"},
     "answer": "integer",                of one row; "any" if it is none of the types
     …}

What a column is (``type``) is one of the keys of :data:`TYPES`.
"""

from __future__ import annotations

import datetime
import json
import math
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TYPES: Mapping[str, type] = {
    "boolean": bool,
    "integer": int,
    "number": float,
    "string": str,
    "date": datetime.date,
    "timestamp": datetime.datetime,
    "any": object,
}


class ServedModel:
    """A model in memory, and the description of what it takes."""

    def __init__(self, description: Mapping[str, Any], model: Any) -> None:
        self.description = description
        self._model = model
        self._predict = _CALLS[description["format"]]

    @classmethod
    def load(cls, folder: Path) -> ServedModel:
        """Return the model that ``model.json`` in a folder describes; a pickle runs its code."""
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return cls.of_file(description, folder / description["file"])

    @classmethod
    def of_file(cls, description: Mapping[str, Any], file: Path) -> ServedModel:
        """Return the model in a file."""
        return cls(description, _LOADERS[description["format"]](file))

    def predict(self, rows: Sequence[Any]) -> list[Any]:
        """Return one answer per row, as JSON can hold it: numbers that are none become null.

        Args:
            rows: Rows as JSON gives them: dictionaries, nested lists or single values; or an array.
        """
        if not len(rows):
            return []
        answers = as_json(self._predict(self._model, self.description, rows))
        if not isinstance(answers, list) or len(answers) != len(rows):
            raise ValueError(f"the model gave no list of {len(rows)} answers, one for each row")
        return answers


def as_table(description: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as a pandas frame whose columns have the types of the notebook's."""
    import pandas as pd

    columns = {}
    for column in description["input"]["columns"]:
        values = [row.get(column["name"]) for row in rows]
        columns[column["name"]] = _series(column, values)
    return pd.DataFrame(columns)


def _series(column: Mapping[str, Any], values: list[Any]) -> Any:
    import numpy as np
    import pandas as pd

    if re.fullmatch(r"(float|int|uint)\d+", column["dtype"]):  # numpy's; a missing one is NaN
        return np.array(values, dtype=column["dtype"])
    if column.get("categories") is not None:
        return pd.Series(pd.Categorical(values, categories=column["categories"]))
    if column["type"] == "timestamp":
        zoned = "," in column["dtype"]  # datetime64[us, Europe/Riga]: hours from UTC may change
        times = pd.to_datetime(pd.Series(values), format="ISO8601", utc=zoned)
        return times.astype(column["dtype"])
    if column["type"] == "date":
        values = [_date(value) for value in values]
    return pd.Series(values, dtype=column["dtype"])


def _date(value: Any) -> Any:
    return datetime.date.fromisoformat(value) if isinstance(value, str) else value


def as_array(description: Mapping[str, Any], rows: Sequence[Any]) -> Any:
    """Return rows as a numpy array of shape ``(n_rows, *shape)``.

    Raises:
        ValueError: If a row has another shape.
    """
    import numpy as np

    wanted = description["input"]
    array = np.asarray(rows, dtype=wanted["dtype"])
    if list(array.shape[1:]) != list(wanted["shape"]):
        raise ValueError(f"a row has the shape {wanted['shape']}, not {list(array.shape[1:])}")
    return array


def as_input(description: Mapping[str, Any], rows: Sequence[Any]) -> Any:
    """Return rows as what the model takes."""
    kind = description["input"]["kind"]
    if kind == "table":
        return as_table(description, rows)
    return as_array(description, rows) if kind == "array" else list(rows)


def as_numbers(given: Any) -> Any:
    """Return what a model takes as one numpy array of numbers; columns lie side by side in it.

    Raises:
        ValueError: If a column holds no numbers.
    """
    import numpy as np

    values = given.to_numpy() if hasattr(given, "to_numpy") else np.asarray(given)
    if values.dtype.kind in "biuf":
        return values
    if not hasattr(given, "to_numpy"):
        raise ValueError(f"a row is no number, but one of {values.dtype}")
    columns = [given[name] for name in given.columns] if hasattr(given, "columns") else [given]
    kept = [
        one if one.dtype.kind in "biuf" and isinstance(one.dtype, np.dtype) else _floats(one)
        for one in columns
    ]
    return np.column_stack(kept) if hasattr(given, "columns") else kept[0]


def _floats(column: Any) -> Any:
    """Return a column in which values are missing, or that is none of numpy's, as floats."""
    return column.to_numpy(dtype="float64", na_value=math.nan)


def as_json(value: Any) -> Any:
    """Return predictions as what JSON can hold: lists, dictionaries, texts, numbers, null."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):  # a frame
        return as_json(value.to_dict("records"))
    if hasattr(value, "tolist"):  # an array, a tensor, a series, or one number of theirs
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return str(value)


# -- formats -------------------------------------------------------------------------------


def _call_pickle(model: Any, description: Mapping[str, Any], rows: Sequence[Any]) -> Any:
    method = description["method"]
    call = model if method == "__call__" else getattr(model, method)
    return call(as_input(description, rows))


def _call_onnx(session: Any, description: Mapping[str, Any], rows: Sequence[Any]) -> Any:
    """Ask a session: one input takes all columns as a matrix, several take a column each."""
    given = as_input(description, rows)
    inputs = session.get_inputs()
    if len(inputs) == 1:
        feed = {inputs[0].name: _onnx_tensor(inputs[0], given)}
    else:
        columns = list(getattr(given, "columns", ()))
        absent = [one.name for one in inputs if one.name not in columns]
        if absent:
            raise ValueError(f"no column has the name of its input {', '.join(absent)}")
        feed = {one.name: _onnx_tensor(one, given[one.name]) for one in inputs}
    outputs = [one.name for one in session.get_outputs()]
    wanted = description.get("output") or outputs[0]
    if wanted not in outputs:
        raise ValueError(f"it has no output {wanted}, only {', '.join(outputs)}")
    return session.run([wanted], feed)[0]


def _onnx_tensor(wanted: Any, given: Any) -> Any:
    import numpy as np

    dtype = _ONNX.get(wanted.type)
    if dtype is None:
        raise ValueError(f"its input {wanted.name} is a {wanted.type}, which no rows can be")
    values = np.asarray(given, dtype=object) if dtype == "object" else as_numbers(given)
    if values.ndim == 1 and len(wanted.shape) == 2:
        values = values.reshape(-1, 1)
    return values.astype(dtype)


def _call_torch(program: Any, description: Mapping[str, Any], rows: Sequence[Any]) -> Any:
    import torch

    kind = getattr(torch, description["tensor"])
    with torch.no_grad():
        outputs = program(torch.tensor(as_numbers(as_input(description, rows)), dtype=kind))
    if isinstance(outputs, Mapping):
        columns = [as_json(value) for value in outputs.values()]
        return [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]
    if isinstance(outputs, tuple | list):
        return list(zip(*map(as_json, outputs), strict=True))
    return outputs


def _load_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


def _load_onnx(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _load_torch(path: Path) -> Any:
    import torch

    return torch.export.load(str(path)).module()


_WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_ONNX = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
    **{f"tensor({name})": name for name in _WHOLE},
}
_CALLS = {"pickle": _call_pickle, "onnx": _call_onnx, "torch": _call_torch}
_LOADERS = {"pickle": _load_pickle, "onnx": _load_onnx, "torch": _load_torch}
