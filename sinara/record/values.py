"""The values of a run record: frozen dataclasses, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from sinara.contract import RuleResult

SCHEMA_VERSION = 1

RunStatus = Literal["running", "succeeded", "failed", "cancelled", "stopped", "lost"]
SubstepStatus = Literal[
    "pending", "running", "succeeded", "failed", "cancelled", "stopped", "skipped", "lost"
]
# "restored": it did not run; what it had set was put back from a checkpoint of an earlier run.
CellStatus = Literal["done", "failed", "not run", "running", "restored"]


@dataclass(frozen=True)
class Failure:
    """Why a substep failed, and where."""

    # "cell", "early exit", "kernel died", "timeout", "memory", "cpu limit", "outputs", "inputs",
    # "contract", "interrupted", "error"
    kind: str
    message: str  # one line
    cell: int | None = None  # index in the notebook, from 0
    line: int | None = None  # line in that cell, from 1
    ename: str | None = None
    evalue: str | None = None
    traceback: tuple[str, ...] = ()  # plain text, no ANSI
    signal: int | None = None
    exit_code: int | None = None
    peak_memory: int | None = None  # bytes


@dataclass(frozen=True)
class CellRecord:
    """One code cell of an executed notebook."""

    index: int  # in the notebook, from 0
    status: CellStatus
    seconds: float = 0.0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class EntityRecord:
    """One entity that a run read or wrote."""

    name: str
    full_name: str
    url: str
    run_id: str
    kind: str  # "inputs", "outputs", "custom_inputs", ...
    substep: str
    files: int | None = None
    bytes: int | None = None
    rows: int | None = None
    columns: tuple[tuple[str, str], ...] = ()  # (name, Arrow type)
    manifest: str | None = None  # sha256 of the sealed manifest
    note: str = ""  # "unverified", "interactive", ...
    contract: tuple[RuleResult, ...] = ()  # its rules, checked; none if it has no contract


@dataclass(frozen=True)
class AttemptRecord:
    """One attempt at a substep that may be tried more than once."""

    number: int  # from 1
    status: SubstepStatus
    started: str | None = None  # ISO 8601, UTC
    seconds: float = 0.0
    failure: Failure | None = None
    notebook: str | None = None  # executed notebook, relative to the run's record folder
    peak_memory: int | None = None  # bytes, where it is known
    wait: float | None = None  # seconds before the next attempt; None: there was none
    note: str = ""  # why there was none, if one was left


@dataclass(frozen=True)
class FileTouched:
    """One file, or one folder that was listed, that a substep read or wrote undeclared."""

    path: str  # relative to the step's folder if it lies there, else absolute; a folder ends in /
    sha256: str | None = None  # of what was read, if it lies in the step's folder
    bytes: int | None = None
    seen: str = "python"  # "system": the file system told it, whichever process it was
    note: str = ""  # "not there", "removed", "changed while it ran", "link to /data/a.csv", ...

    @property
    def of_step(self) -> bool:
        """Whether it lies in the step's folder."""
        return not self.path.startswith("/")


@dataclass(frozen=True)
class FilesTouched:
    """What a substep did to files beside what it declares, as far as it was watched."""

    read: tuple[FileTouched, ...] = ()
    written: tuple[FileTouched, ...] = ()
    commands: tuple[str, ...] = ()  # programs that it started, without their arguments
    addresses: tuple[str, ...] = ()  # host:port
    watched: tuple[str, ...] = ()  # what was watched and what was not, in sentences
    complete: bool = False  # whether every file of the step that it read is in ``read``


@dataclass(frozen=True)
class SubstepRecord:
    """One substep of a run."""

    name: str  # "train.ipynb"
    status: SubstepStatus = "pending"
    started: str | None = None  # ISO 8601, UTC
    seconds: float = 0.0
    params: dict[str, Any] = field(default_factory=dict)  # secrets as references
    metrics: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[EntityRecord, ...] = ()
    outputs: tuple[EntityRecord, ...] = ()
    cells: tuple[CellRecord, ...] = ()
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    kernel_name: str | None = None
    notebook_sha256: str | None = None
    notebook: str | None = None  # executed notebook, relative to the run's record folder
    report: str | None = None  # relative to the run's record folder
    business_report: str | None = None
    interface: dict[str, Any] | None = None  # as declared: a list of dictionaries per kind
    attempts: tuple[AttemptRecord, ...] = ()  # all, in order; none if none may be tried again
    adopted_from: str | None = None  # the run that executed it; this run took over its outputs
    resumed: str = ""  # in a resumed run: from where it went on, and why; one line
    files: FilesTouched | None = None  # None: nothing was watched


@dataclass(frozen=True)
class CodeRecord:
    """Which code ran."""

    commit: str | None = None
    branch: str | None = None
    origin: str | None = None  # without user name or token
    dirty: tuple[str, ...] = ()  # changed files


@dataclass(frozen=True)
class RunRecord:
    """One run of one step."""

    run_id: str
    env_name: str
    pipeline_name: str
    zone_name: str
    step_name: str
    status: RunStatus
    started: str  # ISO 8601, UTC
    stopped: str | None = None
    seconds: float = 0.0
    interactive: bool = False
    published: bool = False  # its entities are in the commit log
    exit_code: int | None = None
    message: str = ""  # one line, for people
    url: str = ""  # the run's folder
    step_folder: str = ""
    user: str = ""
    host: str = ""
    pid: int = 0
    process_started: str = ""  # identifies the process over pid reuse
    boot_id: str = ""
    pipeline_params: dict[str, Any] = field(default_factory=dict)
    step_params: dict[str, Any] = field(default_factory=dict)
    substeps: tuple[SubstepRecord, ...] = ()
    code: CodeRecord = field(default_factory=CodeRecord)
    versions: dict[str, str] = field(default_factory=dict)
    tag: str | None = None
    resumed_from: str | None = None  # the run that this one goes on with
    pipeline_run: str | None = None  # the run of the whole pipeline that it is part of
    aside: bool = False  # nobody reads it by default: a point of a sweep, a run made again
    schema_version: int = SCHEMA_VERSION
