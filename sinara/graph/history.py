"""What earlier runs left to say about the nodes and edges of a graph, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NodeRun:
    """The last run of a step, or of a substep in it.

    Attributes:
        run_id: The run of the step.
        status: Of the step or substep: ``succeeded``, ``failed``, ``running``, ``lost``, …
        seconds: How long it took.
        started: ISO 8601, UTC.
        report: The page of the run, or of the substep: an absolute path; ``None``: none is here.
    """

    run_id: str
    status: str
    seconds: float = 0.0
    started: str | None = None
    report: str | None = None


@dataclass(frozen=True)
class EdgeData:
    """What flowed along an edge in the last run that recorded it, and in the one before.

    Attributes:
        run_id: The run whose entity it is: of a read, the run that was read.
        rows: Number of rows; ``None``: it is no table, or nobody counted.
        bytes: Size of its files.
        columns: Name and Arrow type.
        rows_before: Rows the time before; ``None``: there was none.
        bytes_before: Bytes the time before.
        fell: Whether the rows fell by more than the share that was set.
    """

    run_id: str
    rows: int | None = None
    bytes: int | None = None
    columns: tuple[tuple[str, str], ...] = ()
    rows_before: int | None = None
    bytes_before: int | None = None
    fell: bool = False


@dataclass(frozen=True)
class History:
    """Run records, laid over a graph.

    Attributes:
        steps: Last run by step id.
        substeps: The same by substep id.
        edges: By source and target.
        problems: Why the records of some step could not be read; one line each.
    """

    steps: Mapping[str, NodeRun] = field(default_factory=dict)
    substeps: Mapping[str, NodeRun] = field(default_factory=dict)
    edges: Mapping[tuple[str, str], EdgeData] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
