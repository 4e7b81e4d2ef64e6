"""What is where in the picture: cards, boxes and lines, with their texts, and no markup yet.

A step is a card. Inside it its substeps and entities are laid out from left to right; then the
cards, and the entities of no card, are laid out among each other. A line between two
cards passes the border of each at a port, to which it has a lane inside the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sinara.draw import text
from sinara.draw.layers import Arranged, Arrow, Node, arrange
from sinara.draw.overview import overview
from sinara.graph import EdgeData, EntityNode, History, NodeRun, PipelineGraph, StepNode

Level = Literal["substeps", "steps"]
Point = tuple[float, float]

NAME, SMALL, HEAD = 13.0, 11.0, 14.0  # sizes of text, in pixels
MOST = 240.0  # widest text
_CARD_HEAD = 46.0
_PAD = 14.0
_TITLE = 58.0  # height of the picture's own title
_MARGIN = 28.0


@dataclass(frozen=True)
class Box:
    """A substep or an entity.

    Attributes:
        id: Of the node in the graph.
        kind: ``substep``, ``entity``, ``tmp``, ``custom`` or ``outside``: an entity of another
            pipeline, env or zone.
        x: Left.
        y: Top.
        width: In pixels.
        height: In pixels.
        name: What stands in it, cut to fit.
        note: The small line below.
        status: Of its last run.
        mark: ``error``, ``warning`` or nothing: what its problems are.
        fell: Whether its rows fell.
        order: The number of a substep in its step.
        missing: Whether it is an input that nobody writes.
    """

    id: str
    kind: str
    x: float
    y: float
    width: float
    height: float
    name: str
    note: str = ""
    status: str = ""
    mark: str = ""
    fell: bool = False
    order: int = 0
    missing: bool = False


@dataclass(frozen=True)
class Card:
    """A step, around its boxes."""

    id: str
    x: float
    y: float
    width: float
    height: float
    name: str
    note: str = ""
    status: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Line:
    """An edge: points of its way, in pairs that are horizontal; or corners, if it leads back."""

    source: str
    target: str
    points: tuple[Point, ...]
    back: bool = False
    fell: bool = False
    wrong: bool = False
    tip: str = ""


@dataclass(frozen=True)
class Scene:
    """The whole picture."""

    name: str
    subtitle: str
    width: float
    height: float
    cards: tuple[Card, ...]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def make_scene(
    graph: PipelineGraph, history: History | None = None, *, level: Level = "substeps"
) -> Scene:
    """Lay out a graph.

    Args:
        graph: What to draw.
        history: What runs said about it.
        level: ``steps`` leaves out the substeps, and the entities that steps here write.
    """
    history = history or History()
    if level == "substeps":
        return _Making(graph, history, _subtitle(graph)).scene()
    left = overview(graph, history)
    return _Making(left.graph, left.history, _subtitle(graph), left.tips).scene()


@dataclass
class _Inside:
    """The inside of a card: what it holds, its ports, and how they were arranged."""

    members: list[str] = field(default_factory=list)  # node ids
    index: dict[str, int] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)  # those inside, beside ``arrows``
    ports: dict[tuple[str, bool], int] = field(default_factory=dict)  # (node, leaves) -> number
    way_of: dict[int, int] = field(default_factory=dict)  # port -> place in ``arrows``
    arranged: Arranged | None = None
    width: float = 0.0
    height: float = 0.0

    def at(self, number: int) -> Point:
        assert self.arranged is not None
        return self.arranged.places[number]

    def port(self, node: str, *, leaves: bool) -> float:
        """Return how far below the card's top its border is passed."""
        return self.at(self.ports[node, leaves])[1] + _CARD_HEAD

    def way(self, node: str, *, leaves: bool) -> list[Point]:
        """Return the way between a node and its port, from the card's left top corner."""
        assert self.arranged is not None
        route = self.arranged.routes[self.way_of[self.ports[node, leaves]]]
        return [(x + _PAD, y + _CARD_HEAD) for x, y in route]


class _Making:
    """A scene while it is made."""

    def __init__(
        self,
        graph: PipelineGraph,
        history: History,
        subtitle: str,
        tips: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self.graph, self.history, self.subtitle = graph, history, subtitle
        self.tips = tips or {}
        self.differing = [
            kind
            for kind in ("env_name", "pipeline_name", "zone_name")
            if len({getattr(step, kind) for step in graph.steps}) > 1
        ]
        self.marks: dict[str, str] = {}
        self.wrong: set[tuple[str, str]] = set()
        for problem in graph.problems:
            for node in problem.nodes:
                if self.marks.get(node) != "error":
                    self.marks[node] = problem.severity
            self.wrong.update(problem.edges)
        self.missing = {
            node for p in graph.problems if p.code == "missing-producer" for node in p.nodes
        }
        self.boxes: dict[str, Box] = {}
        self.home: dict[str, str] = {}  # node -> card
        written = {edge.target: edge for edge in graph.edges}
        for step in graph.steps:
            for substep in step.substeps:
                run = self.history.substeps.get(substep.id)
                self.home[substep.id] = step.id
                self._box(substep.id, "substep", substep.name, _ran(run), run, order=substep.order)
        for entity in graph.entities:
            edge = written.get(entity.id)
            data = self.history.edges.get((edge.source, edge.target)) if edge else None
            kind = "outside" if entity.kind == "entity" and not entity.step else entity.kind
            if entity.step is not None:
                self.home[entity.id] = entity.step
            note = flow(data) or self._owner(entity, kind)
            fell = bool(data and data.fell)
            self._box(entity.id, kind, entity.name, note, None, fell=fell)

    def _owner(self, entity: EntityNode, kind: str) -> str:
        if kind == "outside":
            return entity.full_name.removesuffix(f".{entity.name}")
        return entity.full_name if kind == "custom" else ""

    def _box(
        self, id_: str, kind: str, name: str, note: str, run: NodeRun | None, *,
        fell: bool = False, order: int = 0,
    ) -> None:  # fmt: skip
        name, note = text.shorten(name, NAME, MOST), text.shorten(note, SMALL, MOST)
        mark = self.marks.get(id_, "")
        inner = max(text.width(name, NAME) + (18 if order else 0), text.width(note, SMALL))
        width = inner + 28 + (20 if mark else 0) + (6 if kind != "substep" else 0)
        self.boxes[id_] = Box(
            id_, kind, 0, 0, max(64.0, width), 42.0 if note else 30.0, name, note,
            run.status if run else "", mark, fell, order, id_ in self.missing and kind != "substep",
        )  # fmt: skip

    # -- inside of each card -----------------------------------------------------------------

    def scene(self) -> Scene:
        self.insides = {step.id: _Inside() for step in self.graph.steps}
        for node, home in self.home.items():
            inside = self.insides[home]
            inside.index[node] = len(inside.members)
            inside.members.append(node)
        self.outer: list[tuple[str, str]] = []
        for edge in self._edges():
            source, target = self.home.get(edge[0]), self.home.get(edge[1])
            if source is not None and source == target:
                inside = self.insides[source]
                inside.arrows.append(Arrow(inside.index[edge[0]], inside.index[edge[1]]))
                inside.edges.append(edge)
            else:
                self.outer.append(edge)
        self._open_ports()
        for step in self.graph.steps:
            self._arrange_inside(step)
        return self._arrange_outside()

    def _edges(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((edge.source, edge.target) for edge in self.graph.edges))

    def _open_ports(self) -> None:
        """Let every line that crosses the border of a card do so in a place of its own."""
        for source, target in self.outer:
            for node, leaves in ((source, True), (target, False)):
                home = self.home.get(node)
                if home is None or (node, leaves) in self.insides[home].ports:
                    continue
                inside = self.insides[home]
                number = len(inside.members) + len(inside.ports)
                inside.ports[node, leaves] = number
                inside.way_of[number] = len(inside.arrows)
                ends = (inside.index[node], number)
                inside.arrows.append(Arrow(*(ends if leaves else ends[::-1])))

    def _arrange_inside(self, step: StepNode) -> None:
        inside = self.insides[step.id]
        nodes = [Node(self.boxes[m].width, self.boxes[m].height) for m in inside.members]
        nodes += [Node(0.0, 0.0, "last" if leaves else "first") for _, leaves in inside.ports]
        inside.arranged = arrange(nodes, inside.arrows, gap=34.0, space=12.0)
        head = text.width(self._head(step), HEAD) + 60
        under = text.width(self._note(step), SMALL) + 60
        content = inside.arranged.width + 2 * _PAD
        inside.width = max(content, head, under, 120.0)
        inside.height = _CARD_HEAD + (inside.arranged.height + _PAD if inside.members else 6.0)

    def _head(self, step: StepNode) -> str:
        return text.shorten(step.name, HEAD, MOST)

    def _note(self, step: StepNode) -> str:
        parts = [self._where(step), _ran(self.history.steps.get(step.id))]
        return text.shorten(" · ".join(part for part in parts if part), SMALL, MOST * 1.5)

    def _where(self, step: StepNode) -> str:
        """Return env, pipeline and zone of a step, if the steps differ in them."""
        return " / ".join(name for kind in self.differing if (name := getattr(step, kind)))

    # -- cards among each other --------------------------------------------------------------

    def _arrange_outside(self) -> Scene:
        free = [node for node in self.boxes if node not in self.home]
        number = {step.id: n for n, step in enumerate(self.graph.steps)}
        number |= {node: len(number) + n for n, node in enumerate(free)}
        nodes = [Node(i.width, i.height) for i in self.insides.values()]
        nodes += [Node(self.boxes[node].width, self.boxes[node].height) for node in free]
        arrows = [
            Arrow(
                number[self.home.get(source, source)],
                number[self.home.get(target, target)],
                self._border(source, leaves=True),
                self._border(target, leaves=False),
            )
            for source, target in self.outer
        ]
        whole = arrange(nodes, arrows, gap=64.0, space=26.0)
        shift_x, shift_y = _MARGIN, _TITLE
        lowest = min((x for route in whole.routes for x, _ in route), default=0.0)
        if lowest < 0:
            shift_x -= lowest
        at = [(x + shift_x, y + shift_y) for x, y in whole.places]
        cards = tuple(self._card(step, at[n]) for n, step in enumerate(self.graph.steps))
        corners = {card.id: (card.x, card.y) for card in cards}
        boxes = [self._placed(node, at[number[node]]) for node in free]
        lines: list[Line] = []
        for step in self.graph.steps:
            self._put_inside(step, corners[step.id], boxes, lines)
        for (source, target), route, back in zip(self.outer, whole.routes, whole.back, strict=True):
            points = [(x + shift_x, y + shift_y) for x, y in route]
            points = self._to_border(source, corners, leaves=True) + points
            points += self._to_border(target, corners, leaves=False)
            lines.append(self._line(source, target, points, back=back))
        right = max((point[0] for line in lines for point in line.points), default=0.0)
        width = max(whole.width + shift_x, right) + _MARGIN
        return Scene(
            self.graph.name, self.subtitle, max(width, 420.0), whole.height + shift_y + _MARGIN,
            cards, tuple(boxes), tuple(lines),
        )  # fmt: skip

    def _border(self, node: str, *, leaves: bool) -> float | None:
        home = self.home.get(node)
        return None if home is None else self.insides[home].port(node, leaves=leaves)

    def _to_border(self, node: str, corners: Mapping[str, Point], *, leaves: bool) -> list[Point]:
        home = self.home.get(node)
        if home is None:
            return []
        x, y = corners[home]
        inside = self.insides[home]
        way = [(x + px, y + py) for px, py in inside.way(node, leaves=leaves)]
        right = x + inside.width
        return [*way, (right, way[-1][1])] if leaves else [(x, way[0][1]), *way]

    def _card(self, step: StepNode, at: Point) -> Card:
        inside = self.insides[step.id]
        run = self.history.steps.get(step.id)
        return Card(
            step.id, *at, inside.width, inside.height, self._head(step), self._note(step),
            run.status if run else "", self.marks.get(step.id, ""),
        )  # fmt: skip

    def _placed(self, node: str, at: Point) -> Box:
        box = self.boxes[node]
        return Box(**{**vars(box), "x": at[0], "y": at[1]})

    def _put_inside(
        self, step: StepNode, corner: Point, boxes: list[Box], lines: list[Line]
    ) -> None:
        inside = self.insides[step.id]
        assert inside.arranged is not None
        x, y = corner[0] + _PAD, corner[1] + _CARD_HEAD
        for node in inside.members:
            left, top = inside.at(inside.index[node])
            boxes.append(self._placed(node, (left + x, top + y)))
        routes = zip(inside.edges, inside.arranged.routes, inside.arranged.back, strict=False)
        for (source, target), route, back in routes:
            points = [(px + x, py + y) for px, py in route]
            lines.append(self._line(source, target, points, back=back))

    def _line(self, source: str, target: str, points: list[Point], *, back: bool) -> Line:
        data = self.history.edges.get((source, target))
        wrong = (source, target) in self.wrong
        tip = [f"{source} → {target}", self.tips.get((source, target), "")]
        if data:
            tip += [flow(data), data.run_id]
        return Line(
            source, target, tuple(points), back, bool(data and data.fell), wrong,
            "\n".join(line for line in tip if line),
        )  # fmt: skip


def _subtitle(graph: PipelineGraph) -> str:
    counts = (
        (len(graph.steps), "step", "steps"),
        (sum(len(step.substeps) for step in graph.steps), "substep", "substeps"),
        (len(graph.entities), "entity", "entities"),
        (len(graph.problems), "problem", "problems"),
    )
    return " · ".join(f"{n:,} {one if n == 1 else many}" for n, one, many in counts if n)


def _ran(run: NodeRun | None) -> str:
    if run is None:
        return ""
    told = run.status if run.status != "succeeded" else ""
    took = text.seconds(run.seconds) if run.seconds or run.status == "succeeded" else ""
    return " ".join(part for part in (told, took) if part)


def flow(data: EdgeData | None) -> str:
    """Return rows, bytes and how the rows changed, in words; nothing if nobody knows."""
    if data is None:
        return ""
    parts = [text.rows(data.rows), text.size(data.bytes)]
    shown = " · ".join(part for part in parts if part)
    return f"{shown}  {text.change(data.rows, data.rows_before)}".rstrip()
