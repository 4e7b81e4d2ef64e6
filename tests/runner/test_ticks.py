"""A progress bar in the run's log: few of its states are written, and nothing is lost."""

from __future__ import annotations

import pytest

from sinara.console.rows import Rows
from sinara.runner import RunEvent
from sinara.runner.ticks import Ticks


def printed(text: str, cell: int = 0, stream: str = "stderr") -> RunEvent:
    return RunEvent("stream", "a.ipynb", cell, stream=stream, text=text)


def logged(events: list[RunEvent], step: float = 0.1) -> list[RunEvent]:
    """What is written of some events that come every ``step`` seconds."""
    times = iter(step * number for number in range(10 * len(events)))
    written: list[str] = []
    ticks = Ticks(written.append, lambda: next(times))
    for number, event in enumerate(events):
        ticks.pass_on(event, f"{number};")
    return [events[int(number)] for line in written for number in line.split(";")[:-1]]


def shown(events: list[RunEvent]) -> tuple[list[str], tuple[str, ...]]:
    rows = Rows()
    done = [line for event in events for line in rows.feed(event.text)]
    return done, rows.open


def test_of_many_states_of_a_bar_the_first_and_the_last_are_written():
    events = [printed(f"\r{n}%") for n in range(50)] + [printed("\n")]

    texts = [event.text for event in logged([*events, printed("done\n")], step=0.001)]

    assert texts == ["\r0%", "\r49%", "\n", "done\n"]


def test_one_state_in_ten_seconds_is_written():
    events = [printed(f"\r{n}%") for n in range(100)]

    assert 5 < len(logged(events, step=1.0)) < 30


def test_a_bar_below_another_is_written_as_seldom():
    inner = [[printed("\n"), printed(f"\rinner {n}"), printed("\x1b[A")] for n in range(50)]
    events = [printed("\router 0"), *(event for three in inner for event in three)]
    events += [printed("\router 1"), printed("\n")]

    written = logged(events, step=0.001)

    assert len(written) < 12
    assert shown(written) == shown(events)


@pytest.mark.parametrize(
    "texts",
    [
        ["\r1", "\r2", "\r", "\n"],
        ["\r1", "\r2", "\r   \r", "line\n"],
        ["\n", "\n", "a", "\n"],
        ["\n", "\rb", "c", "\x1b[A"],
        ["\n", "\rb", "\x1b[A\x1b[A", "\rx"],
        ["\r1", "2", "\r3", "4\n"],
    ],
)
def test_the_log_shows_what_was_shown(texts):
    events = [printed(text) for text in texts] + [printed("end\n")]

    assert shown(logged(events, step=0.001)) == shown(events)


def test_bars_of_two_cells_and_streams_are_kept_apart():
    events = [
        printed("\r1"), printed("\r2"), printed("\r1", cell=1), printed("\r2", cell=1),
        printed("\r1", 1, "stdout"), RunEvent("cell_end", "a.ipynb", 1),
    ]  # fmt: skip

    assert logged(events, step=0.001) == events


def test_two_lines_printed_alone_are_written_at_once():
    assert len(logged([printed("\n"), printed("a\n")])) == 2
