"""An interface that cannot be read off the source, remembered from a run that declared it.

A notebook may compute the names in its interface. Reading never executes anything, so such a
declaration stays unread; but the same code with the same parameters declared it before,
and the record of that run has it.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from sinara.errors import SinaraError
from sinara.interface import Interface, make_interface
from sinara.record import RunRecord
from sinara.runner.prepare import PreparedStep, PreparedSubstep

if TYPE_CHECKING:
    from sinara.store import StepStore

_RUNS_LOOKED_AT = 50


def with_remembered(prepared: PreparedStep, store: StepStore) -> PreparedStep:
    """Return the step with every unread interface that an earlier run remembers.

    Args:
        prepared: The step; a substep whose interface was read keeps it.
        store: Where the records of its runs are.
    """
    if not any(substep.unread for substep in prepared.substeps):
        return prepared
    records = _records(store)
    return replace(
        prepared, substeps=tuple(_remembered(prepared, s, records) for s in prepared.substeps)
    )


def _records(store: StepStore) -> list[RunRecord]:
    found = []
    for run_id in list(store.run_ids())[:_RUNS_LOOKED_AT]:
        with contextlib.suppress(SinaraError):  # one broken record hides no other
            found.append(store.read_record(run_id))
    return found


def _remembered(
    prepared: PreparedStep, substep: PreparedSubstep, records: list[RunRecord]
) -> PreparedSubstep:
    if not substep.unread:
        return substep
    for record in records:
        interface = _declared_in(record, prepared, substep)
        if interface is not None:
            return replace(substep, interface=interface, unread=())
    return substep


def _declared_in(
    record: RunRecord, prepared: PreparedStep, substep: PreparedSubstep
) -> Interface | None:
    params = prepared.params
    if (record.pipeline_params, record.step_params) != (params.pipeline_params, params.step_params):
        return None
    for ran in record.substeps:
        same = (ran.name, ran.notebook_sha256, ran.params) == (
            substep.name,
            substep.sha256,
            substep.given,
        )
        if same and ran.interface is not None:
            with contextlib.suppress(SinaraError):
                return make_interface(**ran.interface)
    return None
