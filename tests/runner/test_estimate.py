"""How long a substep usually takes, from records."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from sinara.names import StepName
from sinara.record import CellRecord, RunRecord, SubstepRecord
from sinara.runner.estimate import Usual, UsualTimes, usual
from sinara.runner.prepare import RunRequest, prepare
from sinara.store import open_store
from tests.steps import cell, notebook, write_step

PARAMS = {"epochs": 3}


def ran(seconds: float, *cells: float, sha: str = "a", **changes) -> SubstepRecord:
    record = SubstepRecord(
        "train.ipynb",
        "succeeded",
        seconds=seconds,
        params=PARAMS,
        notebook_sha256=sha,
        cells=tuple(CellRecord(2 * i, "done", each) for i, each in enumerate(cells)),
    )
    return replace(record, **changes)


def test_the_median_of_earlier_runs_is_usual():
    found = usual([ran(10, 1, 8), ran(100, 1, 98), ran(12, 3, 8)], "a", PARAMS)

    assert found == Usual(12, ((0, 1), (2, 8)))


def test_runs_of_the_same_file_and_parameters_count_before_others():
    other_params = ran(50, params={"epochs": 9})
    other_file = ran(500, sha="b")

    assert usual([other_file, other_params, ran(10)], "a", PARAMS).seconds == 10
    assert usual([other_file, other_params], "a", PARAMS).seconds == 50
    assert usual([other_file], "a", PARAMS).seconds == 500


def test_runs_that_did_not_succeed_say_nothing():
    assert usual([ran(3, status="failed"), ran(4, status="stopped")], "a", PARAMS) == Usual()


def test_times_of_cells_come_from_runs_with_the_cells_of_the_newest():
    found = usual([ran(10, 1, 8), ran(12, 1, 1, 8), ran(10, 3, 6)], "a", PARAMS)

    assert found.cells == ((0, 2), (2, 7))


def test_what_is_left_is_this_cell_and_all_after_it():
    known = Usual(20, ((0, 1), (2, 8), (3, 6)))

    assert (known.left(2), known.cell(2), known.left(1)) == (14, 8, None)


def test_a_notebook_with_cells_elsewhere_has_only_its_whole_time():
    known = Usual(20, ((0, 1), (2, 8)))

    assert known.for_cells([0, 2]) == known
    assert known.for_cells([0, 1]) == Usual(20)


@pytest.fixture
def step(tmp_path, monkeypatch):
    folder = write_step(tmp_path / "pipe-train", {"train.ipynb": notebook(cell("1"))})
    return prepare(RunRequest(folder))


@pytest.fixture
def store(step, tmp_path):
    root = str(tmp_path / "sinara_data" / "user")
    return open_store(root).step(StepName("user", "pipe", "zone", "train"))


def keep(store, number: int, *substeps: SubstepRecord) -> str:
    run_id = f"run-26-01-01-00000{number}-000000-00000000"
    store.write_record(
        RunRecord(
            run_id,
            "user",
            "pipe",
            "zone",
            "train",
            "succeeded",
            "2026-01-01T00:00:00+00:00",
            substeps=substeps,
        )
    )
    return run_id


def test_the_records_of_a_step_are_asked_the_newest_first_and_broken_ones_passed_over(step, store):
    for number in range(9):
        keep(store, number, ran(number + 1, name="train.ipynb"))
    store.put_file(keep(store, 9), "record.json", b"{broken")

    times = UsualTimes(store, "run-that-asks")
    times._thread.join()

    assert times.of(step.substeps[0]).seconds == 7.5  # runs 8 to 5, after the broken one


def test_the_run_that_asks_is_no_earlier_run(step, store):
    own = keep(store, 1, ran(5))

    times = UsualTimes(store, own)
    times._thread.join()

    assert times.of(step.substeps[0]) == Usual()


class StuckStore:
    """A store whose answer never comes."""

    def __init__(self) -> None:
        self.answer = threading.Event()

    def run_ids(self) -> tuple[str, ...]:
        self.answer.wait()
        return ()


def test_a_store_that_does_not_answer_holds_up_nothing(step):
    store = StuckStore()

    assert UsualTimes(store, "run-that-asks").of(step.substeps[0]) == Usual()
    store.answer.set()


def test_a_step_without_earlier_runs_has_no_estimate(step, store):
    assert UsualTimes(store, "run-that-asks").of(step.substeps[0]) == Usual()
