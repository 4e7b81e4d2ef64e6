"""Which substeps of one step need which others, by what they declare."""

from __future__ import annotations

from collections.abc import Sequence

from sinara.interface import Interface
from sinara.names import StepName
from sinara.runner.inputs import producer
from sinara.runner.prepare import PreparedSubstep


def needs_of(substeps: Sequence[PreparedSubstep], own: StepName) -> dict[str, tuple[str, ...]]:
    """Return for each substep those before it that have to be done first.

    A substep needs who writes what it reads: entities of this step, temporary and custom ones. One
    that does not say what it reads and writes needs all before it, and all after it need it.

    Args:
        substeps: In their order.
        own: The step.
    """
    found: dict[str, tuple[str, ...]] = {}
    for at, substep in enumerate(substeps):
        before = substeps[:at]
        reads = _reads(substep.interface, own)
        found[substep.name] = tuple(
            one.name for one in before if reads is None or _touches(one.interface, reads)
        )
    return found


def _reads(interface: Interface | None, own: StepName) -> set[str] | None:
    """Return what is read, each with its kind; ``None`` if nobody knows."""
    if interface is None:
        return None
    entities = {ref.entity_name for ref in interface.inputs if producer(ref, own) == own}
    return {
        *(f"entity {name}" for name in entities),
        *(f"tmp {name}" for name in (*interface.tmp_inputs, *interface.tmp_entities)),
        *(f"custom {ref.path}" for ref in interface.custom_inputs),
    }


def _touches(writer: Interface | None, reads: set[str]) -> bool:
    if writer is None:
        return True
    writes = {
        *(f"entity {name}" for name in writer.outputs),
        *(f"tmp {name}" for name in (*writer.tmp_outputs, *writer.tmp_entities)),
        *(f"custom {ref.path}" for ref in writer.custom_outputs),
    }
    return bool(writes & reads)
