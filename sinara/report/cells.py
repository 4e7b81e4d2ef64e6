"""The cells of an executed notebook as HTML, each with its true status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sinara.record import CellRecord, SubstepRecord
from sinara.report.budget import Budget
from sinara.report.code import code
from sinara.report.elements import Html, el, join
from sinara.report.outputs import Place, markdown_block, outputs
from sinara.report.pictures import joined
from sinara.report.words import cell_name, duration, one_line

_STATUSES = ("done", "failed", "not run", "running", "restored")


@dataclass(frozen=True)
class Cell:
    """One cell, whatever its notebook said, in shape to be shown."""

    index: int
    kind: str  # "code", "markdown", "raw"
    source: str
    status: str = "done"
    seconds: float = 0.0
    cause: str = ""
    line: int | None = None  # that failed, from 1
    count: int | None = None
    tags: tuple[str, ...] = ()
    hidden: bool = False  # the source was folded by its author
    outputs: Any = ()
    attachments: Any = None

    @property
    def anchor(self) -> str:
        """The id of the cell in its page."""
        return f"cell-{self.index}"


def read_cells(notebook: Mapping[str, Any], substep: SubstepRecord) -> tuple[Cell, ...]:
    """Return the cells of ``notebook``; of what is no cell, nothing."""
    given = notebook.get("cells")
    known = {cell.index: cell for cell in substep.cells}
    listed = given if isinstance(given, (list, tuple)) else ()
    return tuple(
        _cell(index, cell, known.get(index), substep)
        for index, cell in enumerate(listed)
        if isinstance(cell, Mapping)
    )


def _cell(
    index: int, cell: Mapping[str, Any], known: CellRecord | None, substep: SubstepRecord
) -> Cell:
    metadata = _mapping(cell.get("metadata"))
    ours = _mapping(metadata.get("sinara"))
    failure = substep.failure if substep.failure and substep.failure.cell == index else None
    count, tags = cell.get("execution_count"), metadata.get("tags")
    return Cell(
        index=index,
        kind=str(cell.get("cell_type")),
        source=joined(cell.get("source")),
        status="failed" if failure else known.status if known else _status(cell, ours),
        seconds=known.seconds if known else _seconds(ours.get("seconds")),
        cause=failure.message if failure else str(ours.get("cause") or ""),
        line=failure.line if failure else None,
        count=count if isinstance(count, int) else None,
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, (list, tuple)) else (),
        hidden=_is_hidden(metadata, tags),
        outputs=cell.get("outputs"),
        attachments=cell.get("attachments"),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_hidden(metadata: Mapping[str, Any], tags: object) -> bool:
    """Say whether the author folded the source: JupyterLab's mark, or a tag of Jupyter Book."""
    folded = _mapping(metadata.get("jupyter")).get("source_hidden")
    tagged = isinstance(tags, (list, tuple)) and ("hide-input" in tags or "hide_input" in tags)
    return bool(folded) or tagged


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and value == value else 0.0


def _status(cell: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Return the status that the notebook itself tells, where no record does."""
    if ours.get("status") in _STATUSES:
        return str(ours["status"])
    given = cell.get("outputs")
    listed = given if isinstance(given, (list, tuple)) else ()
    if any(_mapping(output).get("output_type") == "error" for output in listed):
        return "failed"
    empty = not joined(cell.get("source")).strip()
    return "done" if listed or cell.get("execution_count") is not None or empty else "not run"


def cell_section(cell: Cell, language: str, budget: Budget) -> Html:
    """Return one cell: its source, which folds, and what came out of it."""
    place = Place(cell_name(cell.index), budget)
    if cell.kind == "markdown":
        body = markdown_block(cell.source, cell.attachments, place)
        return el("section", {"class": "cell text", "id": cell.anchor}, body)
    if cell.kind != "code":
        body = el("pre", {"class": "raw"}, cell.source)
        return el("section", {"class": "cell text", "id": cell.anchor}, body)
    source = el(
        "details",
        {"class": "source", "open": not cell.hidden},
        el("summary", None, _label(cell)),
        code(cell.source, language, cell.line) if cell.source.strip() else None,
    )
    shape = f"cell code is-{cell.status.replace(' ', '-')}"
    inner = join(source, _verdict(cell), outputs(cell.outputs, place))
    return el("section", {"class": shape, "id": cell.anchor}, inner)


def _label(cell: Cell) -> Html:
    """Return the line over a cell: its number, its tags, how long it took."""
    name = cell_name(cell.index)
    number = f"{name} · [{cell.count}]" if cell.count is not None else name
    took = duration(cell.seconds) if cell.seconds else ""
    return join(
        el("a", {"class": "number", "href": f"#{cell.anchor}"}, number),
        [el("span", {"class": "tag"}, tag) for tag in cell.tags],
        el(
            "span",
            {"class": "took"},
            cell.status if cell.status in ("not run", "restored") else took,
        ),
    )


def _verdict(cell: Cell) -> Html | None:
    if cell.status == "failed":
        where = f"Line {cell.line}: " if cell.line else ""
        cause = one_line(cell.cause) or "This cell failed."
        return el("p", {"class": "alert"}, el("strong", None, "Failed. "), where, cause)
    if cell.status == "restored":
        words = "Restored from a checkpoint: this cell did not run. What it shows is of that run."
        return el("p", {"class": "note"}, words)
    if cell.status == "running":
        return el("p", {"class": "note"}, "Running when this page was written.")
    return None


def time_strip(cells: Sequence[Cell]) -> Html | None:
    """Return a strip with a piece per code cell, as wide as it took; a click leads to it."""
    ran = [cell for cell in cells if cell.kind == "code"]
    total = sum(cell.seconds for cell in ran)
    if not total or len(ran) < 2:
        return None
    pieces = list(_pieces(ran, total))
    shape = {"class": "strip", "viewBox": "0 0 1000 14", "preserveAspectRatio": "none"}
    words = "How long each cell took; a click leads to the cell"
    return el("svg", {**shape, "role": "img", "aria-label": words}, pieces)


def _pieces(cells: Sequence[Cell], total: float) -> Iterator[Html]:
    narrowest = min(4.0, 1000 / len(cells))
    spare = 1000 - narrowest * len(cells)
    start = 0.0
    for cell in cells:
        width = narrowest + spare * cell.seconds / total
        box = {"x": round(start, 1), "y": 0, "width": round(max(width - 1, 0.5), 1), "height": 14}
        words = f"{cell_name(cell.index)}: {cell.status}, {duration(cell.seconds)}"
        piece = el(
            "rect", {"class": f"s-{cell.status.replace(' ', '-')}", **box}, el("title", None, words)
        )
        yield el("a", {"href": f"#{cell.anchor}"}, piece)
        start += width
