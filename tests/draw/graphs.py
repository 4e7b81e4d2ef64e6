"""Graphs to draw, made without files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sinara.graph import EdgeData, History, NodeRun, PipelineGraph
from sinara.graph.build import build_graph
from sinara.graph.read import StepReading, SubstepReading
from sinara.interface import make_interface

Steps = Mapping[str, Sequence[tuple[Sequence[str], Sequence[str]]]]


def graph_of(steps: Steps, name: str | None = None) -> PipelineGraph:
    """Return the graph of steps: for each the inputs (``step.entity``) and outputs of its substeps."""
    readings = [
        StepReading(
            f"/steps/p-{step}", "user", "p", "zone", step,
            tuple(
                SubstepReading(f"s{n}.ipynb", (("rows", "100"),), make_interface(
                    inputs=[dict(zip(("STEP_NAME", "ENTITY_NAME"), i.split("."), strict=True)) for i in inputs],
                    outputs=[{"ENTITY_NAME": o} for o in outputs],
                ))
                for n, (inputs, outputs) in enumerate(substeps, start=1)
            ),
        )
        for step, substeps in steps.items()
    ]  # fmt: skip
    return build_graph(readings, name)


def history_of(graph: PipelineGraph, report: str | None = None, **edge: object) -> History:
    """Return a history in which everything ran and something flowed along every edge."""
    run = NodeRun("run-26-01-01-000000", "succeeded", 2.5, "2026-01-01T00:00:00+00:00", report)
    data = EdgeData("run-26-01-01-000000", **{"rows": 80, "bytes": 1200, **edge})  # type: ignore[arg-type]
    return History(
        {step.id: run for step in graph.steps},
        {sub.id: run for step in graph.steps for sub in step.substeps},
        {(e.source, e.target): data for e in graph.edges},
    )


CHAIN: Steps = {
    "load": [([], ["raw"])],
    "prep": [(["load.raw"], ["rows"]), (["prep.rows"], ["train", "test"])],
    "train": [(["prep.train"], ["model"])],
    "eval": [(["train.model", "prep.test"], ["scores"])],
}
CIRCLE: Steps = {
    "a": [(["c.z"], ["x"])],
    "b": [(["a.x"], ["y"]), (["b.late"], []), ([], ["late"])],
    "c": [(["b.y"], ["z"])],
}
