"""Notebooks read from files, and filled in."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sinara.errors import NotebookError
from sinara.notebook import (
    INJECTED_TAG,
    business_cells,
    fill,
    read_notebook,
    tags,
    without_outputs,
)
from sinara.params import ParametersSchema, check_parameters, read_parameters
from tests.test_params_cell import Cell
from tests.test_params_fuzz import SEED, corrupt, mutate


def code(source: str, *names: str, **more: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {"tags": list(names)},
        "outputs": [],
        "execution_count": None,
        **more,
    }


def write(folder: Path, *cells: Any, name: str = "a.ipynb", **more: Any) -> Path:
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)} | more
    path = folder / name
    path.write_text(json.dumps(document))
    return path


OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["a\n", "b"]}


def filled(folder: Path, *cells: Any, given: Any = None, **dicts: Any) -> nbformat.NotebookNode:
    notebook = read_notebook(write(folder, *cells))
    schema = read_parameters(
        [Cell(c.source, tags(c), i, c.cell_type) for i, c in enumerate(notebook.cells)]
    )
    return fill(notebook, schema, check_parameters(schema, given, strict=False), **dicts)


def test_a_notebook_is_read_with_its_lines_joined(tmp_path):
    path = write(tmp_path, code(["a = 1\n", "b = 2"], "parameters"))

    (cell,) = read_notebook(path).cells

    assert cell.source == "a = 1\nb = 2"
    assert tags(cell) == ("parameters",)


@pytest.mark.parametrize("minor", [None, "5", 0, 99])
def test_the_minor_format_does_not_matter(tmp_path, minor):
    assert read_notebook(write(tmp_path, code("1"), nbformat_minor=minor)).nbformat_minor >= 5


def test_a_notebook_in_format_3_is_brought_up(tmp_path):
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "input": ["x = 1"],
                        "language": "python",
                        "outputs": [],
                        "collapsed": False,
                        "metadata": {},
                    }
                ]
            }
        ],
    }
    (tmp_path / "old.ipynb").write_text(json.dumps(old))

    notebook = read_notebook(tmp_path / "old.ipynb")

    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.cells[0].source == "x = 1"


def test_cells_get_ids_that_are_valid_distinct_and_the_same_every_time(tmp_path):
    cells = [
        code("1"),
        code("2", id="a b"),
        code("3", id="x"),
        code("4", id="x"),
        code("5", id="cell-0"),
    ]
    path = write(tmp_path, *cells)

    one, other = read_notebook(path), read_notebook(path)

    ids = [cell.id for cell in one.cells]
    assert ids == [cell.id for cell in other.cells]
    assert len(set(ids)) == 5
    assert ids[2] == "x"
    nbformat.validate(one)


def test_what_editors_get_wrong_and_nobody_sees_is_repaired(tmp_path):
    markdown = {"cell_type": "markdown", "source": "# T", "outputs": [], "execution_count": None}
    bare = {"cell_type": "code", "source": "1"}

    notebook = read_notebook(write(tmp_path, markdown, bare, metadata={"kernelspec": {}}))

    assert "outputs" not in notebook.cells[0]
    assert notebook.cells[1].outputs == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"{", "no JSON", id="cut off"),
        pytest.param(b"\xff\xfe", "no UTF-8", id="bytes"),
        pytest.param(b"[]", "'nbformat' is missing", id="list"),
        pytest.param(b"{}", "'nbformat' is missing", id="no notebook"),
        pytest.param(b'{"nbformat": "4"}', "'nbformat' is missing", id="text"),
        pytest.param(b'{"nbformat": 5, "cells": []}', "format 5", id="newer"),
        pytest.param(b'{"nbformat": 4}', "no cells", id="no cells"),
        pytest.param(b'{"nbformat": 4, "cells": {}}', "no cells", id="cells a dict"),
        pytest.param(b'{"nbformat": 4, "cells": [5]}', "no valid notebook", id="cell a number"),
        pytest.param(b'{"nbformat": 4, "cells": [{}]}', "no valid notebook", id="cell of no type"),
        pytest.param(
            b'{"nbformat": 4, "metadata": 5, "cells": []}', "no valid notebook", id="metadata"
        ),
        pytest.param(b'{"nbformat": 3, "worksheets": [5]}', "no valid notebook", id="format 3"),
        pytest.param(b"[" * 100_000, "nested too deep", id="deep"),
        pytest.param(b'{"nbformat": ' + b"9" * 5000 + b"}", "numbers too long", id="long number"),
    ],
)
def test_a_file_that_is_no_notebook_is_one_line(tmp_path, content, said):
    (tmp_path / "a.ipynb").write_bytes(content)

    with pytest.raises(NotebookError, match=said) as raised:
        read_notebook(tmp_path / "a.ipynb")

    (line,) = raised.value.lines
    assert line.startswith("a.ipynb")
    assert "\n" not in line


def test_a_missing_notebook_is_one_line_with_the_nearest_name(tmp_path):
    write(tmp_path, name="train.ipynb")

    with pytest.raises(
        NotebookError, match=r"There is train\.ipynb\. Did you mean 'train\.ipynb'\?"
    ):
        read_notebook(tmp_path / "trian.ipynb")


def test_a_folder_and_a_pipe_are_no_notebooks(tmp_path):
    (tmp_path / "d.ipynb").mkdir()
    os.mkfifo(tmp_path / "p.ipynb")

    for name in "dp":
        with pytest.raises(NotebookError, match="not a file"):
            read_notebook(tmp_path / f"{name}.ipynb")


def test_a_path_that_cannot_be_is_one_line(tmp_path):
    for name in ("x" * 300, "a\0"):
        with pytest.raises(NotebookError):
            read_notebook(tmp_path / f"{name}.ipynb")


def test_a_notebook_that_is_too_large_is_one_line(tmp_path):
    with (tmp_path / "a.ipynb").open("wb") as file:
        file.truncate(200_000_001)

    with pytest.raises(NotebookError, match="larger than 200 MB"):
        read_notebook(tmp_path / "a.ipynb")


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"language": "R", "name": "ir", "display_name": "R"}},
        {"language_info": {"name": "julia"}},
    ],
)
def test_a_notebook_in_another_language_is_refused(tmp_path, metadata):
    with pytest.raises(NotebookError, match="substeps run in Python"):
        read_notebook(write(tmp_path, metadata=metadata))


@pytest.mark.parametrize("language", ["python", "Python", "ipython3", ""])
def test_a_notebook_in_python_is_taken(tmp_path, language):
    assert read_notebook(write(tmp_path, metadata={"language_info": {"name": language}}))


@pytest.mark.parametrize(
    ("metadata", "found"), [({"tags": "parameters"}, ()), ({"tags": ["a", 5]}, ("a",)), ({}, ())]
)
def test_malformed_tags_are_none(metadata, found):
    assert tags(nbformat.from_dict({"metadata": metadata})) == found


def test_outputs_of_earlier_runs_are_left_out_and_the_notebook_is_not_changed(tmp_path):
    cell = code("1", "x", outputs=[OUTPUT], execution_count=7)
    cell["metadata"] |= {"execution": {"a": 1}, "papermill": {}, "collapsed": True}
    path = write(tmp_path, cell, metadata={"papermill": {}, "widgets": {}, "mine": 1})
    notebook = read_notebook(path)

    clean = without_outputs(notebook)

    assert (clean.cells[0].outputs, clean.cells[0].execution_count) == ([], None)
    assert clean.cells[0].metadata == {"tags": ["x"], "collapsed": True}
    assert clean.metadata == {"mine": 1}
    assert notebook == read_notebook(path)
    nbformat.validate(clean)


def test_the_parameters_come_right_after_their_cell(tmp_path):
    cells = [code("import os"), code("substep_params = {'a': 1}", "parameters"), code("x")]

    notebook = filled(tmp_path, *cells, given={"a": 5})

    assert [tags(cell) for cell in notebook.cells] == [(), ("parameters",), (INJECTED_TAG,), ()]
    assert notebook.cells[2].source == "# Parameters of this run\nsubstep_params = {'a': 5}"
    nbformat.validate(notebook)


def test_without_a_parameters_cell_they_come_first(tmp_path):
    notebook = filled(tmp_path, code("x"), given={"a": 5})

    assert tags(notebook.cells[0]) == (INJECTED_TAG,)


def test_an_injected_cell_of_an_earlier_run_is_replaced(tmp_path):
    cells = [
        code("substep_params = {'a': 1}", "parameters"),
        code("substep_params = {'a': 2}", INJECTED_TAG, id=INJECTED_TAG),
        code("x", id=f"{INJECTED_TAG}-"),
        code("y", id="y"),
    ]
    cells[0]["id"] = INJECTED_TAG
    cells[1]["id"] = "old"

    notebook = filled(tmp_path, *cells, given={"a": 5})

    assert [tags(cell) for cell in notebook.cells] == [("parameters",), (INJECTED_TAG,), (), ()]
    assert "'a': 5" in notebook.cells[1].source
    nbformat.validate(notebook)


def test_an_older_notebook_gets_all_three_dictionaries(tmp_path):
    source = "pipeline_params = {}\nstep_params = {}\nsubstep_params = {}"

    notebook = filled(
        tmp_path,
        code(source, "params"),
        given={"c": 3},
        pipeline_params={"a": 1},
        step_params={"b": 2},
    )

    namespace: dict[str, Any] = {}
    for cell in notebook.cells:
        exec(cell.source, namespace)
    assert (namespace["pipeline_params"], namespace["step_params"]) == ({"a": 1}, {"b": 2})
    assert namespace["substep_params"] == {"c": 3}


def test_a_newer_notebook_reads_pipeline_and_step_parameters_itself(tmp_path):
    notebook = filled(
        tmp_path, code("substep_params = {}", "parameters"), given={}, step_params={"b": 2}
    )

    assert "step_params = {'b'" not in notebook.cells[1].source


def test_a_filled_notebook_can_be_written_whatever_the_values_hold(tmp_path):
    notebook = filled(tmp_path, given={"a": "\ud800\0\u202e", "b": '"""'})

    nbformat.write(notebook, tmp_path / "out.ipynb")

    assert read_notebook(tmp_path / "out.ipynb").cells == notebook.cells


def test_the_text_of_a_secret_is_not_in_the_filled_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB", "canary")

    notebook = filled(
        tmp_path, code("token: Secret = None", "parameters"), given={"token": {"$env": "HUB"}}
    )

    text = nbformat.writes(notebook)
    assert "canary" not in text
    assert "from_env('HUB')" in text


def test_the_business_report_is_made_of_tagged_cells_that_show_something(tmp_path):
    cells = [
        code("1", "business_report", outputs=[OUTPUT]),
        code("2", "business_report"),
        code("3", outputs=[OUTPUT]),
        {"cell_type": "markdown", "source": "# T", "metadata": {"tags": ["business_report"]}},
        {"cell_type": "markdown", "source": " ", "metadata": {"tags": ["business_report"]}},
    ]

    notebook = read_notebook(write(tmp_path, *cells))

    assert [cell.source for cell in business_cells(notebook)] == ["1", "# T"]


def test_a_filled_notebook_runs_in_a_kernel_and_its_secret_stays_there(tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("HUB", "canary")
    source = "from sinara.secret import Secret\nfrom datetime import date\n"
    source += "token: Secret\nday: date = date(2025, 1, 1)\ntext: str = ''"
    asks = "print(token.reveal()[::-1], day.isoformat(), text == 'a\\ud800?', substep_params)"
    given = {"token": {"$env": "HUB"}, "day": "2025-02-03", "text": "a\ud800?"}

    notebook = filled(tmp_path, code(source, "parameters"), code(asks), given=given)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()

    assert notebook.cells[-1].outputs[0].text.startswith("yranac 2025-02-03 True {'token'")
    assert "canary" not in nbformat.writes(notebook)


def test_a_malformed_notebook_is_read_or_is_one_line(tmp_path):
    """Run one point again with ``FUZZ_SEED=<seed>``; a failure names its seed."""
    whole = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"language": "python", "name": "p", "display_name": "P"}},
        "cells": [
            code("substep_params = {'a': 1}", "parameters", id="a"),
            code("1", "business_report", outputs=[OUTPUT], id="b"),
        ],
    }
    path = tmp_path / "a.ipynb"
    read = 0
    for seed in range(SEED, SEED + 300):
        random_ = random.Random(seed)
        document: Any = mutate(random_, mutate(random_, whole))
        raw = json.dumps(document).encode()
        path.write_bytes(corrupt(random_, raw) if random_.random() < 0.3 else raw)
        try:
            notebook = read_notebook(path)
        except NotebookError as error:
            assert str(error).isprintable(), f"FUZZ_SEED={seed}"  # noqa: PT017 - either is right
            continue
        read += 1
        empty = ParametersSchema()
        out = fill(notebook, empty, check_parameters(empty, {"a": 5}, strict=False))
        nbformat.validate(out, relax_add_props=True)
        assert isinstance(business_cells(notebook), tuple)
    assert 10 < read < 290
