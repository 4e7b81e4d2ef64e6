"""Edits of every kind: what has to run is planned, and nothing else; each with its reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from sinara import pipeline
from sinara.errors import ParamsError, RunNotFoundError, UsageError
from sinara.pipeline import PipelinePlan
from tests.pipeline.pipelines import MIDDLE, edit, notebook_of, write_pipeline
from tests.steps import cell

pytestmark = pytest.mark.slow


def planned(plan: PipelinePlan) -> dict[str, str]:
    """Return the action of every step."""
    return {step.step.name: step.action for step in plan.steps}


def why(plan: PipelinePlan, step: str) -> str:
    """Return the reasons of a step's only substep."""
    [decision] = plan.step(step).decisions
    return "; ".join(decision.reasons)


def change(folder: Path, step: str, how) -> None:
    """Change a notebook as a whole."""
    path = notebook_of(folder, step)
    found = nbformat.read(path, as_version=4)
    how(found)
    nbformat.write(found, path)


def params(folder: Path, step: str, how) -> None:
    """Change a parameter file."""
    path = folder / f"pipe-{step}" / "params" / "step_params.json"
    found = json.loads(path.read_text())
    how(found)
    path.write_text(json.dumps(found))


def test_nothing_changed_nothing_runs(ran):
    plan = pipeline.plan(ran)

    assert set(planned(plan).values()) == {"reuse"}
    assert {one.action for step in plan.steps for one in step.decisions} == {"reuse"}


def _append(text):
    return lambda nb: nb.cells[MIDDLE].update(source=nb.cells[MIDDLE].source + text)


NO_CHANGE = {
    "a comment": _append("\n# a comment"),
    "blank lines": _append("\n\n\n"),
    "spaces": lambda nb: nb.cells[MIDDLE].update(
        source=nb.cells[MIDDLE].source.replace("import near", "import  near")
    ),
    "a markdown cell": lambda nb: nb.cells.insert(2, nbformat.v4.new_markdown_cell("# Why")),
    "an empty cell": lambda nb: nb.cells.append(cell("")),
    "a cell of comments": lambda nb: nb.cells.insert(MIDDLE, cell("# only\n# this")),
    "an output": lambda nb: nb.cells[MIDDLE].update(
        outputs=[nbformat.v4.new_output("stream", text="hello")], execution_count=7
    ),
    "metadata": lambda nb: nb.metadata.update(author="me"),
    "a tag": lambda nb: nb.cells[MIDDLE].metadata.update(tags=["business_report"]),
    "quotes": lambda nb: nb.cells[MIDDLE].update(
        source=nb.cells[MIDDLE].source.replace("'near'", '"near"')
    ),
    "a raw cell": lambda nb: nb.cells.append(nbformat.v4.new_raw_cell("x = 1")),
    "brackets": lambda nb: nb.cells[MIDDLE].update(
        source=nb.cells[MIDDLE].source.replace("near.near()", "(near.near())")
    ),
}


@pytest.mark.parametrize("name", NO_CHANGE)
def test_what_means_the_same_does_not_run(ran, name):
    change(ran, "left", NO_CHANGE[name])

    assert set(planned(pipeline.plan(ran)).values()) == {"reuse"}


def _module(name, text):
    return lambda folder: (folder / "pipe-left" / name).write_text(text)


FILES_OF_NO_MATTER = {
    "a comment three imports away": _module("lib/farther.py", "# of all\nVALUE = 3\n"),
    "a module that nobody imports": _module("lib/unused.py", "VALUE = 4\n"),
    "another order of keys": lambda folder: params(
        folder, "left", lambda p: p.update({k: p.pop(k) for k in reversed(list(p))})
    ),
    "other white space in parameters": lambda folder: params(folder, "left", lambda p: None),
    "a read me": _module("README.md", "# Hello\n"),
    "a file touched": lambda folder: notebook_of(folder, "left").touch(),
    "a test": _module("test_left.py", "def test_it():\n    pass\n"),
}


@pytest.mark.parametrize("name", FILES_OF_NO_MATTER)
def test_files_of_no_matter_make_nothing_run(ran, name):
    FILES_OF_NO_MATTER[name](ran)

    assert set(planned(pipeline.plan(ran)).values()) == {"reuse"}


def _set_param(place, name, value):
    def how(given):
        table = (
            given["substeps_params"][0]["substep_params"] if place == "substep" else given[place]
        )
        table[name] = value

    return lambda folder: params(folder, "left", how)


CHANGES = {
    "another number": (lambda f: edit(f, "left", "import near\nframe['near'] = near.near() + 1"),
                       "cell 5 is new or changed"),
    "another name": (lambda f: edit(f, "left", "import near as n\nframe['near'] = n.near()"),
                     "cell 5 is new or changed"),
    "one more cell": (lambda f: change(f, "left", lambda nb: nb.cells.insert(5, cell("y = 1"))),
                      "cell 6 is new or changed"),
    "a cell gone": (lambda f: change(f, "left", lambda nb: nb.cells.pop(MIDDLE)),
                    "a cell was removed"),
    "another order": (lambda f: change(f, "left", lambda nb: nb.cells.insert(3, nb.cells.pop(4))),
                      "its cells are in another order"),
    "a magic": (lambda f: change(f, "left", lambda nb: nb.cells.insert(5, cell("%time x = 1"))),
                "cell 6 is new or changed"),
    "a shell line": (lambda f: change(f, "left", lambda nb: nb.cells.insert(5, cell("!true"))),
                     "cell 6 is new or changed"),
    "a tag that counts": (
        lambda f: change(f, "left",
                         lambda nb: nb.cells[MIDDLE].metadata.update(tags=["raises-exception"])),
        "cell 5 is new or changed"),
    "a doc string": (lambda f: edit(f, "left", "'doc'\nimport near\nframe['near'] = near.near()"),
                     "cell 5 is new or changed"),
    "the module it imports": (_module("near.py", "def near():\n    return 3\n"),
                              "near.py, which it imports, was changed"),
    "a module two imports away": (_module("lib/far.py", "FAR = 3\n"),
                                  "lib/far.py, which it imports, was changed"),
    "a module three imports away": (_module("lib/farther.py", "VALUE = 4\n"),
                                    "lib/farther.py, which it imports, was changed"),
    "a package's own file": (_module("lib/__init__.py", "X = 1\n"),
                             "lib/__init__.py, which it imports, was changed"),
    "a module that breaks": (_module("near.py", "def near(:\n"), "near.py, which it imports"),
    "a parameter of the step": (_set_param("step_params", "level", 2), "parameter level: 1 → 2"),
    "its type alone": (_set_param("step_params", "level", 1.5), "parameter level: 1 → 1.5"),
    "a number as a text": (_set_param("step_params", "level", "1"), 'parameter level: 1 → "1"'),
    "a new parameter": (_set_param("step_params", "depth", [1, 2]),
                        "parameter depth is new: [1, 2]"),
    "a parameter gone": (lambda f: params(f, "left", lambda p: p["step_params"].pop("level")),
                         "parameter level is gone: it was 1"),
    "a parameter of the pipeline": (_set_param("pipeline_params", "mode", "fast"),
                                    'parameter mode is new: "fast"'),
    "a kernel of another name": (
        lambda f: change(f, "left", lambda nb: nb.metadata["kernelspec"].update(name="python3 ")),
        ""),
}  # fmt: skip
CHANGES.pop("a kernel of another name")


@pytest.mark.parametrize("name", CHANGES)
def test_what_changed_runs_and_what_reads_from_it_may(ran, name):
    how, reason = CHANGES[name]
    how(ran)

    plan = pipeline.plan(ran)

    assert planned(plan) == {
        "load": "reuse",
        "prep": "reuse",
        "left": "run",
        "right": "reuse",
        "join": "open",
    }
    assert reason in why(plan, "left")
    assert why(plan, "join") == "input user.pipe.zone.left.model is made anew"


def test_a_parameter_from_the_command_line_counts(ran):
    plan = pipeline.plan(ran, set={"left.level": 5})

    assert why(plan, "left") == "parameter level: 1 → 5"


def test_what_is_forced_runs(ran):
    plan = pipeline.plan(ran, force=("right",))

    assert planned(plan)["right"] == "run"
    assert why(plan, "right") == "forced"
    assert planned(plan)["left"] == "reuse"


def test_what_is_forced_and_is_not_there_is_told(ran):
    with pytest.raises(UsageError) as error:
        pipeline.plan(ran, force=("right/rihgt",))

    assert str(error.value) == "Step 'right' has no substep 'rihgt'. It has right.ipynb."


def test_a_contract_that_is_none_is_refused_before_anything_runs(ran):
    def spoil(nb):
        declaring = next(one for one in nb.cells if "interface" in one.metadata.get("tags", ()))
        declaring.source = declaring.source.replace("'model'}", "'model', 'contract': {'rosw': 1}}")
        assert "rosw" in declaring.source

    change(ran, "left", spoil)

    with pytest.raises(ParamsError) as error:
        pipeline.plan(ran)

    assert "pipe-left: left.ipynb, cell" in str(error.value)
    assert "rosw" in str(error.value)


def test_another_env_has_no_runs(ran):
    plan = pipeline.plan(ran, env_name="test")

    assert set(planned(plan).values()) == {"run"}
    assert why(plan, "load") == "no earlier run"


def test_data_that_somebody_damaged_is_made_again(ran):
    [part] = (ran / "sinara_data/user/pipe/zone/left").glob("run-*/model/*.parquet")
    part.chmod(0o644)
    part.write_bytes(part.read_bytes()[:-10])

    plan = pipeline.plan(ran)

    assert planned(plan)["left"] == "run"
    assert "is not as it was published" in why(plan, "left")


def test_a_run_that_was_taken_back_is_not_reused(ran):
    step = next(s.step for s in pipeline.plan(ran).steps if s.step.name == "left")
    [commit] = step.store.commits()
    step.store.tombstone(commit.run_id, "a test")

    assert planned(pipeline.plan(ran))["left"] == "run"


def test_a_plan_writes_nothing(ran):
    def state():
        return {p: p.stat().st_mtime_ns for p in ran.rglob("*") if "_open" not in p.parts}

    before = state()

    pipeline.plan(ran, force=("*",))

    assert state() == before


def test_a_package_of_another_version_is_a_reason(ran, monkeypatch):
    from sinara.packages import environment as packages

    real = packages.Installed._version
    monkeypatch.setattr(
        packages.Installed,
        "_version",
        lambda self, name: "999.0" if name == "pandas" else real(self, name),
    )

    plan = pipeline.plan(ran)

    assert set(planned(plan).values()) == {"run"}
    assert "package pandas " in why(plan, "left")
    assert "→ 999.0" in why(plan, "left")


def test_a_step_that_is_not_meant_is_read_from_its_newest_run(ran):
    edit(ran, "prep", "frame['x'] = 1")

    plan = pipeline.plan(ran, only=("left",))

    assert planned(plan) == {"left": "reuse"}


def test_an_input_that_nobody_has_made_is_missing(tmp_path):
    write_pipeline(tmp_path / "work")

    plan = pipeline.plan(tmp_path / "work", only=("prep",))

    assert "load" in plan.step("prep").missing[0]
    with pytest.raises(RunNotFoundError, match="prep: "):
        pipeline.run(tmp_path / "work", only=("prep",))


def test_every_mistake_in_the_steps_is_told_at_once(tmp_path):
    folder = write_pipeline(tmp_path / "work")
    (folder / "pipe-left" / "left.ipynb").unlink()
    (folder / "pipe-right" / "params" / "step_params.json").write_text("{")

    with pytest.raises(ParamsError) as error:
        pipeline.plan(folder)

    assert any("pipe-left" in line for line in error.value.lines)
    assert any("pipe-right" in line for line in error.value.lines)
    assert planned(pipeline.plan(folder, only=("load",))) == {"load": "run"}


def test_steps_that_read_from_each_other_are_refused(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load", "prep"))
    shutil.copy(notebook_of(folder, "prep"), notebook_of(folder, "load"))
    change(
        folder,
        "load",
        lambda nb: nb.cells[2].update(
            source=nb.cells[2]
            .source.replace("'load'", "'prep'")
            .replace("'raw'", "'clean'", 1)
            .replace("outputs=[{ENTITY_NAME: 'clean'}]", "outputs=[{ENTITY_NAME: 'raw'}]")
        ),
    )

    with pytest.raises(UsageError, match="read from each other"):
        pipeline.plan(folder)


def test_a_file_of_the_step_that_a_notebook_reads_counts(ran):
    from sinara.runner import RunRequest, run_step

    (ran / "pipe-load" / "words.txt").write_text("a b c")
    edit(ran, "load", "frame['words'] = open('words.txt').read()")
    assert run_step(RunRequest(ran / "pipe-load")).published
    same = pipeline.plan(ran, only=("load",))
    (ran / "pipe-load" / "words.txt").write_text("a b d")

    plan = pipeline.plan(ran, only=("load",))

    assert planned(same) == {"load": "reuse"}
    assert planned(plan) == {"load": "run"}
    assert why(plan, "load") == "words.txt, which it reads, was changed"


FOLDER_AND_LARGE = """
import os
frame['names'] = ' '.join(sorted(os.listdir('words')))
frame['size'] = len(open('large.bin', 'rb').read())
"""


def test_a_folder_that_a_notebook_lists_and_a_large_file_count_if_they_change(ran):
    from sinara.audit.digest import LARGEST
    from sinara.runner import RunRequest, run_step

    folder = ran / "pipe-load"
    (folder / "words").mkdir()
    (folder / "words" / "a.txt").write_text("a")
    with (folder / "large.bin").open("wb") as file:
        file.truncate(LARGEST + 1)
    edit(ran, "load", FOLDER_AND_LARGE)
    assert run_step(RunRequest(folder)).published
    same = pipeline.plan(ran, only=("load",))
    (folder / "words" / "b.txt").write_text("b")
    longer_list = pipeline.plan(ran, only=("load",))
    (folder / "words" / "b.txt").unlink()
    with (folder / "large.bin").open("ab") as file:
        file.write(b"1")

    larger_file = pipeline.plan(ran, only=("load",))

    assert planned(same) == {"load": "reuse"}
    assert why(longer_list, "load") == "words/, which it reads, was changed"
    assert why(larger_file, "load") == "large.bin, which it reads, was changed"


def test_more_files_than_a_record_lists_are_never_taken_for_unchanged(ran):
    from sinara.audit.sort import MOST
    from sinara.runner import RunRequest, run_step

    many = ran / "pipe-load" / "many"
    many.mkdir()
    for number in range(MOST + 5):
        (many / f"{number:04d}").write_text("1")
    code = f"frame['n'] = sum(int(open(f'many/{{i:04d}}').read()) for i in range({MOST + 5}))"
    edit(ran, "load", code)
    assert run_step(RunRequest(ran / "pipe-load")).published
    (many / f"{MOST + 4:04d}").write_text("2")

    plan = pipeline.plan(ran, only=("load",))

    assert planned(plan) == {"load": "run"}
    assert "declare their folder" in why(plan, "load")
