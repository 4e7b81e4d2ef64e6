"""The attempts at a substep that was tried more than once, or could have been."""

from __future__ import annotations

from pathlib import PurePosixPath

from sinara.record import AttemptRecord, SubstepRecord
from sinara.report.elements import Child, Html, el, join
from sinara.report.facts import Limits, more, table
from sinara.report.shell import pill
from sinara.report.words import EMPTY, duration, one_line, size


def attempts(substep: SubstepRecord, limits: Limits, *, beside: bool = False) -> Html | None:
    """Return a row per attempt; nothing for one that went well at once.

    Args:
        substep: The substep.
        limits: How much detail there is room for.
        beside: Whether the page lies beside the executed notebooks, not above their folder.
    """
    given = substep.attempts
    if not given or (len(given) == 1 and given[0].failure is None):
        return None
    head = ("Attempt", "Status", "Took", "Peak memory", "Cause")
    rows = [_row(one, limits, beside) for one in given[: limits.rows]]
    return join(table(head, rows), more(len(given), limits.rows))


def _row(one: AttemptRecord, limits: Limits, beside: bool) -> tuple[Child, ...]:
    number: Child = str(one.number)
    if one.notebook:
        to = PurePosixPath(one.notebook).name if beside else one.notebook
        number = join(number, " ", el("a", {"class": "side", "href": to}, "notebook"))
    peak = EMPTY if one.peak_memory is None else size(one.peak_memory)
    return number, pill(one.status), duration(one.seconds), peak, _cause(one, limits)


def _cause(one: AttemptRecord, limits: Limits) -> Html:
    after = f"The next one began {duration(one.wait)} later." if one.wait is not None else one.note
    words = (one.failure.message if one.failure else "", after)
    return join([el("p", None, one_line(text, max(limits.value, 80))) for text in words if text])
