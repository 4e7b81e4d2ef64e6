"""Carry out verdicts: a tombstone before data, and never what a live run has pinned meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sinara.errors import RunNotFoundError, SinaraError
from sinara.names import StepName
from sinara.retain.values import READ, Done, Verdict
from sinara.store import StepStore


def clean(verdicts: Iterable[Verdict], store_of: Callable[[StepName], StepStore]) -> Iterator[Done]:
    """Delete what is to go, one run after the other, and yield what became of each.

    Args:
        verdicts: All verdicts; those that stay are passed over.
        store_of: Gives the store of a step.
    """
    for verdict in verdicts:
        if verdict.goes:
            yield _clean(verdict, store_of(verdict.step))


def _clean(verdict: Verdict, store: StepStore) -> Done:
    try:
        if verdict.what == "evidence":
            store.discard_evidence(verdict.run_id)
            return Done(verdict, "deleted")
        if verdict.run_id in store.pinned():  # by a run that began after the verdict
            return Done(verdict, "stays", READ)
        deleted = store.tombstone(verdict.run_id, f"sinara run clean: {verdict.why}")
        if deleted:
            return Done(verdict, "deleted")
        return Done(verdict, "waits", "it is taken back; a run that reads it has to end first")
    except RunNotFoundError:
        return Done(verdict, "deleted", "somebody else took it back")
    except SinaraError as error:  # one run that cannot be deleted must not keep the others
        return Done(verdict, "stays", error.lines[0])
