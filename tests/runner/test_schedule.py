"""Tasks run in the order of their needs, and what may go on at once never exceeds the budget."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinara.runner.schedule import Budget, Schedule


@st.composite
def graphs(draw):
    """Needs of up to thirty tasks, with no circles."""
    size = draw(st.integers(1, 30))
    return {
        task: draw(st.lists(st.integers(0, task - 1), max_size=4)) if task else []
        for task in range(size)
    }


@given(graphs(), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_every_task_runs_once_and_after_all_that_it_needs(needs, workers):
    done: list[int] = []

    def work(task: int) -> str:
        assert all(one in done for one in needs[task])
        done.append(task)
        return "done"

    Schedule(needs, work, workers=workers).run()

    assert sorted(done) == sorted(needs)


@given(graphs(), st.data())
@settings(deadline=None, max_examples=60)
def test_what_needs_a_failed_task_never_runs_and_the_rest_does_if_asked(needs, data):
    bad = data.draw(st.sampled_from(sorted(needs)))
    ran, skipped = [], {}

    def work(task: int) -> str:
        ran.append(task)
        return "failed" if task == bad else "done"

    Schedule(
        needs, work, workers=3, keep_going=True, skipped=lambda t, c: skipped.update({t: c})
    ).run()

    hit = {bad}
    for task in sorted(needs):
        if hit.intersection(needs[task]):
            hit.add(task)
    assert set(ran) == set(needs) - (hit - {bad})
    assert set(skipped) == hit - {bad}
    assert all(cause in hit for cause in skipped.values())


def test_without_keep_going_nothing_begins_after_a_failure():
    ran, skipped = [], {}
    needs = {"a": [], "b": [], "c": [], "d": ["b"]}

    def work(task: str) -> str:
        ran.append(task)
        return "failed" if task == "a" else "done"

    Schedule(needs, work, workers=1, skipped=lambda t, c: skipped.update({t: c})).run()

    assert len(ran) < len(needs)
    assert set(ran) | set(skipped) == set(needs)


def test_the_longest_chain_begins_first():
    order = []
    needs = {"short": [], "x": [], "y": ["x"], "z": ["y"]}

    def work(task: str) -> str:
        order.append(task)
        return "done"

    Schedule(needs, work, workers=1).run()

    assert order[0] == "x"


def test_after_a_stop_nothing_begins():
    schedule: Schedule[int] = Schedule({}, lambda task: "done", workers=1)
    ran = []

    def work(task: int) -> str:
        ran.append(task)
        schedule.stop()
        return "done"

    schedule = Schedule({n: [] for n in range(5)}, work, workers=1)
    schedule.run()

    assert ran == [0]


@pytest.mark.parametrize("memories", [[6, 6, 6, 6], [10, 1, 1, 10, 3], [None, 10, None, 4]])
def test_a_budget_is_never_exceeded(memories):
    budget, at_once, most = Budget(3, 10), [], []

    def use(memory: int | None) -> None:
        with budget.share(memory, lambda: False) as free:
            assert free
            at_once.append(memory or 0)
            most.append((len(at_once), sum(at_once)))
            time.sleep(0.02)
            at_once.remove(memory or 0)

    threads = [threading.Thread(target=use, args=(memory,)) for memory in memories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(most) == len(memories)
    assert max(count for count, _ in most) <= 3
    assert max(total for _, total in most) <= 10


def test_who_waits_for_a_share_gives_up_when_the_run_is_to_end():
    budget = Budget(1)

    with (
        budget.share(None, lambda: False),
        budget.share(None, lambda: True) as free,
    ):
        assert free is False

    with budget.share(None, lambda: False) as free:
        assert free is True
