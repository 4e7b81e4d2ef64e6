"""The values of a pipeline run's record: which run of which step belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA_VERSION = 1

PipelineStatus = Literal["running", "succeeded", "failed", "cancelled", "lost"]
StepStatus = Literal[
    "pending", "running", "succeeded", "reused", "failed", "cancelled", "skipped", "lost"
]


@dataclass(frozen=True)
class SubstepState:
    """One substep in a pipeline run.

    ``reused`` says that it did not run, because nothing changed; ``reasons`` say why it ran.
    """

    name: str
    status: Literal[
        "pending", "running", "succeeded", "reused", "failed", "cancelled", "skipped", "lost"
    ] = "pending"
    reasons: tuple[str, ...] = ()
    source: str = ""  # the run whose outputs are reused
    started: str | None = None  # ISO 8601, UTC
    seconds: float = 0.0
    usual: float | None = None  # seconds that it took in earlier runs
    cells: tuple[int, int] | None = None  # the cell that runs, from 1, and how many there are
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StepState:
    """One step in a pipeline run."""

    name: str
    folder: str  # of the step, absolute
    env_name: str
    pipeline_name: str
    zone_name: str
    needs: tuple[str, ...] = ()  # names of the steps that it waits for
    status: StepStatus = "pending"
    run_id: str | None = None  # its run, or the run that is reused
    started: str | None = None  # ISO 8601, UTC
    seconds: float = 0.0
    message: str = ""  # one line, for people
    report: str | None = None  # the page of its run, absolute
    substeps: tuple[SubstepState, ...] = ()


@dataclass(frozen=True)
class Point:
    """One point of a sweep: what was set, and which step stands for which."""

    overrides: tuple[str, ...] = ()  # step.parameter=value
    steps: dict[str, str] = field(default_factory=dict)  # step -> its name in this run


@dataclass(frozen=True)
class PipelineRecord:
    """One run of a whole pipeline, or of some steps of it."""

    run_id: str
    env_name: str
    pipeline_name: str
    status: PipelineStatus
    started: str  # ISO 8601, UTC
    stopped: str | None = None
    seconds: float = 0.0
    exit_code: int | None = None
    message: str = ""  # one line, for people
    folder: str = ""  # that holds the steps
    user: str = ""
    host: str = ""
    pid: int = 0
    process_started: str = ""  # identifies the process over pid reuse
    boot_id: str = ""
    workers: int = 1
    request: dict[str, Any] = field(default_factory=dict)  # what was asked for, for a resume
    steps: tuple[StepState, ...] = ()
    resumed_from: str | None = None  # the pipeline run that this one goes on with
    root: str = ""  # the first of those that were resumed one after the other; itself otherwise
    trigger: str | None = None  # what started it; None: a person
    points: tuple[Point, ...] = ()  # of a sweep
    best: str = ""  # the metric, step.metric, by which a point is the best
    lowest: bool = False  # whether its lowest value is the best, not its highest
    warnings: tuple[str, ...] = ()  # what a person should look at; one line each
    schema_version: int = SCHEMA_VERSION
