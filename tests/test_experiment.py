"""A notebook as a Python function: its arguments, what it returns, what it says when it fails."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.errors import CellError, KernelDiedError, NotebookError, SubstepTimeoutError, UsageError
from sinara.experiment import ArgumentsError, Experiment, _literal, _value
from tests.steps import cell

PARAMETERS = "name = 'Ann'\ntimes: int = 2\nwhen = max(1, 2)\n"


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step's folder, current, with a job's scratch folder beside it."""
    from sinara.context import CONTEXT_VARIABLE, RunContext, write_context

    folder, work = tmp_path / "p-s", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    context = RunContext(
        "run-25-01-01-000000",
        "user",
        "p",
        "zone",
        "s",
        "x.ipynb",
        str(folder),
        handback_file=str(work / "handback.json"),
        work_path=str(work / "scratch"),
    )
    write_context(work / "context.json", context)
    monkeypatch.setenv(CONTEXT_VARIABLE, str(work / "context.json"))
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, *cells: Any, name: str = "nb.ipynb") -> str:
    notebook = nbformat.v4.new_notebook(cells=[cell(c) if isinstance(c, str) else c for c in cells])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, folder / name)
    return name


def test_the_arguments_are_those_of_the_parameters_cell(step: Path):
    name = write(step, "import os", cell(PARAMETERS + "needed: float\na, b = 1, 2", "parameters"))

    function = Experiment.function(name)

    assert str(inspect.signature(function)) == (
        "(name='Ann', times=2, when=<max(1, 2)>, needed=<required>)"
    )
    assert function.__name__ == "nb_ipynb"


def test_values_go_in_and_the_last_value_comes_out(step: Path):
    name = write(
        step,
        cell(PARAMETERS, "parameters"),
        "{'name': name, 'times': times, 'when': when}",
        "x = 1",
        "print('not a value')",
    )
    function = Experiment.function(name, tag="first")

    assert function() == {"name": "Ann", "times": 2, "when": 2}
    assert function("Bob", when=[None, {"a": (1.5, True, b"x")}]) == {
        "name": "Bob",
        "times": 2,
        "when": [None, {"a": (1.5, True, b"x")}],
    }
    assert [path.name for path in (step.parent / "work" / "scratch").iterdir()] == [
        "nb_first.ipynb"
    ]
    assert [path.name for path in step.iterdir()] == ["nb.ipynb"]


def test_a_long_value_comes_out_whole_and_numpys_numbers_are_numbers(step: Path):
    name = write(
        step, "import numpy as np", "[list(range(3000)), np.float64(0.5), {'n': np.int64(3)}]"
    )

    value = Experiment.function(name)()

    assert value == [list(range(3000)), 0.5, {"n": 3}]


def test_a_notebook_that_shows_no_value_gives_none(step: Path):
    assert Experiment.function(write(step, "print(1)"))() is None


def test_it_runs_in_the_current_folder_and_its_handback_is_not_ours(step: Path):
    name = write(
        step,
        "import os, json",
        "context = json.load(open(os.environ['SINARA_CONTEXT']))",
        "(os.getcwd(), context['run_id'], context['substep_name'], context['handback_file'])",
    )

    folder, run_id, substep, handback = Experiment.function(name)()

    assert Path(folder) == step
    assert (run_id, substep) == ("run-25-01-01-000000", "nb.ipynb")
    assert handback != str(step.parent / "work" / "handback.json")


def test_a_failing_cell_is_named_with_its_cause_and_the_notebook_is_kept(step: Path):
    name = write(step, "x = 1", "1 / 0", "x")

    with pytest.raises(CellError) as caught:
        Experiment.function(name, tag="bad")()

    kept = step.parent / "work" / "scratch" / "nb_bad.ipynb"
    assert "nb.ipynb, cell 2" in caught.value.lines[0]
    assert "ZeroDivisionError" in caught.value.lines[0]
    assert str(kept) in caught.value.lines[1]
    assert "ZeroDivisionError" in kept.read_text()


def test_a_kernel_that_dies_is_said_to_have_died(step: Path):
    name = write(step, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")

    with pytest.raises(KernelDiedError, match="cell 1"):
        Experiment.function(name)()


def test_the_settings_timeout_holds(step: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SINARA_CELL_TIMEOUT", "1")
    name = write(step, "import time; time.sleep(60)")

    with pytest.raises(SubstepTimeoutError, match="cell 1"):
        Experiment.function(name)()


@pytest.mark.parametrize(
    ("args", "kwargs", "says"),
    [
        pytest.param(("a", 1, 2, 3), {}, "too many positional", id="too many"),
        pytest.param((), {"other": 1}, r"unexpected.*'other'.*\(name='Ann'", id="unknown"),
        pytest.param((), {"name": object()}, "argument name is a object", id="no literal"),
        pytest.param((), {"times": float("nan")}, "argument times is a float", id="nan"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_runs(
    step: Path, args, kwargs, says: str
):
    function = Experiment.function(write(step, cell(PARAMETERS, "parameters")))

    with pytest.raises(ArgumentsError, match=says) as caught:
        function(*args, **kwargs)

    assert isinstance(caught.value, TypeError)
    assert not (step.parent / "work" / "scratch").exists()


def test_a_name_without_a_value_must_be_given(step: Path):
    name = write(step, cell("needed: int\nother: int = 1", "parameters"), "needed + other")
    function = Experiment.function(name)

    with pytest.raises(ArgumentsError, match="needed has no default and must be given"):
        function(other=2)
    assert function(needed=3) == 4


def test_a_value_that_is_no_literal_is_shown(step: Path):
    name = write(step, "object()")

    with pytest.raises(NotebookError, match=r"nb\.ipynb, cell 1 ends with .<object at.*no literal"):
        Experiment.function(name)()


@pytest.mark.parametrize("tag", ["a/b", "../x", "-", ".", "a b"])
def test_a_tag_that_is_no_part_of_a_file_name_is_refused(step: Path, tag: str):
    with pytest.raises(UsageError, match="cannot be part of a file name"):
        Experiment.function(write(step, "1"), tag=tag)


def test_files_that_are_no_notebooks_are_refused(step: Path):
    (step / "broken.ipynb").write_text("{")
    write(step, cell("a = = 1", "parameters"), name="syntax.ipynb")

    for name, says in {
        "missing.ipynb": "no such notebook",
        "broken.ipynb": "no JSON",
        "syntax.ipynb": "parameters cell 0 is no Python",
    }.items():
        with pytest.raises(NotebookError, match=says):
            Experiment.function(name)


def test_by_hand_the_executed_notebook_lies_in_the_drafts_folder(
    step: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SINARA_CONTEXT")
    params = {
        "pipeline_params": {"env_name": "user", "pipeline_name": "p"},
        "step_params": {"step_name": "s"},
        "substeps_params": ["nb.ipynb"],
    }
    (step / "params").mkdir()
    (step / "params" / "step_params.json").write_text(json.dumps(params))

    assert Experiment.function(write(step, "'done'"))() == "done"

    assert len(list((step.parent / "sinara_data").rglob("nb.ipynb"))) == 1


literals = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=10,
)


@given(literals)
def test_any_literal_goes_in_and_comes_out_equal(value: Any):
    code = _literal("nb", "x", value)

    assert repr(_value(code, "nb")) == repr(value)


@pytest.mark.parametrize(
    "text", ["__import__('os').getpid()", "np.float64(open('x'))", "a", "", "[1, "]
)
def test_nothing_that_a_notebook_shows_is_run(text: str):
    with pytest.raises(NotebookError, match="no literal"):
        _value(text, "nb")


def test_the_environment_is_left_alone(step: Path):
    before = dict(os.environ)

    Experiment.function(write(step, "1"))()

    assert dict(os.environ) == before
