"""The outputs of a substep that failed, emptied so that a second try starts from nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from sinara import names
from sinara.context import RunContext
from sinara.errors import StoreError
from sinara.runner.prepare import PreparedStep
from sinara.runner.substep import SubstepOutcome

if TYPE_CHECKING:
    from sinara.interface import Interface
    from sinara.store import RunWriter


def empty_outputs(
    prepared: PreparedStep,
    outcome: SubstepOutcome,
    context: RunContext,
    earlier: Sequence[SubstepOutcome],
    writer_for: Callable[[str], RunWriter],
) -> None:
    """Remove what a substep wrote to its outputs and temporary entities in this run.

    Custom outputs stay: where they lie, and who else writes there, nobody knows but the step.

    Args:
        prepared: The step.
        outcome: What became of the substep; its interface says what it may have written.
        context: The run.
        earlier: What became of the substeps before it: what they wrote is not touched.
        writer_for: Gives the writer of a run id.

    Raises:
        SinaraError: If an earlier substep writes to one of them, too, or the store refuses.
            Nothing else is emptied then, or only a part: it must not be tried again.
    """
    declared = outcome.interface
    temporary = _temporary(declared)
    for other in earlier:
        _refuse_shared(declared.outputs, other.interface.outputs, other)
        _refuse_shared(temporary, _temporary(other.interface), other)
    run_id = outcome.handback.run_id or context.run_id
    for entity in declared.outputs:
        writer_for(run_id).discard(entity)
    if temporary:
        _empty_temporary(prepared, run_id, temporary)


def _temporary(declared: Interface) -> tuple[str, ...]:
    return (*declared.tmp_outputs, *declared.tmp_entities)


def _refuse_shared(ours: Iterable[str], theirs: Iterable[str], other: SubstepOutcome) -> None:
    shared = sorted(set(ours).intersection(theirs))
    if shared:
        raise StoreError(
            f"Output '{shared[0]}' cannot be emptied: {other.record.name} writes to it, too."
        )


def _empty_temporary(prepared: PreparedStep, run_id: str, entities: Iterable[str]) -> None:
    from sinara.store import open_store

    env = prepared.env
    same = env.root.partition("://")[0] == env.tmp_root.partition("://")[0]
    options = env.storage_options if same else {}  # as a substep opens its temporary root
    store = open_store(env.tmp_root, storage_options=options)
    step: names.StepName = prepared.params.step
    for entity in entities:
        store.step(step).discard_temporary(run_id, entity)
