"""The grammar of contracts: what is read, what is refused, and what is written back."""

from __future__ import annotations

import json

import pytest

from sinara.contract import ColumnRules, Contract, as_literal, read_contract
from sinara.contract.types import fits, why_not
from sinara.errors import InterfaceError
from sinara.interface import InputRef, as_lists, make_interface
from sinara.reading import CellSource, read_interface

WHOLE = {
    "columns": {
        "id": "int64",
        "amount": {"type": "double", "min": 0, "max": 1e6, "null_share": 0.01},
        "kind": {"in": ["a", "b"], "unique": True},
        "day": {"type": "date", "min": "2024-01-01"},
        "note": {},
    },
    "other_columns": "refuse",
    "key": ["id", "day"],
    "rows": {"min": 1, "max": 100, "change": 0.2},
}
INTERFACE_CELL = """
from sinara.substep import NotebookSubstep, STEP_NAME, ENTITY_NAME, CONTRACT

{make}
promise = {{"columns": {{"id": "int64", "x": {{"min": -1.5}}}}, "key": ["id"]}}
substep.interface(
    inputs=[{{STEP_NAME: "load", ENTITY_NAME: "raw", "contract": promise}}],
    outputs=[{{ENTITY_NAME: "clean", CONTRACT: {{"rows": {{"min": {least}}}}}}}],
)
"""


def test_a_contract_is_read_as_it_is_declared():
    contract, lines = read_contract(WHOLE)

    assert lines == ()
    assert contract == Contract(
        columns=(
            ColumnRules("id", "int64"),
            ColumnRules("amount", "double", 0, 1e6, 0.01),
            ColumnRules("kind", one_of=("a", "b"), unique=True),
            ColumnRules("day", "date", "2024-01-01"),
            ColumnRules("note"),
        ),
        other_columns="refuse",
        key=("id", "day"),
        rows_min=1,
        rows_max=100,
        rows_change=0.2,
    )


def test_a_contract_is_written_back_as_it_was_declared():
    contract, _ = read_contract(WHOLE)

    assert as_literal(contract) == WHOLE
    assert read_contract(json.loads(json.dumps(as_literal(contract))))[0] == contract


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ([], "it must be a dictionary, not of type list"),
        ({}, "it is empty. Give it columns, other_columns, key, rows, or leave it out"),
        ({"colums": {}}, "'colums' is no rule. Did you mean 'columns'?"),
        ({"sampling": 1}, "'sampling' is no rule. There is columns, other_columns, key, rows."),
        ({"columns": ["id"]}, "'columns' must be a dictionary of columns, not of type list"),
        ({"columns": {7: "int64"}}, "'columns' has a column called 7; a name is text"),
        ({"columns": {"x": 7}}, "column 'x': it must be a type or a dictionary of rules, not 7"),
        ({"columns": {"x": "int46"}}, "column 'x': 'int46' is no type. Did you mean 'int64'?"),
        ({"columns": {"x": "timestamp[us"}}, "column 'x': 'timestamp[us' is no type. Did you mean"),
        ({"columns": {"x": {"mni": 0}}}, "column 'x': 'mni' is no rule. Did you mean 'min'?"),
        ({"columns": {"x": {"type": 5}}}, "column 'x': 'type' is 5; it must be the name of a type"),
        ({"columns": {"x": {"min": True}}}, "column 'x': 'min' is True; it must be a number, or"),
        (
            {"columns": {"x": {"min": float("nan")}}},
            "column 'x': 'min' is nan; it must be a number",
        ),
        ({"columns": {"x": {"max": "soon"}}}, "column 'x': 'max' is 'soon'; as text it must be a"),
        (
            {"columns": {"x": {"type": "string", "min": 1}}},
            "column 'x': 'min' is the number 1, but the type is string",
        ),
        (
            {"columns": {"x": {"type": "int64", "min": "2024-01-01"}}},
            "column 'x': 'min' is the date '2024-01-01', but the type is int64",
        ),
        ({"columns": {"x": {"min": 2, "max": 1}}}, "column 'x': 'min' 2 is larger than 'max' 1"),
        (
            {"columns": {"x": {"min": "2024-02-01", "max": "2024-01-01"}}},
            "column 'x': 'min' '2024-02-01' is larger than 'max' '2024-01-01'",
        ),
        (
            {"columns": {"x": {"min": "2024-02-01", "max": 3}}},
            "column 'x': 'min' and 'max' must both be numbers, or both dates",
        ),
        (
            {"columns": {"x": {"null_share": 2}}},
            "column 'x': 'null_share' is 2; it must be a share",
        ),
        ({"columns": {"x": {"in": "ab"}}}, "column 'x': 'in' must be a list of values, not 'ab'"),
        ({"columns": {"x": {"in": []}}}, "column 'x': 'in' is an empty list"),
        ({"columns": {"x": {"in": [None]}}}, "column 'x': 'in' holds None; it may hold numbers"),
        ({"columns": {"x": {"unique": 1}}}, "column 'x': 'unique' is 1; it may be True or False"),
        ({"other_columns": "deny"}, "'other_columns' is 'deny'; it may be 'allow' or 'refuse'"),
        ({"key": 3}, "'key' must be a list of columns, not 3"),
        ({"key": ["a", "a"]}, "'key' names column 'a' twice"),
        ({"rows": 5}, "'rows' must be a dictionary of min, max, change, not 5"),
        ({"rows": {"mim": 5}}, "rows: 'mim' is no rule. Did you mean 'min'?"),
        ({"rows": {"min": 0.5}}, "rows: 'min' is 0.5; it must be a number of rows, 0 or more"),
        ({"rows": {"min": 3, "max": 2}}, "rows: 'min' 3 is larger than 'max' 2"),
        ({"rows": {"change": -0.1}}, "rows: 'change' is -0.1; it must be a share, 0 or more"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(declared, told):
    contract, lines = read_contract(declared)

    assert contract is None
    assert len(lines) == 1
    assert lines[0].startswith(told)
    assert "\n" not in lines[0]


def test_every_fault_is_told_at_once_with_its_entity():
    with pytest.raises(InterfaceError) as told:
        make_interface(
            outputs=[
                {"ENTITY_NAME": "a", "contract": {"columns": {"x": "int46"}, "row": {}}},
                {"ENTITY_NAME": "b b", "contract": {"key": 1}},
            ]
        )

    assert [line.partition(". ")[0] for line in told.value.lines[:2]] == [
        "outputs, entity 1: contract: 'row' is no rule",
        "outputs, entity 1: contract: column 'x': 'int46' is no type",
    ]
    assert told.value.lines[-1] == (
        "outputs, entity 2: contract: 'key' must be a list of columns, not 1"
    )


@pytest.mark.parametrize("kind", ["tmp_outputs", "tmp_inputs"])
def test_only_inputs_and_outputs_have_a_contract(kind):
    with pytest.raises(InterfaceError) as told:
        make_interface(**{kind: [{"ENTITY_NAME": "a", "contract": {"key": ["id"]}}]})

    assert told.value.lines == (
        f"{kind}, entity 1: key 'contract' is not permitted. Only inputs and outputs have one.",
    )


@pytest.mark.parametrize("key", ["CONTRACT", "contrct", "Contract"])
def test_a_misspelled_contract_is_told_how_it_is_spelled(key):
    with pytest.raises(InterfaceError) as told:
        make_interface(outputs=[{"ENTITY_NAME": "a", key: {"key": ["id"]}}])

    assert told.value.lines == (
        f"outputs, entity 1: key '{key}' is not permitted. Did you mean 'contract'?",
    )


def test_a_contract_of_none_is_none():
    made = make_interface(outputs=[{"ENTITY_NAME": "a", "contract": None}])

    assert made == make_interface(outputs=[{"ENTITY_NAME": "a"}])


def test_an_interface_with_contracts_is_the_same_after_it_was_written_down():
    declared = {
        "inputs": [{"STEP_NAME": "s", "ENTITY_NAME": "a", "contract": {"key": ["id"]}}],
        "outputs": [{"ENTITY_NAME": "a", "contract": WHOLE}, {"ENTITY_NAME": "b"}],
    }

    made = make_interface(**declared)

    assert made.contract_of("a") == read_contract(WHOLE)[0]
    assert made.contract_of("b") is None
    assert made.contract_of(InputRef("s", "a")) == Contract(key=("id",))
    assert as_lists(made)["outputs"] == declared["outputs"]
    assert make_interface(**json.loads(json.dumps(as_lists(made)))) == made


@pytest.mark.parametrize(
    ("make", "least", "params"),
    [
        (
            "substep = NotebookSubstep(pipeline_params, step_params, substep_params)",
            'substep_params["least"]',
            CellSource(0, "code", 'substep_params = {"least": 1}', ("parameters",)),
        ),
        (
            "substep = NotebookSubstep()",
            "least",
            CellSource(0, "code", "least: int = 1", ("parameters",)),
        ),
    ],
)
def test_contracts_are_read_off_both_forms_of_a_notebook_as_a_run_declares_them(
    make, least, params
):
    cell = CellSource(1, "code", INTERFACE_CELL.format(make=make, least=least), ("interface",))

    reading = read_interface(
        (params, cell), pipeline_params={}, step_params={}, substep_params={"least": 5}
    )

    assert reading.problems == ()
    assert reading.interface == make_interface(
        inputs=[
            {
                "STEP_NAME": "load",
                "ENTITY_NAME": "raw",
                "contract": {"columns": {"id": "int64", "x": {"min": -1.5}}, "key": ["id"]},
            }
        ],
        outputs=[{"ENTITY_NAME": "clean", "contract": {"rows": {"min": 5}}}],
    )


def test_a_wrong_contract_is_certain_to_fail_and_says_where():
    cell = CellSource(
        3,
        "code",
        'substep = NotebookSubstep()\nsubstep.interface(outputs=[{"ENTITY_NAME": "a",'
        ' "contract": {"keys": ["id"]}}])',
    )

    (problem,) = read_interface((cell,)).problems

    assert (problem.cell, problem.line, problem.certain) == (3, 2, True)
    assert problem.text == ("outputs, entity 1: contract: 'keys' is no rule. Did you mean 'key'?")


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ("int64", "int64"),
        ("float64", "double"),
        ("integer", "uint8"),
        ("number", "decimal128(10, 2)"),
        ("number", "float"),
        ("string", "large_string"),
        ("string", "dictionary<values=string, indices=int32, ordered=0>"),
        ("large_string", "string"),
        ("date", "date32[day]"),
        ("date32[day]", "date64[ms]"),
        ("timestamp", "timestamp[ns, tz=UTC]"),
        ("list", "list<element: double>"),
        ("timestamp[us]", "timestamp[us]"),
    ],
)
def test_a_type_fits_what_is_stored_that_way(wanted, kind):
    assert why_not(wanted) == ""
    assert fits(wanted, kind)


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ("int64", "int32"),
        ("integer", "double"),
        ("number", "string"),
        ("timestamp[us]", "timestamp[ns]"),
        ("string", "binary"),
        ("date", "timestamp[us]"),
    ],
)
def test_a_type_does_not_fit_another_one(wanted, kind):
    assert why_not(wanted) == ""
    assert not fits(wanted, kind)
