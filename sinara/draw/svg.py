"""A scene as SVG: static, with nothing in it that runs, loads or leads anywhere.

Every text is escaped here and nowhere else. Classes are one letter long and numbers are whole
pixels: a page of a thousand notebooks has to stay below a megabyte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape
from pathlib import Path

from sinara.draw import text
from sinara.draw.scene import Box, Card, Level, Line, Point, Scene, make_scene
from sinara.graph import History, PipelineGraph, Problem

_SHAPES = {"substep": "s", "entity": "e", "tmp": "t", "custom": "k", "outside": "o"}
_CORNERS = {"substep": 7, "custom": 3}
_ICONS = {"succeeded": "ok", "reused": "ok", "failed": "bad", "running": "run"}
_MOST_PROBLEMS = 10
_NEARLY = 4  # pixels between two heights that are one; less than a lane
_LINE = 18  # pixels between two lines of text
# What is drawn into the disc of an icon, 14 pixels wide.
_SIGNS = {
    "ok": "M4 7.3 6.2 9.5 10.2 4.8",
    "bad": "M4.7 4.7 9.3 9.3M9.3 4.7 4.7 9.3",
    "run": "M5.6 4.2 9.6 7 5.6 9.8Z",
    "odd": "M7 3.6V7.6M7 10.2V10.3",
}


def svg(graph: PipelineGraph, history: History | None = None, *, level: Level = "substeps") -> str:
    """Return the picture of a graph as an SVG document.

    Args:
        graph: What to draw.
        history: What runs said about it.
        level: ``substeps``, or ``steps`` for the steps and the entities between them.
    """
    return document(make_scene(graph, history, level=level), graph.problems)


def document(scene: Scene, problems: Sequence[Problem] = ()) -> str:
    """Return a scene with its title, legend and problems as an SVG document."""
    below = [*_legend(scene), *_told(scene, problems)]
    told = min(len(problems), _MOST_PROBLEMS) + (len(problems) > _MOST_PROBLEMS)
    height = round(scene.height) + 34 + (told * _LINE + 14 if told else 0)
    longest = max((text.width(line, 12) for line in _lines(problems)), default=0.0)
    width = round(max(scene.width, longest + 76, 640))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">'
        f"<title>{_text(scene.name)}</title><style>{style()}</style>{definitions()}"
        f'<rect class="bg" width="{width}" height="{height}"/>'
        f'<text class="title" x="28" y="30">{_text(scene.name)}</text>'
        f'<text class="sub" x="28" y="48">{_text(scene.subtitle)}</text>'
        f"{body(scene)}{''.join(below)}</svg>"
    )


def body(scene: Scene, *, tips: bool = True) -> str:
    """Return cards, lines and boxes alone, each in a group of its own and in the scene's order.

    Args:
        scene: What to draw.
        tips: Whether each says what it is when a mouse rests on it.
    """
    cards = "".join(_card(card, tips=tips) for card in scene.cards)
    lines = "".join(_line(line, tips=tips) for line in scene.lines)
    boxes = "".join(_box(box, tips=tips) for box in scene.boxes)
    return f'<g class="cards">{cards}</g><g class="lines">{lines}</g><g class="boxes">{boxes}</g>'


@cache
def style() -> str:
    """Return the styles of a picture."""
    lines = (Path(__file__).parent / "picture.css").read_text(encoding="utf-8").splitlines()
    return "".join(lines)


@cache
def definitions() -> str:
    """Return the icons and arrow heads that a picture refers to."""
    signs = "".join(
        f'<g id="{name}"><circle class="{name}" cx="7" cy="7" r="7"/>'
        f'<path class="i" d="{path}"/></g>'
        for name, path in _SIGNS.items()
    )
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" '
        f'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path class="{name}" d="M0 0.6 8 4 0 7.4Z"/></marker>'
        for name in ("a", "aw")
    )
    return f"<defs>{signs}{heads}</defs>"


def _text(value: str) -> str:
    # What XML cannot hold at all (control characters, lone surrogates) is shown as an escape.
    return escape(text.one_line(value), quote=True)


def _tip(value: str, tips: bool) -> str:
    if not tips or not value:
        return ""
    lines = "\n".join(map(_text, value.split("\n")))
    return f"<title>{lines}</title>"


def _icon(name: str, x: float, y: float) -> str:
    return f'<use href="#{name}" x="{round(x)}" y="{round(y)}"/>'


def _status(status: str) -> str:
    return _ICONS.get(status, "odd")


def _card(card: Card, *, tips: bool) -> str:
    classes = "c w" if card.mark == "error" else "c"
    width = round(card.width)
    name = f'<text class="h" x="14" y="{22 if card.note else 28}">{_text(card.name)}</text>'
    note = f'<text class="u" x="14" y="37">{_text(card.note)}</text>' if card.note else ""
    icon = _icon(_status(card.status), width - 26, 12) if card.status else ""
    return (
        f'<g transform="translate({round(card.x)} {round(card.y)})">{_tip(card.id, tips)}'
        f'<rect class="{classes}" width="{width}" height="{round(card.height)}" rx="10"/>'
        f"{name}{note}{icon}</g>"
    )


def _box(box: Box, *, tips: bool) -> str:
    shape = "x" if box.missing else _SHAPES[box.kind]
    mark = " w" if box.mark == "error" and not box.missing else ""
    corner = _CORNERS.get(box.kind, round(box.height / 2))
    width, left = round(box.width), 13 if box.kind == "substep" else 17
    order = f'<text class="q" x="{left}" y="19">{box.order}</text>' if box.order else ""
    name_at = left + (9 * len(str(box.order)) + 5 if box.order else 0)
    note = ""
    if box.note:
        note = (
            f'<text class="{"mf" if box.fell else "m"}" x="{left}" y="34">{_text(box.note)}</text>'
        )
    icon = ""
    if box.mark:
        icon = _icon("bad" if box.mark == "error" else "odd", width - 11, -5)
    elif box.status:
        icon = _icon(_status(box.status), width - 11, -5)
    return (
        f'<g transform="translate({round(box.x)} {round(box.y)})">{_tip(box.id, tips)}'
        f'<rect class="{shape}{mark}" width="{width}" height="{round(box.height)}" rx="{corner}"/>'
        f'{order}<text class="n" x="{name_at}" y="20">{_text(box.name)}</text>{note}{icon}</g>'
    )


def _line(line: Line, *, tips: bool) -> str:
    way = _corners(line.points) if line.back else _curves(line.points)
    classes = [name for name, on in (("b", line.back), ("w", line.wrong or line.fell)) if on]
    class_ = f' class="{" ".join(classes)}"' if classes else ""
    tip = _tip(line.tip, tips)
    return f'<path{class_} d="{way}"' + (f">{tip}</path>" if tip else "/>")


def _curves(points: Sequence[Point]) -> str:
    """Return a way that is horizontal in layers and curved between them, in relative steps.

    A lane that lies a few pixels off the one before is passed at the height of that one.
    """
    ways = [(round(px), round(py)) for px, py in points]
    x, y = ways[0]
    parts = [f"M{x} {y}"]
    along = 0  # what is horizontal, and not yet written
    for place, (next_x, next_y) in enumerate(ways[1:], start=1):
        if next_y == y or (abs(next_y - y) <= _NEARLY and place < len(ways) - 2):
            along += next_x - x
        else:
            if along:
                parts.append(f"h{along}")
            step, half, rise = next_x - x, (next_x - x) // 2, next_y - y
            parts.append(f"c{half} 0 {half} {rise} {step} {rise}")
            along, y = 0, next_y
        x = next_x
    return "".join([*parts, f"h{along}"] if along else parts)


def _corners(points: Sequence[Point]) -> str:
    """Return a way of straight parts with round corners."""
    start, *between, end = [(round(x), round(y)) for x, y in points]
    parts = [f"M{start[0]} {start[1]}"]
    before = start
    for index, corner in enumerate(between):
        after = between[index + 1] if index + 1 < len(between) else end
        one, other = _near(corner, before), _near(corner, after)
        parts.append(f"L{one[0]} {one[1]}Q{corner[0]} {corner[1]} {other[0]} {other[1]}")
        before = corner
    return "".join([*parts, f"L{end[0]} {end[1]}"])


def _near(corner: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Return the point at most 8 pixels from a corner on the way to another point."""
    return (
        corner[0] + max(-8, min(8, other[0] - corner[0])),
        corner[1] + max(-8, min(8, other[1] - corner[1])),
    )


# -- below the picture -------------------------------------------------------------------------


def _legend(scene: Scene) -> Iterator[str]:
    """Yield a sample of each kind that the picture holds."""
    kinds = {box.kind for box in scene.boxes}
    missing = any(box.missing for box in scene.boxes)
    samples = [
        ("substep", "s", "substep"),
        ("entity", "e", "entity"),
        ("tmp", "t", "temporary"),
        ("custom", "k", "path outside the store"),
        ("outside", "o", "from another pipeline, zone or env"),
    ]
    x, y = 28.0, scene.height + 4
    told = [(shape, name) for kind, shape, name in samples if kind in kinds]
    for shape, name in [*told, *([("x", "nobody writes it")] if missing else [])]:
        corner = 3 if shape in "sk" else 6
        yield (
            f'<rect class="{shape}" x="{round(x)}" y="{round(y)}" width="20" height="12" '
            f'rx="{corner}"/><text class="lt" x="{round(x) + 26}" y="{round(y) + 10}">{name}</text>'
        )
        x += 26 + text.width(name, 12) + 22
    seen = {box.status for box in scene.boxes if box.status}
    seen |= {card.status for card in scene.cards if card.status}
    for status in sorted(seen, key=lambda each: (each not in _ICONS, each)):
        yield _icon(_status(status), x, y - 1)
        yield f'<text class="lt" x="{round(x) + 20}" y="{round(y) + 10}">{_text(status)}</text>'
        x += 20 + text.width(status, 12) + 20


def _told(scene: Scene, problems: Sequence[Problem]) -> Iterator[str]:
    y = scene.height + 40
    for line, problem in zip(_lines(problems), [*problems[:_MOST_PROBLEMS], None], strict=False):
        if problem is not None:
            yield _icon("bad" if problem.severity == "error" else "odd", 28, y - 11)
        yield f'<text class="sub" x="48" y="{round(y)}">{_text(line)}</text>'
        y += _LINE


def _lines(problems: Sequence[Problem]) -> Iterable[str]:
    lines = [text.shorten(problem.text, 12, 1100) for problem in problems[:_MOST_PROBLEMS]]
    left = len(problems) - len(lines)
    return [*lines, f"and {left} more: sinara pipeline check"] if left else lines
