"""The graph as one HTML page: pan, zoom, search, and click a node for all that is known of it.

The page needs nothing but itself. Its script and styles are let through by their hashes and
nothing else is: no request, no other script. What it knows of the nodes is JSON in a block that is
no script, and goes into the page as text only. Without a script the picture is still there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sinara.draw import text
from sinara.draw.scene import Scene, flow, make_scene
from sinara.draw.svg import body, definitions, style
from sinara.graph import EntityNode, History, NodeRun, PipelineGraph
from sinara.report.frame import digest

Link = Callable[[str], str]


def file_link(path: str) -> str:
    """Return a link to a file of this machine."""
    return Path(path).as_uri()


def link_beside(folder: Path) -> Link:
    """Return a function that links files from a page in ``folder``, so that both can move."""

    def link(path: str) -> str:
        try:
            return "./" + quote(Path(os.path.relpath(path, folder)).as_posix())
        except ValueError:  # another drive
            return file_link(path)

    return link


def page(graph: PipelineGraph, history: History | None = None, *, link: Link = file_link) -> str:
    """Return the page of a graph.

    Args:
        graph: What to show.
        history: What runs said about it.
        link: Makes the address of a report from its path.
    """
    scenes = [make_scene(graph, history, level=level) for level in ("substeps", "steps")]
    facts = _Known(graph, history or History(), link).facts(scenes)
    drawn = "".join(
        f'<g class="level"{" hidden" if number else ""}>{body(scene, tips=False)}</g>'
        for number, scene in enumerate(scenes)
    ).replace(" hidden>", ' hidden="">')
    width, height = round(scenes[0].width), round(scenes[0].height)
    styles, script = style(), _file("page.js")
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; script-src {digest(script)}; "
        f"style-src {digest(_file('page.css'))} {digest(styles)}"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{_shown(graph.name)}</title><style>{_file('page.css')}</style>"
        f"</head><body>{_header(graph, scenes[0])}<main>"
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" tabindex="0" '
        f'aria-label="{_shown(graph.name)}"><style>{styles}</style>{definitions()}'
        f'<g id="view">{drawn}</g></svg><aside aria-live="polite"></aside></main>'
        f"{_problems(graph)}"
        f'<script type="application/json" id="data">{_embedded(facts)}</script>'
        f"<script>{script}</script></body></html>\n"
    )


@cache
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _shown(value: str) -> str:
    return escape(text.one_line(value), quote=True)


def _embedded(value: Any) -> str:
    """Return JSON that ends no block and begins no comment, wherever it stands in HTML."""
    dumped = json.dumps(_visible(value), separators=(",", ":"))  # ASCII only
    return dumped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _visible(value: Any) -> Any:
    """Return JSON with its texts as they are shown: no character turns or hides another."""
    if isinstance(value, str):
        if value.isprintable():
            return value
        mark = "\t" if value.startswith("\t") else ""  # of an address: see _Known._run
        return mark + text.one_line(value.removeprefix("\t"))
    if isinstance(value, dict):
        return {key: _visible(each) for key, each in value.items()}
    return [_visible(each) for each in value] if isinstance(value, list | tuple) else value


def _header(graph: PipelineGraph, scene: Scene) -> str:
    return (
        f"<header><div><h1>{_shown(graph.name)}</h1><p>{_shown(scene.subtitle)}</p></div>"
        '<div class="tools"><input id="search" type="search" placeholder="Search (/)" '
        'aria-label="Search"><span id="count" role="status"></span>'
        '<button id="level" aria-pressed="false">Steps only</button>'
        '<button id="out" aria-label="Zoom out">−</button>'  # noqa: RUF001 - a minus on a button
        '<button id="in" aria-label="Zoom in">+</button>'
        '<button id="fit">Fit</button></div></header>'
    )


def _problems(graph: PipelineGraph) -> str:
    if not graph.problems:
        return ""
    lines = "".join(
        f'<li class="{problem.severity}">{_shown(problem.text)}</li>' for problem in graph.problems
    )
    return f'<section id="problems"><h2>Problems</h2><ul>{lines}</ul></section>'


class _Table:
    """Values that many nodes share, each kept once. The first place means: none."""

    def __init__(self) -> None:
        self.values: list[Any] = [None]
        self._places: dict[Any, int] = {}

    def put(self, value: Any) -> int:
        if value not in self._places:
            self._places[value] = len(self.values)
            self.values.append(value)
        return self._places[value]


class _Known:
    """What the page knows, gathered; nodes are numbers in it."""

    def __init__(self, graph: PipelineGraph, history: History, link: Link) -> None:
        self.graph, self.history, self.link = graph, history, link
        self.parameters, self.columns, self.runs, self.flows = (_Table() for _ in range(4))
        ids = [step.id for step in graph.steps]
        ids += [substep.id for step in graph.steps for substep in step.substeps]
        ids += [entity.id for entity in graph.entities]
        self.number = {id_: place for place, id_ in enumerate(ids)}
        self.schemas = _schemas(graph, history)

    def facts(self, scenes: Sequence[Scene]) -> dict[str, Any]:
        """Return everything: nodes, edges in the order of the first scene's lines, tables."""
        nodes = [*self._steps(), *self._substeps(), *map(self._entity, self.graph.entities)]
        edges = []
        for line in scenes[0].lines:
            told = flow(self.history.edges.get((line.source, line.target)))
            ends = [self.number[line.source], self.number[line.target]]
            edges.append([*ends, self.flows.put(told)] if told else ends)
        problems = [
            [p.severity, p.text, [self.number[node] for node in p.nodes if node in self.number]]
            for p in self.graph.problems
        ]
        levels = [self._level(scene) for scene in scenes]
        levels[0]["lines"] = None  # they are the edges
        return {
            "nodes": nodes,
            "edges": edges,
            "levels": levels,
            "problems": problems,
            "parameters": self.parameters.values,
            "columns": self.columns.values,
            "runs": self.runs.values,
            "flows": self.flows.values,
        }

    def _level(self, scene: Scene) -> dict[str, Any]:
        """Return which node each card, box and line of a scene is, in its order."""
        return {
            "cards": [self.number[card.id] for card in scene.cards],
            "boxes": [self.number[box.id] for box in scene.boxes],
            "lines": [[self.number[line.source], self.number[line.target]] for line in scene.lines],
        }

    def _steps(self) -> Iterator[dict[str, Any]]:
        for step in self.graph.steps:
            run = self.history.steps.get(step.id)
            folder = self._folder(run)
            node = {"k": "step", "n": step.name, "i": step.id, "f": step.folder}
            yield {**node, **({"u": folder} if folder else {}), **self._run(run, folder)}

    def _substeps(self) -> Iterator[dict[str, Any]]:
        for step in self.graph.steps:
            folder = self._folder(self.history.steps.get(step.id))
            for substep in step.substeps:
                run = self.history.substeps.get(substep.id)
                node = {"k": "substep", "n": substep.name, "s": self.number[step.id]}
                if substep.parameters:
                    node["p"] = self.parameters.put(substep.parameters)
                yield {**node, **self._run(run, folder)}

    def _entity(self, entity: EntityNode) -> dict[str, Any]:
        node: dict[str, Any] = {"k": entity.kind, "n": entity.name}
        if entity.step is not None:
            node["s"] = self.number[entity.step]
        if entity.step is None or entity.kind == "custom":
            node["f"] = entity.full_name
        if entity.id in self.schemas:
            node["c"] = self.columns.put(self.schemas[entity.id])
        return node

    def _folder(self, run: NodeRun | None) -> str:
        """Return where the reports of a step's run lie; the substeps' addresses begin with it."""
        return self.link(run.report).rpartition("/")[0] + "/" if run and run.report else ""

    def _run(self, run: NodeRun | None, folder: str) -> dict[str, Any]:
        if run is None:
            return {}
        address = self.link(run.report) if run.report else ""
        if folder and address.startswith(folder):
            address = f"\t{address[len(folder) :]}"  # a tab stands for the folder
        told = (run.status, text.moment(run.started), run.run_id)
        return {"r": [self.runs.put(told), text.seconds(run.seconds), address]}


def _schemas(graph: PipelineGraph, history: History) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the columns of each entity that has any, as it was written; else as it was read."""
    entities = {entity.id for entity in graph.entities}
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for (source, target), data in history.edges.items():
        if data.columns and target in entities:
            found[target] = data.columns
        elif data.columns:
            found.setdefault(source, data.columns)
    return found
