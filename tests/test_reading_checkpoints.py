"""Checkpoint cells read off a notebook: nothing is executed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinara.reading.again import Known, pieces, runs_whole
from sinara.reading.cells import CellSource
from sinara.reading.checkpoints import code_digests, counted, find_checkpoints
from sinara.reading.modules import local_modules
from sinara.reading.resuming import checkpoint_findings, missing_names


def cells(*sources: str | tuple[str, ...]) -> list[CellSource]:
    """Code cells; a tuple is a source and its tags."""
    given = [(one,) if isinstance(one, str) else one for one in sources]
    return [CellSource(index, "code", one[0], one[1:]) for index, one in enumerate(given)]


def missing(*sources: str | tuple[str, ...]) -> list[tuple[int, int, str]]:
    """What a resume would miss after the only checkpoint: cell, line, name."""
    given = cells(*sources)
    (checkpoint,) = find_checkpoints(given)
    return [(m.cell, m.line, m.name) for m in missing_names(given, checkpoint)]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("model", ("model",)),
        ("model, history", ("model", "history")),
        ("[model, history]", ("model", "history")),
        ("print(1)\n# the last\nmodel, model, x;", ("model", "x")),
        ("%time x = 1\n(model,)", ("model",)),
    ],
)
def test_the_last_line_names_the_variables(source, names):
    (found,) = find_checkpoints(cells((source, "checkpoint")))

    assert (found.names, found.problem) == (names, "")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("", 1),
        ("x = 1\nx + 1", 2),
        ("model.w", 1),
        ("x\nsave(x)", 2),
        ("model, 3", 1),
        ("()", 1),
        ("{model}", 1),
        ("*model,", 1),
        ("x = 1", 1),
        ("def f(:", 1),
        ("%%bash\nls", 1),
    ],
)
def test_anything_else_in_the_last_line_is_a_problem(source, line):
    (found,) = find_checkpoints(cells((source, "checkpoint")))

    assert found.problem
    assert (found.line, found.names) == (line, ())


def test_only_code_cells_that_run_are_checkpoints():
    given = [
        CellSource(0, "markdown", "x", ("checkpoint",)),
        CellSource(1, "code", "x", ("checkpoint", "skip-execution")),
        CellSource(2, "code", "x"),
    ]

    assert find_checkpoints(given) == ()


def test_a_digest_covers_source_and_the_tags_that_count():
    (one,) = code_digests(cells("x = 1"))

    assert code_digests(cells("x = 1 ")) != (one,)
    assert code_digests(cells(("x = 1", "slide"))) == (one,)
    assert code_digests(cells(("x = 1", "skip-execution"))) != (one,)
    assert code_digests([CellSource(0, "markdown", "hi"), CellSource(1, "code", "x = 1")]) == (one,)
    assert code_digests(cells("  \n", ("y = 2", "injected-parameters"), "x = 1")) == (one,)
    assert [c.index for c in counted(cells("", "x"))] == [1]


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np, os",
        "from a import b as c",
        "def f(x):\n    # why\n    return x",
        "@deco(1)\nclass A(B):\n    x = 1",
        "async def f(): pass",
        "try:\n    import a\nexcept ImportError:\n    a = None",
        "substep_outputs = substep.outputs()",
        "path = substep.inputs(step_name='x').raw",
        "params = get_step_params(pprint=True)",
    ],
)
def test_definitions_run_again_as_they_stand(source):
    (cell,) = cells(source)

    (piece,) = pieces(cell, Known())

    assert piece.source == source


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "f(x)",
        "for i in y: pass",
        "df = pd.read_parquet(substep.inputs(step_name='x').raw)",
        "!pip install x",
        "%run other.ipynb",
        "if x:\n    import a",
        "try:\n    import a\n    a.go()\nexcept ImportError:\n    pass",
        "substep.write('a', b)",
        "model.lr = 0.1",
    ],
)
def test_work_does_not_run_again(source):
    (cell,) = cells(source)

    assert pieces(cell, Known()) == ()


def test_settings_of_what_was_imported_run_again():
    (cell,) = cells(
        "%matplotlib inline\nimport os, sys, warnings, cfg\nsys.path.insert(0, 'lib')\n"
        "warnings.filterwarnings('ignore')\nos.environ['X'] = '1'; y = 3\ncfg.lr = compute()"
    )

    found = [piece.source for piece in pieces(cell, Known())]

    assert found == [
        "get_ipython().run_line_magic('matplotlib', 'inline')",
        "import os, sys, warnings, cfg",
        "sys.path.insert(0, 'lib')",
        "warnings.filterwarnings('ignore')",
        "os.environ['X'] = '1'",
    ]


@pytest.mark.parametrize(
    ("cell", "whole"),
    [
        (("x = 1", "parameters"), True),
        (("x = 1", "injected-parameters"), True),
        (("substep = NotebookSubstep()",), True),
        (("s.interface(outputs=[])",), True),
        (("x = 1", "interface"), False),
    ],
)
def test_the_parameters_and_the_interface_run_again_whole(cell, whole):
    assert runs_whole(cells(cell)[0]) is whole


def test_a_name_that_nothing_gives_back_is_missing():
    assert missing("df = 1\nx = 2", ("x", "checkpoint"), "y = x\nprint(y, df)") == [(2, 2, "df")]


@pytest.mark.parametrize(
    "below",
    [
        "df = 1\ndf",
        "for df in x: print(df)",
        "[df for df in x]",
        "with open('a') as df: df.read()",
        "f = lambda df: df",
        "def g(df): return df",
        "try:\n    pass\nexcept ValueError as df:\n    print(df)",
        "import df\ndf.x",
        "match x:\n    case [df, *rest]: print(df, rest)",
        "(df := 3) + df",
        "del x",
        "print(__name__, display, len)",
        "%time df = 1\ndf",
        "%%time\ndf = 1\ndf",
        "%%capture df\nprint(1)\ndf.stdout",
        "df = !ls\ndf",
        "%run other.ipynb\ndf",
        "%%sql df <<\nselect 1",
    ],
)
def test_a_name_that_is_bound_below_is_not_missing(below):
    assert missing("df = 1\nx = 2", ("x", "checkpoint"), below) == []


@pytest.mark.parametrize("below", ["df += 1", "df['a'] = 1", "df.a = 1", "x[df]", "del df[0]"])
def test_changing_an_object_needs_it(below):
    assert missing("df = 1\nx = 2", ("x", "checkpoint"), below) == [(2, 1, "df")]


def test_what_a_magic_bound_above_does_not_come_back():
    assert missing("%time df = 1\nx = 2", ("x", "checkpoint"), "df") == [(2, 1, "df")]
    assert missing("%run a.ipynb\nx = 2", ("x", "checkpoint"), "df") == [(2, 1, "df")]
    assert missing("%time x = 1", ("x", "checkpoint"), "%time x += df") == [(2, 1, "df")]


def test_what_a_function_uses_is_missing_once_somebody_calls_it():
    above = (
        "import os\ndef inner():\n    return df\ndef outer():\n    return inner()\ndf = 1\nx = 2"
    )

    assert missing(above, ("x", "checkpoint"), "outer()") == [(0, 2, "df")]
    assert missing(above, ("x", "checkpoint"), "os.getcwd()") == []
    assert missing(above, ("x", "checkpoint"), "df = 5\nouter()") == []


def test_a_class_needs_what_its_methods_use():
    above = "class A:\n    def go(self):\n        return [df for _ in self.x]\ndf = x = 1"

    assert missing(above, ("x", "checkpoint"), "A().go()") == [(0, 2, "df")]


def test_what_was_defined_and_then_changed_does_not_come_back():
    changed = "def f(): pass\nf = wrap(f)\nx = 1"
    attribute = "import cfg\ncfg.lr = compute()\nx = 1"
    parameter = ("lr: float = 0.1", "parameters")

    assert missing(changed, ("x", "checkpoint"), "f()") == [(2, 1, "f")]
    assert missing(changed, ("x, f", "checkpoint"), "f()") == []
    assert missing(attribute, ("x", "checkpoint"), "cfg.lr") == [(2, 1, "cfg")]
    assert missing(parameter, "lr = lr * 2; x = 1", ("x", "checkpoint"), "lr") == [(3, 1, "lr")]
    assert missing(parameter, "x = 1", ("x", "checkpoint"), "lr") == []


def test_after_an_import_of_everything_nothing_is_certain():
    assert missing("from a import *\ny = 1", ("x", "checkpoint"), "z") == []
    assert missing("y = 1", ("x", "checkpoint"), "from a import *\nz") == []


def test_findings_say_what_to_do():
    given = cells("x = df = 1", ("x", "checkpoint"), "df", ("x + 1", "checkpoint"))

    missed, broken = checkpoint_findings(given)

    assert (missed.cell, missed.line, missed.certain) == (2, 1, False)
    assert "'df'" in missed.text
    assert "cell 2" in missed.text
    assert (broken.cell, broken.line, broken.certain) == (3, 1, True)


def test_modules_of_the_step_are_followed(tmp_path: Path):
    (tmp_path / "pkg" / "deep").mkdir(parents=True)
    for name in ("pkg/__init__.py", "pkg/other.py", "unused.py", "pkg/deep/x.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "helper.py").write_text("from pkg import tool\nimport json")
    (tmp_path / "pkg" / "tool.py").write_text("from . import other\nfrom .deep.x import y")
    given = cells("import helper as h, numpy", "%%bash\nls", "def f(:")

    before = local_modules(given, tmp_path)
    (tmp_path / "pkg" / "other.py").write_text("x = 1")
    after = local_modules(given, tmp_path)

    assert list(before) == [
        "helper.py", "pkg/__init__.py", "pkg/deep/x.py", "pkg/other.py", "pkg/tool.py",
    ]  # fmt: skip
    assert {name for name in after if after[name] != before[name]} == {"pkg/other.py"}
