"""``strict_files``: what is not declared is refused, whoever tries."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sinara.audit import landlock
from sinara.audit.inside import Rules
from sinara.audit.refusal import explained
from sinara.errors import SettingsError
from sinara.record import Failure
from sinara.runner import run_step
from sinara.runner.prepare import RunRequest
from sinara.settings import load_settings
from tests.audit.conftest import World, needs_landlock, paths, touched
from tests.steps import cell, notebook, write_step

STRICT = "strict_files = true\n"
RAW = {"outputs": [{"ENTITY_NAME": "raw"}]}


@needs_landlock
@pytest.mark.parametrize(
    "warm", ["true", "false"]
)  # forked from a template, or a process of its own
def test_a_read_that_is_not_declared_is_refused_and_the_failure_says_how_to_declare_it(
    world: World, warm: str
):
    (world.data / "in.csv").write_text("x")

    substep = world.run("open('../elsewhere/in.csv')", settings=STRICT + f"warm = {warm}\n")

    assert substep.failure is not None
    assert (substep.status, substep.failure.ename) == ("failed", "PermissionError")
    said = substep.failure.message
    assert f"strict_files refused {world.data}/in.csv, which is not declared" in said
    assert f'custom_inputs=[{{ENTITY_NAME: "…", ENTITY_PATH: "{world.data}/in.csv"}}]' in said
    assert [(f.path, f.note) for f in touched(substep).read] == [
        (f"{world.data}/in.csv", "refused")
    ]
    assert touched(substep).watched[0].startswith("Refused by Landlock")


@needs_landlock
@pytest.mark.parametrize("code", [
    "import pyarrow.parquet as pq; pq.read_table('DATA/in.parquet')",
    "import polars as pl; pl.read_parquet('DATA/in.parquet')",
    "import pandas as pd; pd.read_parquet('DATA/in.parquet')",
])  # fmt: skip
def test_native_code_is_refused_too(world: World, code: str):
    pq.write_table(pa.table({"a": [1]}), world.data / "in.parquet")

    substep = world.run(code, settings=STRICT)

    assert substep.failure is not None
    told = substep.failure.message
    assert f"strict_files refused {world.data}/in.parquet" in told or "POLARS_VERBOSE" in told
    assert "strict_files" in told


@needs_landlock
def test_what_it_starts_and_the_threads_that_it_makes_are_held_to_the_same(world: World):
    (world.data / "in.csv").write_text("x")
    code = """\
import subprocess, multiprocessing, concurrent.futures as futures
def tries(path):
    try: return open(path).read()
    except PermissionError: return "refused"
assert subprocess.run(["cat", "DATA/in.csv"], capture_output=True).returncode == 1
with multiprocessing.get_context("fork").Pool(1) as pool:
    assert pool.map(tries, ["DATA/in.csv"]) == ["refused"]
with futures.ThreadPoolExecutor() as threads:
    assert list(threads.map(tries, ["DATA/in.csv"])) == ["refused"]
"""

    substep = world.run(code, settings=STRICT)

    assert substep.status == "succeeded", substep.failure


@needs_landlock
def test_a_write_is_refused_even_in_the_step_and_is_not_told_as_done(world: World):
    (world.data / "old.csv").write_text("x")
    code = """\
for path in ("DATA/old.csv", "DATA/new.csv", "mine.csv", "params/step_params.json"):
    try: open(path, "w")
    except PermissionError: continue
    raise AssertionError(path)
open("params/step_params.json", "a")
"""

    substep = world.run(code, settings=STRICT)

    assert substep.failure is not None
    assert "step_params.json, which is only declared to be read" in substep.failure.message
    assert "custom_outputs=" in substep.failure.message
    assert {file.note for file in touched(substep).written} == {"refused"}
    assert (world.data / "old.csv").read_text() == "x"
    assert world.warnings() == []


@needs_landlock
def test_what_is_declared_and_what_everybody_needs_is_let_through(world: World):
    (world.data / "in.csv").write_text("x")
    (world.data / "old").write_text("x")
    declared = {
        "outputs": [{"ENTITY_NAME": "raw"}],
        "tmp_entities": [{"ENTITY_NAME": "scratch"}],
        "custom_inputs": [{"ENTITY_NAME": "in", "ENTITY_PATH": "../elsewhere/in.csv"}],
        "custom_outputs": [
            {"ENTITY_NAME": "old", "ENTITY_PATH": f"{world.data}/old"},
            {"ENTITY_NAME": "new", "ENTITY_PATH": f"{world.folder}/out/deep/new.csv"},
        ],
    }
    code = """\
import os, tempfile, multiprocessing, helper, pandas as pd
from sinara.substep import get_tmp_work_path
assert open("a.txt").read() == open("../elsewhere/in.csv").read() == "x"
pd.DataFrame({"a": [1]}).to_parquet(substep.outputs().raw)
substep.add_metric("rows", 1)
open(f"{substep.tmp_entities().scratch}/b", "w").close()
open("DATA/old", "w").write("y")
open("../out/deep/new.csv", "w").write("y")
open(f"{get_tmp_work_path()}/c", "w").close()
with tempfile.NamedTemporaryFile("w") as file: file.write("x")
multiprocessing.get_context("fork").Lock()
open(os.devnull, "w").write("x")
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
plt.plot([1]); plt.savefig(f"{tempfile.gettempdir()}/a.png")
"""
    files = {"a.txt": "x", "helper.py": "x = 1\n"}

    substep = world.run(code, "!ls a.txt", "1/0", settings=STRICT, files=files, **declared)

    assert substep.failure is not None
    assert substep.failure.ename == "ZeroDivisionError", substep.failure
    assert paths(touched(substep).read) == ["a.txt", "helper.py"]
    assert touched(substep).written == ()


@needs_landlock
def test_entities_of_other_steps_are_read_where_they_are_declared_and_nowhere_else(tmp_path):
    write = (
        "import pandas as pd\nfor e in ('raw', 'other'): substep.write(e, pd.DataFrame({e: [1]}))"
    )
    both = {"outputs": [{"ENTITY_NAME": "raw"}, {"ENTITY_NAME": "other"}]}
    write_step(tmp_path / "load", {"load.ipynb": notebook(cell(write), **both)})
    first = run_step(RunRequest(tmp_path / "load"))
    read = f"""\
assert substep.read("raw")["raw"].tolist() == [1]
import pandas as pd
pd.read_parquet("{first.url}/other")
"""
    declared = {"inputs": [{"STEP_NAME": "load", "ENTITY_NAME": "raw"}]}
    write_step(tmp_path / "use", {"use.ipynb": notebook(cell(read), **declared)})
    (tmp_path / "use" / "sinara.toml").write_text(STRICT)

    (substep,) = run_step(RunRequest(tmp_path / "use")).substeps

    assert substep.failure is not None
    assert (substep.failure.line, substep.failure.ename) == (3, "PermissionError")
    assert f"strict_files refused {first.url}/other" in substep.failure.message


@needs_landlock
def test_a_module_is_held_to_it_too(world: World):
    substep = world.run_module("open('DATA/a', 'w')", settings=STRICT)

    assert substep.failure is not None
    assert f"strict_files refused {world.data}/a" in substep.failure.message


def test_where_nothing_can_enforce_it_the_run_does_not_start(world: World, monkeypatch):
    monkeypatch.setattr(landlock, "version", lambda: 0)

    with pytest.raises(SettingsError) as caught:
        world.run("pass", settings='[substeps."load.ipynb"]\nstrict_files = true\n')

    (line,) = caught.value.lines
    assert "strict_files is set for load.ipynb, and nothing here can enforce it" in line
    assert not (world.folder / "sinara_data").exists()


@needs_landlock
def test_an_interface_that_cannot_be_read_beforehand_is_refused(tmp_path):
    made = notebook(cell("pass"))
    made.cells[2].source = made.cells[2].source.replace(
        "substep.interface(\n", "substep.interface(inputs=globals()['what'],\n"
    )
    write_step(tmp_path / "load", {"load.ipynb": made})
    (tmp_path / "load" / "sinara.toml").write_text(STRICT)

    with pytest.raises(
        SettingsError, match="needs an interface that can be read without running it"
    ):
        run_step(RunRequest(tmp_path / "load"))


def test_the_setting_may_stand_for_one_substep(tmp_path):
    (tmp_path / "sinara.toml").write_text('[substeps."a.ipynb"]\nstrict_files = true\n')

    settings = load_settings(tmp_path, {})

    assert settings.for_substep("s", "a.ipynb").strict_files
    assert not settings.for_substep("s", "b.ipynb").strict_files


@pytest.mark.parametrize(("ename", "evalue"), [
    ("PermissionError", "[Errno 13] Permission denied: '/data/x.csv'"),
    ("PermissionError", "[Errno 13] Failed to open local file '/data/x.csv'. Detail: [errno 13]"),
    ("IOException", 'IO Error: Cannot open file "/data/x.csv": Permission denied'),
    ("ComputeError", "Permission denied (os error 13): /data/x.csv"),
    ("PermissionError", "[Errno 13] Permission denied: '../data/x.csv'"),
])  # fmt: skip
def test_a_refusal_is_told_with_the_path_in_whatever_words_a_library_has(tmp_path, ename, evalue):
    failure = Failure("cell", f"Cell In [1]: {ename}: {evalue}", 1, 1, ename, evalue)
    rules = Rules(("/step",), ("/run",))

    found = explained(failure, rules, tmp_path.__class__("/step"))

    assert found is not None
    assert "strict_files refused /data/x.csv, which is not declared" in found.message


def test_an_error_that_strict_files_has_no_part_in_is_left_alone(tmp_path):
    own = Failure("cell", "x", 1, 1, "PermissionError", "[Errno 13] Permission denied: '/run/a'")
    other = Failure("cell", "x", 1, 1, "FileNotFoundError", "No such file: '/data/a'")
    rules = Rules((), ("/run",))

    assert explained(own, rules, tmp_path) is own
    assert explained(other, rules, tmp_path) is other
    assert explained(None, rules, tmp_path) is None
    assert explained(own, None, tmp_path) is own
