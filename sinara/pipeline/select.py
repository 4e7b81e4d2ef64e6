"""Which steps of a pipeline are meant: ``train``, ``+train``, ``train+``, ``prep_*``."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from sinara.errors import UsageError, suggest
from sinara.pipeline.request import PipelineRequest

Needs = Mapping[str, Sequence[str]]


def select(request: PipelineRequest, needs: Needs) -> frozenset[str]:
    """Return the names of the steps that a request means.

    Args:
        request: Its ``select``, ``start``, ``end`` and ``only``; what several of them mean at once.
        needs: For each step, those that it reads from.

    Raises:
        UsageError: If a name fits no step, or nothing is left.
    """
    chosen = set(needs)
    for one in request.force:
        if one != "*":
            _known(one.partition("/")[0], needs)
    if request.select:
        chosen &= {step for one in request.select for step in _selector(one, needs)}
    if request.only:
        chosen &= {step for one in request.only for step in matching(one, needs)}
    if request.start:
        chosen &= below({step for one in request.start for step in matching(one, needs)}, needs)
    if request.end:
        chosen &= above({step for one in request.end for step in matching(one, needs)}, needs)
    if not chosen:
        raise UsageError("No step is all of that. Choose with fewer options.")
    return frozenset(chosen)


def matching(name: str, steps: Iterable[str]) -> set[str]:
    """Return the steps that a name or a pattern fits.

    Raises:
        UsageError: If there is none.
    """
    known = list(steps)
    found = {step for step in known if fnmatch.fnmatchcase(step, name)}
    if not found:
        _refuse(name, known)
    return found


def _known(name: str, steps: Iterable[str]) -> None:
    known = list(steps)
    if name not in known:
        _refuse(name, known)


def _refuse(name: str, known: list[str]) -> NoReturn:
    advice = suggest(name, known) or f"The steps are {', '.join(known)}."
    raise UsageError(f"There is no step '{name}'. {advice}")


def above(steps: Iterable[str], needs: Needs) -> set[str]:
    """Return steps and all that they read from, near and far."""
    found: set[str] = set()
    pending = list(steps)
    while pending:
        step = pending.pop()
        if step not in found:
            found.add(step)
            pending.extend(needs[step])
    return found


def below(steps: Iterable[str], needs: Needs) -> set[str]:
    """Return steps and all that read from them, near and far."""
    readers: dict[str, list[str]] = {step: [] for step in needs}
    for step, read in needs.items():
        for one in read:
            readers[one].append(step)
    return above(steps, readers)


def _selector(text: str, needs: Needs) -> set[str]:
    found = matching(text.strip("+"), needs)
    chosen = set(found)
    if text.startswith("+"):
        chosen |= above(found, needs)
    if text.endswith("+"):
        chosen |= below(found, needs)
    return chosen
