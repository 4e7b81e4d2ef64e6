"""Keeps the page of a run up to date while it goes; it never costs more than a small share."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace
from pathlib import Path

from sinara.draw.text import change
from sinara.errors import SinaraError
from sinara.graph import History, NodeRun, PipelineGraph, read_graph, read_history
from sinara.pipeline.load import Pipeline
from sinara.pipeline.log import NAME as LOG_NAME
from sinara.pipeline.page import build, tail
from sinara.record import PipelineRecord, StepState
from sinara.store.pipelines import PipelineRuns

PAGE_NAME = "index.html"
_LEAST = 1.0  # s between two pages
_SHARE = 20  # a page is written again after so many times what it cost
_ALIVE = 20.0  # s; so often also if nothing changed: the page says when it was written


class Watcher:
    """Writes the page of one run.

    Args:
        folder: Where.
        pipeline: What runs.
    """

    def __init__(self, folder: Path, pipeline: Pipeline) -> None:
        self._folder = folder
        folders = [step.folder for step in pipeline.steps]
        self._graph = None if pipeline.points else _graph(folders, pipeline.env_name)
        self._history = History({}, {}, {}, ())
        self._ended: frozenset[str] | None = None
        self._steps: tuple[StepState, ...] = ()
        self._next = time.monotonic() + _LEAST
        self._alive = 0.0

    def show(self, record: PipelineRecord, *, now: bool = False) -> None:
        """Write the page, if it is time to and there is something new.

        Args:
            record: How the run stands.
            now: In any case.
        """
        began = time.monotonic()
        changed = record.steps != self._steps or began >= self._alive
        if not now and (began < self._next or not changed):
            return
        self._steps = record.steps
        self._look(record)
        with contextlib.suppress(OSError):  # evidence of the run, which goes on without it
            self._write(record)
        took = time.monotonic() - began
        self._next = began + max(_LEAST, _SHARE * took)
        self._alive = began + _ALIVE

    def fallen(self, record: PipelineRecord) -> tuple[str, ...]:
        """Return a line for each entity that this run wrote with far fewer rows than before.

        What has fewer only because it is made of such an entity is not told again.
        """
        if self._graph is None:
            return ()
        self._look(record)
        ran = {step.folder for step in record.steps if step.status == "succeeded"}
        ours = {step.id for step in self._graph.steps if step.folder in ran}
        written = {entity.id: entity for entity in self._graph.entities if entity.step in ours}
        fell = {target for (_, target), data in self._history.edges.items() if data.fell}
        hit = {edge.target for edge in self._graph.edges if edge.source in fell}
        return tuple(
            f"{written[target].full_name} has {data.rows:,} rows, and had {data.rows_before:,} "
            f"the time before ({change(data.rows, data.rows_before)})"
            for (source, target), data in sorted(self._history.edges.items())
            if data.fell and target in written and source not in hit
        )

    def _look(self, record: PipelineRecord) -> None:
        """Read what the steps left, if one more has ended since."""
        ended = frozenset(
            step.name for step in record.steps if step.status not in ("pending", "running")
        )
        if self._graph is not None and ended != self._ended:
            self._ended = ended
            self._history = _read(self._graph, self._history)

    def _write(self, record: PipelineRecord) -> None:
        history = with_states(self._graph, self._history, record)
        text = build(record, self._graph, history, _log(self._folder), self._folder)
        beside = self._folder / f".{PAGE_NAME}.new"
        beside.write_text(text, encoding="utf-8")
        beside.replace(self._folder / PAGE_NAME)


def _read(graph: PipelineGraph, before: History) -> History:
    try:
        return read_history(graph)
    except SinaraError:
        return before


def write_lost(runs: PipelineRuns, record: PipelineRecord) -> None:
    """Write the page of a run whose process was killed: only now it is known how it ended."""
    folder = runs.folder(record.run_id)
    folders = [Path(step.folder) for step in record.steps]
    graph = None if record.points else _graph(folders, record.env_name)
    empty = History({}, {}, {}, ())
    history = _read(graph, empty) if graph else empty
    place = folder or Path()
    text = build(record, graph, with_states(graph, history, record), _log(place), place)
    runs.put_file(record.run_id, PAGE_NAME, text.encode("utf-8", "replace"))


def with_states(graph: PipelineGraph | None, history: History, record: PipelineRecord) -> History:
    """Return a history in which the nodes are as this run says, and edges as records do."""
    if graph is None:
        return history
    states = {step.folder: step for step in record.steps}
    steps: dict[str, NodeRun] = {}
    substeps: dict[str, NodeRun] = {}
    for node in graph.steps:
        state = states.get(node.folder)
        if state is None or state.status == "pending":
            continue
        run_id = state.run_id or ""
        steps[node.id] = NodeRun(run_id, state.status, state.seconds, state.started, state.report)
        for one in state.substeps:
            if one.status != "pending":
                substeps[f"{node.id}/{one.name}"] = NodeRun(
                    one.source or run_id, one.status, one.seconds, one.started
                )
    return replace(history, steps=steps, substeps=substeps)


def _graph(folders: list[Path], env_name: str) -> PipelineGraph | None:
    try:
        return read_graph(folders, env_name=env_name)
    except SinaraError:  # it can be run and not drawn
        return None


def _log(folder: Path) -> list[str]:
    try:
        lines = (folder / LOG_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return tail(map(_told, lines[-300:]))


def _told(line: str) -> str:
    try:
        event = json.loads(line)
    except ValueError:
        return line
    place = "/".join(filter(None, (event.get("step"), event.get("substep"))))
    at, kind, text = (str(event.get(name, "")) for name in ("time", "kind", "text"))
    return f"{at[11:19]}  {place}  {kind}  {text}"
