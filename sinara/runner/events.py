"""What a run says while it goes: one small value per thing that happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RunEvent:
    """Something that happened in a run.

    ``kind`` is one of ``run_start``, ``substep_start``, ``kernel``, ``cell_start``, ``stream``,
    ``cell_end``, ``checkpoint``, ``resume``, ``substep_end``, ``warning``, ``published``,
    ``run_end``. ``seconds`` count from
    the start of the substep (of the run for ``run_*``); ``cell`` is the index in the notebook,
    from 0.
    """

    kind: str
    substep: str = ""
    cell: int | None = None
    seconds: float = 0.0
    stream: str | None = None
    text: str = ""
    status: str | None = None


Listener = Callable[[RunEvent], None]


def nobody(event: RunEvent) -> None:
    """Listen to nothing."""
    del event
