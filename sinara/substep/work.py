"""What a substep knows while it works: its run, its declaration, what it has told the driver."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara import context as contexts
from sinara import writes
from sinara.context import Handback, RunContext
from sinara.contract.results import plain_results
from sinara.contract.told import broken_lines
from sinara.errors import ContractError, InterfaceError, UsageError, suggest
from sinara.interface import InputRef, Interface, as_lists
from sinara.substep import places, session
from sinara.substep.addresses import Addresses
from sinara.substep.entities import EntityUrls
from sinara.substep.identity import params_digest
from sinara.substep.metrics import plain_metric
from sinara.substep.pick import pick
from sinara.substep.resolve import NOT_FOUND, PROD, Reader, ResolvedInput
from sinara.substep.show import say

if TYPE_CHECKING:
    from sinara.contract import Contract, RuleResult
    from sinara.settings import EnvSettings, Settings
    from sinara.substep.draft import Draft


class Work:
    """The state behind a :class:`sinara.substep.NotebookSubstep`.

    Attributes:
        context: The run, or the draft.
        in_job: Whether a driver waits for what this substep hands back.
        inputs: The declared inputs, pinned.
        tmp_inputs: Entity -> URL of the declared temporary inputs.
    """

    def __init__(self, context: RunContext, *, in_job: bool) -> None:
        self.context = context
        self.in_job = in_job
        self.inputs: tuple[ResolvedInput, ...] = ()
        self.tmp_inputs: dict[str, str] = {}
        self._declared: Interface | None = None
        self._draft: Draft | None = None
        self._handback = Handback(run_id=context.run_id)
        self._tell()

    @property
    def design_mode(self) -> bool:
        """Whether only the interface is asked for: nothing is looked up, nothing is written."""
        return self.context.design_mode or contexts.DESIGN_VARIABLE in os.environ

    @property
    def declared(self) -> Interface:
        """The declared interface.

        Raises:
            InterfaceError: If nothing is declared yet.
        """
        if self._declared is None:
            raise InterfaceError(
                "Nothing is declared yet. Call substep.interface(inputs=…, outputs=…) first."
            )
        return self._declared

    @cached_property
    def settings(self) -> Settings:
        """The settings that hold for the run."""
        return session.settings_of(self.context)

    @cached_property
    def addresses(self) -> Addresses:
        """Where the run's own entities lie."""
        return Addresses(self.context, self.settings)

    @cached_property
    def reader(self) -> Reader:
        """Reads other runs' entities."""
        return Reader(self.context, self.settings)

    # -- declaring -----------------------------------------------------------------------

    def declare(self, declared: Interface) -> None:
        """Take the declaration: pin the inputs, prepare the places of the outputs, tell the driver.

        Raises:
            EntityNotFoundError: One line for each input that no run may give.
            CorruptError: If an input differs from what was published.
        """
        self._declared = declared
        self._tell(interface=as_lists(declared))  # who draws the step needs no more than this
        if self.design_mode:
            self.inputs = ()
            return
        self.reader.let_go()
        self._pin_inputs()
        self._prepare_tmp(declared)
        self._prepare_outputs(declared)

    def _pin_inputs(self) -> None:
        self.inputs = self.reader.resolve(self.declared.inputs, lenient=True)
        self._tell(
            inputs={item.full_name: item.url for item in self.inputs},
            input_runs={item.full_name: item.run_id for item in self.inputs},
        )
        self._check_inputs()

    def _check_inputs(self) -> None:
        """Check the inputs that have a contract, in a job and by hand alike.

        In a job a broken contract ends the substep before it reads anything. By hand it is told:
        a person may be here to find out why.

        Raises:
            ContractError: In a job; one line for each rule that is broken.
        """
        lines: list[str] = []
        checked: dict[str, Any] = {}
        for item in self.inputs:
            contract = self.declared.contract_of(item.ref)
            if contract is not None and item.note != NOT_FOUND:
                results = self._check_input(item, contract)
                checked[item.full_name] = plain_results(results)
                lines += broken_lines(f"Input '{item.ref.entity_name}' from {item.run_id}", results)
        if checked:
            self._tell(contracts=checked)
        if lines and self.in_job:
            raise ContractError(*lines)
        for line in lines:
            say(line)

    def _check_input(self, item: ResolvedInput, contract: Contract) -> tuple[RuleResult, ...]:
        from sinara.substep.contracts import check_entity

        return check_entity(
            contract,
            item.ref.entity_name,
            item.url,
            self.env_of(item).storage_options,
            self.reader.step_store(item.step),
            run=self.reader.commit_of(item),
            manifest=item.manifest,
        )

    def _look_again(self) -> None:
        """By hand, pin the inputs anew if one was published again since; say which.

        A person runs the cell that writes, then the cell that reads, and wants to see the new
        data. In a job the inputs stay what they were when the run began.
        """
        if self.in_job or self.design_mode or self._declared is None:
            return
        outdated = self.reader.outdated(self.inputs)
        if not outdated:
            return
        self._pin_inputs()  # what was handed out before stays held, too
        runs = {item.full_name: item.run_id for item in self.inputs}
        for item in outdated:
            say(f"Published again: {item.full_name} is now read from {runs[item.full_name]}")
        if self._draft is not None:
            self._draft.declare(self._promises(self._declared), *self._made_from())

    def _prepare_tmp(self, declared: Interface) -> None:
        # Looked up before this run's own folders are made: an earlier run's are meant.
        self.tmp_inputs = {
            name: self.addresses.tmp_input(name, or_own=name in declared.tmp_outputs)
            for name in declared.tmp_inputs
        }
        own = self.tmp_urls((*declared.tmp_outputs, *declared.tmp_entities))
        for url in own.values():
            places.make_folder(url)
        told = self.by_full_name({**self.tmp_inputs, **own})
        self._tell(tmp={f"tmp:{name}": url for name, url in told.items()})

    def _prepare_outputs(self, declared: Interface) -> None:
        urls = self.output_urls()
        self._tell(outputs=self.by_full_name(urls))
        if not urls or (not self.in_job and self.env_is_prod):
            return
        if self.in_job:
            places.make_folder(self.addresses.run)
        else:
            self._join_draft(declared)
        writes.watch(urls.values())

    def _join_draft(self, declared: Interface) -> None:
        from sinara.substep import interactive

        context = self.context
        self._draft = interactive.join(
            self.reader.step_store(self.addresses.step),
            context.run_id,
            contexts.draft_file(self.addresses.env.tmp_root, Path(context.step_folder)).parent,
            storage_options=self.addresses.env.storage_options,
            each_cell=self.settings.publish == "cell",
        )
        self._draft.declare(self._promises(declared), *self._made_from())

    def _promises(self, declared: Interface) -> dict[str, Contract | None]:
        return {name: declared.contract_of(name) for name in declared.outputs}

    def _made_from(self) -> tuple[dict[str, dict[str, str | None]], str]:
        read = {
            item.full_name: {"run_id": item.run_id, "manifest_sha256": item.manifest or None}
            for item in self.inputs
        }
        return read, params_digest(self.context)

    # -- addresses -----------------------------------------------------------------------

    def inputs_from(
        self, step_name: str, wanted: Mapping[str, str | None]
    ) -> tuple[ResolvedInput, ...]:
        """Return the inputs from a step that fit ``wanted``, as :func:`.pick.pick` takes it.

        If none fits, inputs that were declared without what is wanted are looked for there.
        """
        self._look_again()
        picked = pick(self.inputs, self.addresses.step, step_name, wanted)
        if picked or self.design_mode or not any(wanted.values()):
            return picked
        elsewhere = (
            InputRef(
                step_name,
                ref.entity_name,
                ref.env_name or wanted["env"],
                ref.pipeline_name or wanted["pipeline"],
                ref.zone_name or wanted["zone"],
                ref.run_id or wanted["run_id"],
            )
            for ref in self.declared.inputs
            if ref.step_name == step_name
        )
        return pick(self.reader.resolve(elsewhere), self.addresses.step, step_name, wanted)

    def input_named(self, entity: str, step_name: str | None) -> ResolvedInput:
        """Return the declared input of that name.

        Raises:
            UsageError: If there is none, or several steps have one and none is named.
        """
        declared = self.declared.inputs
        steps = dict.fromkeys(ref.step_name for ref in declared if ref.entity_name == entity)
        if step_name is None and len(steps) > 1:
            raise UsageError(
                f"Several steps have an input '{entity}': {', '.join(steps)}. "
                f"Say which: substep.read('{entity}', step_name=…)."
            )
        nothing = dict.fromkeys(("env", "pipeline", "zone", "run_id"))
        for item in self.inputs_from(step_name or next(iter(steps), ""), nothing):
            if item.ref.entity_name == entity:
                return item
        known = list(dict.fromkeys(ref.entity_name for ref in declared))
        there = ", ".join(known) or "none"
        advice = suggest(entity, known) or "Declare it in substep.interface(inputs=…)."
        origin = f" from step '{step_name}'" if step_name else ""
        raise UsageError(f"No input '{entity}'{origin} is declared; there is {there}. {advice}")

    def output_urls(self) -> dict[str, str]:
        """Return entity -> URL of the declared outputs."""
        return {name: self.addresses.output(name) for name in self.declared.outputs}

    def tmp_urls(self, entities: Iterable[str]) -> dict[str, str]:
        """Return entity -> URL of temporary entities of this run."""
        return {name: self.addresses.tmp_output(name) for name in entities}

    def custom_paths(self, kind: str) -> dict[str, str]:
        """Return entity -> path of ``custom_inputs`` or ``custom_outputs``."""
        return {ref.entity_name: ref.path for ref in getattr(self.declared, kind)}

    def by_full_name(self, urls: Mapping[str, str]) -> dict[str, str]:
        """Return full name -> URL of entities of this step."""
        return {self.addresses.full_name(name): url for name, url in urls.items()}

    def own(self, what: str, urls: Mapping[str, str]) -> EntityUrls:
        """Return entities of this step as a notebook gets them."""
        full_names = {name: self.addresses.full_name(name) for name in urls}
        _ = self.declared
        return EntityUrls(what, urls, full_names)

    def custom(self, kind: str) -> EntityUrls:
        """Return custom entities as a notebook gets them; their full names are their names."""
        paths = self.custom_paths(kind)
        return EntityUrls(kind, paths, {name: name for name in paths})

    def env_of(self, item: ResolvedInput) -> EnvSettings:
        """Return the settings of the env that an input comes from."""
        return self.settings.env(item.step.env)

    # -- telling -------------------------------------------------------------------------

    def add_metric(self, name: str, value: object) -> None:
        """Tell the driver a metric.

        Raises:
            UsageError: If a report cannot hold it.
        """
        self._tell(metrics={**self._handback.metrics, name: plain_metric(name, value)})

    def _tell(self, **changes: Any) -> None:
        self._handback = replace(self._handback, **changes)
        if self.in_job and self.context.handback_file:
            contexts.write_handback(Path(self.context.handback_file), self._handback)

    # -- by hand -------------------------------------------------------------------------

    @property
    def env_is_prod(self) -> bool:
        """Whether the run belongs to ``prod``."""
        return self.context.env_name == PROD

    def refuse_prod_by_hand(self) -> None:
        """Refuse to hand out places to write in ``prod``, unless a driver waits for the result.

        Raises:
            UsageError: By hand in env ``prod``.
        """
        if self.env_is_prod and not self.in_job:
            raise UsageError(
                "Env prod is written by runs only, not by hand. Run python step.prod.py, or set "
                "env_name to 'user' in params/step_params.json while you work on the notebook."
            )

    def publish(self) -> str:
        """Publish the draft and return the snapshot's run id; in a job return the run's.

        Raises:
            OutputError: If no declared output was written.
            UsageError: In env ``prod``.
        """
        if self.in_job:
            return self.context.run_id
        self.refuse_prod_by_hand()
        if self._draft is None:
            raise InterfaceError(
                "There is nothing to publish: call substep.interface(outputs=…) first."
            )
        return self._draft.publish().run_id

    # -- tensorboard ---------------------------------------------------------------------

    def tensorboard_base(self, log_name: str) -> Path:
        """Return the folder of all runs' events of ``log_name``; it is there."""
        from sinara import tensorboard

        root = self.context.outputs_root or self.addresses.env.tmp_root
        if not places.is_local(root):
            root = session.get_tmp_work_path(write_root=True)
        return tensorboard.base_folder(Path(root, self.addresses.step.path), log_name)

    def copy_tensorboard_logs(self, log_name: str, env_name: str) -> None:
        """Copy the events of ``log_name`` that earlier runs of this step published in an env."""
        from sinara import tensorboard

        step = replace(self.addresses.step, env=env_name)
        options = self.settings.env(env_name).storage_options
        store = self.reader.step_store(step)
        prod = PROD in (env_name, self.context.env_name)
        base = self.tensorboard_base(log_name)
        tensorboard.copy_published(store, log_name, base, options, interactive=not prod)
