"""The declaration of an interface: checked whole, and the same value both ways."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinara import interface
from sinara.errors import InterfaceError
from sinara.interface import (
    ENTITY_NAME,
    ENTITY_PATH,
    ENV_NAME,
    PIPELINE_NAME,
    RUN_ID,
    STEP_NAME,
    ZONE_NAME,
    CustomRef,
    InputRef,
    Interface,
    as_lists,
    make_interface,
)

TEMPLATE = {
    "inputs": [
        {STEP_NAME: "prev_step", ENTITY_NAME: "entityA"},
        {STEP_NAME: "ext_step", ENTITY_NAME: "entityI", ENV_NAME: "prod2", PIPELINE_NAME: "other",
         ZONE_NAME: "monthly_run", RUN_ID: "run-00-01-01-000000"},
    ],
    "outputs": [{ENTITY_NAME: "entityF"}],
    "custom_inputs": [{ENTITY_NAME: "entityE", ENTITY_PATH: "/data/something/entityE"}],
    "custom_outputs": [{ENTITY_NAME: "entityK", ENTITY_PATH: "/data/something/entityK"}],
    "tmp_inputs": [{ENTITY_NAME: "entityM"}],
    "tmp_outputs": [{ENTITY_NAME: "entityF"}],
    "tmp_entities": [{ENTITY_NAME: "scratch"}],
}  # fmt: skip


def test_the_seven_kinds_of_the_original_template_become_one_value():
    assert make_interface(**TEMPLATE) == Interface(
        inputs=(
            InputRef("prev_step", "entityA"),
            InputRef("ext_step", "entityI", "prod2", "other", "monthly_run", "run-00-01-01-000000"),
        ),
        outputs=("entityF",),
        custom_inputs=(CustomRef("entityE", "/data/something/entityE"),),
        custom_outputs=(CustomRef("entityK", "/data/something/entityK"),),
        tmp_inputs=("entityM",),
        tmp_outputs=("entityF",),
        tmp_entities=("scratch",),
    )


def test_the_lists_of_an_interface_are_what_was_declared():
    assert as_lists(make_interface(**TEMPLATE)) == TEMPLATE


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True).filter(
    lambda name: name not in {"con", "prn", "aux", "nul"} and not name.startswith(("com", "lpt"))
)
MAYBE = st.none() | NAMES
ENTITY_LISTS = st.lists(NAMES, unique=True, max_size=4).map(tuple)
CUSTOM_LISTS = st.dictionaries(
    NAMES, st.text(min_size=1).filter(lambda path: "\0" not in path), max_size=3
).map(lambda paths: tuple(CustomRef(*item) for item in paths.items()))
RUN_IDS = st.none() | st.just("run-25-01-01-000000")
INTERFACES = st.builds(
    Interface,
    st.lists(st.builds(InputRef, NAMES, NAMES, MAYBE, MAYBE, MAYBE, RUN_IDS),
    unique=True).map(tuple),
    ENTITY_LISTS, CUSTOM_LISTS, CUSTOM_LISTS, ENTITY_LISTS, ENTITY_LISTS, ENTITY_LISTS,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])  # machines are shared
@given(INTERFACES)
def test_an_interface_survives_the_way_to_lists_and_back(value):
    assert make_interface(**as_lists(value)) == value


def test_keys_that_may_be_left_out_may_also_be_none_or_empty():
    made = make_interface(
        inputs=[{STEP_NAME: "a", ENTITY_NAME: "b", ENV_NAME: None, ZONE_NAME: "", RUN_ID: None}],
        outputs=None,
        tmp_entities=({ENTITY_NAME: name} for name in ("x", "y")),
    )

    assert made == Interface(inputs=(InputRef("a", "b"),), tmp_entities=("x", "y"))


def test_nothing_declared_is_an_empty_interface():
    assert make_interface() == make_interface(inputs=[], outputs=()) == Interface()


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        ({"input": []}, "interface: 'input' is not a kind of entity. Did you mean 'inputs'?"),
        ({"x": []}, "interface: 'x' is not a kind of entity. The kinds are inputs, "),
        ({"outputs": [{"ENTITY_NAM": "a", ENTITY_NAME: "b"}]},
         "outputs, entity 1: key 'ENTITY_NAM' is not permitted. Did you mean 'ENTITY_NAME'?"),
        ({"outputs": [{ENTITY_NAME: "a", ENTITY_PATH: "/x"}]},
         "outputs, entity 1: key 'ENTITY_PATH' is not permitted."),
        ({"outputs": [{ENTITY_NAME: "a", 7: "/x"}]},
        "outputs, entity 1: key 7 is not permitted. The keys are"),
        ({"inputs": [{ENTITY_NAME: "a"}]},
        "inputs, entity 1: key STEP_NAME is missing in {'ENTITY_NAME': 'a'}"),
        ({"outputs": [{}]}, "outputs, entity 1: key ENTITY_NAME is missing in {}"),
        ({"outputs": [{ENTITY_NAME: None}]},
         "outputs, entity 1: ENTITY_NAME: entity name None cannot be used: it must be text"),
        ({"outputs": [{ENTITY_NAME: ""}]},
        "outputs, entity 1: ENTITY_NAME: entity name '' cannot be used: it is"),
        ({"outputs": [{ENTITY_NAME: "a/b"}]},
        "outputs, entity 1: ENTITY_NAME: entity name 'a/b' cannot be used"),
        ({"inputs": [{STEP_NAME: "..", ENTITY_NAME: "a"}]},
        "inputs, entity 1: STEP_NAME: step name '..' cannot"),
        ({"inputs": [{STEP_NAME: "a", ENTITY_NAME: "a", RUN_ID: "x"}]},
        "inputs, entity 1: RUN_ID: run id 'x' cann"),
        ({"inputs": [{STEP_NAME: "a", ENTITY_NAME: "a", RUN_ID: "run-25-02-30-000000"}]},
         "inputs, entity 1: RUN_ID: run id 'run-25-02-30-000000' cannot be used: day"),
        ({"inputs": [{STEP_NAME: "a", ENTITY_NAME: "a", ENV_NAME: 5}]},
        "inputs, entity 1: ENV_NAME: env name 5"),
        ({"custom_inputs": [{ENTITY_NAME: "a", ENTITY_PATH: ""}]},
         "custom_inputs, entity 1: ENTITY_PATH: path '' cannot be used: it must be text"),
        ({"custom_inputs": [{ENTITY_NAME: "a", ENTITY_PATH: "a\0"}]},
         "custom_inputs, entity 1: ENTITY_PATH: path 'a\\x00' cannot be used"),
        ({"custom_inputs": [{ENTITY_NAME: "a", ENTITY_PATH: None}]},
         "custom_inputs, entity 1: ENTITY_PATH: path None cannot be used"),
        ({"outputs": [{ENTITY_NAME: "a"}, {ENTITY_NAME: "a"}]}, "outputs: 'a' is declared 2 times"),
        ({"inputs": [{STEP_NAME: "a", ENTITY_NAME: "x"}] * 3}, "inputs: 'x' is declared 3 times"),
        ({"custom_inputs": [{ENTITY_NAME: "a", ENTITY_PATH: p} for p in "xy"]},
         "custom_inputs: entity name 'a' is given twice"),
        ({"outputs": [{ENTITY_NAME: "a.b"}, {ENTITY_NAME: "a_b"}]},
         "outputs: entity names 'a.b' and 'a_b' would share one folder"),
        ({"outputs": [{ENTITY_NAME: "A"}, {ENTITY_NAME: "a"}]},
         "outputs: entity names 'A' and 'a' would share one folder"),
        ({"outputs": [{ENTITY_NAME: "reports.train.ipynb"}]},
         "outputs: 'reports.train.ipynb' is where the run keeps its reports; rename it"),
        ({"outputs": {ENTITY_NAME: "a"}},
        "outputs: it must be a list of dictionaries, not of type dict"),
        ({"outputs": "a"}, "outputs: it must be a list of dictionaries, not 'a'"),
        ({"outputs": 5}, "outputs: it must be a list of dictionaries, not 5"),
        ({"outputs": ["a"]}, "outputs, entity 1: it must be a dictionary, not 'a'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_one_line(declared, line):
    with pytest.raises(InterfaceError) as raised:
        make_interface(**declared)

    (said,) = raised.value.lines
    assert said.startswith(line)
    assert said.isprintable()


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(InterfaceError) as raised:
        make_interface(
            inputs=[{ENTITY_NAME: "a b"}, {STEP_NAME: "x", ENTITY_NAME: "ok"}],
            outputs=[{"NAME": "a"}],
            wrong=[],
        )

    assert [line.split(":")[0] for line in raised.value.lines] == [
        "inputs, entity 1", "inputs, entity 1", "outputs, entity 1", "outputs, entity 1",
        "interface",
    ]  # fmt: skip


def test_one_entity_may_be_read_from_two_zones_and_stand_in_two_kinds():
    made = make_interface(
        inputs=[
            {STEP_NAME: "a", ENTITY_NAME: "x"},
            {STEP_NAME: "a", ENTITY_NAME: "x", ZONE_NAME: "z2"},
        ],
        outputs=[{ENTITY_NAME: "x"}],
        tmp_outputs=[{ENTITY_NAME: "x"}],
    )

    assert len(made.inputs) == 2


SCALARS = st.none() | st.integers() | st.text()
DECLARED = st.dictionaries(
    st.sampled_from([ENTITY_NAME, STEP_NAME, ENTITY_PATH, RUN_ID, "x"]),
    SCALARS | st.lists(st.text()),
)


@given(
    st.dictionaries(
        st.sampled_from([*interface.KINDS, "x"]), SCALARS | st.lists(SCALARS | DECLARED)
    )
)
def test_any_declaration_is_an_interface_or_lines_and_nothing_else(declared):
    try:
        made = make_interface(**declared)
    except InterfaceError as error:
        lines = error.lines
    else:
        lines = ()

    assert all("\n" not in line for line in lines)
    assert lines or make_interface(**as_lists(made)) == made
