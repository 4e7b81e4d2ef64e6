"""What is asked of the steps of a pipeline, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sinara.params import StepParams

Outcome = Literal["done", "unchanged", "failed", "stopped"]


@dataclass(frozen=True)
class FleetStep:
    """One step of a pipeline, by its folder.

    Attributes:
        folder: Its folder, absolute.
        name: The step's name; the folder's where its parameter file cannot be read.
        pipeline: Its pipeline; an empty string where its parameter file cannot be read.
        problem: Why it cannot be read.
        params: What its parameter files say.
    """

    folder: Path
    name: str
    pipeline: str = ""
    problem: str = ""
    params: StepParams | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Result:
    """How a verb went in one step.

    Attributes:
        step: The step's name.
        folder: Its folder.
        outcome: ``done``; ``unchanged``: there was nothing to do; ``failed``: nothing was done,
            and ``text`` says what to do; ``stopped``: somebody ended the command first.
        text: One line.
    """

    step: str
    folder: str
    outcome: Outcome
    text: str = ""
