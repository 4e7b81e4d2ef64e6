"""The service of a plain model: typed input, ``predict`` in batches, its test data, its version.

Part of every bento that sinara makes from a plain model. See ``sinara_served.py`` beside it.
"""

import json
from pathlib import Path
from typing import Any, Optional

import bentoml
from bentoml.exceptions import InvalidArgument
from pydantic import ConfigDict, Field, create_model
from sinara_served import TYPES, ServedModel

HERE = Path(__file__).parent
MODEL = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
SAMPLES = json.loads((HERE / "samples.json").read_text(encoding="utf-8"))


def _row_type() -> Any:
    """Return the type of one row, for the check of what is asked and for the OpenAPI page."""
    given = MODEL["input"]
    if given["kind"] == "list":
        return TYPES[given["type"]]
    if given["kind"] == "array":
        row: Any = _element(given["dtype"])
        for _ in given["shape"]:
            row = list[row]
        return row
    fields: dict[str, Any] = {}
    for number, column in enumerate(given["columns"]):  # any text may be the name of a column
        kind: Any = Any if column["type"] == "any" else TYPES[column["type"]]
        default = None if column["nullable"] else ...
        kind = Optional[kind] if column["nullable"] else kind  # noqa: UP045
        fields[f"c{number}"] = (kind, Field(default, alias=column["name"]))
    return create_model("Row", __config__=ConfigDict(extra="forbid"), **fields)


def _element(dtype: str) -> type:
    """Return the type of one number of an array."""
    if dtype.startswith(("int", "uint")):
        return int
    return bool if dtype.startswith("bool") else float


def _answer_type() -> Any:
    if MODEL["answer"] == "any":
        return Any
    kind: Any = TYPES[MODEL["answer"]]
    return Optional[kind]  # noqa: UP045


ROW = _row_type()


def _as_dicts(rows: Any) -> Any:
    """Return rows of a table; a notebook that loaded the service may ask with a frame."""
    if hasattr(rows, "to_pandas"):  # of polars and Arrow
        rows = rows.to_pandas()
    if hasattr(rows, "to_dict"):
        rows = rows.astype(object).where(rows.notna(), None).to_dict("records")
    checked = (ROW.model_validate(row) if isinstance(row, dict) else row for row in rows)
    return [row.model_dump(by_alias=True) for row in checked]


def predict(self: Any, rows: Any) -> Any:
    """Answer each of ``rows``, in their order."""
    try:
        return self.model.predict(_as_dicts(rows) if MODEL["input"]["kind"] == "table" else rows)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidArgument(f"The model refuses this: {error}") from error


predict.__annotations__ = {"rows": list[ROW], "return": list[_answer_type()]}


@bentoml.service(name=MODEL["name"], workers=1, traffic={"timeout": MODEL["timeout"]})
class SinaraService:
    """A model and its version."""

    def __init__(self) -> None:
        self.model = ServedModel.load(HERE)

    predict = bentoml.api(
        batchable=True,
        max_batch_size=MODEL["max_batch_size"],
        max_latency_ms=MODEL["timeout"] * 1000,
    )(predict)

    @bentoml.api
    def test_data(self) -> list[dict[str, Any]]:
        """Return samples: what to ask ``predict``, and what the notebook predicted."""
        return SAMPLES["samples"]

    @bentoml.api
    def version(self) -> dict[str, Any]:
        """Return which run made the model."""
        return MODEL["version"]
