"""Whole runs with real kernels: in parallel, reused, failed, stopped, killed, resumed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from sinara import pipeline
from sinara.errors import RunError, RunNotFoundError, StoreError, UsageError
from sinara.pipeline import PipelineRequest, PipelineRun
from sinara.record import PipelineRecord
from sinara.store.pipelines import PipelineRuns
from tests.pipeline.pipelines import WRITES, edit, write_pipeline

pytestmark = pytest.mark.slow


def statuses(record: PipelineRecord) -> dict[str, str]:
    """Return the status of every step."""
    return {step.name: step.status for step in record.steps}


def step(record: PipelineRecord, name: str):
    """Return the state of one step."""
    return next(one for one in record.steps if one.name == name)


def command(folder: Path, *words: str, **options) -> subprocess.Popen:
    """Start ``sinara pipeline run`` in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "sinara", "pipeline", "run", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_until(what, seconds: float = 60) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def data(folder: Path, name: str, entity: str) -> pd.DataFrame:
    """Return what the newest run of a step has published."""
    [*_, newest] = sorted((folder / f"sinara_data/user/pipe/zone/{name}").glob(f"run-*/{entity}"))
    return pd.read_parquet(newest)


def runs_of(folder: Path, name: str) -> list[Path]:
    """Return the folders of all published runs of a step."""
    place = folder / f"sinara_data/user/pipe/zone/{name}"
    return sorted(path.parent for path in place.glob("run-*/_COMMIT"))


def test_everything_runs_once_and_then_nothing(ran):
    again = pipeline.run(ran)

    assert again.status == "succeeded"
    assert again.exit_code == 0
    assert set(statuses(again).values()) == {"reused"}
    assert all(len(runs_of(ran, name)) == 1 for name in statuses(again))


def test_only_what_changed_runs_and_equal_data_stops_it(ran):
    edit(ran, "prep", "frame = frame.copy()")

    record = pipeline.run(ran)

    assert statuses(record) == {
        "load": "reused",
        "prep": "succeeded",
        "left": "reused",
        "right": "reused",
        "join": "reused",
    }
    [substep] = step(record, "prep").substeps
    assert substep.reasons == ("cell 5 is new or changed",)


def test_changed_data_goes_all_the_way(ran):
    edit(ran, "prep", "frame['n'] += 1")

    record = pipeline.run(ran)

    assert [name for name, status in statuses(record).items() if status == "succeeded"] == [
        "prep",
        "left",
        "right",
        "join",
    ]
    assert data(ran, "join", "report")["n"].max() == 10


def test_a_step_reads_the_runs_of_its_own_pipeline_run(ran):
    left = runs_of(ran, "left")[0].name
    edit(ran, "right", "frame['n'] *= 2")

    record = pipeline.run(ran)

    run_info = ran / f"sinara_data/user/pipe/zone/join/_runs/{step(record, 'join').run_id}"
    read = json.loads((run_info / "record.json").read_text())["substeps"][0]["inputs"]
    assert {one["full_name"]: one["run_id"] for one in read} == {
        "user.pipe.zone.left.model": left,
        "user.pipe.zone.right.model": step(record, "right").run_id,
    }


def test_what_was_made_before_is_found_again(ran):
    before = step(pipeline.run(ran), "left").run_id
    edit(ran, "left", "frame['near'] = 9")
    pipeline.run(ran)
    edit(ran, "left", "import near\nframe['near'] = near.near()")

    record = pipeline.run(ran)

    assert set(statuses(record).values()) == {"reused"}
    assert step(record, "left").run_id == before


def test_a_failure_leaves_the_rest_out_and_is_told(ran):
    edit(ran, "left", "1 / 0")
    edit(ran, "right", "frame['n'] += 1")

    done = command(ran, "--keep-going")
    out, err = done.communicate(timeout=120)
    [*_, record] = sorted((ran / "sinara_data/user/pipe/_runs").iterdir())
    kept = json.loads((record / "record.json").read_text())

    assert done.returncode == 1
    assert out.strip() == record.name
    assert {one["name"]: one["status"] for one in kept["steps"]} == {
        "load": "reused",
        "prep": "reused",
        "left": "failed",
        "right": "succeeded",
        "join": "skipped",
    }
    assert '"pending"' not in json.dumps(kept)
    assert "ZeroDivisionError" in err
    assert "cell 5" in err
    assert f"--resume {record.name}" in err
    assert "Traceback" not in err


def test_of_many_failures_the_first_is_told_whole_and_the_others_by_name(ran):
    edit(ran, "left", "1 / 0")
    edit(ran, "right", "1 / 0")

    record = pipeline.run(ran, keep_going=True, workers=1)

    first, _, second = record.message.partition(" Failed, too: ")
    assert "ZeroDivisionError" in first
    assert {first.partition(":")[0], second.removesuffix(".")} == {"left", "right"}


def test_a_run_that_failed_goes_on_where_it_stopped(ran):
    edit(ran, "left", "frame['x'] = undefined_name")
    edit(ran, "right", "frame['n'] += 1")
    failed = pipeline.run(ran, keep_going=True)
    edit(ran, "left", "frame['x'] = 5")

    record = pipeline.run(ran, resume="last")

    assert failed.status == "failed"
    assert statuses(record) == {
        "load": "reused",
        "prep": "reused",
        "left": "succeeded",
        "right": "reused",
        "join": "succeeded",
    }
    assert step(record, "right").run_id == step(failed, "right").run_id
    assert record.resumed_from == failed.run_id
    assert len(runs_of(ran, "right")) == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"set": {"left.level": 3}}, "it takes no --set"),
        ({"only": ("left",)}, "it takes no --only"),
        ({"force": ("left",)}, "it takes no --force"),
        ({"reuse": False}, "it takes no --no-reuse"),
    ],
)
def test_a_resumed_run_has_the_steps_and_values_of_then(ran, given, told):
    [record] = (ran / "sinara_data/user/pipe/_runs").glob("pl-*/record.json")
    record.write_text(record.read_text().replace('"succeeded"', '"failed"', 1))

    with pytest.raises(UsageError, match=told):
        pipeline.run(ran, resume="last", **given)


def test_a_run_whose_last_record_cannot_be_written_is_told_as_one_that_ran(ran, monkeypatch):
    write = PipelineRuns.write

    def until_the_disk_is_full(runs, record):
        if record.status != "running":
            raise StoreError("no space left on device")
        write(runs, record)

    monkeypatch.setattr(PipelineRuns, "write", until_the_disk_is_full)

    with pytest.raises(RunError) as error:
        pipeline.run(ran)

    assert error.value.exit_code == 1
    assert error.value.lines[0] == "no space left on device"
    assert "sinara pipeline run --resume pl-" in error.value.lines[1]


def test_a_run_without_a_name_is_not_resumed(ran):
    with pytest.raises(RunNotFoundError, match="has no run ''"):
        pipeline.run(ran, resume="")


def test_a_run_that_succeeded_cannot_be_resumed(ran):
    with pytest.raises(UsageError, match="nothing to resume"):
        pipeline.run(ran, resume="last")


@pytest.mark.parametrize(("metric", "runs"), [(0.95, True), (0.5, False)])
def test_a_step_runs_only_if_its_condition_holds(tmp_path, metric, runs):
    folder = write_pipeline(
        tmp_path / "work", ("load", "prep"), load=f"substep.add_metric('score', {metric})"
    )
    (folder / "sinara.toml").write_text('[steps.prep]\nwhen = "load.score >= 0.9"\n')

    record = pipeline.run(folder)

    assert record.status == "succeeded"
    assert statuses(record)["prep"] == ("succeeded" if runs else "skipped")
    if not runs:
        assert "load.score >= 0.9 does not hold (load.score is 0.5)" in step(record, "prep").message


def test_a_condition_on_what_is_not_there_fails_and_says_what_is(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load", "prep"))
    (folder / "sinara.toml").write_text('[steps.prep]\nwhen = "load.scroe >= 0.9"\n')

    record = pipeline.run(folder)

    assert record.exit_code == 1
    assert "gave no 'scroe'" in step(record, "prep").message
    assert "it gave raw" in step(record, "prep").message


def test_a_condition_on_rows_counts_them(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load", "prep"))
    (folder / "sinara.toml").write_text('[steps.prep]\nwhen = "load.raw.rows == 10"\n')

    assert statuses(pipeline.run(folder))["prep"] == "succeeded"


def test_ctrl_c_ends_it_soon_and_truly(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load", "prep"), load="import time; time.sleep(60)")
    going = command(folder)
    wait_until(lambda: list(folder.glob("sinara_data/user/pipe/zone/load/_runs/*/reports_*")))
    time.sleep(2)
    began = time.monotonic()
    going.send_signal(signal.SIGINT)

    out, err = going.communicate(timeout=60)

    assert going.returncode == 130, err
    assert time.monotonic() - began < 30
    [record] = (folder / "sinara_data/user/pipe/_runs").iterdir()
    kept = json.loads((record / "record.json").read_text())
    assert kept["status"] == "cancelled"
    assert [one["status"] for one in kept["steps"]] == ["cancelled", "skipped"]
    assert "Traceback" not in err
    assert out.strip() == record.name


def test_a_run_that_was_killed_is_lost_and_goes_on(tmp_path):
    slow = "import time; time.sleep(0 if __import__('os').path.exists('go') else 60)"
    folder = write_pipeline(tmp_path / "work", ("load", "prep", "left"), prep=slow)
    going = command(folder, start_new_session=True)
    wait_until(lambda: list(folder.glob("sinara_data/user/pipe/zone/prep/_runs/*/reports_*")))
    os.killpg(going.pid, signal.SIGKILL)
    going.communicate()
    [lost] = (folder / "sinara_data/user/pipe/_runs").iterdir()
    load = [path.name for path in runs_of(folder, "load")]
    (folder / "pipe-prep" / "go").write_text("")

    record = pipeline.run(folder, resume="last")

    assert record.status == "succeeded"
    assert record.resumed_from == lost.name
    assert statuses(record) == {"load": "reused", "prep": "succeeded", "left": "succeeded"}
    assert [path.name for path in runs_of(folder, "load")] == load
    assert json.loads((lost / "record.json").read_text())["status"] == "lost"
    assert "lost" in (lost / "index.html").read_text()
    assert len(data(folder, "left", "model")) == 10


def test_what_was_published_before_the_record_could_say_so_does_not_run_again(ran):
    edit(ran, "left", "frame['x'] = 1")
    edit(ran, "right", "1 / 0")
    failed = pipeline.run(ran, keep_going=True)
    path = ran / f"sinara_data/user/pipe/_runs/{failed.run_id}/record.json"
    kept = json.loads(path.read_text())
    for one in kept["steps"]:
        if one["name"] == "left":
            one.update(status="running", run_id=None)
    path.write_text(json.dumps(kept))
    edit(ran, "right", "frame['n'] += 1")

    record = pipeline.run(ran, resume=failed.run_id)

    assert statuses(record)["left"] == "reused"
    assert step(record, "left").run_id == step(failed, "left").run_id


def test_two_runs_at_once_do_not_hurt_each_other(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load", "prep", "left"))
    both = [command(folder), command(folder)]

    ended = [going.communicate(timeout=180) for going in both]

    assert [going.returncode for going in both] == [0, 0], ended
    assert len(data(folder, "left", "model")) == 10
    assert set(statuses(pipeline.run(folder)).values()) == {"reused"}


def test_a_step_that_drops_its_rows_is_told(ran):
    edit(ran, "prep", "frame = frame.iloc[:7]")

    record = pipeline.run(ran)

    page = ran / f"sinara_data/user/pipe/_runs/{record.run_id}/index.html"
    assert "30 %" in page.read_text()
    [told] = record.warnings
    assert "user.pipe.zone.prep.clean has 7 rows, and had 10 the time before (▼ 30 %)" in told


def test_what_may_use_more_memory_than_there_is_for_all_is_refused(ran):
    (ran / "sinara.toml").write_text('memory = "4 GB"\n')

    with pytest.raises(UsageError, match="may use 4 GB, and all that runs at once has 2 GB"):
        pipeline.run(ran, memory=2 * 10**9)


def test_a_budget_of_zero_is_none_whatever_the_settings_say(ran):
    (ran / "sinara.toml").write_text('memory = "4 GB"\nmemory_budget = "2 GB"\n')

    with pytest.raises(UsageError, match="may use 4 GB"):
        PipelineRun(PipelineRequest(ran))
    assert PipelineRun(PipelineRequest(ran, memory=0)).plan.count("run") == 0


def test_branches_run_at_the_same_time(tmp_path):
    wait = """
import time, pathlib
mine, other = pathlib.Path('../at-{0}'), pathlib.Path('../at-{1}')
mine.touch()
end = time.monotonic() + 60
while not other.exists() and time.monotonic() < end:
    time.sleep(0.05)
assert other.exists()
"""
    folder = write_pipeline(
        tmp_path / "work",
        ("load", "prep", "left", "right"),
        left=wait.format("left", "right"),
        right=wait.format("right", "left"),
    )

    record = pipeline.run(folder, workers=2)

    assert record.status == "succeeded"


def test_a_run_that_is_not_waited_for_goes_on_by_itself(ran):
    edit(ran, "left", "frame['x'] = 4")

    done = subprocess.run(
        [sys.executable, "-m", "sinara", "pipeline", "run", "--no-wait"],
        cwd=ran, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    run_id = done.stdout.strip()
    record = ran / f"sinara_data/user/pipe/_runs/{run_id}/record.json"

    wait_until(lambda: json.loads(record.read_text())["status"] == "succeeded")


def test_a_run_can_be_stopped_by_its_id(ran):
    edit(ran, "left", "import time; time.sleep(60)")
    going = command(ran)
    wait_until(lambda: len(list(ran.glob("sinara_data/user/pipe/zone/left/_runs/*"))) == 2)

    stopped = subprocess.run(
        [sys.executable, "-m", "sinara", "run", "stop"],
        cwd=ran, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    going.communicate(timeout=60)

    assert stopped.returncode == 0, stopped.stderr
    assert "was cancelled" in stopped.stderr
    assert going.returncode == 130


@pytest.mark.parametrize("independent", [True, False])
def test_independent_substeps_of_a_step_run_at_once_and_others_in_their_order(
    tmp_path, independent
):
    from tests.steps import cell, notebook, write_step

    meet = """
import time, pathlib
mine, other = pathlib.Path('at-{0}'), pathlib.Path('at-{1}')
mine.touch()
end = time.monotonic() + {2}
while not other.exists() and time.monotonic() < end:
    time.sleep(0.05)
substep.add_metric('met', int(other.exists()))
import pandas as pd
substep.write('{0}', pd.DataFrame({{'n': [1]}}))
"""
    seconds = 60 if independent else 1
    last = "import pandas as pd\nsubstep.write('c', substep.read('a'))"
    write_step(
        tmp_path / "work" / "pipe-three",
        {
            "a.ipynb": notebook(
                cell(meet.format("a", "b", seconds)), outputs=[{"ENTITY_NAME": "a"}]
            ),
            "b.ipynb": notebook(
                cell(meet.format("b", "a", seconds)), outputs=[{"ENTITY_NAME": "b"}]
            ),
            "c.ipynb": notebook(
                cell(last),
                inputs=[{"STEP_NAME": "three", "ENTITY_NAME": "a"}],
                outputs=[{"ENTITY_NAME": "c"}],
            ),
        },
    )
    (tmp_path / "work" / "sinara.toml").write_text(
        f"[steps.three]\nindependent = {str(independent).lower()}\n"
    )

    record = pipeline.run(tmp_path / "work", workers=2)

    assert record.status == "succeeded", record.message
    metrics = {one.name: one.metrics.get("met") for one in step(record, "three").substeps}
    assert metrics == {"a.ipynb": 1 if independent else 0, "b.ipynb": 1, "c.ipynb": None}
    assert set(statuses(pipeline.run(tmp_path / "work")).values()) == {"reused"}


def test_a_run_that_the_pipeline_reused_is_not_cleaned_away(ran):
    edit(ran, "left", "frame['near'] = 9")
    pipeline.run(ran)
    edit(ran, "left", "import near\nframe['near'] = near.near()")
    reused = step(pipeline.run(ran), "left").run_id
    edit(ran, "left", "frame['near'] = 10")
    pipeline.run(ran)

    done = subprocess.run(
        [sys.executable, "-m", "sinara", "run", "clean", "--keep", "1", "--yes", "--no-keep-lineage"],
        cwd=ran, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert reused in [path.name for path in runs_of(ran, "left")]
    assert len(runs_of(ran, "left")) == 2


def test_cleaning_takes_points_of_a_sweep_for_what_nobody_finds(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load", "prep"))
    usual = step(pipeline.run(folder), "prep").run_id
    pipeline.run(folder, points=(("prep.level=2",), ("prep.level=3",)))

    subprocess.run(
        [sys.executable, "-m", "sinara", "run", "clean", "--keep", "0", "--yes"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert [path.name for path in runs_of(folder, "prep")] == [usual]


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments_it_comes_to_the_same_and_nothing_runs_twice(tmp_path, seed):
    import random

    moments = random.Random(seed)
    pause = "import time; time.sleep(0.5)"
    code = dict.fromkeys(("load", "prep", "left", "right", "join"), pause)
    folder = write_pipeline(tmp_path / "killed" / "work", **code)
    whole = write_pipeline(tmp_path / "whole" / "work", **code)
    assert pipeline.run(whole).status == "succeeded"

    words: list[str] = []
    for _ in range(3):
        going = command(folder, *words, start_new_session=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            going.wait(moments.uniform(1.5, 7))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(going.pid, signal.SIGKILL)
        going.communicate()
        if list(folder.glob("sinara_data/user/pipe/_runs/*/record.json")):
            words = ["--resume", "last"]
    done = command(folder, *words)
    _, err = done.communicate(timeout=120)

    assert done.returncode == 0 or "nothing to resume" in err, err
    for name, entity in WRITES.items():
        assert data(folder, name, entity).equals(data(whole, name, entity))
        assert len(runs_of(folder, name)) == 1


def test_in_prod_what_is_committed_runs_and_is_tagged_and_changes_are_refused(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load", "prep"))
    for name in ("load", "prep"):
        place = folder / f"pipe-{name}"
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "A step"]):
            subprocess.run(["git", *words], cwd=place, check=True)

    record = pipeline.run(folder, env_name="prod")
    again = pipeline.run(folder, env_name="prod")
    edit(folder, "prep", "frame['n'] += 1")
    refused = pipeline.run(folder, env_name="prod")

    assert record.status == "succeeded", record.message
    assert set(statuses(again).values()) == {"reused"}
    tags = subprocess.run(
        ["git", "tag"], cwd=folder / "pipe-prep", capture_output=True, text=True, check=True
    ).stdout.split()
    assert tags == [step(record, "prep").run_id]
    assert statuses(refused) == {"load": "reused", "prep": "failed"}
    assert "prep.ipynb" in step(refused, "prep").message


def test_a_notebook_that_is_half_saved_while_it_runs_costs_only_its_reuse(tmp_path):
    code = "open('load.ipynb', 'w').write('{')"
    folder = write_pipeline(tmp_path / "work", ("load",), load=code)
    whole = (folder / "pipe-load" / "load.ipynb").read_bytes()

    record = pipeline.run(folder)

    assert record.status == "succeeded", record.message
    (folder / "pipe-load" / "load.ipynb").write_bytes(whole)
    assert [step.action for step in pipeline.plan(folder).steps] == ["run"]


def test_ctrl_c_does_not_wait_for_what_is_still_being_imported(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load",))
    slow = tmp_path / "slow" / "papermill"
    slow.mkdir(parents=True)
    (slow / "__init__.py").touch()
    marks = f"import pathlib, time\nplace = pathlib.Path({str(tmp_path)!r})\n"
    ends = "(place / 'begun').touch()\ntime.sleep(50)\n(place / 'imported').touch()\n"
    (slow / "engines.py").write_text(marks + ends)
    going = command(folder, env={**os.environ, "PYTHONPATH": str(slow.parent)})
    wait_until((tmp_path / "begun").exists)

    going.send_signal(signal.SIGINT)
    _, err = going.communicate(timeout=100)

    assert going.returncode == 130, err
    assert not (tmp_path / "imported").exists()
    [record] = (folder / "sinara_data/user/pipe/_runs").glob("pl-*/record.json")
    assert json.loads(record.read_text())["status"] == "cancelled"
    assert "Traceback" not in err
