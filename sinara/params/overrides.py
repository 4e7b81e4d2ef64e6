"""Assignments laid over what the files say, each in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sinara.errors import ParamsError
from sinara.params.assignments import KNOWN_NAMES, PIPELINE, STEP, Assignment, stem
from sinara.params.values import nearest, plain

NamesOf = Callable[[str], Iterable[str]]


@dataclass
class Draft:
    """One place whose values are being put together."""

    scope: str
    values: dict[str, Any]
    source: str
    from_notebook: bool = False  # no file gives its values: the notebook's own hold
    texts: dict[tuple[str, ...], str] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)  # names that no file has


def apply(
    drafts: Sequence[Draft], assignments: Sequence[Assignment], names_of: NamesOf | None = None
) -> None:
    """Lay the assignments over the drafts, in their order.

    Args:
        drafts: The places, changed in place: pipeline, step, then the substeps.
        assignments: What to lay over them.
        names_of: Gives the names that the parameters cell of a substep knows; asked only
            where no file has the name.

    Raises:
        ParamsError: One line for each assignment that has no place to go.
    """
    lines: list[str] = []
    for assignment in assignments:
        try:
            draft = _place(assignment, drafts, names_of)
            _set(draft, assignment)
        except ParamsError as error:
            lines += error.lines
    if lines:
        raise ParamsError(*lines)


def _place(assignment: Assignment, drafts: Sequence[Draft], names_of: NamesOf | None) -> Draft:
    name = assignment.path[0]
    if assignment.scope is not None:
        draft = next(draft for draft in drafts if draft.scope == assignment.scope)
        allowed = [*KNOWN_NAMES.get(draft.scope, ()), *draft.values]
        if draft.scope in KNOWN_NAMES and name not in allowed:
            raise _unknown(assignment, {draft.scope: allowed})
        return draft  # names of a substep are checked against its notebook
    holding = [draft for draft in drafts if name in draft.values]
    holding = holding or [draft for draft in drafts if name in KNOWN_NAMES.get(draft.scope, ())]
    substeps = [draft for draft in drafts if draft.scope not in KNOWN_NAMES]
    if not holding and len(assignment.path) > 1:
        raise _no_place(assignment, drafts)
    if not holding and names_of is not None:
        holding = [draft for draft in substeps if name in set(names_of(draft.scope))]
    if not holding and names_of is None and len(substeps) == 1:
        holding = substeps
    if len(holding) > 1:
        places = ", ".join(f"{_short_scope(draft.scope)}.{plain(name)}" for draft in holding)
        raise ParamsError(
            f"{assignment.source}: '{plain(name)}' is in several places. Say which: {places}."
        )
    if holding:
        return holding[0]
    extra = names_of or (lambda _: ())
    raise _unknown(
        assignment,
        {d.scope: [*d.values, *(extra(d.scope) if d in substeps else ())] for d in drafts},
    )


def _no_place(assignment: Assignment, drafts: Sequence[Draft]) -> ParamsError:
    places = [_short_scope(draft.scope) for draft in drafts]
    first = assignment.path[0]
    return ParamsError(
        f"{assignment.source}: there is no substep and no dictionary '{plain(first)}'; "
        f"the places are {', '.join(places)}. {nearest(first, places)}".rstrip()
    )


def _unknown(assignment: Assignment, allowed: dict[str, list[str]]) -> ParamsError:
    name = assignment.path[0]
    known = sorted({plain(item) for names in allowed.values() for item in names})
    near = nearest(name, known)
    return ParamsError(
        f"{assignment.source}: unknown parameter '{plain(name)}'; "
        f"allowed: {', '.join(known[:40]) or 'none'}. {near}".rstrip()
    )


def _short_scope(scope: str) -> str:
    return {PIPELINE: "pipeline", STEP: "step"}.get(scope) or stem(scope)


def _set(draft: Draft, assignment: Assignment) -> None:
    *parents, last = assignment.path
    values = draft.values
    for parent in parents:
        values = values.get(parent)  # type: ignore[assignment]
        if not isinstance(values, dict):
            raise ParamsError(
                f"{assignment.source}: '{plain(parent)}' is no dictionary in {draft.source}. "
                f"Set it whole: --set '{plain(parent)}={{{plain(last)}: …}}'."
            )
    if not parents and last not in draft.values:
        draft.added.add(last)
    values[last] = assignment.value
    draft.texts = {
        path: text
        for path, text in draft.texts.items()
        if path[: len(assignment.path)] != assignment.path
    }
    if assignment.text is not None:
        draft.texts[assignment.path] = assignment.text
