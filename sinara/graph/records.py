"""What run records say about a graph: how each node ran last, and what flowed along its edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from sinara.errors import SinaraError
from sinara.graph.history import EdgeData, History, NodeRun
from sinara.graph.values import PipelineGraph, StepNode
from sinara.names import StepName
from sinara.record import EntityRecord, RunRecord, SubstepRecord
from sinara.settings import FILE_NAME, Settings, load_settings
from sinara.store import StepStore, Store, open_store

_MOST = 10  # records of a step that are looked at, newest first
_MOST_ASIDE = 200  # the same, with those that nobody reads by default
_KINDS = {
    "outputs": "entity",
    "inputs": "entity",
    "custom_inputs": "custom",
    "custom_outputs": "custom",
    "tmp_inputs": "tmp",
    "tmp_outputs": "tmp",
    "tmp_entities": "tmp",
}


def read_history(graph: PipelineGraph) -> History:
    """Read what earlier runs left about the steps of a graph. Nothing is changed.

    Args:
        graph: The graph; each step is looked up in the store of its env.

    Returns:
        The last run of each step and substep that ran at all; rows and bytes along each edge in
        the last run that recorded them, and the time before. A step whose store or records
        cannot be read has none, and ``problems`` says why.
    """
    stores = _Stores()
    history = _Gathering(graph)
    for step in graph.steps:
        if not step.pipeline_name:
            continue
        try:
            settings = stores.settings(step)
            history.row_drop = settings.row_drop
            history.add(step, stores.step(step, settings))
        except SinaraError as error:
            history.problems += [f"{Path(step.folder).name}: {line}" for line in error.lines]
    return History(history.steps, history.substeps, history.edges, tuple(history.problems))


class _Stores:
    """Settings and stores, each read or opened once for the steps that share them."""

    def __init__(self) -> None:
        self._settings: dict[Path, Settings] = {}
        self._stores: dict[tuple[str, str], Store] = {}

    def settings(self, step: StepNode) -> Settings:
        folder = Path(step.folder)
        key = folder if (folder / FILE_NAME).exists() else folder.parent
        if key not in self._settings:
            self._settings[key] = load_settings(folder)
        return self._settings[key]

    def step(self, step: StepNode, settings: Settings) -> StepStore:
        env = settings.env(step.env_name)
        key = (env.root, repr(env.storage_options))
        if key not in self._stores:
            self._stores[key] = open_store(
                env.root, storage_options=env.storage_options, durability=settings.durability
            )
        name = StepName(step.env_name, step.pipeline_name, step.zone_name, step.name)
        return self._stores[key].step(name)


@dataclass
class _Gathering:
    """A history while it is put together."""

    graph: PipelineGraph
    row_drop: float = 0.0
    steps: dict[str, NodeRun] = field(default_factory=dict)
    substeps: dict[str, NodeRun] = field(default_factory=dict)
    edges: dict[tuple[str, str], EdgeData] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        entities = {entity.id: entity for entity in self.graph.entities}
        # (substep, whether it writes, kind, full name, or name where it has none of its own)
        self._places: dict[tuple[str, bool, str, str], tuple[str, str]] = {}
        for edge in self.graph.edges:
            writes = edge.target in entities
            entity = entities[edge.target if writes else edge.source]
            called = entity.full_name if entity.kind == "entity" else entity.name
            substep = edge.source if writes else edge.target
            self._places[substep, writes, entity.kind, called] = (edge.source, edge.target)

    def add(self, step: StepNode, store: StepStore) -> None:
        """Take in the newest records of a step."""
        with_data = 0
        for place, record in enumerate(self._records(store)):
            if place == 0:
                self._note_last(step, store, record)
            if self._note_data(step, record):
                with_data += 1
            if with_data == 2:
                break

    def _records(self, store: StepStore) -> Iterator[RunRecord]:
        shown = 0
        for run_id in store.run_ids()[:_MOST_ASIDE]:
            if shown == _MOST:
                return
            try:
                record = store.read_record(run_id)
            except SinaraError as error:  # one record must not hide the others
                self.problems += error.lines
                shown += 1
                continue
            if not record.aside:
                shown += 1
                yield record

    def _note_last(self, step: StepNode, store: StepStore, record: RunRecord) -> None:
        folder = store.record_folder(record.run_id) if store.local else None
        self.steps[step.id] = NodeRun(
            record.run_id,
            record.status,
            record.seconds,
            record.started,
            _page(folder, "index.html"),
        )
        ran = {substep.name: substep for substep in record.substeps}
        for node in step.substeps:
            if (substep := ran.get(node.name)) and substep.status != "pending":
                self.substeps[node.id] = NodeRun(
                    record.run_id,
                    substep.status,
                    substep.seconds,
                    substep.started,
                    _page(folder, substep.report),
                )

    def _note_data(self, step: StepNode, record: RunRecord) -> bool:
        """Take in rows and bytes; say whether the record had any that count."""
        any_data = False
        for substep in record.substeps:
            for writes, entity in _entities(record, substep):
                called = entity.full_name if entity.kind in ("inputs", "outputs") else entity.name
                key = (f"{step.id}/{substep.name}", writes, _KINDS.get(entity.kind, ""), called)
                if (edge := self._places.get(key)) is not None:
                    self._keep(edge, entity)
                    any_data = True
        return any_data

    def _keep(self, edge: tuple[str, str], entity: EntityRecord) -> None:
        newer = self.edges.get(edge)
        if newer is None:
            self.edges[edge] = EdgeData(entity.run_id, entity.rows, entity.bytes, entity.columns)
        elif newer.rows_before is None and newer.bytes_before is None:
            self.edges[edge] = EdgeData(
                newer.run_id,
                newer.rows,
                newer.bytes,
                newer.columns,
                entity.rows,
                entity.bytes,
                fell(newer.rows, entity.rows, self.row_drop),
            )


def fell(rows: int | None, before: int | None, share: float) -> bool:
    """Say whether rows fell by more than ``share`` (0.1 is a tenth) of what there was before."""
    return rows is not None and before is not None and before - rows > share * before


def _entities(record: RunRecord, substep: SubstepRecord) -> Iterable[tuple[bool, EntityRecord]]:
    """Yield what was read, and what was written if that was published."""
    for entity in substep.inputs:
        yield False, entity
    for entity in substep.outputs if record.published else ():
        yield True, entity


def _page(folder: Path | None, name: str | None) -> str | None:
    """Return the path of a report that lies in the folder of its run: a record can say anything."""
    if folder is None or not name:
        return None
    inside = PurePath(name)
    if inside.is_absolute() or ".." in inside.parts or not (folder / inside).is_file():
        return None
    return str(folder / inside)
