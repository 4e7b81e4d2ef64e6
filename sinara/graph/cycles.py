"""Circles in a directed graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence


def cycles(links: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Yield one shortest circle of each group of nodes that can all reach each other.

    Args:
        links: Node -> nodes that follow it.

    Yields:
        The nodes in order, the first one by name first; an edge leads from the last to the
        first.
    """
    for group in _components(links):
        if len(group) > 1 or group[0] in links.get(group[0], ()):
            yield _shortest(links, min(group), set(group))


def _shortest(links: Mapping[str, Sequence[str]], start: str, group: set[str]) -> list[str]:
    before = {start: start}
    pending = deque([start])
    while pending:
        node = pending.popleft()
        for after in links.get(node, ()):
            if after == start:
                path = [node]
                while path[-1] != start:
                    path.append(before[path[-1]])
                return path[::-1]
            if after in group and after not in before:
                before[after] = node
                pending.append(after)
    raise AssertionError(f"{start} is in no circle")


def _components(links: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Yield the strongly connected components.

    Source:
        Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1 (1972), with
        a stack of our own: a pipeline may be deeper than Python's.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    for root in links:
        work = [(root, iter(links.get(root, ())))] if root not in index else []
        if work:
            index[root] = low[root] = len(index)
            stack.append(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    work.append((target, iter(links.get(target, ()))))
                    break
                if target in low:  # still on the stack
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    group: list[str] = []
                    while not group or group[-1] != node:
                        group.append(stack.pop())
                        del low[group[-1]]
                    yield group
