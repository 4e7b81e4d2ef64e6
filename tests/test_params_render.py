"""Values as Python source: equal values, and never code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from sinara.errors import ParamsError
from sinara.params import cell_source, check_parameters, load_step_params, read_parameters
from sinara.params.render import SECRET_IMPORT, assignment, dictionary, literal, name_problem
from sinara.params.values import findings
from sinara.secret import SecretRef
from tests.test_params_cell import Cell

any_text = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    [
        "",
        "\0",
        "\ud800",
        "'\"\\",
        "'''\"\"\"",
        "\u202eabc\u2066",
        "a=b#c",
        "%magic",
        "!ls",
        "x?",
        "\r\n\x85\u2028",
        "{a.__class__}",
        "__import__('os').system('exit 1')",
        "🙂é",
    ]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text
)
names = any_text.filter(lambda name: not name.startswith("$"))
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=5),
    max_leaves=30,
)


def run(source: str) -> dict[str, Any]:
    """Run a cell as a kernel does: through IPython's transformations first."""
    namespace: dict[str, Any] = {}
    exec(TransformerManager().transform_cell(source), namespace)
    return namespace


@given(st.dictionaries(names, values, max_size=5))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_json_value_arrives_in_the_notebook_as_it_was_written(tmp_path_factory, params):
    """From the text of a file to the namespace of the notebook, in the classic form."""
    folder = tmp_path_factory.getbasetemp()
    document = {
        "pipeline_params": {"pipeline_name": "p"},
        "step_params": {"step_name": "s"},
        "substeps_params": [{"substep_name": "a.ipynb", "substep_params": params}],
    }
    text = json.dumps(document)
    (folder / "step.json").write_text(text)
    schema = read_parameters([Cell("substep_params = {}", ("parameters",))])

    (substep,) = load_step_params("step.json", folder=folder).substeps
    checked = check_parameters(schema, substep.params, strict=False)
    got = run(cell_source(checked.code, checked.imports))["substep_params"]

    # By `repr`, which tells 1 from 1.0 and True, and 0.0 from -0.0.
    assert repr(got) == repr(json.loads(text)["substeps_params"][0]["substep_params"])


@given(values)
def test_any_json_value_arrives_under_an_annotated_name(value):
    schema = read_parameters([Cell("x: Any = None", ("parameters",))])

    checked = check_parameters(schema, {"x": value}, strict=True)

    assert repr(run("x = None\n" + cell_source(checked.code))["x"]) == repr(value)


def test_the_largest_values_that_are_allowed_arrive():
    deep: Any = 1
    for _ in range(30):
        deep = [deep]
    params = {"deep": deep, "wide": list(range(20_000)), "long": "é" * 400_000, "int": 2**64 - 1}
    schema = read_parameters([Cell("substep_params = {}", ("parameters",))])

    checked = check_parameters(schema, params, strict=False)

    assert run(cell_source(checked.code))["substep_params"] == params


@given(any_text | st.from_regex(r"[\w=;#()\n' ]{1,12}"))
def test_a_name_is_a_plain_name_or_it_is_refused(name):
    """Whatever the name holds, running the line binds that name and nothing else."""
    if name_problem(name):
        with pytest.raises(ParamsError, match=r"^[^\n]+\Z"):
            assignment(name, "1")
    else:
        assert len(set(run(assignment(name, "1"))) - {"__builtins__"}) == 1


@pytest.mark.parametrize(
    "name",
    ["b=__import__('os').system('x')#", "a.b", "a, b", "(a)", "a\nb", "None", "__all__", "1"],
)
def test_a_name_that_would_be_code_is_refused(name):
    with pytest.raises(ParamsError):
        assignment(name, "1")


def test_a_hostile_name_in_a_file_runs_nothing(tmp_path):
    """papermill runs this one (`translators.py` pastes the name before ` = `)."""
    hostile = f"b=open({str(tmp_path / 'pwned')!r}, 'w')#"
    for source in ("substep_params = {'b': 1}", "b = 1", "", "n: int = 1"):
        schema = read_parameters([Cell(source, ("parameters",))])
        try:
            checked = check_parameters(schema, {hostile: 2}, strict=False)
        except ParamsError:
            continue
        run(source + "\n" + cell_source(checked.code))

    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}.__class__])
def test_what_has_no_literal_is_refused(value):
    with pytest.raises(ParamsError, match="has no Python literal"):
        literal(value)


def test_a_long_dictionary_is_written_one_key_a_line():
    source = dictionary({f"name_{i}": "1" for i in range(12)}, ("substep_params",))

    assert source.splitlines()[:3] == ["{", "    **substep_params,", "    'name_0': 1,"]


def test_the_older_form_sets_all_its_dictionaries():
    source = cell_source(
        {"substep_params": "{'c': 3}"},
        dicts={"pipeline_params": {"a": 1}, "step_params": {"t": {"$env": "HOME"}}},
    )

    assert SECRET_IMPORT in source
    namespace = run(source)
    assert namespace["pipeline_params"] == {"a": 1}
    assert namespace["step_params"]["t"].reveal()
    assert namespace["substep_params"] == {"c": 3}


def test_a_secret_is_written_as_a_call_with_its_place_as_text():
    assert literal({"$file": "a'); import os; ('"}) == "_Secret.from_file(\"a'); import os; ('\")"
    assert literal([{"$env": "A"}, 1]) == "[_Secret.from_env('A'), 1]"
    assert SecretRef(env="A").code == "from_env('A')"


@given(values)
def test_no_finding_is_made_of_what_json_can_hold(value):
    assert list(findings(value, "x")) == []
