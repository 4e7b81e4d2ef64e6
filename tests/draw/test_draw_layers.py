"""The layout: nothing overlaps, no line runs over a box, and it always ends."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sinara.draw.layers import Arrow, Node, arrange
from sinara.draw.scene import make_scene
from tests.draw.graphs import CHAIN, CIRCLE, graph_of, history_of


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 25))
    sizes = st.floats(1, 200, allow_nan=False)
    nodes = [Node(draw(sizes), draw(sizes)) for _ in range(count)]
    ends = st.integers(0, count - 1)
    arrows = [Arrow(draw(ends), draw(ends)) for _ in range(draw(st.integers(0, 40)))]
    return nodes, arrows


def boxes_of(nodes, arranged):
    return [
        (x, y, x + n.width, y + n.height) for n, (x, y) in zip(nodes, arranged.places, strict=True)
    ]


def overlap(one, other) -> bool:
    return (
        one[0] < other[2] - 1e-6
        and other[0] < one[2] - 1e-6
        and one[1] < other[3] - 1e-6
        and other[1] < one[3] - 1e-6
    )


def runs_over(points, box) -> bool:
    """Whether a way of straight parts and curves (which stay between their ends' heights) enters a box."""
    for (x1, y1), (x2, y2) in pairwise(points):
        area = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
        if overlap((area[0], area[1] - 1e-3, area[2], area[3] + 1e-3), box):
            return True
    return False


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_no_two_boxes_overlap_and_no_line_runs_over_a_box(drawn):
    nodes, arrows = drawn

    arranged = arrange(nodes, arrows)

    boxes = boxes_of(nodes, arranged)
    assert not any(overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i])
    for arrow, route in zip(arrows, arranged.routes, strict=True):
        others = [box for n, box in enumerate(boxes) if n not in (arrow.source, arrow.target)]
        assert not any(runs_over(route, box) for box in others)


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_everything_lies_within_the_size_that_is_told(drawn):
    nodes, arrows = drawn

    arranged = arrange(nodes, arrows)

    for x1, y1, x2, y2 in boxes_of(nodes, arranged):
        assert x1 >= -1e-6
        assert y1 >= -1e-6
        assert x2 <= arranged.width + 1e-6
        assert y2 <= arranged.height + 1e-6


@settings(max_examples=50, deadline=None)
@given(graphs())
def test_the_same_graph_is_laid_out_the_same(drawn):
    assert arrange(*drawn) == arrange(*drawn)


def test_an_arrow_leads_to_the_right_unless_it_closes_a_circle():
    nodes = [Node(10, 10)] * 3

    arranged = arrange(nodes, [Arrow(0, 1), Arrow(1, 2), Arrow(2, 0), Arrow(1, 1)])

    assert arranged.back == (False, False, True, True)
    assert arranged.places[0][0] < arranged.places[1][0] < arranged.places[2][0]


def test_a_chain_is_straight():
    arranged = arrange([Node(10, 10)] * 5, [Arrow(n, n + 1) for n in range(4)])

    assert len({y for _, y in arranged.places}) == 1


def test_nothing_at_all_is_laid_out():
    assert arrange([], []).width == 0.0


def test_ten_thousand_nodes_in_a_row_are_laid_out():
    arranged = arrange([Node(10, 10)] * 10_000, [Arrow(n, n + 1) for n in range(9_999)])

    assert arranged.places[-1][0] > 9_999 * 10


# -- scenes ----------------------------------------------------------------------------------


def test_every_node_and_edge_is_in_the_scene_and_lies_in_its_card():
    for steps in (CHAIN, CIRCLE):
        graph = graph_of(steps)

        scene = make_scene(graph, history_of(graph))

        substeps = {sub.id for step in graph.steps for sub in step.substeps}
        assert {box.id for box in scene.boxes} == substeps | {e.id for e in graph.entities}
        assert {(line.source, line.target) for line in scene.lines} == {
            (e.source, e.target) for e in graph.edges
        }
        cards = {card.id: card for card in scene.cards}
        home = {sub.id: step.id for step in graph.steps for sub in step.substeps}
        home |= {e.id: e.step for e in graph.entities}
        for box in scene.boxes:
            card = cards[home[box.id]]
            assert card.x < box.x
            assert box.x + box.width < card.x + card.width
            assert card.y < box.y
            assert box.y + box.height < card.y + card.height


def test_lines_between_cards_run_over_no_other_card_and_no_other_box():
    graph = graph_of(CHAIN)

    scene = make_scene(graph, history_of(graph))

    home = {sub.id: step.id for step in graph.steps for sub in step.substeps}
    home |= {e.id: e.step for e in graph.entities}
    for line in scene.lines:
        if line.back:
            continue
        for box in scene.boxes:
            if box.id not in (line.source, line.target):
                assert not runs_over(
                    line.points, (box.x, box.y, box.x + box.width, box.y + box.height)
                )
        for card in scene.cards:
            if card.id not in (home[line.source], home[line.target]):
                assert not runs_over(
                    line.points, (card.x, card.y, card.x + card.width, card.y + card.height)
                )


def test_lines_begin_and_end_at_their_boxes():
    graph = graph_of(CHAIN)

    scene = make_scene(graph)

    boxes = {box.id: box for box in scene.boxes}
    for line in scene.lines:
        source, target = boxes[line.source], boxes[line.target]
        assert abs(line.points[0][0] - source.x - source.width) < 0.01
        assert abs(line.points[-1][0] - target.x) < 0.01
        assert target.y < line.points[-1][1] < target.y + target.height


def test_the_overview_has_the_steps_and_what_they_read_from_each_other():
    graph = graph_of(CHAIN)

    scene = make_scene(graph, history_of(graph, fell=True), level="steps")

    ends = {
        (line.source.rpartition(".")[2], line.target.rpartition(".")[2]) for line in scene.lines
    }
    assert ends == {("load", "prep"), ("prep", "train"), ("prep", "eval"), ("train", "eval")}
    assert scene.boxes == ()
    assert all(line.fell for line in scene.lines)
    assert any("train" in line.tip for line in scene.lines)
