"""A model that is served: what it is asked, as JSON, and what it answers, as JSON.

Part of sinara, and of every bento that sinara makes from a plain model; there it stands alone.
``model.json`` describes the model::

    {"format": "pickle" | "onnx" | "torch",
     "file": "model/model.pkl",          beside model.json
     "method": "predict",                of the model that was pickled
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
            rows: Rows as JSON gives them: dictionaries, nested lists or single values.
        """
        if not rows:
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

    if column["dtype"].startswith(("float", "int", "uint")):  # numpy's; a missing one is NaN
        return np.array(values, dtype=column["dtype"])
    if column.get("categories") is not None:
        return pd.Series(pd.Categorical(values, categories=column["categories"]))
    if column["type"] == "timestamp":
        times = pd.to_datetime(pd.Series(values), format="ISO8601", utc="UTC" in column["dtype"])
        return times.astype(column["dtype"])
    return pd.Series(values, dtype=column["dtype"])


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


def as_json(value: Any) -> Any:
    """Return predictions as what JSON can hold: lists, dictionaries, texts, numbers, null."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):  # a frame
        return as_json(value.to_dict("records"))
    if hasattr(value, "detach"):  # a tensor
        value = value.detach().cpu().numpy()
    if hasattr(value, "tolist"):  # an array, a series, or one number of theirs
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
    import numpy as np

    given = as_input(description, rows)
    inputs = session.get_inputs()
    if len(inputs) == 1:
        values = given.to_numpy() if hasattr(given, "to_numpy") else np.asarray(given)
        feed = {inputs[0].name: values.astype(_ONNX[inputs[0].type])}
    else:
        feed = {
            one.name: np.asarray(given[one.name]).reshape(-1, 1).astype(_ONNX[one.type])
            for one in inputs
        }
    return session.run(None, feed)[description.get("output", 0)]


def _call_torch(program: Any, description: Mapping[str, Any], rows: Sequence[Any]) -> Any:
    import torch

    given = as_input(description, rows)
    values = given.to_numpy() if hasattr(given, "to_numpy") else given
    with torch.no_grad():
        return program(torch.as_tensor(values, dtype=getattr(torch, description["tensor"])))


def _load_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


def _load_onnx(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _load_torch(path: Path) -> Any:
    import torch

    return torch.export.load(str(path)).module()


_ONNX = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}
_CALLS = {"pickle": _call_pickle, "onnx": _call_onnx, "torch": _call_torch}
_LOADERS = {"pickle": _load_pickle, "onnx": _load_onnx, "torch": _load_torch}
