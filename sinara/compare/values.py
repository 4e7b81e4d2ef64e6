"""What two runs, or two commits, differ in: values, and nothing drawn yet.

``old`` is always what was given first, ``new`` what was given second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sinara.reading import CellSource
from sinara.record import EntityRecord, RunRecord

Kind = Literal["same", "changed", "added", "removed"]
CellKind = Literal["same", "formatting", "moved", "changed", "added", "removed"]
# "formatting": only spaces, comments or the like differ; "order": the same cells, elsewhere;
# "unknown": the code of a side was not kept.
CodeState = Literal["same", "formatting", "order", "changed", "unknown"]
Content = Literal["equal", "different", "unknown"]


@dataclass(frozen=True)
class Picture:
    """A picture among the outputs of a cell: its MIME type, and its data as a notebook has it."""

    kind: str
    data: str


@dataclass(frozen=True)
class Part:
    """One substep of one side, or one file of a commit.

    Attributes:
        name: Its file.
        cells: Its code cells, none that is empty or was injected; ``None`` if they were not kept.
        pictures: Of each cell, by its index in the notebook.
        params: What it was given.
        metrics: What it measured.
        inputs: What it read.
        outputs: What it wrote.
        status: How it ended; empty for a file.
        seconds: How long it took.
        failure: Why it failed, in one line.
    """

    name: str
    cells: tuple[CellSource, ...] | None = None
    pictures: Mapping[int, tuple[Picture, ...]] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[EntityRecord, ...] = ()
    outputs: tuple[EntityRecord, ...] = ()
    status: str = ""
    seconds: float | None = None
    failure: str = ""


@dataclass(frozen=True)
class Side:
    """One of the two things that are compared.

    Attributes:
        label: What to call it: a run id, or a branch with its commit.
        commit: Git commit of the code, if it is known.
        dirty: Files that differed from it.
        record: The run; ``None`` for a commit.
        params: Parameters that all substeps share, by a path such as ``step.rate``.
        versions: Of Python and packages.
        parts: Substeps or files, in their order.
    """

    label: str
    commit: str | None = None
    dirty: tuple[str, ...] = ()
    record: RunRecord | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class CellChange:
    """One code cell of one side, or one of each that belong together.

    Attributes:
        kind: What became of it.
        old: Its index in the old notebook, from 0.
        new: The same in the new one.
        lines: Its lines, each behind ``-``, ``+`` or a space; none where nothing differs.
    """

    kind: CellKind
    old: int | None
    new: int | None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class CodeDiff:
    """The code of one substep: its state, and each cell that is not the same."""

    state: CodeState
    cells: tuple[CellChange, ...] = ()
    why: str = ""  # it is unknown


@dataclass(frozen=True)
class ValueChange:
    """A parameter or version that differs."""

    name: str
    kind: Kind
    old: Any = None
    new: Any = None


@dataclass(frozen=True)
class MetricChange:
    """A metric, whether it differs or not.

    Attributes:
        name: The metric.
        kind: Whether it differs.
        old: Its value.
        new: Its value.
        difference: ``new - old``, where both are numbers.
        share: That, as a share of the old one: 0.1 is ten per cent more.
    """

    name: str
    kind: Kind
    old: Any = None
    new: Any = None
    difference: float | None = None
    share: float | None = None


@dataclass(frozen=True)
class EntityChange:
    """An entity that was read or written, whether it differs or not.

    Attributes:
        name: Of an input ``step.entity``, of an output the entity's name.
        kind: Whether anything about it differs, its run apart.
        content: Whether the digests of all its files are equal.
        runs: Of an input, the run that it was read from: old, new.
        rows: Old, new.
        bytes: Old, new.
        columns: Columns of another type, added or removed, as name, old type, new type.
        reordered: Whether the same columns stand in another order.
        paths: Of a custom input or output, where it lies: old, new.
    """

    name: str
    kind: Kind
    content: Content = "unknown"
    runs: tuple[str | None, str | None] = (None, None)
    rows: tuple[int | None, int | None] = (None, None)
    bytes: tuple[int | None, int | None] = (None, None)
    columns: tuple[ValueChange, ...] = ()
    reordered: bool = False
    paths: tuple[str | None, str | None] = (None, None)


@dataclass(frozen=True)
class PicturePair:
    """Two pictures of cells that belong together; ``None`` where a side has none."""

    cell: int  # index in the new notebook, or in the old one if there is no new cell
    old: Picture | None
    new: Picture | None

    @property
    def same(self) -> bool:
        """Whether both are there and equal, byte for byte."""
        return self.old == self.new


@dataclass(frozen=True)
class SubstepDiff:
    """One substep, or one file of a commit."""

    name: str
    kind: Kind
    code: CodeDiff
    status: tuple[str, str] = ("", "")
    seconds: tuple[float | None, float | None] = (None, None)
    failure: tuple[str, str] = ("", "")
    params: tuple[ValueChange, ...] = ()
    metrics: tuple[MetricChange, ...] = ()
    inputs: tuple[EntityChange, ...] = ()
    outputs: tuple[EntityChange, ...] = ()
    pictures: tuple[PicturePair, ...] = ()


@dataclass(frozen=True)
class Diff:
    """Everything that two sides differ in.

    Attributes:
        old: The first side.
        new: The second side.
        params: Shared parameters that differ.
        packages: Versions that differ.
        substeps: All, in the order of the new side, removed ones last.
    """

    old: Side
    new: Side
    params: tuple[ValueChange, ...] = ()
    packages: tuple[ValueChange, ...] = ()
    substeps: tuple[SubstepDiff, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing differs but time, runs, commits, and how the code is laid out."""
        return not (self.params or self.packages) and all(s.kind == "same" for s in self.substeps)
