"""One substep of a run: filled, executed, its outputs settled, its pages written."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.audit.refusal import explained
from sinara.context import (
    CONTEXT_VARIABLE,
    Handback,
    RunContext,
    read_handback,
    write_context,
)
from sinara.contract import RuleResult
from sinara.contract.results import read_results
from sinara.errors import ContractError, SinaraError
from sinara.interface import Interface, make_interface
from sinara.kernels.signals import StopRequest
from sinara.postmortem import FILE_NAME as FAILURE_NAME
from sinara.record import EntityRecord, Failure, SubstepRecord
from sinara.runner.estimate import Usual
from sinara.runner.events import Listener
from sinara.runner.outputs import Outputs, without_secrets
from sinara.runner.prepare import PreparedStep, PreparedSubstep
from sinara.runner.telling import teller
from sinara.runner.touched import Watching, tell_writes
from sinara.settings import Settings

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from sinara.execute import Executed, ExecuteEvent
    from sinara.runner.continuation import Continuation
    from sinara.store import RunWriter

NOTEBOOK_NAME = "report.ipynb"


@dataclass(frozen=True)
class SubstepOutcome:
    """What became of one substep."""

    record: SubstepRecord
    interface: Interface
    handback: Handback
    notebook: NotebookNode | None
    processes_left: bool = False  # whether something that it started could not be ended


@dataclass(frozen=True)
class SubstepPlace:
    """Where one substep of one run does its work."""

    context: RunContext
    runtime: Path  # private folder of this substep, removed with the run's
    output: Path  # the executed notebook, kept as evidence
    inputs: Callable[[str, str], EntityRecord | None]  # (full name, run id) -> what was read
    continuation: Continuation | None = None  # with checkpoints, where a run can be resumed
    stop: StopRequest | None = None  # asks for its end, where signals do not

    @property
    def failure(self) -> Path:
        """Where the variables of a failed cell are kept."""
        return self.output.with_name(FAILURE_NAME)


def warm_up(settings: Settings, *, expect: int) -> None:
    """Have kernels prepared, because so many will be asked for soon.

    Args:
        settings: Whether they are to be warm, and what is imported ahead.
        expect: How many notebooks there are to run.
    """
    if settings.warm and expect:
        from sinara.execute import warm_up as begin

        begin(preload=settings.preload, expect=expect)


def run_substep(
    prepared: PreparedStep,
    substep: PreparedSubstep,
    place: SubstepPlace,
    writer_for: Callable[[str], RunWriter],
    listener: Listener,
    usual: Callable[[], Usual] = Usual,
) -> SubstepOutcome:
    """Execute one substep and settle what it wrote.

    Args:
        prepared: The step, checked.
        substep: Which of its substeps.
        place: Its context and its folders.
        writer_for: Gives the writer of a run id: the run's own, unless the notebook fixed another.
        listener: Is told what happens.
        usual: Gives how long it took in earlier runs.

    Returns:
        The outcome; nothing is raised for what the notebook did.
    """
    began = time.monotonic()
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    base = _base_record(substep, started)
    place.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    context_file = place.runtime / "context.json"
    write_context(context_file, place.context)
    tell = partial(teller, substep.name, listener, usual, began)
    with Watching(prepared, substep, place.context) as watching:
        executed = _execute(prepared, substep, place, context_file, watching, tell)
        handback = read_handback(Path(place.context.handback_file))
        interface = _interface(substep, handback)
        files = watching.files(interface, handback, executed)
    tell_writes(substep.name, files, listener)
    status, going_on = executed.status, place.continuation
    inputs = _inputs(handback, interface, place, substep)
    failure = explained(executed.failure, watching.audit.rules, prepared.folder)
    failure = _as_contract(failure, inputs)
    settled = Outputs(prepared, substep.name, place.context, interface, substep.secrets)
    outputs = settled.settle(
        writer_for, handback, succeeded=status == "succeeded", seal=going_on is not None
    )
    if status == "succeeded" and settled.failure:
        status, failure = "failed", settled.failure
    record = replace(
        base,
        status=status,
        seconds=round(time.monotonic() - began, 3),  # its kernel's start and its outputs too
        metrics=_without_secrets(handback.metrics, substep.secrets),
        inputs=inputs,
        outputs=outputs,
        interface=handback.interface,
        cells=executed.cells,
        failure=failure,
        warnings=base.warnings + executed.warnings + (going_on.warnings if going_on else ()),
        resumed=going_on.resumed if going_on else "",
        files=files,
        kernel_name=executed.kernel_name,
        notebook=f"{place.output.parent.name}/{place.output.name}",
    )
    return SubstepOutcome(record, interface, handback, executed.notebook, executed.processes_left)


def _without_secrets(metrics: Mapping[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    from sinara.kernels.redact import Redactor

    clean: dict[str, Any] = Redactor(secrets).value(dict(metrics))
    return clean


def _base_record(substep: PreparedSubstep, started: str) -> SubstepRecord:
    return SubstepRecord(
        name=substep.name,
        status="running",
        started=started,
        params=substep.given,
        warnings=substep.checked.warnings,
        notebook_sha256=substep.sha256,
    )


def _execute(
    prepared: PreparedStep,
    substep: PreparedSubstep,
    place: SubstepPlace,
    context_file: Path,
    watching: Watching,
    tell: Callable[..., Callable[[ExecuteEvent], None]],
) -> Executed:
    from sinara.execute import (
        ExecuteOptions,
        Limits,
        execute_module,
        execute_notebook,
        start_ahead,
    )

    settings = prepared.settings.for_substep(prepared.params.step_name, substep.name)
    strict_shell = settings.strict_shell
    options = ExecuteOptions(
        kernel_name=prepared.params.kernel_name,
        cwd=prepared.folder,
        env={
            **os.environ,
            CONTEXT_VARIABLE: str(context_file),
            "DSML_CURR_RUN_ID": place.context.run_id,
            "DSML_CURR_NOTEBOOK_NAME": substep.name,
            **watching.environment,
        },
        cell_timeout=settings.cell_timeout,
        run_timeout=settings.run_timeout,
        start_timeout=settings.start_timeout,
        limits=Limits(settings.memory, settings.cpu_seconds),
        max_cell_output=settings.max_cell_output,
        max_notebook_output=settings.max_notebook_output,
        redact=substep.secrets,
        runtime_folder=place.runtime,
        warm=settings.warm,
        preload=settings.preload,
        strict_shell=prepared.params.env_name == "prod" if strict_shell is None else strict_shell,
        failure_file=place.failure,
        stop=place.stop,
        audit=watching.audit,
    )
    tell = watching.told(tell)
    if not substep.is_notebook:
        if place.continuation is not None:
            place.continuation.begin_module()
        arguments = _arguments(place.context)
        return execute_module(
            substep.path, arguments, place.output, replace(options, on_event=tell())
        )
    kernel = start_ahead(options, substep.metadata)
    try:
        filled = _filled(substep, place.context)
        options = replace(options, on_event=tell(filled))
        if place.continuation is not None:
            return place.continuation.execute(filled, place.output, options, kernel)
        return execute_notebook(filled, place.output, options, kernel=kernel)
    finally:
        kernel.close()  # also if it was never used


def _filled(substep: PreparedSubstep, context: RunContext) -> NotebookNode:
    """Return the notebook with this run's parameters; its imports take time, a kernel boots."""
    from sinara.notebook import fill, read_notebook

    return fill(
        read_notebook(substep.path),
        substep.schema,
        substep.checked,
        pipeline_params=context.pipeline_params,
        step_params=context.step_params,
    )


def _arguments(context: RunContext) -> list[str]:
    """Return the arguments that the original gave to a module: the parameters, as JSON.

    Secrets are references here, as everywhere outside the kernel.
    """
    return ["--params", json.dumps({"pipeline_params": context.pipeline_params,
                                    "step_params": context.step_params,
                                    "substep_params": context.substep_params})]  # fmt: skip


def _interface(substep: PreparedSubstep, handback: Handback) -> Interface:
    if handback.interface is not None:
        try:
            return make_interface(**handback.interface)
        except SinaraError:
            return substep.interface or Interface()
    return substep.interface or Interface()


def _inputs(
    handback: Handback, interface: Interface, place: SubstepPlace, substep: PreparedSubstep
) -> tuple[EntityRecord, ...]:
    records: list[EntityRecord] = []
    checked = _checked(handback, substep.secrets)
    for full_name, url in handback.inputs.items():
        run_id = handback.input_runs.get(full_name, "")
        known = place.inputs(full_name, run_id)
        entity = full_name.rpartition(".")[2]
        record = EntityRecord(entity, full_name, url, run_id, "inputs", substep.name)
        if known is not None:
            record = replace(known, url=url, substep=substep.name, kind="inputs")
        records.append(replace(record, contract=checked.get(full_name, ())))
    for custom in interface.custom_inputs:
        records.append(
            EntityRecord(
                custom.entity_name,
                custom.entity_name,
                custom.path,
                "",
                "custom_inputs",
                substep.name,
            )
        )
    return tuple(records)


def _checked(handback: Handback, secrets: tuple[str, ...]) -> dict[str, tuple[RuleResult, ...]]:
    """Return what came of the contracts of inputs: full name -> results."""
    from sinara.kernels.redact import Redactor

    clean, found = Redactor(secrets).text, {}
    for full_name, results in handback.contracts.items():
        with contextlib.suppress(ValueError):  # what a kernel writes may be anything
            found[full_name] = without_secrets(read_results(results), clean)
    return found


def _as_contract(failure: Failure | None, inputs: Sequence[EntityRecord]) -> Failure | None:
    """Return the failure of a cell as one of a contract, if that is why the cell failed."""
    broken = any(not result.kept for entity in inputs for result in entity.contract)
    if failure is None or not broken or failure.ename != ContractError.__name__:
        return failure
    return replace(failure, kind="contract")


def public_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as they may be recorded: a copy that JSON can hold."""
    copied: dict[str, Any] = json.loads(json.dumps(dict(params), default=str))
    return copied
