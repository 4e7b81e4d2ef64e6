"""Records of pipeline runs, whatever became of them or of their processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sinara.errors import CorruptError
from sinara.record import PipelineRecord, StepState, SubstepState
from sinara.store import open_store
from sinara.store.pipelines import PipelineRuns
from sinara.store.world import this_process

ID = "pl-26-01-0{}-100000-000000-00000000"


@pytest.fixture
def runs(tmp_path: Path) -> PipelineRuns:
    return open_store(str(tmp_path)).pipeline("p")


def killed(day: int) -> PipelineRecord:
    """A record that says "running" of a process that is gone."""
    me = this_process()
    return PipelineRecord(
        ID.format(day), "user", "p", "running", f"2026-01-0{day}T10:00:00Z",
        host=me.host, pid=me.pid, process_started="long ago", boot_id=me.boot,
    )  # fmt: skip


def test_a_damaged_record_keeps_no_other_from_being_ended(runs, tmp_path):
    runs.write(killed(1))
    runs.put_file(ID.format(2), "record.json", b'{"status": "running"')

    ended = runs.recover()

    assert [(record.run_id, record.status) for record in ended] == [(ID.format(1), "lost")]


def test_a_damaged_record_is_told_with_its_place(runs, tmp_path):
    runs.put_file(ID.format(2), "record.json", b'{"status": "running"')

    with pytest.raises(CorruptError) as error:
        runs.read(ID.format(2))

    assert f"{tmp_path}/p/_runs/{ID.format(2)}/record.json: " in str(error.value)


def test_a_run_is_ended_though_one_that_began_later_is_over(runs):
    runs.write(killed(1))
    runs.write(replace(killed(2), status="succeeded"))

    assert [record.run_id for record in runs.recover()] == [ID.format(1)]


def test_nothing_waits_any_more_in_a_run_that_was_killed(runs):
    steps = tuple(
        StepState(name, f"/{name}", "user", "p", "z", status=status,
                  substeps=(SubstepState("a.ipynb", status=status),))
        for name, status in (("a", "succeeded"), ("b", "running"), ("c", "pending"))
    )  # fmt: skip
    runs.write(replace(killed(1), steps=steps))

    record = runs.read(ID.format(1))

    assert [step.status for step in record.steps] == ["succeeded", "lost", "skipped"]
    assert [step.substeps[0].status for step in record.steps] == ["succeeded", "lost", "skipped"]
