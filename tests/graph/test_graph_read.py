"""The graph read off notebooks: every step, substep and entity, and what is wrong with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sinara.graph import PipelineGraph, read_graph
from tests.steps import cell, interface, notebook, parameters, write_step

Lists = Mapping[str, Sequence[Mapping[str, str]]]
MakeStep = Callable[..., Path]


@pytest.fixture
def step(tmp_path: Path) -> MakeStep:
    """A function that writes a step: its name, then the interface of each of its substeps."""

    def make(name: str, *substeps: Lists, folder: str = "", **options: Any) -> Path:
        notebooks = {f"s{n}.ipynb": notebook(**lists) for n, lists in enumerate(substeps, start=1)}
        options = {"step_params": {"step_name": name}, "pipeline": "p", **options}
        return write_step(tmp_path / (folder or f"p-{name}"), notebooks, **options)

    return make


def read(step: str, entity: str, **more: str) -> dict[str, str]:
    return {"STEP_NAME": step, "ENTITY_NAME": entity, **more}


def out(*entities: str) -> list[dict[str, str]]:
    return [{"ENTITY_NAME": entity} for entity in entities]


def codes(graph: PipelineGraph) -> list[str]:
    return [problem.code for problem in graph.problems]


def links(graph: PipelineGraph) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for edge in graph.edges}


# -- what is in it -----------------------------------------------------------------------------


def test_every_step_substep_and_entity_is_there_with_its_full_name(step, tmp_path):
    step("load", {"outputs": out("raw")})
    step(
        "prep",
        {"inputs": [read("load", "raw")], "outputs": out("a")},
        {"inputs": [read("prep", "a")], "outputs": out("b")},
    )

    graph = read_graph(tmp_path)

    assert graph.name == "p"
    assert [(s.id, [x.name for x in s.substeps]) for s in graph.steps] == [
        ("user.p.zone.load", ["s1.ipynb"]),
        ("user.p.zone.prep", ["s1.ipynb", "s2.ipynb"]),
    ]
    assert [(e.full_name, e.step) for e in graph.entities] == [
        ("user.p.zone.load.raw", "user.p.zone.load"),
        ("user.p.zone.prep.a", "user.p.zone.prep"),
        ("user.p.zone.prep.b", "user.p.zone.prep"),
    ]
    assert links(graph) == {
        ("user.p.zone.load/s1.ipynb", "user.p.zone.load.raw"),
        ("user.p.zone.load.raw", "user.p.zone.prep/s1.ipynb"),
        ("user.p.zone.prep/s1.ipynb", "user.p.zone.prep.a"),
        ("user.p.zone.prep.a", "user.p.zone.prep/s2.ipynb"),
        ("user.p.zone.prep/s2.ipynb", "user.p.zone.prep.b"),
    }
    assert graph.problems == ()


def test_inputs_of_other_pipelines_envs_zones_and_pinned_runs_are_outside_of_every_step(
    step, tmp_path
):
    step(
        "load",
        {"inputs": [
            read("ext", "x", ENV_NAME="prod", PIPELINE_NAME="other", ZONE_NAME="monthly"),
            read("load", "old", RUN_ID="run-25-01-01-000000"),
        ], "outputs": out("raw")},
    )  # fmt: skip

    graph = read_graph(tmp_path)

    entities = {e.full_name: e.step for e in graph.entities}
    assert entities["prod.other.monthly.ext.x"] is None
    assert [e.run_id for e in graph.edges if e.source.endswith("old")] == ["run-25-01-01-000000"]
    assert graph.problems == ()


def test_custom_and_temporary_entities_are_there(step, tmp_path):
    custom = {"custom_inputs": [{"ENTITY_NAME": "d", "ENTITY_PATH": "/data/d"}]}
    step(
        "one",
        {**custom, "tmp_outputs": out("cache"), "tmp_entities": out("scratch")},
        {"tmp_inputs": out("cache")},
    )
    step("two", {**custom, "custom_outputs": [{"ENTITY_NAME": "k", "ENTITY_PATH": "out/k"}]})

    graph = read_graph(tmp_path)

    found = {e.id: (e.kind, e.full_name, e.step) for e in graph.entities}
    assert found == {
        "custom:/data/d": ("custom", "/data/d", None),  # two steps share the place
        "custom:user.p.zone.two/out/k": ("custom", "out/k", "user.p.zone.two"),
        "tmp:user.p.zone.one.cache": ("tmp", "user.p.zone.one.cache", "user.p.zone.one"),
        "tmp:user.p.zone.one.scratch": ("tmp", "user.p.zone.one.scratch", "user.p.zone.one"),
    }
    assert graph.problems == ()


def test_parameters_are_shown_and_secrets_are_not(step, tmp_path):
    folder = step("one", {})
    book = nbformat.read(folder / "s1.ipynb", 4)
    book.cells[0] = parameters(
        rows=1, api_token="s3cr3t-value", db={"password": "s3cr3t-value"}, key={"$env": "HUB"}
    )
    nbformat.write(book, folder / "s1.ipynb")
    params = json.loads((folder / "params/step_params.json").read_text())
    params["substeps_params"][0]["substep_params"] = {
        "rows": 5, "api_token": "s3cr3t-value", "db": {"password": "s3cr3t-value"}, "key": {"$env": "HUB"},
    }  # fmt: skip
    (folder / "params/step_params.json").write_text(json.dumps(params))

    (substep,) = read_graph(tmp_path).steps[0].substeps

    assert dict(substep.parameters) == {
        "rows": "5", "api_token": '"****"', "db": '{"password": "****"}', "key": '{"$env": "HUB"}',
    }  # fmt: skip


def test_an_interface_that_depends_on_the_parameters_is_read_with_those_of_the_run(step, tmp_path):
    folder = step("one", {}, substep_params={"s1.ipynb": {"name": "from_file"}})
    book = nbformat.read(folder / "s1.ipynb", 4)
    book.cells[0] = parameters(name="by_hand")
    book.cells[2] = interface(outputs=[])
    book.cells[2].source = book.cells[2].source.replace(
        "outputs=[]", "outputs=[{ENTITY_NAME: substep_params['name']}]"
    )
    nbformat.write(book, folder / "s1.ipynb")

    graph = read_graph(tmp_path)

    assert [e.name for e in graph.entities] == ["from_file"]


def test_the_script_says_which_parameter_file_and_env_it_runs_with(step, tmp_path):
    folder = step("one", {"outputs": out("x")}, env="prod")
    (folder / "params/step_params.json").rename(folder / "params/mine.json")
    script = (folder / "step.dev.py").read_text()
    (folder / "step.dev.py").write_text(script.replace("params/step_params.json", "params/m*.json"))

    assert [s.id for s in read_graph(tmp_path).steps] == ["user.p.zone.one"]
    assert [s.id for s in read_graph(tmp_path, env_name="test").steps] == ["test.p.zone.one"]


def test_the_graph_of_a_classic_repository_of_the_original_is_complete(tmp_path):
    """All three dictionaries in the parameters cell, default_param_values, no tag on the interface."""
    book = nbformat.v4.new_notebook()
    book.cells = [
        cell(
            'pipeline_params = {"env_name": "user", "pipeline_name": "p"}\nstep_params = {}\nsubstep_params = {}',
            "params",
        ),
        cell(
            "from sinara.substep import NotebookSubstep, default_param_values, STEP_NAME, ENTITY_NAME\n"
            "substep = NotebookSubstep(pipeline_params, step_params, substep_params,"
            ' **default_param_values("params/step_params.json"))\n'
            'substep.interface(inputs=[{STEP_NAME: "load", ENTITY_NAME: "raw"}], outputs=[{ENTITY_NAME: "x"}])\n'
            "substep.exit_in_visualize_mode()"
        ),
    ]
    write_step(tmp_path / "p-prep", {"a.ipynb": book, "b.ipynb": book}, pipeline="p")

    graph = read_graph(tmp_path)

    assert [x.name for x in graph.steps[0].substeps] == ["a.ipynb", "b.ipynb"]
    assert "user.p.zone.load.raw" in {e.full_name for e in graph.entities}


# -- what is wrong with it ---------------------------------------------------------------------


def test_an_input_that_no_step_here_writes_is_a_missing_producer(step, tmp_path):
    step("load", {"outputs": out("raw")})
    step("prep", {"inputs": [read("load", "row"), read("lod", "raw")]})

    graph = read_graph(tmp_path)

    texts = [p.text for p in graph.problems if p.code == "missing-producer"]
    assert texts == [
        "p-prep/s1.ipynb: input 'row' has no producer: step 'load' does not write it; "
        "it writes raw. Did you mean 'raw'?",
        "p-prep/s1.ipynb: input 'raw' has no producer: there is no step 'lod' in this pipeline. "
        "Did you mean 'load'?",
    ]


def test_a_step_that_is_here_in_another_env_is_told_as_such(step, tmp_path):
    step("load", {"outputs": out("raw")})
    other = step("prep", {"inputs": [read("load", "raw")]}, env="prod")
    (other / "step.dev.py").unlink()

    (problem,) = [p for p in read_graph(tmp_path).problems if p.code == "missing-producer"]

    assert "step 'load' is here in env user" in problem.text


def test_nothing_is_called_missing_that_an_unreadable_substep_may_write(step, tmp_path):
    folder = step("load", {"outputs": []})
    step("prep", {"inputs": [read("load", "raw")]})
    book = nbformat.read(folder / "s1.ipynb", 4)
    book.cells[2].source = book.cells[2].source.replace("outputs=[]", "outputs=made_up()")
    nbformat.write(book, folder / "s1.ipynb")

    graph = read_graph(tmp_path)

    assert codes(graph) == ["unreadable"]
    assert graph.problems[0].nodes == ("user.p.zone.load/s1.ipynb",)
    assert not graph.steps[0].substeps[0].readable


def test_steps_that_read_from_each_other_are_a_cycle(step, tmp_path):
    step("a", {"inputs": [read("c", "z")], "outputs": out("x")})
    step("b", {"inputs": [read("a", "x")], "outputs": out("y")})
    step("c", {"inputs": [read("b", "y")], "outputs": out("z")})

    (problem,) = read_graph(tmp_path).problems

    assert (problem.severity, problem.code) == ("error", "cycle")
    assert "a → b → c → a" in problem.text
    assert problem.edges == (
        ("user.p.zone.a.x", "user.p.zone.b/s1.ipynb"),
        ("user.p.zone.b.y", "user.p.zone.c/s1.ipynb"),
        ("user.p.zone.c.z", "user.p.zone.a/s1.ipynb"),
    )


def test_a_pinned_run_makes_no_cycle(step, tmp_path):
    step("a", {"inputs": [read("b", "y", RUN_ID="run-25-01-01-000000")], "outputs": out("x")})
    step("b", {"inputs": [read("a", "x")], "outputs": out("y")})

    assert "cycle" not in codes(read_graph(tmp_path))


def test_a_thousand_steps_in_a_row_and_back_are_one_cycle(step, tmp_path):
    from sinara.graph.cycles import cycles

    links = {str(n): [str((n + 1) % 5000)] for n in range(5000)}

    (circle,) = cycles(links)

    assert len(circle) == 5000


def test_a_substep_that_reads_what_is_written_later_in_its_step_is_told(step, tmp_path):
    step("a", {"inputs": [read("a", "x")]}, {"outputs": out("x")})

    (problem,) = read_graph(tmp_path).problems

    assert problem.code == "cycle"
    assert "is written later, by s2.ipynb" in problem.text


def test_two_producers_of_one_entity_are_told(step, tmp_path):
    step(
        "a",
        {"outputs": out("x")},
        {"outputs": out("x", "Some-thing")},
        {"outputs": out("some_thing")},
    )

    texts = [p.text for p in read_graph(tmp_path).problems if p.code == "two-producers"]
    texts.sort(key=lambda text: "share" in text)

    assert len(texts) == 2
    assert "entity 'x' is written by p-a/s1.ipynb and p-a/s2.ipynb" in texts[0]
    assert "'Some-thing' and 'some_thing' would share one folder" in texts[1]


def test_entities_whose_joined_names_look_alike_are_two(step, tmp_path):
    step("s_t", {"outputs": out("u")})
    step("s", {"outputs": out("t_u")})

    assert read_graph(tmp_path).problems == ()


def test_two_folders_that_are_one_step_are_both_drawn_and_told(step, tmp_path):
    step("a", {"outputs": out("x")})
    step("a", {"outputs": out("y")}, folder="p-a-copy")

    graph = read_graph(tmp_path)

    assert [s.id for s in graph.steps] == ["user.p.zone.a", "user.p.zone.a~2"]
    assert codes(graph) == ["two-steps"]
    assert "p-a-copy: it is step 'a' of pipeline 'p', as p-a is" in graph.problems[0].text


def test_an_entity_that_nobody_reads_is_told_unless_its_step_ends_the_pipeline(step, tmp_path):
    step("load", {"outputs": out("raw", "forgotten")})
    step("last", {"inputs": [read("load", "raw")], "outputs": out("result")})

    (problem,) = read_graph(tmp_path).problems

    assert (problem.code, problem.nodes) == ("unread", ("user.p.zone.load.forgotten",))


def test_a_parameter_file_that_cannot_be_read_leaves_the_other_steps(step, tmp_path):
    step("load", {"outputs": out("raw")})
    broken = step("prep", {"inputs": [read("load", "raw")]})
    (broken / "params/step_params.json").write_text("{")

    graph = read_graph(tmp_path)

    assert codes(graph) == ["params"]
    assert graph.problems[0].text.startswith("p-prep: params/step_params.json")
    assert [s.name for s in graph.steps] == ["load", "prep"]


def test_a_missing_notebook_a_pipe_and_a_file_that_is_none_are_told(step, tmp_path):
    folder = step("a", {}, {}, {})
    (folder / "s1.ipynb").unlink()
    (folder / "s2.ipynb").unlink()
    os.mkfifo(folder / "s2.ipynb")  # reading it would wait for ever
    (folder / "s3.ipynb").write_text("no json")

    assert codes(read_graph(tmp_path)) == ["missing-file", "missing-file", "notebook"]


def test_reading_executes_and_imports_nothing_of_a_step(step, tmp_path):
    folder = step("evil", {"outputs": out("x")})
    canary = tmp_path / "canary"
    act = f"open({str(canary)!r}, 'a').close()\n"
    for name in (
        "step.dev.py", "step.prod.py", "sitecustomize.py", "usercustomize.py", "json.py", "ast.py", "yaml.py",
        "conftest.py", "ipython_config.py", "jupyter_config.py", "sinara.py", "nbformat.py", "platformdirs.py",
    ):  # fmt: skip
        (folder / name).write_text(act)
    (folder / "profile_default/startup").mkdir(parents=True)
    (folder / "profile_default/startup/00.py").write_text(act)
    book = nbformat.read(folder / "s1.ipynb", 4)
    book.cells.insert(0, cell(f"{act}!touch {canary}\n%run step.dev.py\nimport json"))
    book.metadata["kernelspec"] = {"name": "x", "argv": ["touch", str(canary)]}
    nbformat.write(book, folder / "s1.ipynb")

    for arguments in (["check"], ["graph"], ["graph", "--format", "json"]):
        command = [str(Path(sys.executable).with_name("sinara")), "pipeline", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        assert "user.p.zone.evil.x" in done.stdout or arguments == ["check"]

    assert not canary.exists()
