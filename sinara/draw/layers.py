"""Boxes and arrows in layers from left to right, with a lane of its own for each long arrow.

Nodes are numbers. An arrow leaves its source on the right and enters its target on the left; where
it passes a layer it has a lane there, as wide as the layer, that no box overlaps, and between two
layers there are only arrows. So no line ever runs over a box that is not its end.

Arrows that would lead backwards, in a circle, are left out of the layers: they run round
the outside, below everything.

Source:
    Sugiyama, Tagawa, Toda, "Methods for visual understanding of hierarchical system structures",
    IEEE Trans. SMC 11 (1981): layers, order by barycentres. Heights are then the least squares
    nearest to those of the neighbours that keep the order: isotonic regression by pooling
    adjacent violators (Ayer et al., Ann. Math. Stat. 26, 1955).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

SWEEPS = 8
_LANE = 8.0  # height of a lane
_STRAIGHT = 4.0  # how much more a lane wants to be straight than a box in its place


@dataclass(frozen=True)
class Node:
    """What is placed.

    Attributes:
        width: In pixels.
        height: In pixels.
        layer: Whether it stands before or behind all others; ``None``: wherever it belongs.
    """

    width: float
    height: float
    layer: Literal["first", "last"] | None = None


@dataclass(frozen=True)
class Arrow:
    """What connects two nodes.

    Attributes:
        source: Number of a node.
        target: Number of a node.
        leaves: How far from the top of the source it leaves it; ``None``: in the middle.
        enters: The same at the target.
    """

    source: int
    target: int
    leaves: float | None = None
    enters: float | None = None


@dataclass(frozen=True)
class Arranged:
    """Where everything lies; the top left corner is 0, 0.

    Attributes:
        places: Left and top of each node.
        routes: For each arrow the points where it turns: horizontal within a layer, a curve
            between two. An arrow that leads back has the corners of its way round.
        back: Whether each arrow leads back.
        width: Of all.
        height: Of all.
    """

    places: tuple[tuple[float, float], ...]
    routes: tuple[tuple[tuple[float, float], ...], ...]
    back: tuple[bool, ...]
    width: float
    height: float


def arrange(
    nodes: Sequence[Node], arrows: Sequence[Arrow], *, gap: float = 48.0, space: float = 14.0
) -> Arranged:
    """Place nodes and route arrows.

    Args:
        nodes: What to place; those given first tend to lie on top.
        arrows: What connects them, in any number; they may form circles.
        gap: Pixels between two layers.
        space: Pixels between two boxes of a layer.
    """
    work = _Work(nodes, arrows, gap, space)
    work.find_back()
    work.choose_layers()
    work.make_lanes()
    work.order()
    work.choose_heights()
    return work.arranged()


class _Work:
    """One arrangement while it is made: nodes first, then the lanes as further nodes."""

    def __init__(
        self, nodes: Sequence[Node], arrows: Sequence[Arrow], gap: float, space: float
    ) -> None:
        self.nodes, self.arrows, self.gap, self.space = nodes, arrows, gap, space
        self.count = len(nodes)
        self.heights = [node.height for node in nodes]
        self.back = [arrow.source == arrow.target for arrow in arrows]

    # -- layers ----------------------------------------------------------------------------

    def find_back(self) -> None:
        """Mark the arrows that close a circle, by a walk that goes deep first."""
        after: list[list[tuple[int, int]]] = [[] for _ in range(self.count)]
        indegree = [0] * self.count
        for number, arrow in enumerate(self.arrows):
            if not self.back[number]:
                after[arrow.source].append((arrow.target, number))
                indegree[arrow.target] += 1
        state = [0] * self.count  # 1: on the way, 2: done
        roots = [n for n in range(self.count) if not indegree[n]]
        for root in [*roots, *range(self.count)]:
            if state[root]:
                continue
            state[root] = 1
            way = [(root, iter(after[root]))]
            while way:
                node, targets = way[-1]
                for target, number in targets:
                    if state[target] == 1:
                        self.back[number] = True
                    elif not state[target]:
                        state[target] = 1
                        way.append((target, iter(after[target])))
                        break
                else:
                    state[node] = 2
                    way.pop()

    def choose_layers(self) -> None:
        """Put each node behind all that lead to it, and what begins close to what it leads to."""
        after: list[list[int]] = [[] for _ in range(self.count)]
        before: list[list[int]] = [[] for _ in range(self.count)]
        for number, arrow in enumerate(self.arrows):
            if not self.back[number]:
                after[arrow.source].append(arrow.target)
                before[arrow.target].append(arrow.source)
        fixed_first = any(node.layer == "first" for node in self.nodes)
        waiting = [len(each) for each in before]
        order = [n for n in range(self.count) if not waiting[n]]
        layer = [
            1 if fixed_first and self.nodes[n].layer != "first" else 0 for n in range(self.count)
        ]
        for node in order:  # grows while it is walked
            for target in after[node]:
                layer[target] = max(layer[target], layer[node] + 1)
                waiting[target] -= 1
                if not waiting[target]:
                    order.append(target)
        for node in reversed(order):
            if not before[node] and after[node] and self.nodes[node].layer is None:
                layer[node] = min(layer[target] for target in after[node]) - 1
        last = max(
            (layer[n] for n in range(self.count) if self.nodes[n].layer != "last"), default=0
        )
        for n in range(self.count):
            if self.nodes[n].layer == "last":
                layer[n] = last + 1
        self.layer = layer
        self.depth = max(layer, default=-1) + 1

    def make_lanes(self) -> None:
        """Give each arrow a lane in every layer that it passes; those of one source share it."""
        self.links: list[tuple[int, int, float, float, float]] = []  # ends, offsets, weight
        self.chains: list[list[int]] = []
        lanes: dict[tuple[int, float | None, int], int] = {}
        linked: set[tuple[int, int, float, float]] = set()
        for number, arrow in enumerate(self.arrows):
            if self.back[number]:
                self.chains.append([])
                continue
            first, last = self.layer[arrow.source], self.layer[arrow.target]
            chain = [arrow.source]
            for layer in range(first + 1, last):
                key = (arrow.source, arrow.leaves, layer)
                if key not in lanes:
                    lanes[key] = len(self.heights)
                    self.heights.append(_LANE)
                    self.layer.append(layer)
                chain.append(lanes[key])
            chain.append(arrow.target)
            self.chains.append(chain)
            for one, other in pairwise(chain):
                leaves = self._at(one, arrow.leaves if one == arrow.source else None)
                enters = self._at(other, arrow.enters if other == arrow.target else None)
                link = (one, other, leaves, enters)
                if link not in linked:
                    linked.add(link)
                    weight = _STRAIGHT if max(one, other) >= self.count else 1.0
                    self.links.append((*link, weight))
        self.total = len(self.heights)

    def _at(self, node: int, offset: float | None) -> float:
        """Return how far below the middle of a node an arrow meets it."""
        return 0.0 if offset is None else offset - self.heights[node] / 2

    # -- order and heights -----------------------------------------------------------------

    def order(self) -> None:
        """Order each layer by what it is connected to, forth and back, for a bounded while."""
        self.rows: list[list[int]] = [[] for _ in range(self.depth)]
        self.before: list[list[tuple[int, float, float, float]]] = [[] for _ in range(self.total)]
        self.after: list[list[tuple[int, float, float, float]]] = [[] for _ in range(self.total)]
        for one, other, leaves, enters, weight in self.links:
            self.after[one].append((other, enters, leaves, weight))
            self.before[other].append((one, leaves, enters, weight))
        for node in self._first_order():
            self.rows[self.layer[node]].append(node)
        place = [0.0] * self.total
        for row in self.rows:
            for index, node in enumerate(row):
                place[node] = float(index)
        for sweep in range(SWEEPS):
            forth = sweep % 2 == 0
            near = self.before if forth else self.after
            for row in self.rows if forth else reversed(self.rows):
                self._sort(row, near, place)

    def _first_order(self) -> list[int]:
        """Return nodes and lanes as a walk from the first ones meets them: neighbours together."""
        seen = [False] * self.total
        order: list[int] = []
        roots = [n for n in range(self.total) if not self.before[n]]
        for root in [*roots, *range(self.total)]:
            pending = [root]
            while pending:
                node = pending.pop()
                if not seen[node]:
                    seen[node] = True
                    order.append(node)
                    pending.extend(other for other, _, _, _ in reversed(self.after[node]))
        return order

    def _sort(
        self,
        row: list[int],
        near: list[list[tuple[int, float, float, float]]],
        place: list[float],
    ) -> None:
        keys: dict[int, float] = {}
        for node in row:
            links = near[node]
            if links:
                total = 0.0
                for other, at, _, _ in links:
                    total += place[other] + at / (self.heights[other] + 1.0)
                keys[node] = total / len(links)
            else:
                keys[node] = place[node]
        row.sort(key=keys.__getitem__)
        for index, node in enumerate(row):
            place[node] = float(index)

    def choose_heights(self) -> None:
        """Choose the middle of each node: close to its neighbours, in order, with no overlap."""
        self.middle = [0.0] * self.total
        for row in self.rows:
            top = 0.0
            for node in row:
                self.middle[node] = top + self.heights[node] / 2
                top += self.heights[node] + self.space
        for sweep in range(SWEEPS):
            forth = sweep % 2 == 0
            for row in self.rows if forth else reversed(self.rows):
                self._settle(row, both=sweep >= SWEEPS - 2, forth=forth)
        top = min((self.middle[n] - self.heights[n] / 2 for n in range(self.total)), default=0.0)
        self.middle = [middle - top for middle in self.middle]

    def _settle(self, row: list[int], *, both: bool, forth: bool) -> None:
        """Move the nodes of a layer as near as their order lets them to where they want to be."""
        totals: list[float] = []  # of each block: sum of weight times wish,
        weights: list[float] = []  # sum of weights,
        numbers: list[int] = []  # and how many nodes are in it
        offsets: list[float] = []
        distance = half = 0.0
        for node in row:
            if numbers:
                distance += half + self.heights[node] / 2 + self.space
            half = self.heights[node] / 2
            offsets.append(distance)
            wish, weight = self._wish(node, both=both, forth=forth)
            total, number = weight * (wish - distance), 1
            while totals and totals[-1] * weight > total * weights[-1]:
                total += totals.pop()
                weight += weights.pop()
                number += numbers.pop()
            totals.append(total)
            weights.append(weight)
            numbers.append(number)
        index = 0
        for total, weight, number in zip(totals, weights, numbers, strict=True):
            at = total / weight
            for _ in range(number):
                self.middle[row[index]] = at + offsets[index]
                index += 1

    def _wish(self, node: int, *, both: bool, forth: bool) -> tuple[float, float]:
        links = self.before[node] if forth else self.after[node]
        if both or not links:
            links = self.before[node] + self.after[node]
        if not links:
            return self.middle[node], 0.1
        total = weights = 0.0
        for other, there, here, weight in links:
            total += weight * (self.middle[other] + there - here)
            weights += weight
        return total / weights, weights

    # -- the answer ------------------------------------------------------------------------

    def arranged(self) -> Arranged:
        """Return places and routes."""
        widths = [0.0] * self.depth
        for n in range(self.count):
            widths[self.layer[n]] = max(widths[self.layer[n]], self.nodes[n].width)
        lefts, left = [], 0.0
        for width in widths:
            lefts.append(left)
            left += width + self.gap
        places = tuple(
            (
                lefts[self.layer[n]] + (widths[self.layer[n]] - self.nodes[n].width) / 2,
                self.middle[n] - self.heights[n] / 2,
            )
            for n in range(self.count)
        )
        bottom = max((self.middle[n] + self.heights[n] / 2 for n in range(self.total)), default=0.0)
        routes = []
        rounds = 0
        for number, arrow in enumerate(self.arrows):
            if self.back[number]:
                rounds += 1
                routes.append(self._round(arrow, places, lefts, widths, bottom + rounds * 12.0))
            else:
                routes.append(self._route(arrow, self.chains[number], places, lefts, widths))
        return Arranged(
            places,
            tuple(routes),
            tuple(self.back),
            max(0.0, left - self.gap),
            bottom + (rounds * 12.0 + 6.0 if rounds else 0.0),
        )

    def _ends(
        self, arrow: Arrow, places: Sequence[tuple[float, float]]
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        source, target = self.nodes[arrow.source], self.nodes[arrow.target]
        leaves = source.height / 2 if arrow.leaves is None else arrow.leaves
        enters = target.height / 2 if arrow.enters is None else arrow.enters
        (left, top), (other_left, other_top) = places[arrow.source], places[arrow.target]
        return (left + source.width, top + leaves), (other_left, other_top + enters)

    def _route(
        self,
        arrow: Arrow,
        chain: Sequence[int],
        places: Sequence[tuple[float, float]],
        lefts: Sequence[float],
        widths: Sequence[float],
    ) -> tuple[tuple[float, float], ...]:
        start, end = self._ends(arrow, places)
        first, last = self.layer[arrow.source], self.layer[arrow.target]
        points = [start, (lefts[first] + widths[first], start[1])]
        for lane in chain[1:-1]:
            at = self.layer[lane]
            points.append((lefts[at], self.middle[lane]))
            points.append((lefts[at] + widths[at], self.middle[lane]))
        points += [(lefts[last], end[1]), end]
        return tuple(points)

    def _round(
        self,
        arrow: Arrow,
        places: Sequence[tuple[float, float]],
        lefts: Sequence[float],
        widths: Sequence[float],
        below: float,
    ) -> tuple[tuple[float, float], ...]:
        """Return the corners of the way round: right of the source, below all, then up."""
        start, end = self._ends(arrow, places)
        first, last = self.layer[arrow.source], self.layer[arrow.target]
        right = lefts[first] + widths[first] + self.gap * 0.3
        left = lefts[last] - self.gap * 0.3
        return start, (right, start[1]), (right, below), (left, below), (left, end[1]), end
