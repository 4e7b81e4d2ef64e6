"""Given values against the notebook's cell."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import pathlib
from typing import Any

import pytest

from sinara.errors import ParamsError
from sinara.params import (
    CheckedParams,
    ParametersSchema,
    SubstepParams,
    cell_source,
    check_parameters,
    check_substep,
)
from sinara.secret import Secret, SecretRef
from tests.test_params_cell import PRELUDE, read

CLASSIC = (
    "substep_params = {'lr': 0.1, 'n': 2, 'name': 'x', 'on': True, 'any': None, 'xs': [], 'd': {}}"
)
GOOD = {"lr": 1, "n": 3, "name": "y", "on": False, "any": [1], "xs": [1], "d": {"a": 1}}


def lines(source: str, given: Any, *, strict: bool = True, **options: Any) -> tuple[str, ...]:
    with pytest.raises(ParamsError) as raised:
        check_parameters(read(source, PRELUDE), given, strict=strict, **options)
    return raised.value.lines


def run(source: str, checked: CheckedParams) -> dict[str, Any]:
    """Return the namespace after the notebook's cells and the injected one."""
    namespace: dict[str, Any] = {}
    for cell in (PRELUDE.replace("%load_ext autoreload", "").replace("make()", "5"), source):
        exec(cell, namespace)
    exec(cell_source(checked.code, checked.imports), namespace)
    return namespace


def fill(source: str, given: Any, **options: Any) -> dict[str, Any]:
    return run(source, check_parameters(read(source, PRELUDE), given, strict=False, **options))


def test_values_that_fit_a_classic_cell_replace_its_dictionary():
    checked = check_parameters(read(CLASSIC), GOOD, strict=True)

    assert checked.warnings == ()
    assert checked.values == GOOD
    assert run(CLASSIC, checked)["substep_params"] == GOOD


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lrr": 1}, "unknown parameter 'lrr'; allowed are lr: float; n: int;"),
        ({"lr": "x"}, "the parameter 'lr' has to be float; found text 'x'."),
        ({"lr": True}, "has to be float; found true or false True"),
        ({"n": 1.5}, "the parameter 'n' has to be int; found a number 1.5."),
        ({"n": True}, "has to be int; found true or false"),
        ({"on": 1}, "has to be bool"),
        ({"name": None}, "has to be str; found null"),
        ({"xs": {}}, "has to be list; found a dictionary"),
        ({"d": []}, "has to be dict; found a list"),
    ],
)
def test_a_difference_in_the_classic_form_is_a_warning_line_or_a_strict_error(changes, said):
    given = GOOD | changes

    checked = check_parameters(read(CLASSIC), given, strict=False)

    (warning,) = checked.warnings
    assert said in warning
    assert run(CLASSIC, checked)["substep_params"] == given
    assert lines(CLASSIC, given) == (warning,)


def test_a_key_that_the_file_leaves_out_is_a_difference():
    given = {key: value for key, value in GOOD.items() if key != "n"}

    (warning,) = check_parameters(read(CLASSIC), given, strict=False).warnings

    assert "'n' is in the notebook's cell and not given" in warning
    assert lines(CLASSIC, given) == (warning,)


@pytest.mark.parametrize("name", ["a b", "1a", "class", "__x", "", "a=1;b", "b=__import__('os')#"])
def test_a_name_that_is_none_is_an_error_where_the_step_is_strict(name):
    source = f"substep_params = {{{name!r}: 1}}"

    assert check_parameters(read(source), {name: 1}, strict=False).warnings == ()
    (line,) = lines(source, {name: 1})
    assert "name" in line


def test_no_values_leave_the_notebook_as_it_is():
    checked = check_parameters(read(CLASSIC), None, strict=True)

    assert checked.code == {}
    assert checked.values["lr"] == 0.1


def test_values_may_be_laid_over_those_of_the_notebook():
    checked = check_parameters(read(CLASSIC), {"n": 9}, strict=True, partial=True)

    assert run(CLASSIC, checked)["substep_params"] == checked.values
    assert (checked.values["n"], checked.values["lr"]) == (9, 0.1)


def test_an_open_dictionary_takes_any_name():
    source = "substep_params = dict([])"

    assert check_parameters(read(source), {"x": 1}, strict=True).values == {"x": 1}


@pytest.mark.parametrize("source", ["", "# nothing here"])
def test_without_declared_parameters_nothing_is_checked_and_that_is_said(source):
    schema = read(source)

    (warning,) = check_parameters(schema, {"a": 1, "b": 2}, strict=False).warnings

    assert "nothing is checked" in warning
    with pytest.raises(ParamsError, match="nothing is checked"):
        check_parameters(schema, {"a": 1}, strict=True)
    assert check_parameters(schema, None, strict=True).code == {"substep_params": "{}"}


def test_a_name_that_a_person_typed_is_checked_in_any_case():
    assert (
        "unknown parameter 'lrr'"
        in lines(CLASSIC, GOOD | {"lrr": 1}, strict=False, added={"lrr"})[0]
    )
    assert lines("", {"a": 1}, strict=False, added={"a"})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "NaN"),
        (float("inf"), "NaN"),
        ({1: 2}, "the key 1 is not text"),
        ((1, 2), "builtins.tuple"),
        (b"x", "builtins.bytes"),
        (2**64, "over 64 bits"),
        (dt.date(2025, 1, 1), "datetime.date"),
        (decimal.Decimal(1), "decimal.Decimal"),
        ({"a": [{1, 2}]}, "a[0]: a builtins.set"),
    ],
)
@pytest.mark.parametrize("source", [CLASSIC, "lr: Any = 1", ""])
def test_a_value_that_json_cannot_hold_is_an_error_in_every_form(source, value, said):
    (line,) = lines(source, {"lr": value}, strict=False, where="x.ipynb")

    assert line.startswith("x.ipynb: substep_params.lr")
    assert said in line


def test_a_value_that_contains_itself_is_an_error():
    ring: list[Any] = []
    ring.append(ring)

    assert "deeper than 32" in lines(CLASSIC, {"lr": ring})[0]


@pytest.mark.parametrize(
    ("annotation", "given", "value"),
    [
        ("str", "a", "a"),
        ("int", 5, 5),
        ("float", 5, 5.0),
        ("float", 2**63 + 1, 2**63 + 1),
        ("bool", True, True),
        ("None", None, None),
        ("int | None", None, None),
        ("float | int", 1, 1),
        ("Optional[str]", "x", "x"),
        ("Literal['a', 1]", 1, 1),
        ("list[float]", [1, 2.5], [1.0, 2.5]),
        ("tuple[int, str]", [1, "a"], (1, "a")),
        ("tuple[int, ...]", [1], (1,)),
        ("tuple[()]", [], ()),
        ("set[int]", [1, 1], {1}),
        ("frozenset[str]", ["a"], frozenset("a")),
        ("dict[str, int]", {"a": 1}, {"a": 1}),
        ("dict[int, Any]", {"1": {"x": None}}, {1: {"x": None}}),
        ("dict[Color, float]", {"RED": 1}, None),
        ("Any", {"a": [1, None]}, {"a": [1, None]}),
        ("day", "2025-01-31", dt.date(2025, 1, 31)),
        ("dt.datetime", "2025-01-31T12:00:00Z", dt.datetime(2025, 1, 31, 12, tzinfo=dt.UTC)),
        ("time", "12:30", dt.time(12, 30)),
        ("'datetime.date | None'", "2025-01-31", dt.date(2025, 1, 31)),
        ("str | day", "2025-01-31", "2025-01-31"),
        ("Path", "a b/é'\"", pathlib.Path("a b/é'\"")),
        ("Decimal", "0.10", decimal.Decimal("0.10")),
        ("Decimal", 0.1, decimal.Decimal("0.1")),
        ("list[Path | None]", ["a", None], [pathlib.Path("a"), None]),
    ],
)
def test_a_value_becomes_what_its_annotation_says(annotation, given, value):
    got = fill(f"x: {annotation} = None", {"x": given})

    if value is not None or given is None:
        assert got["x"] == value
        assert type(got["x"]) is type(value)
    assert got["substep_params"]["x"] == got["x"]


@pytest.mark.parametrize(("given", "member"), [("RED", "RED"), ("b", "BLUE")])
def test_an_enum_is_given_by_name_or_by_value(given, member):
    got = fill("x: Color", {"x": given})

    assert isinstance(got["x"], enum.Enum)
    assert got["x"].name == member


@pytest.mark.parametrize(
    ("annotation", "given", "said"),
    [
        ("int", 1.0, "'x' has to be int; found a number 1.0."),
        ("int", "1", "has to be int; found text '1'."),
        ("int", True, "has to be int; found true or false True."),
        ("float", "nan", "has to be float"),
        ("str", 1, "has to be str"),
        ("int | None", "a", "has to be int or None; found text 'a'."),
        ("Literal['adam', 'sgd']", "adamm", "Did you mean 'adam'?"),
        ("Literal[1]", True, "has to be one of 1"),
        ("list[int]", [1, "a", 2.5], "'x[1]' has to be int; found text 'a'."),
        ("list[int]", "abc", "has to be list[int]; found text 'abc'."),
        ("tuple[int, str]", [1], "has to be tuple[int, str]; found a list"),
        ("dict[str, int]", {"a": {"b": 1}}, "'x.a' has to be int; found a dictionary."),
        ("dict[int, str]", {"k": "a"}, "'x.k' has to be int; found text 'k'."),
        ("day", "31.01.2025", "has to be date (2025-01-31); found text '31.01.2025'."),
        ("day", 20250131, "has to be date"),
        ("dt.datetime", "now", "has to be datetime"),
        ("Path", "", "has to be Path (text); found text ''."),
        ("Path", "a\0b", "has to be Path"),
        ("Decimal", "NaN", "has to be Decimal"),
        ("Decimal", "x", "has to be Decimal"),
        ("Decimal", [1], "has to be Decimal"),
        ("Color", "GREEN", "has to be Color (RED, BLUE); found text 'GREEN'."),
        ("str", {"$env": "A"}, "found a secret. Annotate it as Secret."),
        ("int", "x" * 500, "..."),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_names_the_type(annotation, given, said):
    found = lines(f"x: {annotation}", {"x": given}, strict=False)

    assert said in found[0]
    assert all(len(line) < 200 for line in found)


def test_everything_that_is_wrong_is_told_at_once():
    found = lines(
        "a: int\nb: str\nc: list[int] = []",
        {"a": "x", "c": ["y", 1, "z"], "xyz": 1},
        where="t.ipynb",
    )

    assert found == (
        "t.ipynb: unknown parameter 'xyz'; allowed are a: int; b: str; c: list[int].",
        "t.ipynb: the parameter 'a' has to be int; found text 'x'.",
        "t.ipynb: the parameter 'b' (str) is missing. Add it.",
        "t.ipynb: the parameter 'c[0]' has to be int; found text 'y'.",
        "t.ipynb: the parameter 'c[2]' has to be int; found text 'z'.",
    )


def test_a_parameter_without_a_default_has_to_be_given_even_if_no_file_gives_any():
    assert lines("n: int", None, strict=False) == ("the parameter 'n' (int) is missing. Add it.",)


def test_defaults_stand_beside_what_is_given():
    source = "n: int = 1\nwhen: day = day(2025, 1, 1)\nk = 2"

    checked = check_parameters(read(source, PRELUDE), {"n": 5}, strict=False)

    assert checked.values == {"n": 5, "k": 2}
    assert run(source, checked)["substep_params"] == {"n": 5, "when": dt.date(2025, 1, 1), "k": 2}


def test_a_dictionary_beside_annotations_keeps_its_other_keys():
    got = fill("n: int = 1\nsubstep_params = {'n': n, 'other': 2}", {"n": 5})

    assert got["substep_params"] == {"n": 5, "other": 2}


def test_plain_names_without_annotations_are_advice_only():
    checked = check_parameters(read("n = 1"), {"n": "x", "m": 2}, strict=False)

    assert len(checked.warnings) == 2
    assert run("n = 1", checked)["substep_params"] == {"n": "x", "m": 2}
    assert "m" not in checked.code


def test_an_annotation_that_is_not_understood_takes_any_value_and_that_is_said():
    source = "x: 'np.ndarray' = None"

    checked = check_parameters(read(source), {"x": [1]}, strict=True, where="t.ipynb")

    assert checked.values == {"x": [1]}
    assert "np.ndarray" in checked.warnings[0]


@pytest.mark.parametrize(
    ("annotation", "typed", "value", "got"),
    [
        ("str", 9, "9", "9"),
        ("str", None, "", ""),
        ("str", True, "true", "true"),
        ("str", [1], "[1]", "[1]"),
        ("str | None", 9, "9", "9"),
        ("str | None", None, "null", None),
        ("int", "010", "010", 10),
        ("float", 9, "9", 9.0),
        ("float", "00.5", "00.5", 0.5),
        ("bool", "NO", "NO", False),
        ("bool", 1, "1", True),
        ("Literal['1', '2']", 1, "1", "1"),
        ("Decimal", 0.1, "0.10", decimal.Decimal("0.10")),
        ("Path", 9, "9", pathlib.Path("9")),
        ("day", 20250131, "20250131", dt.date(2025, 1, 31)),
        ("list[int]", [1], "[1]", [1]),
    ],
)
def test_what_was_typed_decides_where_the_type_by_its_looks_does_not_fit(
    annotation, typed, value, got
):
    filled = fill(f"x: {annotation} = None", {"x": typed}, texts={("x",): value})

    assert (filled["x"], type(filled["x"])) == (got, type(got))


def test_what_was_typed_decides_by_the_default_of_a_classic_cell_too():
    checked = check_parameters(
        read(CLASSIC), GOOD | {"name": 9}, strict=True, texts={("name",): "9"}
    )

    assert checked.values["name"] == "9"


def test_an_enum_is_found_by_the_value_as_it_was_typed():
    source = "class Version(Enum):\n    ONE = '1'\nx: Version"

    checked = check_parameters(read(source, PRELUDE), {"x": 1}, strict=False, texts={("x",): "1"})

    assert checked.code["x"] == "Version['ONE']"


@pytest.mark.parametrize("annotation", ["int", "bool", "float"])
def test_typed_text_of_the_wrong_kind_stays_an_error(annotation):
    assert lines(f"x: {annotation}", {"x": "abc"}, texts={("x",): "abc"})


@pytest.mark.parametrize("reference", [{"$env": "HUB"}, {"$file": "token"}])
@pytest.mark.parametrize("annotation", ["Secret", "Secret | None", "'Secret'", "Any"])
def test_a_secret_is_read_where_the_notebook_runs(tmp_path, monkeypatch, annotation, reference):
    monkeypatch.setenv("HUB", "canary")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text("canary\n")
    schema = read(f"x: {annotation} = None", PRELUDE)

    checked = check_parameters(schema, {"x": reference}, strict=True)

    assert "canary" not in repr(checked)
    assert checked.secrets["x"].as_json() == reference
    assert checked.values["x"] == reference
    assert run("x = None", checked)["x"] == Secret("canary")


@pytest.mark.parametrize(
    "annotation", ["Secret", "Secret | None", "list[Secret]", "dict[str, Secret]"]
)
def test_the_text_of_a_secret_is_refused_and_not_shown(annotation):
    given: Any = {"list[Secret]": ["canary"], "dict[str, Secret]": {"a": "canary"}}.get(
        annotation, "canary"
    )

    for text in (None, "canary"):
        (line,) = lines(
            f"token: {annotation}", {"token": given}, texts={("token",): text} if text else {}
        )

        assert "is a Secret" in line
        assert "canary" not in line


def test_a_value_under_a_name_that_says_secret_is_not_shown():
    (line,) = lines("api_token: int", {"api_token": "canary"})

    assert "canary" not in line


def test_secrets_inside_a_classic_dictionary_are_secrets_in_the_notebook(monkeypatch):
    monkeypatch.setenv("HUB", "canary")
    source = "substep_params = {'db': {}, 'n': 1}"
    given = {"db": {"hosts": [{"password": {"$env": "HUB"}}]}, "n": 2}

    checked = check_parameters(read(source), given, strict=True)

    assert checked.secrets == {"db.hosts[0].password": SecretRef(env="HUB")}
    assert run(source, checked)["substep_params"]["db"]["hosts"][0]["password"].reveal() == "canary"


def test_a_default_secret_is_known_unless_another_is_given():
    source = "token: Secret = Secret.from_env('ONE')"
    schema = read(source, PRELUDE)

    assert check_parameters(schema, {}, strict=True).secrets == {"token": SecretRef(env="ONE")}
    other = check_parameters(schema, {"token": {"$env": "TWO"}}, strict=True)
    assert other.secrets == {"token": SecretRef(env="TWO")}


@pytest.mark.parametrize("source", [CLASSIC, "lr: Any = 1", "lr: Secret"])
def test_a_malformed_reference_is_an_error_in_every_form(source):
    assert lines(source, {"lr": {"$env": "canary!"}}, strict=False)[0].startswith("lr: ")


def test_a_problem_of_the_cell_is_an_error():
    assert lines("x: int = (", {}, strict=False)[0].startswith("cell 2, line 1: ")


def test_a_substep_is_checked_as_its_files_say():
    schema = read("name: str\nn: int = 1")
    substep = SubstepParams("t.ipynb", {"name": 9}, from_notebook=True, texts={("name",): "9"})

    assert check_substep(schema, substep, strict=False).values == {"name": "9", "n": 1}
    with pytest.raises(ParamsError, match=r"^t\.ipynb: unknown parameter 'm'"):
        check_substep(schema, SubstepParams("t.ipynb", {"name": "a", "m": 1}), strict=False)


def test_the_given_values_are_never_changed():
    given = {"lr": 1, "d": {"a": [1]}}

    checked = check_parameters(read("lr: float = 1\nd: dict = {}"), given, strict=True)
    checked.values["d"]["a"].append(2)

    assert given == {"lr": 1, "d": {"a": [1]}}


def test_a_module_asks_for_its_values_itself_and_is_not_told_to_tag_a_cell():
    given = SubstepParams("m.py", {"rate": 1}, "params/step_params.json")

    checked = check_substep(ParametersSchema(), given, strict=True)

    assert (checked.values, checked.warnings) == ({"rate": 1}, ())
