"""One substep of a run: filled, executed, its outputs settled, its pages written."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara import names
from sinara.context import (
    CONTEXT_VARIABLE,
    Handback,
    RunContext,
    read_handback,
    write_context,
)
from sinara.errors import SinaraError
from sinara.interface import Interface, make_interface
from sinara.record import EntityRecord, Failure, SubstepRecord
from sinara.runner.events import Listener, RunEvent
from sinara.runner.prepare import PreparedStep, PreparedSubstep

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from sinara.execute import Executed, ExecuteEvent
    from sinara.runner.attempts import Attempts
    from sinara.store import EntityInfo, RunWriter

NOTEBOOK_NAME = "report.ipynb"


@dataclass(frozen=True)
class SubstepOutcome:
    """What became of one substep."""

    record: SubstepRecord
    interface: Interface
    handback: Handback
    notebook: NotebookNode | None


@dataclass(frozen=True)
class SubstepPlace:
    """Where one substep of one run does its work."""

    context: RunContext
    runtime: Path  # private folder of this substep, removed with the run's
    output: Path  # the executed notebook, kept as evidence
    inputs: Callable[[str, str], EntityRecord | None]  # (full name, run id) -> what was read
    attempts: Attempts | None = None  # with checkpoints, where a run can be resumed


def run_substep(
    prepared: PreparedStep,
    substep: PreparedSubstep,
    place: SubstepPlace,
    writer_for: Callable[[str], RunWriter],
    listener: Listener,
) -> SubstepOutcome:
    """Execute one substep and settle what it wrote.

    Args:
        prepared: The step, checked.
        substep: Which of its substeps.
        place: Its context and its folders.
        writer_for: Gives the writer of a run id: the run's own, unless the notebook fixed another.
        listener: Is told what happens.

    Returns:
        The outcome; nothing is raised for what the notebook did.
    """
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    base = _base_record(substep, started)
    place.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    context_file = place.runtime / "context.json"
    write_context(context_file, place.context)
    executed = _execute(prepared, substep, place, context_file, listener)
    handback = read_handback(Path(place.context.handback_file))
    interface = _interface(substep, handback)
    status, failure, attempts = executed.status, executed.failure, place.attempts
    seal = status == "succeeded" and attempts is not None
    outputs, problems = _settle(
        writer_for, handback, interface, place.context, substep.name, seal=seal
    )
    if status == "succeeded" and problems:
        status, failure = "failed", Failure(kind="outputs", message="; ".join(problems))
    record = replace(
        base,
        status=status,
        seconds=executed.seconds,
        metrics=_without_secrets(handback.metrics, substep.secrets),
        inputs=_inputs(handback, interface, place, substep.name),
        outputs=outputs,
        interface=handback.interface,
        cells=executed.cells,
        failure=failure,
        warnings=base.warnings + executed.warnings + (attempts.warnings if attempts else ()),
        resumed=attempts.resumed if attempts else "",
        kernel_name=executed.kernel_name,
        notebook=f"{place.output.parent.name}/{place.output.name}",
    )
    return SubstepOutcome(record, interface, handback, executed.notebook)


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
    listener: Listener,
) -> Executed:
    from sinara.execute import ExecuteOptions, execute_module, execute_notebook, start_ahead

    settings = prepared.settings
    strict_shell = settings.strict_shell
    options = ExecuteOptions(
        kernel_name=prepared.params.kernel_name,
        cwd=prepared.folder,
        env={
            **os.environ,
            CONTEXT_VARIABLE: str(context_file),
            "DSML_CURR_RUN_ID": place.context.run_id,
            "DSML_CURR_NOTEBOOK_NAME": substep.name,
        },
        cell_timeout=settings.cell_timeout,
        run_timeout=settings.run_timeout,
        start_timeout=settings.start_timeout,
        max_cell_output=settings.max_cell_output,
        max_notebook_output=settings.max_notebook_output,
        redact=substep.secrets,
        runtime_folder=place.runtime,
        strict_shell=prepared.params.env_name == "prod" if strict_shell is None else strict_shell,
        on_event=lambda event: _pass_on(substep.name, event, listener),
    )
    if not substep.is_notebook:
        if place.attempts is not None:
            place.attempts.begin_module()
        return execute_module(substep.path, _arguments(place.context), place.output, options)
    kernel = start_ahead(options, substep.metadata)
    try:
        filled = _filled(substep, place.context)
    except BaseException:
        kernel.close()
        raise
    if place.attempts is not None:
        return place.attempts.execute(filled, place.output, options, kernel)
    return execute_notebook(filled, place.output, options, kernel=kernel)


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


def _pass_on(substep: str, event: ExecuteEvent, listener: Listener) -> None:
    if event.kind == "end":  # its cells are over; how the substep ended, its outputs decide
        return
    listener(
        RunEvent(
            event.kind, substep, event.cell, event.seconds, event.stream, event.text, event.status
        )
    )


def _interface(substep: PreparedSubstep, handback: Handback) -> Interface:
    if handback.interface is not None:
        try:
            return make_interface(**handback.interface)
        except SinaraError:
            return substep.interface or Interface()
    return substep.interface or Interface()


def _settle(
    writer_for: Callable[[str], RunWriter],
    handback: Handback,
    interface: Interface,
    context: RunContext,
    substep: str,
    *,
    seal: bool,
) -> tuple[tuple[EntityRecord, ...], list[str]]:
    """Settle what a substep wrote, and seal it where a resumed run may adopt it."""
    records: list[EntityRecord] = []
    problems: list[str] = []
    step = names.StepName(
        context.env_name, context.pipeline_name, context.zone_name, context.step_name
    )
    run_id = handback.run_id or context.run_id
    for entity in interface.outputs:
        try:
            writer = writer_for(run_id)
            info = writer.settle(entity)
            if info is not None and seal:
                info = writer.seal(entity)
        except SinaraError as error:
            problems.extend(error.lines)
            continue
        if info is None:
            url = writer.entity_url(entity)
            problems.append(
                f"Output '{entity}' of {substep} was declared, but not written to {url}. "
                "Write it, or take it out of the interface."
            )
            continue
        records.append(_output_record(step, entity, run_id, substep, info))
    for custom in interface.custom_outputs:
        records.append(
            EntityRecord(
                custom.entity_name,
                custom.entity_name,
                custom.path,
                run_id,
                "custom_outputs",
                substep,
            )
        )
    return tuple(records), problems


def _output_record(
    step: names.StepName, entity: str, run_id: str, substep: str, info: EntityInfo
) -> EntityRecord:
    return EntityRecord(
        name=entity,
        full_name=names.full_name(step, entity),
        url=info.url,
        run_id=run_id,
        kind="outputs",
        substep=substep,
        files=info.files,
        bytes=info.bytes,
        rows=info.rows,
        columns=tuple(info.columns),
        manifest=info.manifest or None,
    )


def _inputs(
    handback: Handback, interface: Interface, place: SubstepPlace, substep: str
) -> tuple[EntityRecord, ...]:
    records: list[EntityRecord] = []
    for full_name, url in handback.inputs.items():
        run_id = handback.input_runs.get(full_name, "")
        known = place.inputs(full_name, run_id)
        entity = full_name.rpartition(".")[2]
        record = EntityRecord(entity, full_name, url, run_id, "inputs", substep)
        if known is not None:
            record = dataclasses.replace(known, url=url, substep=substep, kind="inputs")
        records.append(record)
    for custom in interface.custom_inputs:
        records.append(
            EntityRecord(
                custom.entity_name, custom.entity_name, custom.path, "", "custom_inputs", substep
            )
        )
    return tuple(records)


def public_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as they may be recorded: a copy that JSON can hold."""
    copied: dict[str, Any] = json.loads(json.dumps(dict(params), default=str))
    return copied
