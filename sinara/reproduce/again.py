"""Run a run again: the same commit, parameters, inputs and packages; nobody reads what it gives."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sinara import names
from sinara.errors import RunNotFoundError, SinaraError, UsageError
from sinara.execute import StopRequest
from sinara.packages import installed
from sinara.record import RunRecord, plain
from sinara.reproduce import environment
from sinara.reproduce.compare import Comparison, compare
from sinara.runner import Listener, RunRequest, nobody, run_step
from sinara.runner.ingredients import FILE_NAME, decode
from sinara.runner.lock import LOCK_NAME
from sinara.store import StepStore
from sinara.store.values import AGAIN


@dataclass(frozen=True)
class Reproduction:
    """What became of it.

    Attributes:
        run_id: The run that was reproduced.
        again: The record of the new run; nobody reads what it published.
        entities: How each entity came out.
        doubts: Why it may not have been the same; one line each.
    """

    run_id: str
    again: RunRecord
    entities: tuple[Comparison, ...]
    doubts: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether everything came out equal or within tolerance."""
        good = ("equal", "within tolerance")
        return self.again.published and all(one.verdict in good for one in self.entities)


def reproduce(
    store: StepStore,
    run_id: str,
    *,
    tolerance: float = 1e-9,
    here: bool = False,
    storage_options: dict[str, Any] | None = None,
    listener: Listener = nobody,
    say: Callable[[str], object] = str,
    stop: StopRequest | None = None,
) -> Reproduction:
    """Run a published run again and compare what it gives.

    Args:
        store: Of its step.
        run_id: The run.
        tolerance: Largest relative difference of two numbers that are nearly the same.
        here: Use the packages that are here, even if they are not those of then.
        storage_options: What fsspec needs to read the store.
        listener: Hears what the new run says.
        say: Told, in a line each, what is done before that.
        stop: Asks for the end, if it goes on in a thread.

    Raises:
        RunNotFoundError: If the run is not published, or an input of it is not there any more.
        UsageError: If its code was never committed, or its packages cannot be had.
    """
    record, old = store.read_record(run_id), store.commit(run_id)
    if record.code.commit is None:
        raise UsageError(f"Run {run_id} was made of code that was never committed: nobody has it.")
    pins = _pins(record)
    with contextlib.ExitStack() as cleanup:
        folder = cleanup.enter_context(_step_folder(record, say))
        scratch = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="sinara-again-")))
        values = scratch / "params.json"
        values.write_text(json.dumps(_params(record)), encoding="utf-8")
        request = RunRequest(
            folder,
            env_name=record.env_name,
            params_files=(values,),
            pins=pins,
            commit=record.code.commit,
            trigger_key=f"{AGAIN}{run_id}/{names.new_run_id()}",
        )
        doubts = list(_doubts(record))
        request = _in_environment(store, record, request, scratch, doubts, here=here, say=say)
        say(f"runs commit {record.code.commit[:10]} with the inputs and parameters of {run_id}")
        again = run_step(request, listener=listener, stop=stop)
    found: tuple[Comparison, ...] = ()
    if again.published:
        new = store.commit(again.run_id)
        found = tuple(compare(store, old, new, tolerance, storage_options or {}))
    return Reproduction(run_id, again, found, tuple(doubts))


def _pins(record: RunRecord) -> dict[str, str]:
    """Return the run that each step was read from, by the step's key."""
    pins: dict[str, str] = {}
    for substep in record.substeps:
        for entity in substep.inputs:
            if entity.kind == "inputs" and entity.run_id:
                step, _ = names.parse_full_name(entity.full_name)
                if entity.run_id != record.run_id:
                    pins[step.key] = entity.run_id
    return pins


def _params(record: RunRecord) -> dict[str, Any]:
    pipeline = {k: v for k, v in record.pipeline_params.items() if k != "env_name"}
    told: dict[str, Any] = {"pipeline_params": pipeline, "step_params": record.step_params}
    given = {substep.name: substep.params for substep in record.substeps if substep.params}
    if given:
        told["substeps_params"] = [
            {"substep_name": name, "substep_params": params} for name, params in given.items()
        ]
    found: dict[str, Any] = plain(told)
    return found


@contextlib.contextmanager
def _step_folder(record: RunRecord, say: Callable[[str], object]) -> Iterator[Path]:
    """Give the folder of the step; if it is gone, a clone of its repository."""
    folder = Path(record.step_folder)
    if (folder / "params").is_dir():
        yield folder
        return
    if not record.code.origin:
        raise UsageError(
            f"{folder} is gone, and the run does not say where its repository is. Clone the step "
            "to that place."
        )
    from sinara.repository import clone

    with tempfile.TemporaryDirectory(prefix="sinara-clone-") as scratch:
        say(f"{folder} is gone: clones {record.code.origin}")
        place = Path(scratch, folder.name)
        clone(record.code.origin, place)
        yield place


def _doubts(record: RunRecord) -> Iterator[str]:
    if record.code.dirty:
        files = ", ".join(record.code.dirty[:5])
        yield f"files were changed when it ran, and their changes were never committed: {files}"
    for substep in record.substeps:
        for entity in substep.inputs:
            if entity.kind == "custom_inputs":
                yield f"its custom input {entity.url} may have changed since"


def _in_environment(
    store: StepStore,
    record: RunRecord,
    request: RunRequest,
    scratch: Path,
    doubts: list[str],
    *,
    here: bool,
    say: Callable[[str], object],
) -> RunRequest:
    """Return the request with a kernel whose packages are those of then, if they differ."""
    try:
        lock = store.get_file(record.run_id, LOCK_NAME).decode("utf-8", "replace")
    except RunNotFoundError:
        doubts.append("it was recorded before sinara noted the packages that were there")
        return request
    different = environment.differing(
        lock, installed(sys.executable).versions, _counting(store, record)
    )
    if not different:
        return request
    if here:
        doubts.append(f"packages differ: {environment.told(different)}")
        return request
    say(f"packages differ ({environment.told(different)}): makes an environment as it was")
    place = scratch / "environment"
    environment.make_environment(lock, place)
    environment.offer_kernel(place)
    override = f"step_params.kernel_name={environment.KERNEL}"
    return replace(request, overrides=(*request.overrides, override))


def _counting(store: StepStore, record: RunRecord) -> dict[str, str]:
    """Return the packages that the run's code rests on."""
    found: dict[str, str] = {}
    for substep in record.substeps:
        folder = names.entity_folder(names.reports_entity(substep.name))
        with contextlib.suppress(SinaraError):
            made = decode(store.get_file(record.run_id, f"{folder}/{FILE_NAME}"))
            found |= dict(made.packages) if made else {}
    return found
