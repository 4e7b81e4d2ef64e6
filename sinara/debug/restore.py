"""The surroundings of a failed substep: its parameters, the runs that it read, its environment."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sinara import names
from sinara.context import (
    CONTEXT_VARIABLE,
    DESIGN_VARIABLE,
    OUTER_RUN_ID_VARIABLE,
    RUN_ID_VARIABLE,
    RunContext,
    write_context,
)
from sinara.debug.failed import FailedSubstep, changes
from sinara.errors import (
    EntityNotFoundError,
    ParamsError,
    RunNotFoundError,
    StoreError,
)
from sinara.execute import KernelSpec, find_kernel
from sinara.interface import ENTITY_NAME, RUN_ID
from sinara.kernels.launch import kernel_environment
from sinara.names import StepName
from sinara.record import EntityRecord
from sinara.runner.inputs import step_store
from sinara.runner.scratch import make_scratch
from sinara.secret import find_references, resolve
from sinara.settings import Settings, load_settings
from sinara.substep.places import exists


@dataclass(frozen=True)
class Restored:
    """A failed substep, ready to be run again in part.

    Attributes:
        failed: The substep.
        context: What its code is told of the run.
        env: The whole environment for its process, with private folders for IPython and Jupyter.
        kernel: What runs its cells.
        scratch: A private folder; it is removed with all that the session wrote.
        told: What a person should know before, a line each.
    """

    failed: FailedSubstep
    context: RunContext
    env: Mapping[str, str]
    kernel: KernelSpec
    scratch: Path
    told: tuple[str, ...]


@contextlib.contextmanager
def restored(failed: FailedSubstep, environ: Mapping[str, str] | None = None) -> Iterator[Restored]:
    """Restore a substep, and remove everything at the end.

    While it lasts the runs that it reads are held: nobody deletes them.

    Args:
        failed: The substep.
        environ: The environment; the process's own by default.

    Raises:
        EntityNotFoundError: If an input that it read is gone; one line per input.
        ParamsError: If a secret cannot be read; one line per secret.
        NotebookError: If its kernel is not installed.
    """
    environ = dict(os.environ if environ is None else environ)
    settings = load_settings(failed.folder, environ)
    _require_secrets(failed, environ)
    spec = find_kernel(failed.substep.kernel_name, failed.notebook.get("metadata"))
    pins, produced = _inputs(failed)
    with contextlib.ExitStack() as stack:
        _hold(failed, settings, stack)
        scratch = make_scratch()
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        context = _context(failed, scratch, pins, produced)
        env = kernel_environment(_environment(environ, scratch, context), spec, scratch / "kernel")
        (scratch / "kernel").mkdir(mode=0o700)
        yield Restored(failed, context, env, spec, scratch, tuple(_told(failed)))


def _told(failed: FailedSubstep) -> Iterator[str]:
    yield from changes(failed)
    if failed.substep.interface is None:
        yield "The run recorded no inputs of it: it reads the newest ones."
    yield "What it writes to its outputs goes to a scratch folder: nothing is published."


def _require_secrets(failed: FailedSubstep, environ: Mapping[str, str]) -> None:
    record, lines = failed.record, []
    given = (record.pipeline_params, record.step_params, failed.substep.params)
    for path, reference in (found for params in given for found in find_references(params)):
        try:
            resolve(reference, folder=failed.folder, environ=environ)
        except ParamsError as error:
            lines += [f"parameter '{path}': {line}" for line in error.lines]
    if lines:
        raise ParamsError(*dict.fromkeys(lines))


def _read(failed: FailedSubstep) -> Iterator[EntityRecord]:
    """Yield the inputs that were read from runs, the failed substep's own first."""
    others = [s for s in failed.record.substeps if s.name != failed.substep.name]
    for substep in (failed.substep, *others):
        yield from (e for e in substep.inputs if e.kind == "inputs" and e.run_id)


def _fixed(failed: FailedSubstep) -> set[tuple[str, str]]:
    """Return (entity, run id) of inputs whose declaration names the run: they need no pin."""
    declared = [(s.interface or {}).get("inputs", ()) for s in failed.record.substeps]
    return {
        (str(ref.get(ENTITY_NAME, "")), str(ref[RUN_ID]))
        for refs in declared
        for ref in refs
        if isinstance(ref, dict) and ref.get(RUN_ID)
    }


def _inputs(failed: FailedSubstep) -> tuple[dict[str, str], dict[str, str]]:
    """Return step key -> run id of what was read, and entity -> URL of what this run wrote."""
    produced: dict[str, str] = {}
    for substep in failed.record.substeps:
        if substep.name == failed.substep.name:
            break
        produced |= {e.name: e.url for e in substep.outputs if e.kind == "outputs"}
    pins: dict[str, str] = {}
    fixed, own = _fixed(failed), set(produced.values())
    for entity in _read(failed):
        step, name = names.parse_full_name(entity.full_name)
        if entity.url not in own and (name, entity.run_id) not in fixed:
            pins.setdefault(step.key, entity.run_id)
    return pins, produced


def _hold(failed: FailedSubstep, settings: Settings, stack: contextlib.ExitStack) -> None:
    """Check that all that the substep read is there, and keep it there."""
    lines: list[str] = []
    held: set[tuple[StepName, str]] = set()
    _, produced = _inputs(failed)
    for entity in failed.substep.inputs:
        if entity.kind != "inputs" or not entity.run_id or entity.note == "not found":
            continue
        step, name = names.parse_full_name(entity.full_name)
        if entity.url in produced.values():
            if not exists(entity.url, settings.env(step.env).storage_options):
                lines.append(_gone_outputs(failed, entity))
            continue
        store = step_store(settings, step)
        try:
            commit = store.commit(entity.run_id, legacy=True)
            store.open(commit, name, verify="sizes")
            if not commit.legacy and (step, entity.run_id) not in held:
                held.add((step, entity.run_id))
                with contextlib.suppress(StoreError):  # a store that may only be read
                    stack.callback(store.pin(entity.run_id).release)
        except (EntityNotFoundError, RunNotFoundError):
            lines.append(
                f"Input {entity.full_name} was read from run {entity.run_id}, which is gone. "
                "Run the step again and debug that run."
            )
    if lines:
        raise EntityNotFoundError(*lines)


def _gone_outputs(failed: FailedSubstep, entity: EntityRecord) -> str:
    return (
        f"Input {entity.full_name} was written by an earlier substep of run "
        f"{failed.record.run_id}, and removed when the step ran again. "
        "Run the step again and debug that run."
    )


def _context(
    failed: FailedSubstep, scratch: Path, pins: dict[str, str], produced: dict[str, str]
) -> RunContext:
    record = failed.record
    for name in ("work", "outputs"):
        (scratch / name).mkdir(mode=0o700)
    return RunContext(
        run_id=names.new_run_id(),  # its own: no path that is made of it is the failed run's
        env_name=record.env_name,
        pipeline_name=record.pipeline_name,
        zone_name=record.zone_name,
        step_name=record.step_name,
        substep_name=failed.substep.name,
        step_folder=str(failed.folder),
        settings_folder=str(failed.folder),
        pipeline_params=record.pipeline_params,
        step_params=record.step_params,
        substep_params=failed.substep.params,
        pins=pins,
        pins_file=str(scratch / "pins.json"),
        produced=produced,
        handback_file=str(scratch / "handback.json"),
        work_path=str(scratch / "work"),
        outputs_root=str(scratch / "outputs"),
    )


def _environment(environ: Mapping[str, str], scratch: Path, context: RunContext) -> dict[str, str]:
    file = scratch / "context.json"
    write_context(file, context)
    left = {OUTER_RUN_ID_VARIABLE, DESIGN_VARIABLE}
    return {
        **{key: value for key, value in environ.items() if key not in left},
        CONTEXT_VARIABLE: str(file),
        RUN_ID_VARIABLE: context.run_id,
        "DSML_CURR_NOTEBOOK_NAME": context.substep_name,
    }
