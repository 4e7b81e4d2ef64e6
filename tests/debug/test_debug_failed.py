"""Which substep is meant, which cell failed, which runs are read again: from records alone."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sinara.debug.failed import FailedSubstep, find_failed, newest_failed
from sinara.debug.lab import open_lab
from sinara.debug.restore import Restored, _inputs
from sinara.errors import MissingExtraError, StoreError, UsageError
from sinara.execute import KernelSpec
from sinara.names import StepName, new_run_id
from sinara.record import EntityRecord, Failure, RunRecord, SubstepRecord
from sinara.store import StepStore, open_store
from sinara.store.world import this_process

OWN = StepName("user", "pipe", "zone", "train")
CELLS = [("done", "a = 1"), ("done", ""), ("failed", "1/0"), ("not run", "b = 1")]


@pytest.fixture
def store(tmp_path: Path) -> StepStore:
    return open_store(str(tmp_path / "data")).step(OWN)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "step" / "params").mkdir(parents=True)
    return tmp_path / "step"


def notebook() -> dict[str, object]:
    cells = [
        {"cell_type": "code", "source": source, "metadata": {"sinara": {"status": status}}}
        for status, source in CELLS
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def leave(store: StepStore, folder: Path, *substeps: SubstepRecord, **changes: object) -> str:
    """Leave the evidence of a run with an executed notebook per substep that began."""
    record = RunRecord(
        new_run_id(), *("user", "pipe", "zone", "train", "failed", "2025-01-01T00:00:00+00:00"),
        step_folder=str(folder), substeps=substeps,
    )  # fmt: skip
    record = replace(record, **changes)
    store.write_record(record)
    for substep in substeps:
        if substep.status not in ("pending", "skipped"):
            path = f"reports_{Path(substep.name).stem}_ipynb/report.ipynb"
            store.put_file(record.run_id, path, json.dumps(notebook()).encode())
    return record.run_id


def failed_by(kind: str, **more: object) -> SubstepRecord:
    return SubstepRecord("fit.ipynb", "failed", failure=Failure(kind, "why", **more))


@pytest.mark.parametrize(
    ("substep", "cell"),
    [
        (failed_by("cell", cell=3), 3),
        (failed_by("cell", cell=99), None),
        (failed_by("outputs"), None),
        (failed_by("timeout"), 2),
        (SubstepRecord("fit.ipynb", "lost"), 2),
    ],
)
def test_the_cell_is_the_recorded_one_or_the_first_that_is_not_done(store, folder, substep, cell):
    run_id = leave(store, folder, SubstepRecord("prep.ipynb", "succeeded"), substep)

    assert find_failed(store, run_id).failed == cell


def test_a_substep_is_found_by_its_name_with_and_without_ending(store, folder):
    run_id = leave(store, folder, SubstepRecord("prep.ipynb", "succeeded"), failed_by("cell"))

    for name in ("prep", "prep.ipynb"):
        assert find_failed(store, run_id, name).substep.name == "prep.ipynb"


def test_a_run_that_lives_is_not_debugged_and_one_that_was_killed_is(store, folder):
    here = this_process()
    running = SubstepRecord("fit.ipynb", "running")
    about = {"host": here.host, "boot_id": here.boot, "process_started": here.started}
    living = leave(store, folder, running, status="running", pid=here.pid, **about)
    killed = leave(store, folder, running, status="running", pid=2**22 + 1, **about)

    with pytest.raises(UsageError, match="still running"):
        find_failed(store, living)
    assert find_failed(store, killed).failed == 2


def test_what_cannot_be_debugged_says_why(store, folder, tmp_path):
    skipped = SubstepRecord("late.ipynb", "skipped")
    run_id = leave(store, folder, failed_by("cell"), skipped)
    nothing_began = leave(store, folder, skipped, message="an input is missing")
    gone = leave(store, tmp_path / "nowhere", failed_by("cell"), host="elsewhere")
    damaged = leave(store, folder, failed_by("cell"))
    store.put_file(damaged, "reports_fit_ipynb/report.ipynb", b'{"cells": [1]}')

    with pytest.raises(UsageError, match=r"late.ipynb did not begin .* These did: fit.ipynb"):
        find_failed(store, run_id, "late")
    with pytest.raises(UsageError, match="an input is missing"):
        find_failed(store, nothing_began)
    with pytest.raises(UsageError, match=r"is not here. It ran on elsewhere"):
        find_failed(store, gone)
    with pytest.raises(StoreError, match="damaged"):
        find_failed(store, damaged)


def test_the_newest_failed_run_of_several_steps_is_found(store, folder):
    first = leave(store, folder, failed_by("cell"))
    leave(store, folder, SubstepRecord("fit.ipynb", "succeeded"), status="succeeded")

    assert newest_failed([store]) == (store, first)
    assert newest_failed([]) is None


def test_each_input_is_pinned_but_those_that_name_a_run_and_those_of_this_run(store, folder):
    def read(entity: str, step: str, run_id: str, url: str = "") -> EntityRecord:
        return EntityRecord(entity, f"user.pipe.zone.{step}.{entity}", url, run_id, "inputs", "")

    made = replace(read("clean", "train", "run-0", "/data/clean"), kind="outputs")
    named = {"inputs": [{"STEP_NAME": "load", "ENTITY_NAME": "old", "RUN_ID": "run-2"}]}
    prep = SubstepRecord("prep.ipynb", "succeeded", outputs=(made,))
    fit = replace(
        failed_by("cell"),
        inputs=(
            read("old", "load", "run-2"),
            read("raw", "load", "run-3"),
            read("clean", "train", "run-0", "/data/clean"),
        ),
        interface=named,
    )
    record = RunRecord("run-0", "user", "pipe", "zone", "train", "failed", "", substeps=(prep, fit))

    pins, produced = _inputs(FailedSubstep(store, record, fit, notebook(), 2, None))

    assert pins == {"user/pipe/zone/load": "run-3"}
    assert produced == {"clean": "/data/clean"}


def test_jupyterlab_that_is_not_installed_and_a_module_are_told(store, tmp_path, monkeypatch):
    def ready(name: str) -> Restored:
        substep = replace(failed_by("cell"), name=name)
        record = RunRecord("run-0", "user", "pipe", "zone", "train", "failed", "")
        failed = FailedSubstep(store, record, substep, notebook(), 2, None)
        return Restored(failed, None, {}, KernelSpec("python3", ("python",)), tmp_path, ())

    monkeypatch.setitem(sys.modules, "jupyterlab", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'sinara\[lab\]'"):
        open_lab(ready("fit.ipynb"), print)
    with pytest.raises(UsageError, match="Leave out --lab"):
        open_lab(ready("fit.py"), print)
    assert list(tmp_path.glob("lab")) == []
