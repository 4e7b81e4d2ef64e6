"""The parameters cell, read without running it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.params import ParametersSchema, read_parameters
from sinara.params.source import UNKNOWN, NotPythonError, parse, without_magics
from sinara.secret import SecretRef


@dataclass(frozen=True)
class Cell:
    source: str
    tags: tuple[str, ...] = ()
    index: int = 0
    cell_type: str = "code"


def read(source: str, *before: str, tag: str = "parameters") -> ParametersSchema:
    cells = [Cell(text, index=i) for i, text in enumerate(before)]
    return read_parameters([*cells, Cell(source, (tag,), len(before))])


@pytest.mark.parametrize(
    ("source", "form", "names"),
    [
        ("substep_params = {'a': 1, 'b': 2}", "classic", ("a", "b")),
        ("substep_params = dict(a=1)", "classic", ("a",)),
        ("substep_params = {'a': Secret.from_env('A'), **other}", "classic", ("a",)),
        ("print(1)\nother = make()\nother['x'] = 1\na, b = 1, 2", "none", ()),
        ("substep_params: dict = {'a': 1}", "classic", ("a",)),
        ("substep_params = {}\nsubstep_params['a'] = 1", "classic", ("a",)),
        ("n = 1\nsubstep_params = {'a': n}", "classic", ("a",)),
        ("pipeline_params = {}\nstep_params = {}\nsubstep_params = {'a': 1}", "older", ("a",)),
        ("lr: float = 0.1\nn: int", "annotated", ("lr", "n")),
        ("lr: float = 0.1\nsubstep_params = {'lr': lr}", "annotated", ("lr",)),
        (
            "lr: float = 0.1\nn = 60 * 60\n_hidden: int = 1\n_x = 2\nMode = Literal['a']",
            "annotated",
            ("lr", "n"),
        ),
        ("lr = 0.1", "annotated", ("lr",)),
        ("# nothing", "none", ()),
        ("import os", "none", ()),
    ],
)
def test_the_form_and_the_names_are_read(source, form, names):
    schema = read(source)

    assert (schema.form, schema.names, schema.problems) == (form, names, ())


@pytest.mark.parametrize(
    "source",
    [
        "substep_params = make()",
        "substep_params = {**base}",
        "substep_params = {}\nsubstep_params.update(x)",
        "substep_params = {}\nsubstep_params[k] = 1",
    ],
)
def test_keys_that_only_running_tells_leave_the_schema_open(source):
    assert read(source).open


def test_an_older_tag_counts_where_there_is_no_newer_one():
    assert read("substep_params = {'a': 1}", tag="params").names == ("a",)
    cells = [Cell("x: int = 1", ("params",)), Cell("y: int = 1", ("parameters",), 1)]
    assert read_parameters(cells).names == ("y",)


def test_a_notebook_without_the_cell_has_no_schema():
    cells = [Cell("x = 1"), Cell("substep_params = {}", ("parameters",), 1, "markdown")]

    assert read_parameters(cells) == ParametersSchema()


def test_cells_before_that_are_no_python_are_passed_over():
    cells = [Cell("# T", (), 0, "markdown"), Cell("%%bash\nls", (), 1), Cell("x = (", (), 2)]

    assert read_parameters([*cells, Cell("x: int", ("parameters",), 3)]).names == ("x",)


def test_two_parameters_cells_are_a_problem():
    cells = [Cell("x: int = 1", ("parameters",), i) for i in (2, 5)]

    (problem,) = read_parameters(cells).problems

    assert "cells 3 and 6" in problem


@pytest.mark.parametrize(
    "source",
    ["x: int = ", "%%bash\nls", "x = 1\0", "(" * 5000],
)
def test_a_cell_that_is_no_python_is_a_problem_and_no_exception(source):
    schema = read(source)

    assert len(schema.problems) == 1
    assert schema.problems[0].startswith("cell 1")


@pytest.mark.parametrize("length", [100, 900, 990, 5000])
@pytest.mark.parametrize("repeated", ["1+", "-", "x|", "f.", "[", "lambda:"])
def test_an_expression_of_any_length_is_read_or_is_a_problem(repeated, length):
    for source in (f"x: int = {repeated * length}1", f"x: {repeated * length}int = 1"):
        schema = read(source)

        assert schema.problems or schema.names == ("x",)


PRELUDE = """
import datetime
import datetime as dt
import enum
from datetime import date as day, time
from decimal import Decimal
from enum import Enum, StrEnum, auto
from pathlib import Path
import typing as t
from typing import *
from sinara.secret import Secret
%load_ext autoreload
import builtins
from collections import abc
try:
    from pathlib import Path as Maybe
except ImportError:
    from other import Maybe
Alias = Literal["a", "b"]
class Color(Enum):
    "A colour."
    RED = "r"
    BLUE = "b"
    _ignore_ = ()
class Level(StrEnum):
    LOW = auto()
class Size(enum.Enum):
    S = 3
    M = auto()
    L = make()
class NoEnum:
    A = 1
"""


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        ("builtins.int", "int"),
        ("abc.Sequence[int]", "list[int]"),
        ("Maybe", "Path (text)"),
        ("int", "int"),
        ("'int'", "int"),
        ("int | None", "int or None"),
        ("'int | None'", "int or None"),
        ("Optional[int]", "int or None"),
        ("t.Optional[t.Union[int, str]]", "int or str or None"),
        ("Union[int, 'str']", "int or str"),
        ("Literal['a', 1, None, True, -1]", "one of 'a', 1, None, True, -1"),
        ("Alias", "one of 'a', 'b'"),
        ("Alias | None", "one of 'a', 'b' or None"),
        ("list", "list"),
        ("list[int]", "list[int]"),
        ("List[list[str]]", "list[list[str]]"),
        ("Sequence[float]", "list[float]"),
        ("set[int]", "set[int]"),
        ("dict", "dict"),
        ("dict[str, list[int]]", "dict[str, list[int]]"),
        ("Mapping[str, Any]", "dict[str, Any]"),
        ("tuple[int, str]", "tuple[int, str]"),
        ("tuple[int, ...]", "tuple[int]"),
        ("tuple", "tuple"),
        ("Any", "Any"),
        ("object", "Any"),
        ("Annotated[int, 'note']", "int"),
        ("datetime.date", "date (2025-01-31)"),
        ("day", "date (2025-01-31)"),
        ("dt.datetime", "datetime (2025-01-31T12:30:00)"),
        ("time", "time (12:30:00)"),
        ("Path", "Path (text)"),
        ("Decimal", "Decimal (a number, or text like '0.10')"),
        ("Color", "Color (RED, BLUE)"),
        ("Level", "Level (LOW)"),
        ("Secret", 'Secret ({"$env": "NAME"} or {"$file": "path"})'),
    ],
)
def test_an_annotation_is_read_as_its_type(annotation, text):
    schema = read(f"x: {annotation}", PRELUDE)

    assert schema.parameters[0].type.text == text
    assert schema.notes == ()


@pytest.mark.parametrize(
    "annotation",
    [
        "np.ndarray",
        "NoEnum",
        "complex",
        "'not python('",
        "dict[str]",
        "Literal[Color.RED]",
        "f()",
        "5",
        "list[int, str]",
        "'a; b'",
    ],
)
def test_an_annotation_that_is_not_understood_is_noted_and_not_checked(annotation):
    schema = read(f"x: {annotation}", PRELUDE)

    (note,) = schema.notes
    assert note.startswith("cell 2, line 1: 'x': the annotation")


@pytest.mark.parametrize(
    ("imported", "annotation"),
    [
        ("from sinara.substep import Secret as S", "S"),
        ("import sinara.secret", "sinara.secret.Secret"),
        ("from sinara import secret", "secret.Secret"),
    ],
)
def test_a_secret_is_known_by_any_name_it_is_imported_under(imported, annotation):
    assert read(f"x: {annotation}", imported).parameters[0].type.text.startswith("Secret")


def test_an_alias_of_itself_ends():
    assert read("x: A", "A = A | None").notes


def test_names_that_nothing_binds_are_those_of_the_standard_library():
    assert read("x: Optional[Path]").parameters[0].type.text == "Path (text) or None"


def test_an_assigned_name_hides_a_module():
    assert read("x: dt.date", "import datetime as dt\ndt = make()").notes


def test_a_class_of_the_notebook_hides_the_library_s():
    schema = read("x: Path", "class Path:\n    pass")

    assert schema.notes


def test_the_members_of_an_enum_are_read_with_their_values():
    kind = read("x: Size", PRELUDE).parameters[0].type

    assert kind.members == (("S", 3), ("M", 4), ("L", UNKNOWN))


def test_an_enum_may_stand_in_the_parameters_cell_itself():
    source = "from enum import Enum\nclass Mode(Enum):\n    FAST = 1\nmode: Mode = Mode.FAST"

    assert read(source).parameters[0].type.text == "Mode (FAST)"


@pytest.mark.parametrize(
    ("source", "default"),
    [
        ("x: int = 60 * 60", 3600),
        ("x: float = 10 ** -2", 0.01),
        ("x: int = -1", -1),
        ("x: list = [1, [2]]", [1, [2]]),
        ("x: dict = {'a': -1}", {"a": -1}),
        ("x: str = 'a' + 'b'", "ab"),
        ("x: int = make()", UNKNOWN),
        ("x: int = 9 ** 9 ** 9", UNKNOWN),
        ("x: int = 5 - 2", 3),
        ("x: int = 5 // 2", UNKNOWN),
        ("x: str = -'a'", UNKNOWN),
        ("x: dict = {**other}", UNKNOWN),
        ("x: dict = {'a': make()}", UNKNOWN),
        ("x: float = 0.0 ** -1", UNKNOWN),
        ("x: float = 1 / 0", UNKNOWN),
        ("x: Secret = Secret.from_env('T')", SecretRef(env="T")),
        ("x: Secret = Secret.from_file('f')", SecretRef(file="f")),
        ("x: int", UNKNOWN),
        ("x: int\nx = 3", 3),
    ],
)
def test_a_default_is_read_where_the_source_tells_it(source, default):
    (parameter,) = read(source, PRELUDE).parameters

    assert parameter.default == default
    assert parameter.required == (source == "x: int")


def test_defaults_are_only_what_json_can_hold():
    schema = read(
        "a: int = 1\nb: Any = b'x'\nc: float = 1e999\nd: Secret = Secret.from_env('T')", PRELUDE
    )

    assert schema.defaults == {"a": 1, "d": {"$env": "T"}}


@pytest.mark.parametrize("value", ["'canary'", "Secret('canary')"])
def test_the_text_of_a_secret_in_the_notebook_is_a_problem_that_does_not_show_it(value):
    schema = read(f"token: Secret = {value}", PRELUDE)

    (problem,) = schema.problems
    assert "canary" not in problem + repr(schema.parameters)


def test_lines_of_ipython_are_left_out_and_lines_keep_their_numbers():
    source = (
        "%matplotlib inline\n!ls \\\n  -l\nfiles = !ls\nhere = %pwd\nint?\nx: int = 1\ny: int = 2"
    )

    schema = read(source)

    assert [(p.name, p.line) for p in schema.parameters] == [("x", 7), ("y", 8)]


def test_a_line_that_only_looks_like_a_magic_stays_as_it_is():
    source = 'text: str = """\n%not magic\n"""\nn: int = (7\n%2)'

    assert read(source).defaults == {"text": "\n%not magic\n"}


def test_a_cell_magic_with_a_python_body_is_read():
    assert read("%%time\nx: int = 1").names == ("x",)


def test_an_escape_that_python_warns_of_is_no_error():
    assert read(r"x: str = '\d'").names == ("x",)


@given(st.text(max_size=200))
def test_no_source_breaks_the_reader(source):
    with contextlib.suppress(NotPythonError):
        parse(source)
    assert without_magics(source).count("\n") == source.count("\n")
    assert isinstance(read(source), ParametersSchema)
