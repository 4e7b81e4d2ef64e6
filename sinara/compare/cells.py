"""Which code cells of two notebooks belong together, and how these differ.

Cells are matched by what they mean: their syntax tree, with the tags that count. Spaces, comments
and line breaks are none of it. A cell that only stands elsewhere is told as moved.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from sinara.compare.values import CellChange, CodeDiff, CodeState
from sinara.reading import CellSource, NotPythonError, parse_cell
from sinara.reading.checkpoints import TAGS_THAT_COUNT

_ALIKE = 0.5  # share of lines or characters that an edited cell keeps at least
_MOST_PAIRS = 400  # comparisons in one block of edited cells
_LONGEST = 3000  # lines of a cell that are compared one by one
_SHORT = 300  # characters of a cell that is compared by them, not by lines
_CONTEXT = 2  # lines around a change
Pair = tuple[int | None, int | None]  # places of two cells that belong together


def compare_cells(
    old: Sequence[CellSource] | None, new: Sequence[CellSource] | None
) -> tuple[CodeDiff, tuple[CellChange, ...]]:
    """Return how the code of a substep differs, and every cell with its partner.

    Args:
        old: Its code cells; ``None`` if they were not kept.
        new: The same of the other side.

    Returns:
        The difference, which names the cells that are not the same; and all cells.
    """
    if old is None or new is None:
        sides = [name for name, cells in (("first", old), ("second", new)) if cells is None]
        return CodeDiff("unknown", why=f"the code of the {' and '.join(sides)} was not kept"), ()
    keys = _keys(old, new)
    changes = tuple(_change(old, new, pair, keys) for pair in _ordered(_pairs(old, new, *keys)))
    moved = _moved(changes)
    changes = tuple(
        CellChange("moved", c.old, c.new, c.lines) if place in moved else c
        for place, c in enumerate(changes)
    )
    shown = tuple(change for change in changes if change.kind != "same")
    return CodeDiff(_state(shown), shown), changes


def _keys(old: Sequence[CellSource], new: Sequence[CellSource]) -> tuple[list[str], list[str]]:
    """Return a text for each cell that is equal for cells that mean the same.

    A source that both sides have equally often is its own: nothing else needs it as a partner.
    """
    counts = [Counter(_as_it_stands(cell) for cell in side) for side in (old, new)]
    one, other = (
        [
            text if counts[0][text] == counts[1][text] else _key(cell)
            for cell in side
            for text in (_as_it_stands(cell),)
        ]
        for side in (old, new)
    )
    return one, other


def _as_it_stands(cell: CellSource) -> str:
    return f"{sorted(TAGS_THAT_COUNT.intersection(cell.tags))}{cell.source}"


def _key(cell: CellSource) -> str:
    try:
        meaning = "\n".join(ast.dump(statement) for statement in parse_cell(cell.source))
    except (NotPythonError, RecursionError):  # another language: the lines, less what trails
        meaning = "\n".join(line.rstrip() for line in cell.source.strip().splitlines())
    tags = sorted(TAGS_THAT_COUNT.intersection(cell.tags))
    return hashlib.sha256(f"{tags}{meaning}".encode("utf-8", "surrogatepass")).hexdigest()


# -- partners ------------------------------------------------------------------------------


def _pairs(
    old: Sequence[CellSource], new: Sequence[CellSource], olds: list[str], news: list[str]
) -> Iterator[Pair]:
    """Yield each cell of both sides once: equal ones, then moved ones, then edited ones."""
    blocks = difflib.SequenceMatcher(None, olds, news, autojunk=False).get_opcodes()
    left, right = set(range(len(olds))), set(range(len(news)))
    for tag, i1, i2, j1, j2 in blocks:
        if tag == "equal":
            for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
                left.discard(i)
                right.discard(j)
                yield i, j
    where: dict[str, list[int]] = defaultdict(list)
    for j in sorted(right):
        where[news[j]].append(j)
    for i in sorted(left):
        if where[olds[i]]:
            j = where[olds[i]].pop(0)
            left.discard(i)
            right.discard(j)
            yield i, j
    for _, i1, i2, j1, j2 in blocks:
        block = sorted(left & set(range(i1, i2))), sorted(right & set(range(j1, j2)))
        for i, j in _edited(old, new, *block):
            left.discard(i)
            right.discard(j)
            yield i, j
    yield from ((i, None) for i in left)
    yield from ((None, j) for j in right)


def _edited(
    old: Sequence[CellSource], new: Sequence[CellSource], left: list[int], right: list[int]
) -> Iterator[tuple[int, int]]:
    """Yield pairs of cells in one place that are alike, in their order."""
    if len(left) * len(right) > _MOST_PAIRS:
        yield from zip(left, right, strict=False)
        return
    start = 0
    for i in left:
        scored = [(_alike(old[i].source, new[j].source), -n) for n, j in enumerate(right[start:])]
        best, place = max(scored, default=(0.0, 0))
        if best >= _ALIKE or (len(left) == len(right) == 1 and best > 0.2):
            start += 1 - place
            yield i, right[start - 1]


def _alike(one: str, other: str) -> float:
    """Return which share two sources have in common: of the characters, or of the lines."""
    if max(len(one), len(other)) <= _SHORT:
        matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
        return matcher.ratio() if matcher.real_quick_ratio() >= 0.2 else 0.0
    lines = one.splitlines()[:_LONGEST], other.splitlines()[:_LONGEST]
    return difflib.SequenceMatcher(None, *lines, autojunk=False).ratio()


def _ordered(pairs: Iterator[Pair]) -> list[Pair]:
    """Return pairs in the order of the new side, a removed cell behind the one before it."""
    every = list(pairs)
    place_of = {i: j for i, j in every if i is not None and j is not None}

    def place(pair: Pair) -> tuple[int, int, int]:
        i, j = pair
        if j is not None:
            return j, 0, 0
        before = next((place_of[n] for n in range(i or 0, -1, -1) if n in place_of), -1)
        return before, 1, i or 0

    return sorted(every, key=place)


# -- what became of each ---------------------------------------------------------------------


def _change(
    old: Sequence[CellSource],
    new: Sequence[CellSource],
    pair: Pair,
    keys: tuple[list[str], list[str]],
) -> CellChange:
    i, j = pair
    if i is None or j is None:
        cell, sign = (new[j], "+") if j is not None else (old[i or 0], "-")
        lines = tuple(f"{sign}{line}" for line in cell.source.splitlines())
        if j is not None:
            return CellChange("added", None, cell.index, lines)
        return CellChange("removed", cell.index, None, lines)
    before, after = old[i], new[j]
    if keys[0][i] != keys[1][j]:
        return CellChange("changed", before.index, after.index, _lines(before, after))
    same = before.source.strip() == after.source.strip()
    return CellChange("same" if same else "formatting", before.index, after.index)


def _lines(old: CellSource, new: CellSource) -> tuple[str, ...]:
    before, after = old.source.splitlines(), new.source.splitlines()
    if before == after:  # a tag that counts came or went
        tags = [sorted(TAGS_THAT_COUNT.intersection(cell.tags)) for cell in (old, new)]
        return tuple(
            f"{sign}tags: {', '.join(t) or 'none'}" for sign, t in zip("-+", tags, strict=True)
        )
    if max(len(before), len(after)) > _LONGEST:
        return (*(f"-{line}" for line in before), *(f"+{line}" for line in after))
    found = difflib.unified_diff(before, after, lineterm="", n=_CONTEXT)
    return tuple(line for number, line in enumerate(found) if number > 2)


def _moved(changes: Sequence[CellChange]) -> set[int]:
    """Return the places of cells that left the order that the others keep."""
    kept = [
        (place, change.old)
        for place, change in enumerate(changes)
        if change.kind in ("same", "formatting") and change.old is not None
    ]
    order = [old for _, old in kept]
    matcher = difflib.SequenceMatcher(None, sorted(order), order, autojunk=False)
    still = {
        n for _, start, size in matcher.get_matching_blocks() for n in range(start, start + size)
    }
    return {place for n, (place, _) in enumerate(kept) if n not in still}


def _state(changes: Sequence[CellChange]) -> CodeState:
    kinds = {change.kind for change in changes}
    if kinds & {"changed", "added", "removed"}:
        return "changed"
    return "order" if "moved" in kinds else "formatting" if kinds else "same"
