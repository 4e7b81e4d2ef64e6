"""What a run says while it goes: one small value per thing that happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RunEvent:
    """Something that happened in a run.

    ``kind`` is one of ``run_start``, ``substep_start``, ``kernel``, ``cell_start``, ``stream``,
    ``cell_end``, ``checkpoint``, ``resume``, ``retry``, ``substep_end``, ``warning``,
    ``publish_start``, ``published``, ``run_end``.

    Attributes:
        kind: What happened.
        substep: The substep's file name; empty if it concerns the whole run.
        cell: The cell's index in the executed notebook, from 0.
        seconds: Since the start of the substep (of the run for ``run_*``); at ``cell_end`` how
            long the cell took, at ``retry`` until the next attempt begins.
        stream: ``stdout`` or ``stderr``.
        text: What was printed; the run id; a warning.
        status: How it ended; at ``retry`` the kind of the failure.
        number: At ``substep_start``, the substep's place in its step, from 1.
        of: How many there are: substeps at ``substep_start``, cells (of every kind) at
            ``kernel`` and ``cell_start``.
        usual: Seconds that it took in earlier runs, if that is known: the substep at
            ``substep_start`` and ``kernel``, the cell at ``cell_start``.
        left: At ``cell_start``, seconds that this cell and those after it took in earlier runs.
        attempt: At ``retry``, the number of the attempt that failed, from 1.
    """

    kind: str
    substep: str = ""
    cell: int | None = None
    seconds: float = 0.0
    stream: str | None = None
    text: str = ""
    status: str | None = None
    number: int | None = None
    of: int | None = None
    usual: float | None = None
    left: float | None = None
    attempt: int | None = None  # from 1


Listener = Callable[[RunEvent], None]


def nobody(event: RunEvent) -> None:
    """Listen to nothing."""
    del event
