"""Data of runs that ended without being published, while somebody may resume them.

Whether it is kept is decided by the ``keep`` of a recovery. A process that reads it holds the
run's claim together with others; then no recovery collects it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sinara.errors import RunNotFoundError, StoreError
from sinara.store import layout
from sinara.store.backend import Hold
from sinara.store.claims import read_claim
from sinara.store.place import Place


def resumable(place: Place) -> Iterator[str]:
    """Yield the runs whose data is here, that were not published and are over, newest first."""
    marks = (name for name in place.backend.names(layout.OPEN) if name.endswith(".claim"))
    for run_id in sorted((name.removesuffix(".claim") for name in marks), reverse=True):
        claim = read_claim(place, run_id)
        published = place.backend.exists(f"{run_id}/{layout.COMMIT}")
        if claim is not None and not claim.draft and not published and not _goes_on(place, run_id):
            yield run_id


def _goes_on(place: Place, run_id: str) -> bool:
    try:
        hold = place.backend.share(run_id)
    except (FileNotFoundError, PermissionError):
        return True
    if hold is None:
        return True
    hold.release()
    return False


def hold_unpublished(place: Place, run_id: str) -> Hold:
    """Hold a run's data; see :meth:`sinara.store.step.StepStore.hold`."""
    gone = RunNotFoundError(
        f"The data of run {run_id} is not kept any more: there is nothing to resume. "
        "Run the step from its start."
    )
    try:
        hold = place.backend.share(run_id)
    except FileNotFoundError:
        raise gone from None
    if hold is None:
        raise StoreError(f"Run {run_id} still goes on. Wait until it has ended, or stop it.")
    if place.backend.exists(f"{run_id}/{layout.COMMIT}"):
        hold.release()
        raise gone
    return hold
