"""The graph for Mermaid, which GitHub, GitLab and JupyterLab draw in Markdown.

Source:
    mermaid.js.org/syntax/flowchart.html: node ids are ours (letters and digits), and every text
    stands in quotes with what could end it as entity codes.
"""

from __future__ import annotations

from sinara.draw import text
from sinara.draw.scene import Level, flow
from sinara.graph import EntityNode, History, PipelineGraph

_PLAIN = frozenset(" _-./:,()+=→·▲▼±%")


def mermaid(
    graph: PipelineGraph, history: History | None = None, *, level: Level = "substeps"
) -> str:
    """Return the graph as a Mermaid flowchart.

    Args:
        graph: What to write.
        history: What runs said about it.
        level: ``steps`` leaves the substeps out.
    """
    history = history or History()
    if level == "steps":
        from sinara.draw.overview import overview

        left = overview(graph, history)
        graph, history = left.graph, left.history
    number = {entity.id: f"e{place}" for place, entity in enumerate(graph.entities)}
    lines = ["flowchart LR"]
    inside: set[str] = set()
    for place, step in enumerate(graph.steps):
        if not step.substeps:
            number[step.id] = f"s{place}"
            lines.append(f"  s{place}[{_quoted(step.name)}]:::substep")
            continue
        lines.append(f"  subgraph s{place}[{_quoted(step.name)}]")
        for substep in step.substeps:
            number[substep.id] = f"s{place}n{substep.order}"
            lines.append(f"    {number[substep.id]}[{_quoted(substep.name)}]:::substep")
        for entity in graph.entities:
            if entity.step == step.id:
                inside.add(entity.id)
                lines.append(f"    {_entity(number[entity.id], entity)}")
        lines.append("  end")
    for entity in graph.entities:
        if entity.id not in inside:
            lines.append(f"  {_entity(number[entity.id], entity)}")
    wrong = []
    for place, edge in enumerate(graph.edges):
        data = history.edges.get((edge.source, edge.target))
        told = flow(data)
        arrow = f"-- {_quoted(told)} -->" if told else "-->"
        lines.append(f"  {number[edge.source]} {arrow} {number[edge.target]}")
        if data and data.fell:
            wrong.append(str(place))
    lines += [
        "  classDef substep fill:#e9ecfc,stroke:#b3bcf0,color:#1f2937",
        "  classDef entity fill:#e4f4ef,stroke:#93cdb9,color:#1f2937",
        "  classDef custom fill:#fdf3dc,stroke:#e0c17a,color:#1f2937",
        "  classDef tmp fill:#ffffff,stroke:#9aa3b2,color:#1f2937,stroke-dasharray:4 3",
        "  classDef problem stroke:#d64545,stroke-width:2px",
    ]
    marked = {node for problem in graph.problems for node in problem.nodes} & number.keys()
    if marked:
        lines.append(f"  class {','.join(sorted(number[node] for node in marked))} problem")
    if wrong:
        lines.append(f"  linkStyle {','.join(wrong)} stroke:#d64545,stroke-width:2px")
    return "\n".join(lines) + "\n"


def _entity(number: str, entity: EntityNode) -> str:
    if entity.kind == "custom":
        return f"{number}[/{_quoted(entity.full_name)}/]:::custom"
    shown = entity.name if entity.step else entity.full_name
    return f"{number}([{_quoted(shown)}]):::{entity.kind}"


def _quoted(value: str) -> str:
    """Return a text in quotes; what is neither letter, digit nor harmless becomes its code."""
    shown = text.one_line(value)
    return '"' + "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in shown) + '"'
