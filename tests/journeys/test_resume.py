"""Runs that failed or were killed, resumed: the result is that of a run that nothing happened to."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sinara.context import RunContext
from sinara.errors import CorruptError
from sinara.names import StepName
from sinara.runner import RunRequest, prepare
from sinara.runner.points import CheckpointPlace, carry, read_points
from sinara.runner.resume import Resumption, find_run
from sinara.store import StepStore, open_store
from tests.steps import cell, notebook, run_script, sinara, write_step

SEED = int(os.environ.get("SINARA_SEED", random.SystemRandom().randrange(2**32)))
PREP = (
    cell("import pandas as pd\nimport numpy as np\nimport time"),
    cell("np.random.seed(7)\nraw = pd.DataFrame({'x': np.random.rand(50)})\ntime.sleep(0.2)"),
    cell("raw,", "checkpoint"),
    cell("substep.write('raw', raw)\nsubstep.add_metric('rows', len(raw))\ntime.sleep(0.2)"),
)
TRAIN = (
    cell(
        "import os, random, time\nimport numpy as np\nimport pandas as pd\n"
        "%matplotlib inline\nfrom helper import scaled\n\n"
        "class Model:\n    def __init__(self, w):\n        self.w = w\n\n"
        "def part(number, values, folder=None):\n"
        "    os.makedirs(outputs.log, exist_ok=True)\n"
        "    pd.DataFrame({'v': list(values)}).to_parquet(f'{outputs.log}/part-{number}.parquet')"
    ),
    cell(
        "outputs = substep.outputs()\nnotes = substep.tmp_outputs().scratch + '/notes'\n"
        "random.seed(1)\nnp.random.seed(1)"
    ),
    cell(
        "model = Model(np.random.rand(5))\nsame = model\nhistory = [random.random()]\n"
        "part(0, model.w)\nwhere = outputs.model\nopen(notes, 'w').write('first')\nsubstep.add_metric('first', float(model.w[0]))\n"
        "open(os.environ['RAN'], 'a').write('first\\n')\ntime.sleep(0.2)"
    ),
    cell("model, same, history, where, notes", "checkpoint"),
    cell("model.w = scaled(model.w, np.random.rand(5))\npart(0, model.w)\npart(1, history)\ntime.sleep(0.2)"),
    cell("open(notes, 'a').write('x')\nhistory.append(random.random())\nsubstep.add_metric('n', len(history))\ntime.sleep(0.2)"),
    cell("[model, same, history, where, notes]", "checkpoint"),
    cell("assert same is model\nhistory.append(random.random())\npart(2, history)\nopen(notes, 'a').write('y')\ntime.sleep(0.2)"),
    cell("if os.environ.get('FAIL'): raise ValueError('asked to fail')"),
    cell(
        "assert where == substep.outputs().model and substep.run_id in where\n"
        "raw = substep.read('raw')\n"
        "frame = pd.DataFrame({'w': model.w, 'r': np.random.rand(5), 'h': sum(history)})\n"
        "frame['s'] = raw['x'].sum()\nframe['t'] = open(notes).read()\nos.makedirs(where)\nframe.to_parquet(f'{where}/m.parquet')"
    ),
)  # fmt: skip
INPUTS = [{"STEP_NAME": "load", "ENTITY_NAME": "raw"}]
SCRATCH = [{"ENTITY_NAME": "scratch"}]
OUTPUTS = [{"ENTITY_NAME": "model"}, {"ENTITY_NAME": "log"}]


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step of two substeps with three checkpoints, and a module of its own."""
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    return make_step(tmp_path)


def make_step(base: Path) -> Path:
    (base / "ran").touch()
    made = write_step(
        base / "pipe-load",
        {
            "prep.ipynb": notebook(*PREP, outputs=[{"ENTITY_NAME": "raw"}]),
            "train.ipynb": notebook(*TRAIN, inputs=INPUTS, outputs=OUTPUTS, tmp_outputs=SCRATCH),
        },
        step_params={"step_name": "load", "lr": 1},
    )
    (made / "helper.py").write_text("def scaled(a, b):\n    return a * b\n")
    return made


def store_of(step: Path) -> StepStore:
    root = step.parent / "sinara_data" / "user"
    return open_store(str(root)).step(StepName("user", "pipe", "zone", "load"))


def run(step: Path, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    return sinara(step, "step", "run", *arguments, **variables)


def failed(step: Path) -> str:
    done = run(step, FAIL="1")
    assert done.returncode == 1, done.stderr
    return done.stdout.strip()


def record(step: Path, run_id: str) -> dict[str, Any]:
    return json.loads((runs(step) / run_id / "record.json").read_text())


def runs(step: Path) -> Path:
    return step.parent / "sinara_data/user/pipe/zone/load/_runs"


def entities(step: Path, run_id: str) -> dict[str, bytes]:
    """Every file of the published data of a run, with its bytes."""
    folder = Path(store_of(step).url, run_id)
    names = ("raw", "model", "log")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in names
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    }


def checkpoints(step: Path, run_id: str, substep: str = "train") -> list[Path]:
    folder = Path(store_of(step).url, run_id, "_checkpoints", f"reports_{substep}_ipynb")
    return sorted(folder.glob("0*"))


def edit(step: Path, name: str, place: int, source: str) -> None:
    """Change the source of one of the cells that come after the interface."""
    made = nbformat.read(step / name, 4)
    made.cells[3 + place].source = source
    nbformat.write(made, step / name)


def resumed_lines(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return the first line on each substep: what is told after it ran comes later."""
    told: dict[str, str] = {}
    for line in done.stderr.splitlines():
        substep, _, text = line.strip().partition(": ")
        if substep in ("prep.ipynb", "train.ipynb"):
            told.setdefault(substep, text)
    return told


def started_cells(step: Path, known: set[str]) -> Iterator[tuple[str, tuple[str, int]]]:
    for path in runs(step).glob("*/log.jsonl"):
        if path.parent.name in known:
            continue
        for line in path.read_text().splitlines():
            if '"cell_start"' in line and line.endswith("}"):
                event = json.loads(line)
                yield path.parent.name, (event["substep"], event["cell"])


def killed_in(step: Path, substep: str, index: int, delay: float, *arguments: str) -> str:
    """Run, and kill the launcher with SIGKILL in a cell; return the run id."""
    known = {path.name for path in runs(step).glob("*")}
    launcher = subprocess.Popen(
        [sys.executable, "-m", "sinara", "step", "run", *arguments],
        cwd=step,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and launcher.poll() is None:
        found = [run_id for run_id, at in started_cells(step, known) if at == (substep, index)]
        if found:
            time.sleep(delay)
            os.kill(launcher.pid, signal.SIGKILL)
            launcher.wait()
            return found[0]
        time.sleep(0.01)
    launcher.wait()
    raise AssertionError(f"{substep} cell {index} did not start")


@pytest.mark.slow
def test_a_failed_run_is_resumed_after_its_last_checkpoint(step):
    whole = run(step).stdout.strip()
    old = failed(step)
    (step.parent / "ran").write_text("")

    done = run(step, "--resume", "last")

    assert done.returncode == 0, done.stderr
    new = done.stdout.strip()
    told = resumed_lines(done)
    assert told["prep.ipynb"].startswith(f"adopted from {old}")
    assert told["train.ipynb"] == (
        "continues after cell 11 (checkpoint in cell 11; cells 1-11 and parameters unchanged)"
    )
    assert entities(step, new) == entities(step, whole)
    assert (step.parent / "ran").read_text() == ""
    kept = record(step, new)
    prep, train = kept["substeps"]
    assert (kept["resumed_from"], prep["adopted_from"], prep["status"]) == (old, old, "succeeded")
    assert (prep["metrics"], train["metrics"]["n"]) == ({"rows": 50}, 2)
    assert set(train["metrics"]) == {"first", "n"}
    statuses = {c["index"] + 1: c["status"] for c in train["cells"]}
    assert [number for number, status in statuses.items() if status == "restored"] == [
        3, 5, 6, 7, 8, 9, 10, 11,
    ]  # fmt: skip
    assert {status for number, status in statuses.items() if number > 11} == {"done"}
    executed = json.loads((runs(step) / new / train["notebook"]).read_text())
    assert executed["cells"][10]["metadata"]["sinara"]["status"] == "restored"
    assert "Model" in json.dumps(executed["cells"][10]["outputs"])
    page = (runs(step) / new / train["report"]).read_text()
    assert "Restored from a checkpoint" in page
    assert (runs(step) / new / prep["report"]).is_file()
    assert sinara(step, "run", "verify").returncode == 0
    assert not Path(store_of(step).url, new, "_checkpoints").exists()


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(4))
def test_a_launcher_killed_in_a_random_cell_is_resumed_to_the_same_entities(step, attempt):
    print(f"seed {SEED}")  # noqa: T201 - shown when it fails; SINARA_SEED replays it
    chance = random.Random(SEED + attempt)
    whole = run(step).stdout.strip()
    substep, cells = chance.choice(
        [("prep.ipynb", range(4, 8)), *[("train.ipynb", range(4, 14))] * 3]
    )
    index = chance.choice(cells)

    old = killed_in(step, substep, index, chance.uniform(0, 0.2))
    assert store_of(step).latest().run_id != old
    done = run(step, "--resume", old)

    assert done.returncode == 0, (substep, index, done.stderr)
    new = done.stdout.strip()
    assert entities(step, new) == entities(step, whole)
    assert record(step, old)["status"] == "lost"
    assert sinara(step, "run", "verify").returncode == 0


@pytest.mark.slow
def test_a_killed_kernel_is_resumed_to_the_same_entities(step):
    whole = run(step).stdout.strip()
    edit(step, "train.ipynb", 8, "import signal; os.kill(os.getpid(), signal.SIGKILL)")
    died = run(step)
    edit(step, "train.ipynb", 8, "pass  # mended")

    done = run(step, "--resume", died.stdout.strip())

    assert died.returncode == 4
    assert done.returncode == 0, done.stderr
    assert resumed_lines(done)["train.ipynb"].startswith("continues after cell 11")
    assert entities(step, done.stdout.strip()) == entities(step, whole)


@pytest.mark.slow
def test_a_resumed_run_that_dies_is_resumed_itself(step):
    whole = run(step).stdout.strip()
    first = killed_in(step, "train.ipynb", 8, 0.1)
    second = killed_in(step, "train.ipynb", 9, 0.1, "--resume", first)

    done = run(step, "--resume", second)

    assert done.returncode == 0, done.stderr
    new = done.stdout.strip()
    assert resumed_lines(done)["train.ipynb"].startswith("continues after cell 8")
    assert entities(step, new) == entities(step, whole)
    assert record(step, new)["substeps"][0]["adopted_from"] == first
    assert record(step, new)["resumed_from"] == second


@pytest.mark.slow
def test_a_run_is_resumed_twice_one_after_the_other_and_at_once(step):
    whole = run(step).stdout.strip()
    old = failed(step)

    both = [
        subprocess.Popen(
            [sys.executable, "-m", "sinara", "step", "run", "--resume", old],
            cwd=step, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    answers = [process.communicate(timeout=180) for process in both]

    assert [process.returncode for process in both] == [0, 0], answers
    for out, _ in answers:
        assert entities(step, out.strip()) == entities(step, whole)
    again = run(step, "--resume", old)  # newer runs were published meanwhile
    assert again.returncode in (0, 2)
    if again.returncode == 0:
        assert entities(step, again.stdout.strip()) == entities(step, whole)
    assert sinara(step, "run", "verify").returncode == 0


# -- what holds and what does not: judged without a kernel, on copies of one failed run ------


@pytest.fixture(scope="module")
def once_failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One failed run for all tests that only look at it; the folder above its step."""
    base = tmp_path_factory.mktemp("failed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAN", str(base / "ran"))
        failed(make_step(base))
    return base


@pytest.fixture
def copy(once_failed: Path, tmp_path: Path) -> Path:
    """The step of a failed run, with its data, in a place of its own."""
    shutil.copytree(once_failed, tmp_path / "copy")
    return tmp_path / "copy" / "pipe-load"


def judge(step: Path, **values: Any) -> dict[str, Any]:
    """What a resume would do with each substep: "adopt", or the cells of its checkpoints, and why."""
    overrides = tuple(f"{name}={value}" for name, value in values.items())
    prepared = prepare(RunRequest(step, overrides=overrides))
    store = store_of(step)
    resumption = Resumption(prepared, store, find_run(store, "last"))
    try:
        plans = {s.name: resumption.plan(s) for s in prepared.substeps}
    finally:
        resumption.release()
    return {
        name: ("adopt" if plan.adopt else [point.ordinal for point in plan.points], plan.why)
        for name, plan in plans.items()
    }


def test_nothing_changed_and_all_holds(copy):
    assert judge(copy) == {"prep.ipynb": ("adopt", ""), "train.ipynb": ([10, 7], "")}


def test_a_change_below_a_checkpoint_does_not_matter_to_it(copy):
    edit(copy, "train.ipynb", 8, "pass  # mended")

    assert judge(copy)["train.ipynb"] == ([10, 7], "")


def test_a_change_between_two_checkpoints_leaves_the_first(copy):
    edit(copy, "train.ipynb", 5, "history.append(0.0)")

    assert judge(copy)["train.ipynb"] == ([7], "cell 10 was changed since")


def test_a_change_above_all_checkpoints_leaves_none(copy):
    edit(copy, "train.ipynb", 1, "outputs = substep.outputs()")

    assert judge(copy)["train.ipynb"] == ([], "cell 6 was changed since")


def test_a_cell_of_text_and_a_tag_for_slides_change_nothing(copy):
    made = nbformat.read(copy / "train.ipynb", 4)
    made.cells.insert(1, nbformat.v4.new_markdown_cell("# Title"))
    made.cells[5].metadata["tags"].append("slide")
    nbformat.write(made, copy / "train.ipynb")

    assert judge(copy)["train.ipynb"] == ([10, 7], "")


def test_a_changed_parameter_leaves_nothing(copy):
    assert judge(copy, lr=2) == {
        "prep.ipynb": ([], "parameter 'lr' was changed since"),
        "train.ipynb": ([], "the substep before it ran again"),
    }


def test_a_changed_module_of_the_step_leaves_nothing_of_who_imports_it(copy):
    (copy / "helper.py").write_text("def scaled(a, b):\n    return a + b\n")

    assert judge(copy) == {
        "prep.ipynb": ("adopt", ""),
        "train.ipynb": ([], "helper.py, which it imports, was changed since"),
    }


def test_a_substep_that_ran_again_makes_the_next_one_run_again(copy):
    edit(copy, "prep.ipynb", 3, "substep.write('raw', raw * 2)")

    assert judge(copy) == {
        "prep.ipynb": ([6], ""),
        "train.ipynb": ([], "the substep before it ran again"),
    }


def test_a_new_use_of_what_was_not_saved_leaves_nothing(copy):
    edit(copy, "train.ipynb", 8, "print(part.__name__, unsaved)")

    found, why = judge(copy)["train.ipynb"]

    assert found == []
    assert why == "cell 13 uses 'unsaved', which the checkpoint in cell 11 does not save"


@pytest.mark.parametrize("name", ["variables.pickle", "shown.json", "outputs/log/part-0.parquet"])
def test_a_flipped_byte_in_a_checkpoint_is_found_when_it_is_carried_over(copy, tmp_path, name):
    (run_id,) = [path.name for path in runs(copy).iterdir()]
    newest = checkpoints(copy, run_id)[-1]
    flip(newest / name)
    place = CheckpointPlace(
        tmp_path / "new", RunContext("", "", "", "", "", "", ""), *[tmp_path] * 3
    )

    newer, older = read_points(newest.parent)

    with pytest.raises(CorruptError, match=f"{name} differs"):
        carry(newer, place)
    assert not (tmp_path / "new" / newest.name).exists()
    assert set(carry(older, place).names) == {"model", "same", "history", "where", "notes"}


def test_a_flipped_byte_in_what_describes_a_checkpoint_leaves_it_out(copy):
    (run_id,) = [path.name for path in runs(copy).iterdir()]
    flip(checkpoints(copy, run_id)[-1] / "checkpoint.json")

    assert judge(copy)["train.ipynb"][0] == [7]


def test_what_cannot_be_resumed_is_told_in_one_line(copy, tmp_path):
    (run_id,) = [path.name for path in runs(copy).iterdir()]
    other = write_step(tmp_path / "copy" / "pipe-other", {"a.ipynb": notebook(cell("1"))})

    unknown = run(copy, "--resume", "run-no-such")
    elsewhere = run(other, "--resume", run_id)
    shutil.rmtree(Path(store_of(copy).url, run_id))
    gone = run(copy, "--resume", run_id)

    assert [done.returncode for done in (unknown, elsewhere, gone)] == [2, 2, 2]
    assert "Step 'load' has no run 'run-no-such'" in unknown.stderr
    assert "Runs are resumed in the folder of their step" in elsewhere.stderr
    assert "not kept any more" in gone.stderr
    assert len(list(runs(copy).iterdir())) == 1


# -- what holds and what does not, in real runs ---------------------------------------------


@pytest.mark.slow
def test_an_adopted_output_that_was_damaged_is_made_again(step):
    whole = run(step).stdout.strip()
    old = failed(step)
    flip(next(Path(store_of(step).url, old, "raw").glob("*.parquet")))

    done = run(step, "--resume", old)

    assert done.returncode == 0, done.stderr
    told = resumed_lines(done)
    assert told["prep.ipynb"].startswith("continues after cell 7")
    assert told["train.ipynb"] == "starts from the beginning: the substep before it ran again"
    assert entities(step, done.stdout.strip()) == entities(step, whole)
    refused = run(step, "--resume", done.stdout.strip())
    assert (refused.returncode, "succeeded: there is nothing" in refused.stderr) == (2, True)


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_loaded_is_passed_over(step):
    stubborn = (
        "import os\nclass Stubborn:\n    def __setstate__(self, state):\n"
        "        raise ValueError('no way back')\nhistory.append(Stubborn()); history[-1].x = 1"
    )
    edit(step, "train.ipynb", 5, stubborn)
    edit(step, "train.ipynb", 7, "history.pop()")
    whole = run(step).stdout.strip()
    old = failed(step)

    done = run(step, "--resume", old)

    assert done.returncode == 0, done.stderr
    (line,) = [s["resumed"] for s in record(step, done.stdout.strip())["substeps"][1:]]
    assert line.startswith("continues after cell 8")
    assert "its checkpoint cannot be put back: ValueError: no way back" in line
    assert entities(step, done.stdout.strip()) == entities(step, whole)


@pytest.mark.slow
def test_what_cannot_be_saved_is_a_warning_and_no_secret_is_ever_written(tmp_path, monkeypatch):
    canary = "c4n4ry-of-the-tests"
    monkeypatch.setenv("A_TOKEN", canary)
    made = notebook(
        cell("import numpy as np, os\nsecret = os.environ['A_TOKEN']\ngen = (i for i in range(3))"),
        cell("gen,", "checkpoint"),
        cell("held = [secret]; array = np.array([secret])"),
        cell("held,", "checkpoint"),
        cell("array,", "checkpoint"),
        cell("os.makedirs(substep.outputs().raw); open(substep.outputs().raw + '/a', 'w').write('x')"),
        outputs=[{"ENTITY_NAME": "raw"}],
    )  # fmt: skip
    step = write_step(
        tmp_path / "pipe-load",
        {"a.ipynb": made},
        step_params={"step_name": "load", "token": {"$env": "A_TOKEN"}},
    )

    done = run(step)

    assert done.returncode == 0, done.stderr
    warnings = record(step, done.stdout.strip())["substeps"][0]["warnings"]
    assert all("it uses" in warning for warning in warnings[:-3])
    warnings = warnings[-3:]
    assert [" ".join(w.split()[:7]) for w in warnings] == [
        f"The checkpoint in cell {number} was not" for number in (6, 8, 9)
    ]
    assert "'gen' (generator): TypeError" in warnings[0]
    assert ["it holds a secret" in w for w in warnings] == [False, True, True]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or canary.encode() not in path.read_bytes(), path


@pytest.mark.slow
def test_a_python_file_is_adopted_and_the_script_resumes_too(tmp_path):
    module = (
        "import os\nfrom sinara.substep import NotebookSubstep, get_pipeline_params, get_step_params\n"
        "substep = NotebookSubstep(get_pipeline_params(), get_step_params(), {})\n"
        "substep.interface(outputs=[{'ENTITY_NAME': 'raw'}])\n"
        "os.makedirs(substep.outputs().raw)\n"
        "open(substep.outputs().raw + '/a', 'w').write(str(os.getpid()))\n"
    )
    made = notebook(cell("import os; assert not os.environ.get('FAIL')"))
    step = write_step(
        tmp_path / "pipe-load",
        {"load.py": module, "a.ipynb": made},
        step_params={"step_name": "load"},
    )
    old = failed(step)

    done = run_script(step, SINARA_RESUME="last")

    assert done.returncode == 0, done.stderr
    assert f"load.py: adopted from {old}" in done.stderr
    assert "a.ipynb: starts from the beginning: it had not ended" in done.stderr
    store = store_of(step)
    new = store.latest().run_id
    assert (
        Path(store.url, new, "raw", "a").read_bytes()
        == Path(store.url, old, "raw", "a").read_bytes()
    )


def test_a_checkpoint_that_names_nothing_is_an_error_before_anything_starts(tmp_path):
    made = notebook(
        cell("x = df = 1"), cell("x", "checkpoint"), cell("df"), cell("x + 1", "checkpoint")
    )
    step = write_step(tmp_path / "pipe-load", {"a.ipynb": made})

    checked = sinara(step, "step", "check")
    ran = run(step)

    assert (checked.returncode, ran.returncode) == (3, 2)
    assert "error: a.ipynb, cell 7, line 1: the last line of a checkpoint cell" in checked.stdout
    assert "warning: a.ipynb, cell 6, line 1: it uses 'df', which the checkpoint" in checked.stdout
    assert "a.ipynb, cell 7, line 1" in ran.stderr


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))
