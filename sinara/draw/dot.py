"""The graph for Graphviz: its language always, its drawing where the ``dot`` program is there."""

from __future__ import annotations

import graphviz

from sinara.draw import text
from sinara.draw.scene import Level, flow
from sinara.errors import UsageError
from sinara.graph import History, PipelineGraph

_SECONDS = 120
_FACE = "Helvetica"
_STYLES = {
    "entity": {"shape": "box", "style": "rounded,filled", "fillcolor": "#e4f4ef"},
    "tmp": {"shape": "box", "style": "rounded,dashed"},
    "custom": {"shape": "folder", "style": "filled", "fillcolor": "#fdf3dc"},
    "outside": {"shape": "box", "style": "rounded,filled", "fillcolor": "#eef0f4"},
}
_STATUS = {"succeeded": "#2a9d6f", "failed": "#d64545", "running": "#3b6fd4"}


def dot(graph: PipelineGraph, history: History | None = None, *, level: Level = "substeps") -> str:
    """Return the graph in the DOT language; the ``dot`` program is not needed.

    Args:
        graph: What to write.
        history: What runs said about it.
        level: ``steps`` leaves the substeps out.
    """
    source: str = _digraph(graph, history or History(), level).source
    return source


def render_dot(
    graph: PipelineGraph, history: History | None, form: str, *, level: Level = "substeps"
) -> bytes:
    """Return the graph as the ``dot`` program draws it.

    Args:
        graph: What to draw.
        history: What runs said about it.
        form: A format of Graphviz: ``pdf``, ``png``, ``svg``.
        level: ``steps`` leaves the substeps out.

    Raises:
        UsageError: If the program is not there, or fails.
    """
    try:
        drawn = _digraph(graph, history or History(), level).pipe(format=form, quiet=True)
    except graphviz.ExecutableNotFound:
        raise UsageError(
            f"A {form} drawing needs Graphviz: the program dot was not found. "
            "Install it: apt-get install graphviz, or write .svg or .html, which need nothing."
        ) from None
    except graphviz.CalledProcessError as error:
        said = (error.stderr or b"").decode("utf-8", "replace").strip().splitlines()
        raise UsageError(f"Graphviz failed: {said[-1] if said else error}") from None
    return bytes(drawn)


def _digraph(graph: PipelineGraph, history: History, level: Level) -> graphviz.Digraph:
    if level == "steps":
        from sinara.draw.overview import overview

        left = overview(graph, history)
        graph, history = left.graph, left.history
    number = {entity.id: f"e{place}" for place, entity in enumerate(graph.entities)}
    made = graphviz.Digraph(
        graphviz.quoting.escape(text.one_line(graph.name)),
        graph_attr={
            "rankdir": "LR",
            "fontname": _FACE,
            "labeljust": "l",
            "label": _label(graph.name),
        },
        node_attr={"fontname": _FACE, "fontsize": "11"},
        edge_attr={"fontname": _FACE, "fontsize": "9", "color": "#7f8aa0"},
    )
    wrong = {node for problem in graph.problems for node in problem.nodes}
    bad_edges = {edge for problem in graph.problems for edge in problem.edges}
    for place, step in enumerate(graph.steps):
        if not step.substeps:
            number[step.id] = f"s{place}"
            made.node(
                number[step.id], _label(step.name), **_node(step.id, history, wrong, step=True)
            )
            continue
        with made.subgraph(name=f"cluster_{place}") as card:
            card.attr(label=_label(step.name), style="rounded", color="#b6bfd0", fontsize="12")
            for substep in step.substeps:
                number[substep.id] = f"s{place}_{substep.order}"
                ran = history.substeps.get(substep.id)
                told = f"{substep.order}  {substep.name}"
                took = text.seconds(ran.seconds) if ran else ""
                label = _label(told, f"{ran.status} {took}" if ran else "")
                card.node(number[substep.id], label, **_node(substep.id, history, wrong))
            for entity in graph.entities:
                if entity.step == step.id:
                    card.node(
                        number[entity.id], **_entity(entity.kind, entity.name, entity.id in wrong)
                    )
    for entity in graph.entities:
        if entity.step is None or not any(s.id == entity.step and s.substeps for s in graph.steps):
            kind = "outside" if entity.kind == "entity" else entity.kind
            made.node(
                number[entity.id],
                **_entity(kind, entity.name, entity.id in wrong, entity.full_name),
            )
    for edge in graph.edges:
        data = history.edges.get((edge.source, edge.target))
        red = (edge.source, edge.target) in bad_edges or bool(data and data.fell)
        attributes = {"color": "#d64545"} if red else {}
        made.edge(number[edge.source], number[edge.target], _label(flow(data)), **attributes)
    return made  # fmt: skip


def _label(*lines: str) -> str:
    """Return a label of lines in which no character means anything but itself."""
    shown = [graphviz.escape(text.one_line(line)) for line in lines if line]
    return "\\n".join(shown)


def _node(id_: str, history: History, wrong: set[str], *, step: bool = False) -> dict[str, str]:
    run = (history.steps if step else history.substeps).get(id_)
    color = _STATUS.get(run.status, "#b7791f") if run else "#8f99d8"
    return {
        "shape": "box",
        "style": "rounded,filled" if step else "filled",
        "fillcolor": "#ffffff" if step else "#e9ecfc",
        "color": "#d64545" if id_ in wrong else color,
        "penwidth": "2" if id_ in wrong else "1",
    }


def _entity(kind: str, name: str, wrong: bool, full_name: str = "") -> dict[str, str]:
    color = {"color": "#d64545", "penwidth": "2"} if wrong else {"color": "#8aa39a"}
    return {**_STYLES[kind], **color, "label": _label(name, full_name)}
