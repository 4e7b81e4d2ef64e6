"""When a substep is tried again, and what has to be gone before."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinara.context import Handback
from sinara.errors import OutputError
from sinara.interface import Interface
from sinara.record import Failure, SubstepRecord
from sinara.runner import RunEvent, attempts, signals
from sinara.runner.attempts import LONGEST_WAIT, Attempts, RetryPolicy, wait_before_retry
from sinara.runner.prepare import RunRequest, prepare
from sinara.runner.substep import SubstepOutcome, SubstepPlace
from sinara.settings import RETRY_CAUSES
from tests.steps import notebook, write_step

KINDS = (*RETRY_CAUSES, "interrupted", "stopped", "inputs", "params", "error", "")
POLICIES = st.builds(
    RetryPolicy,
    retries=st.integers(0, 100),
    causes=st.lists(st.sampled_from(KINDS)).map(tuple),
    wait=st.floats(0, 86_400),
)


@settings(deadline=None)  # a busy machine is no fault
@given(st.sampled_from(KINDS), st.integers(1, 200), POLICIES)
def test_only_a_listed_cause_is_tried_again_and_never_more_often_than_allowed(
    kind, attempt, policy
):
    wait = wait_before_retry(Failure(kind, "why"), attempt, policy)

    allowed = kind in policy.causes and kind in RETRY_CAUSES and attempt <= policy.retries
    assert (wait is not None) == allowed
    if wait is not None:
        assert 0 <= wait <= max(policy.wait, LONGEST_WAIT)


@settings(deadline=None)
@given(POLICIES, st.integers(1, 99))
def test_each_wait_is_at_least_as_long_as_the_one_before(policy, attempt):
    policy = replace(policy, retries=100, causes=("timeout",))
    timeout = Failure("timeout", "late")

    first, then = (wait_before_retry(timeout, n, policy) for n in (attempt, attempt + 1))

    assert first is not None
    assert then is not None
    assert first <= then <= 2 * first
    assert wait_before_retry(timeout, 1, policy) == policy.wait


def test_waits_double_up_to_a_minute():
    policy = RetryPolicy(10, ("timeout",), 10)

    waits = [wait_before_retry(Failure("timeout", "late"), n, policy) for n in range(1, 6)]

    assert waits == [10, 20, 40, 60, 60]


def test_what_went_well_is_never_tried_again():
    assert wait_before_retry(None, 1, RetryPolicy(5, RETRY_CAUSES, 1)) is None


@dataclass
class Writer:
    """A writer of which only the emptying is asked."""

    emptied: list[str] = field(default_factory=list)
    problem: str = ""

    def discard(self, entity: str) -> None:
        if self.problem:
            raise OutputError(self.problem)
        self.emptied.append(entity)


@dataclass
class World:
    """A step whose substep ends as it is told to, without a kernel."""

    folder: Path
    ends: list[Any]  # a kind of failure, None for success, or an outcome's further fields
    writer: Writer = field(default_factory=Writer)
    events: list[RunEvent] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)
    places: list[SubstepPlace] = field(default_factory=list)
    earlier: list[SubstepOutcome] = field(default_factory=list)
    interface: Interface = field(default_factory=lambda: Interface(outputs=("raw",)))

    def run(self) -> SubstepRecord:
        prepared = prepare(RunRequest(self.folder))
        (substep,) = prepared.substeps
        trial = Attempts(
            prepared,
            substep,
            self.place,
            lambda run_id: self.writer,
            self.earlier,
            self.events.append,
            self.kept.append,
        )
        return trial.run().record

    def place(self, number: int) -> SubstepPlace:
        from sinara.context import RunContext

        context = RunContext("run-1", "user", "pipe", "zone", "load", "load.ipynb", "")
        runtime = self.folder / f"runtime-{number}"
        runtime.mkdir()
        output = self.folder / "reports" / "report.ipynb"
        output.parent.mkdir(exist_ok=True)
        self.places.append(SubstepPlace(context, runtime, output, lambda name, run_id: None))
        return self.places[-1]

    def execute(self, prepared, substep, place, writer_for, listener, usual) -> SubstepOutcome:
        end = self.ends.pop(0)
        more = {"kind": end} if isinstance(end, str) or end is None else end
        kind = more["kind"]
        failure = Failure(kind, f"{kind} happened.", 3, peak_memory=7) if kind else None
        status = {None: "succeeded", "interrupted": "cancelled"}.get(kind, "failed")
        place.output.write_text(f"attempt {len(self.places)}")
        record = SubstepRecord(
            substep.name,
            status,
            "2026-01-01T00:00:00+00:00",
            1.0,
            failure=failure,
            notebook="reports/report.ipynb",
        )
        left = more.get("processes_left", False)
        return SubstepOutcome(record, self.interface, Handback(), None, left)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A function that makes a :class:`World` with retries without a wait."""

    def make(*ends: Any, toml: str = "retries = 2\nretry_wait = 0\n", **more: Any) -> World:
        folder = write_step(tmp_path / "pipe-load", {"load.ipynb": notebook()})
        (folder / "sinara.toml").write_text(toml)
        made = World(folder, list(ends), **more)
        monkeypatch.setattr(attempts, "run_substep", made.execute)
        return made

    return make


def test_a_second_try_that_succeeds_is_a_success_with_both_attempts(world):
    made = world("kernel died", None)

    record = made.run()

    assert (record.status, record.failure) == ("succeeded", None)
    first, second = record.attempts
    assert (first.number, first.status, first.wait, first.peak_memory) == (1, "failed", 0, 7)
    assert (second.number, second.status, second.wait, second.note) == (2, "succeeded", None, "")
    assert made.writer.emptied == ["raw"]
    assert made.kept == [(first,)]
    (told,) = made.events
    assert (told.kind, told.attempt, told.status) == ("retry", 1, "kernel died")
    assert told.text == "attempt 1 failed: kernel died happened; attempt 2 of 3 in 0 s"


def test_the_notebook_of_an_attempt_is_kept_and_its_folder_goes(world):
    made = world("timeout", "timeout", "timeout")

    record = made.run()

    assert [one.notebook for one in record.attempts] == [
        "reports/report.attempt-1.ipynb",
        "reports/report.attempt-2.ipynb",
        "reports/report.ipynb",
    ]
    kept = made.folder / "reports"
    texts = [(kept / Path(one.notebook).name).read_text() for one in record.attempts]
    assert texts == ["attempt 1", "attempt 2", "attempt 3"]
    assert [place.runtime.exists() for place in made.places] == [False, False, True]
    assert (record.status, record.failure.kind) == ("failed", "timeout")


@pytest.mark.parametrize("kind", ["cell", "interrupted", "error"])
def test_a_cause_that_is_not_listed_ends_it(world, kind):
    made = world(kind)

    record = made.run()

    assert len(record.attempts) == 1
    assert made.writer.emptied == []
    told = f"It was not tried again: its cause, '{kind}', is not in the setting retry_on."
    assert record.attempts[0].note == ("" if kind == "interrupted" else told)


def test_without_retries_nothing_is_added_to_the_record(world):
    record = world("timeout", toml="").run()

    assert (record.attempts, record.warnings) == ((), ())


def test_nothing_is_tried_again_while_a_process_is_left(world):
    made = world({"kind": "timeout", "processes_left": True})

    record = made.run()

    said = "It was not tried again: Nobody can say that all its processes are gone."
    assert (record.status, record.warnings) == ("failed", (said,))
    assert record.attempts[0].note == said
    assert (made.writer.emptied, made.events) == ([], [])
    assert record.notebook == "reports/report.ipynb"


def test_nor_where_the_system_cannot_tell(world, monkeypatch):
    monkeypatch.setattr(attempts, "_KNOWS_ITS_PROCESSES", False)

    assert "Nobody can say" in world("timeout").run().warnings[0]


def test_nothing_is_tried_again_if_an_output_cannot_be_emptied(world):
    made = world("timeout", writer=Writer(problem="Output 'raw' is still being written."))

    record = made.run()

    assert record.failure.kind == "timeout"
    assert record.warnings == ("It was not tried again: Output 'raw' is still being written.",)


@pytest.mark.parametrize("kind", ["outputs", "tmp_entities"])
def test_what_an_earlier_substep_wrote_is_not_touched(world, kind):
    shared = Interface(**{kind: ("raw",)})
    first = SubstepOutcome(SubstepRecord("first.ipynb"), shared, Handback(), None)
    made = world("timeout", earlier=[first], interface=shared)

    record = made.run()

    assert made.writer.emptied == []
    assert record.warnings == (
        "It was not tried again: Output 'raw' cannot be emptied: first.ipynb writes to it, too.",
    )


def test_temporary_entities_are_emptied_too(world):
    made = world("timeout", None, interface=Interface(tmp_outputs=("scratch",)))
    data = made.folder.parent / "sinara_data/_tmp/user/pipe/zone/load/run-26-01-01-000000"
    (data / "scratch").mkdir(parents=True)
    (data / "scratch" / "half").write_text("half")
    (data / "other").mkdir()
    made.place = _with_run_id(made.place, data.name)

    assert made.run().status == "succeeded"
    assert sorted(path.name for path in data.iterdir()) == ["other"]


def _with_run_id(place, run_id):
    def make(number: int) -> SubstepPlace:
        made = place(number)
        return replace(made, context=replace(made.context, run_id=run_id))

    return make


def test_a_signal_during_the_wait_cancels_and_keeps_the_evidence(world):
    made = world("timeout", None, toml="retries = 2\nretry_wait = 60\n")
    made.events = _Interrupting()

    with signals.as_errors():
        record = made.run()

    assert (record.status, record.failure.kind) == ("cancelled", "interrupted")
    assert record.failure.message == (
        "Stopped by SIGTERM. It waited to be tried again after: timeout happened."
    )
    (only,) = record.attempts
    assert (only.status, only.wait) == ("failed", None)
    assert only.note == "The run was stopped before it could be tried again."
    assert record.notebook == only.notebook == "reports/report.attempt-1.ipynb"


class _Interrupting(list):
    """Sends this process SIGTERM when a retry is told."""

    def append(self, event: RunEvent) -> None:
        super().append(event)
        os.kill(os.getpid(), signal.SIGTERM)
