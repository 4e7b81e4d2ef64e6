"""Models of ONNX and PyTorch as people have them: types, several inputs and outputs, fixed sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper

from sinara import bentoml as ours
from sinara.errors import UsageError

FLOAT, INT, TEXT = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
Answers = Callable[..., list[Any]]


@pytest.fixture
def answers(substep) -> Answers:
    """A function that saves a model, loads it, and returns what it answers to its sample."""

    def ask(model: Any, sample: Any, **options: Any) -> list[Any]:
        service = ours.make_service(model, sample, **options)
        ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)
        loaded = ours.load_bentoservice(substep.outputs().service)
        predicted: list[Any] = loaded.instance.model.predict(list(service.sample.rows))
        return predicted

    return ask


def onnx_model(inputs: dict[str, Any], outputs: dict[str, Any], *nodes: Any) -> onnx.ModelProto:
    """Return a small model in memory; an input is its type and shape."""
    graph = helper.make_graph(
        [helper.make_node(*node) for node in nodes],
        "graph",
        [helper.make_tensor_value_info(name, *told) for name, told in inputs.items()],
        [helper.make_tensor_value_info(name, *told) for name, told in outputs.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    made.ir_version = 8
    return made


def same(kind: int, shape: list[Any]) -> onnx.ModelProto:
    """Return a model that answers what it is asked."""
    told = (kind, shape)
    return onnx_model({"x": told}, {"y": told}, ("Identity", ["x"], ["y"]))


def sums(shape: list[Any]) -> onnx.ModelProto:
    """Return a model with an input for each of two columns."""
    told = (FLOAT, shape)
    return onnx_model({"a": told, "b": told}, {"y": told}, ("Add", ["a", "b"], ["y"]))


# -- ONNX ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "float32", "float64", "bool"])
def test_onnx_takes_numbers_of_its_own_type(answers, dtype):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    assert answers(same(kind, ["n", 2]), np.array([[0, 1], [1, 0]])) == [[0, 1], [1, 0]]


@pytest.mark.parametrize(("shape", "expected"), [(["n"], ["a", "b"]), (["n", 1], [["a"], ["b"]])])
def test_onnx_takes_texts_as_a_row_or_a_column(answers, shape, expected):
    assert answers(same(TEXT, shape), ["a", "b"]) == expected


@pytest.mark.parametrize(("shape", "expected"), [(["n"], [3, 7]), (["n", 1], [[3], [7]])])
def test_onnx_with_an_input_for_each_column_gets_each(answers, shape, expected):
    rows = pd.DataFrame({"b": [2, 4], "a": [1.0, 3.0]})

    assert answers(sums(shape), rows) == expected


@pytest.mark.parametrize(
    "sample", [pd.DataFrame({"a": [1.0], "B": [2.0]}), np.ones((2, 2))], ids=["frame", "array"]
)
def test_a_column_that_onnx_misses_is_named(answers, sample):
    with pytest.raises(UsageError, match=r"no column has the name of its input .*b"):
        answers(sums(["n"]), sample)


def test_a_frame_of_all_sorts_of_numbers_becomes_one_matrix(answers):
    rows = pd.DataFrame(
        {"i": pd.array([1, None], dtype="Int64"), "f": [0.5, 1.5], "b": [True, False]}
    )

    assert answers(same(FLOAT, ["n", 3]), rows) == [[1, 0.5, 1], [None, 1.5, 0]]


def test_another_output_of_onnx_is_chosen_by_its_name(answers):
    told = (FLOAT, ["n", 1])
    model = onnx_model(
        {"x": told},
        {"y": told, "negative": told},
        ("Identity", ["x"], ["y"]),
        ("Neg", ["x"], ["negative"]),
    )

    assert answers(model, np.array([[1.0], [2.0]])) == [[1], [2]]
    assert answers(model, np.array([[1.0], [2.0]]), method="negative") == [[-1], [-2]]
    with pytest.raises(UsageError, match="no output other, only y, negative"):
        answers(model, np.ones((2, 1)), method="other")


@pytest.mark.parametrize("count", [1, 2])
def test_a_model_for_one_count_of_rows_only_is_refused(answers, count):
    with pytest.raises(UsageError, match=f"predicts for {count} rows at once, and not for"):
        answers(same(FLOAT, [count, 1]), np.ones((count, 1)))


def test_a_broken_onnx_file_is_told_as_one(answers, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")

    with pytest.raises(UsageError, match="The model cannot be loaded: "):
        answers(path, np.ones((2, 1)))


# -- PyTorch -------------------------------------------------------------------------------


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason="pip install torch")
    torch.manual_seed(0)
    return torch


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_torch_takes_floats_as_its_weights_are(answers, torch, dtype):
    model = torch.nn.Linear(3, 2).to(getattr(torch, dtype))
    rows = np.arange(6.0).reshape(2, 3)

    expected = model(torch.tensor(rows, dtype=getattr(torch, dtype))).tolist()
    np.testing.assert_allclose(answers(model, rows), expected, rtol=1e-5)


def test_torch_takes_whole_numbers_as_they_are(answers, torch):
    model = torch.nn.Sequential(torch.nn.Embedding(10, 4), torch.nn.Flatten())
    rows = np.array([[1, 2], [3, 4]])

    np.testing.assert_allclose(answers(model, rows), model(torch.tensor(rows)).tolist())


def test_torch_takes_a_frame_of_all_sorts_of_numbers(answers, torch):
    model = torch.nn.Linear(3, 2)
    rows = pd.DataFrame({"i": [1, 2], "f": [0.5, 1.5], "b": [True, False]})

    expected = model(torch.tensor([[1, 0.5, 1], [2, 1.5, 0]])).tolist()
    np.testing.assert_allclose(answers(model, rows), expected, rtol=1e-5)


def test_images_are_answered_one_each(answers, torch):
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.Flatten(),
        torch.nn.Linear(144, 3),
    )
    images = torch.rand(2, 1, 8, 8)

    predicted = answers(model, images)

    np.testing.assert_allclose(predicted, model.eval()(images).tolist(), rtol=1e-5)


def test_a_module_is_left_in_the_mode_in_which_it_was(answers, torch):
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5).eval())

    answers(model, torch.rand(2, 2))

    assert [part.training for part in model.modules()] == [True, True, False]


def test_a_program_that_was_exported_before_is_taken(answers, torch):
    model = torch.nn.Linear(3, 2).double()
    rows = torch.rand(4, 3, dtype=torch.float64)
    free = ({0: torch.export.Dim("n")},)

    program = torch.export.export(model, (rows,), dynamic_shapes=free)

    np.testing.assert_allclose(answers(program, rows), model(rows).tolist())


def test_several_outputs_are_given_row_by_row(answers, torch):
    class Both(torch.nn.Module):
        def forward(self, rows):
            return rows.sum(1), rows

    class Named(torch.nn.Module):
        def forward(self, rows):
            return {"sum": rows.sum(1), "rows": rows}

    rows = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert answers(Both(), rows) == [[3, [1, 2]], [7, [3, 4]]]
    assert answers(Named(), rows)[1] == {"sum": 7, "rows": [3, 4]}


def test_what_torch_cannot_export_is_told_in_one_line(answers, torch):
    class Choosing(torch.nn.Module):
        def forward(self, rows):
            return rows if rows.sum() > 0 else -rows

    with pytest.raises(
        UsageError, match=r"cannot export this model: .*\. Export it yourself"
    ) as told:
        answers(Choosing(), torch.rand(2, 2))

    assert "\n" not in str(told.value)


def test_an_answer_that_drops_the_rows_of_one_is_refused(answers, torch):
    class Squeezing(torch.nn.Module):
        def forward(self, rows):
            return rows.sum(1, keepdim=True).squeeze()

    with pytest.raises(UsageError, match="predicts for 3 rows at once, and not for 1"):
        answers(Squeezing(), torch.rand(3, 2))


@pytest.mark.parametrize("sample", [["a", "b"], pd.DataFrame({"a": ["x", "y"]})])
def test_texts_are_nothing_for_torch(answers, torch, sample):
    with pytest.raises(UsageError, match="PyTorch takes numbers"):
        answers(torch.nn.Linear(1, 1), sample)
