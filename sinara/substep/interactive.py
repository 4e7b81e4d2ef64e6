"""The draft of this process, published by IPython's ``post_run_cell`` event."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.substep.draft import Draft

if TYPE_CHECKING:
    from sinara.store import StepStore

_drafts: dict[tuple[str, str], Draft] = {}  # at most one: a kernel works at one draft at a time
_shells: list[Any] = []  # the IPython shell that tells when a cell ends


def join(
    store: StepStore,
    run_id: str,
    state_folder: Path,
    *,
    storage_options: Mapping[str, Any],
    each_cell: bool,
) -> Draft:
    """Return this process's draft ``run_id``, and leave any other one.

    Args:
        store: Of the step.
        run_id: Of the draft.
        state_folder: Where kernels that share a draft tell each other what is whole.
        storage_options: For fsspec.
        each_cell: Publish after each cell that wrote; needs IPython.

    Raises:
        StoreError: If the run is not a draft, or the store cannot be written.
    """
    key = (store.url, run_id)
    if key not in _drafts or not _drafts[key].is_there():
        leave()
        writer = store.claim(run_id, draft=True)
        _drafts[key] = Draft(
            writer, store, state_folder, storage_options=storage_options, each_cell=each_cell
        )
    _listen()
    return _drafts[key]


def leave() -> None:
    """Leave the draft; what was published stays, and so does the draft itself."""
    while _drafts:
        _drafts.popitem()[1].release()


def _listen() -> None:
    """Be told when a cell ends, once, where there are cells."""
    if "IPython" not in sys.modules or _shells:
        return
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.events.register("post_run_cell", _after_cell)
        _shells.append(shell)


def _after_cell(result: Any) -> None:
    """Note what the cell changed.

    Source:
        IPython 8 calls back with an ``ExecutionResult``; ``success`` is false if the cell
        could not be parsed, raised, or was interrupted.
    """
    for draft in _drafts.values():
        draft.after_cell(bool(result.success))
