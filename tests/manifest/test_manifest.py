"""Manifests: what is taken, what is refused and how, and that the published schema agrees."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from sinara.errors import BadNameError, ManifestError
from sinara.interface import InputRef
from sinara.manifest import chain, check_manifest, in_order, read_manifest, schema, upstream

GOOD = {
    "pipeline_name": "wine",
    "steps": [
        {"step_name": "load", "substeps": [{"substep_name": "load", "outputs": ["raw", {"entity_name": "extra.v2"}]}]},
        {
            "step_name": "prep",
            "step_params": {"verbose_output": True},
            "substeps": [
                {
                    "substep_name": "prep.ipynb",
                    "substep_params": {"share": 0.2},
                    "inputs": [
                        {"step_name": "load", "entity_name": "raw"},
                        {"step_name": "x", "entity_name": "y", "env_name": "prod", "pipeline_name": "other",
                         "zone_name": "monthly", "run_id": "run-25-01-01-000000"},
                    ],
                    "outputs": [{"entity_name": "rows"}],
                    "custom_inputs": [{"entity_name": "c", "entity_path": "/data/c"}],
                    "custom_outputs": [], "tmp_inputs": None, "tmp_outputs": ["t"], "tmp_entities": ["s"],
                },
                {"substep_name": "split", "inputs": [{"step_name": "prep", "entity_name": "rows"}], "outputs": ["train"]},
            ],
        },
        "free",
    ],
}  # fmt: skip


def edited(*path, **change):
    """Return the good manifest with one place changed; a value of ``...`` is left out."""
    document = copy.deepcopy(GOOD)
    place = document
    for part in path:
        place = place[part]
    for key, value in change.items():
        if value is ...:
            del place[key]
        else:
            place[key] = value
    return document


SUB = ("steps", 1, "substeps", 0)
# What a schema can say as well.
BAD_FORM = {
    "an unknown key at the top": (edited(stepz=[]), "'stepz' is not known here. Did you mean 'steps'?"),
    "no steps": (edited(steps=...), "steps: it is missing"),
    "an empty list of steps": (edited(steps=[]), "steps: the list is empty"),
    "steps that are no list": (edited(steps={"a": 1}), "steps: {\"a\": 1} is no list"),
    "a host that there is not": (edited(host="gitlub"), "Did you mean 'gitlab'?"),
    "a bad pipeline name": (edited(pipeline_name="../x"), "pipeline_name: pipeline name '../x' cannot be used"),
    "a step without a name": (edited("steps", 0, step_name=...), "steps[0]: 'step_name' is missing"),
    "a bad step name": (edited("steps", 0, step_name="a b"), "steps[0].step_name: step name 'a b' cannot be used"),
    "an unknown key of a step": (edited("steps", 0, substep=[]), "steps[0]: 'substep' is not known here"),
    "a step that is a number": (edited(steps=[3]), "steps[0]: 3 is no dictionary"),
    "an unknown key of a substep": (edited(*SUB, input=[]), "Did you mean 'inputs'?"),
    "a substep without a name": (edited(*SUB, substep_name=...), "substeps[0]: 'substep_name' is missing"),
    "an input without a step": (edited(*SUB, "inputs", 0, step_name=...), "inputs[0]: 'step_name' is missing"),
    "an input by its bare name": (edited(*SUB, inputs=["raw"]), "inputs[0]: \"raw\" is no dictionary"),
    "a bad run id": (edited(*SUB, "inputs", 1, run_id="last"), "inputs[1].run_id: run id 'last' cannot be used"),
    "an upper-case key": (edited(*SUB, "inputs", 0, STEP_NAME="load"), "'STEP_NAME' is not known here"),
    "a custom input without a path": (edited(*SUB, custom_inputs=[{"entity_name": "c"}]), "'entity_path' is missing"),
    "an empty path": (edited(*SUB, custom_inputs=[{"entity_name": "c", "entity_path": ""}]), "cannot be used"),
    "a bad entity name": (edited(*SUB, outputs=["a/b"]), "entity name 'a/b' cannot be used"),
    "parameters that are a list": (edited(*SUB, substep_params=[1]), "substep_params: [1] is no dictionary"),
}  # fmt: skip
# What only the checker sees.
BAD_FLOW = {
    "an input that its step does not write": (
        edited(*SUB, "inputs", 0, entity_name="row"), "steps[1].substeps[0].inputs[0]: step 'load' does not write 'row'; it writes raw, extra.v2. Did you mean 'raw'?"),
    "an input of a step that there is not": (
        edited(*SUB, "inputs", 0, step_name="laod"), "there is no step 'laod' in this manifest. Did you mean 'load'?"),
    "an input that is written later": (
        edited(*SUB, "inputs", 0, step_name="prep", entity_name="train"), "before 'prep.ipynb' it writes nothing"),
    "steps that share a folder": (edited("steps", 0, step_name="Prep"), "would share one folder"),
    "two substeps of one name": (edited(*SUB[:-1], 1, substep_name="prep"), "is given twice"),
    "two producers": (edited(*SUB[:-1], 1, outputs=["rows"]), "entity name 'rows' is given twice"),
    "steps that read from each other": (
        edited("steps", 0, "substeps", 0, inputs=[{"step_name": "prep", "entity_name": "train"}]), "read from each other"),
    "a substep that is a module": (edited(*SUB, substep_name="x.py"), "only notebooks are made"),
    "a template that is not there": (edited("steps", 0, template="nowhere"), "is no folder"),
    "a device as a name": (edited("steps", 0, step_name="con"), "Windows keeps it for a device"),
}  # fmt: skip


@pytest.fixture(scope="module")
def validator():
    import jsonschema

    document = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def lines(document) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as caught:
        check_manifest(document, "m.yaml", Path("/nowhere"))
    return caught.value.lines


def test_a_good_manifest_is_taken_whole():
    manifest = check_manifest(copy.deepcopy(GOOD), "m.yaml", Path())

    load, prep, free = manifest.steps
    assert (manifest.pipeline_name, manifest.zone_name, manifest.host) == ("wine", "zone", None)
    assert load.substeps[0].name == "load.ipynb"
    assert load.substeps[0].interface.outputs == ("raw", "extra.v2")
    assert prep.substeps[0].interface.inputs == (
        InputRef("load", "raw"), InputRef("x", "y", "prod", "other", "monthly", "run-25-01-01-000000"),
    )  # fmt: skip
    assert prep.substeps[0].params == {"share": 0.2}
    assert prep.params == {"verbose_output": True}
    assert free.substeps == ()


def test_a_good_manifest_is_good_by_the_schema(validator):
    validator.validate(GOOD)


@pytest.mark.parametrize("case", BAD_FORM)
def test_what_the_checker_refuses_in_form_the_schema_refuses_as_well(case, validator):
    document, told = BAD_FORM[case]

    assert any(told in line for line in lines(document)), lines(document)
    assert not validator.is_valid(document)


@pytest.mark.parametrize("case", BAD_FLOW)
def test_what_does_not_fit_together_is_refused_with_its_place(case):
    document, told = BAD_FLOW[case]

    assert any(told in line for line in lines(document)), lines(document)


def test_all_findings_are_told_at_once():
    document = edited(*SUB, outputs=["a/b"], input=[])
    document["steps"][0]["step_name"] = "-x"

    assert len(lines(document)) == 3


def test_the_words_of_the_original_for_a_host_are_taken(validator):
    document = {**GOOD, "git_provider": "github", "git_organization": "team"}

    manifest = check_manifest(dict(document), "m", Path())

    assert (manifest.host, manifest.organization) == ("github", "team")
    validator.validate(document)


def test_a_file_is_read_by_its_suffix_and_bombs_are_refused(tmp_path):
    (tmp_path / "m.json").write_text(json.dumps(GOOD))
    (tmp_path / "m.yaml").write_text("steps:\n- step_name: a\n- b\n")
    (tmp_path / "bomb.yaml").write_text("a: &a [x, x]\nsteps: [*a, *a]\n")
    (tmp_path / "code.yaml").write_text("steps: !!python/object/apply:os.system ['touch canary']\n")

    assert len(read_manifest(tmp_path / "m.json").steps) == 3
    assert [step.name for step in read_manifest(tmp_path / "m.yaml").steps] == ["a", "b"]
    for name in ("bomb.yaml", "code.yaml", "missing.yaml"):
        with pytest.raises(ManifestError):
            read_manifest(tmp_path / name)


def test_a_template_counts_from_the_manifest(tmp_path):
    (tmp_path / "mine").mkdir()

    manifest = check_manifest(
        {"template": "mine", "steps": ["a", {"step_name": "b", "template": "."}]}, "m", tmp_path
    )

    assert [step.template for step in manifest.steps] == [tmp_path / "mine", tmp_path / "."]


def test_a_chain_reads_from_step_to_step():
    manifest = chain("p", ["a", "b", "c"])

    assert [s.substeps[0].interface.inputs for s in manifest.steps] == [
        (), (InputRef("a", "dataset"),), (InputRef("b", "dataset"),),
    ]  # fmt: skip
    assert upstream(manifest) == {"a": (), "b": ("a",), "c": ("a", "b")}


@pytest.mark.parametrize("steps", [[], ["a", "A"], ["../x"], ["a b"], [""]])
def test_a_chain_of_bad_names_is_refused(steps):
    with pytest.raises((ManifestError, BadNameError)):
        chain("p", steps)


def test_steps_are_put_in_an_order_in_which_they_can_run():
    document = copy.deepcopy(GOOD)
    document["steps"].reverse()

    manifest = check_manifest(document, "m", Path())

    assert [step.name for step in in_order(manifest)] == ["free", "load", "prep"]
