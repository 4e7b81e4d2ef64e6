"""The object that a notebook works with: :class:`NotebookSubstep`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

from sinara import names
from sinara.errors import UsageError
from sinara.interface import as_lists, make_interface
from sinara.names import StepName
from sinara.substep import identity, session
from sinara.substep.entities import EntityUrls
from sinara.substep.show import say, show, show_urls
from sinara.substep.work import Work

Declared = Iterable[Mapping[str, Any]] | None
# What the original's keyword arguments are when they are not given.
_NOT_GIVEN = (None, "curr_env_name", "curr_pipeline_name", "curr_zone_name", "last_run_id")


class NotebookSubstep:
    """One substep: a notebook, or a ``.py`` module, that reads some entities and writes others.

    ``NotebookSubstep()`` takes names and parameters from its run, or by hand from the step's
    parameter files; the three dictionaries may be given as well, as notebooks of 4-DS Sinara do.

    By hand, in JupyterLab, outputs go to a draft run that all notebooks of this checkout share.
    After each cell that changed an output and did not raise, the draft is published as a snapshot
    that other notebooks read, marked *interactive*. An input that was published again is read by
    the next :meth:`read` or :meth:`inputs`, which says so. Env ``prod`` neither reads nor writes
    such runs. A snapshot costs a copy of each entity that changed since the last one: next to
    nothing on file systems that share blocks (Btrfs, XFS, APFS), the time and space of a full copy
    elsewhere. For large entities set ``publish = "request"`` in ``sinara.toml`` and call
    :meth:`publish`. Outside of IPython nothing tells where a cell ends: call :meth:`publish`, or
    write ``with NotebookSubstep() as substep:``.

    Attributes:
        current: The newest substep of this process, if there is one.
    """

    current: ClassVar[NotebookSubstep | None] = None

    def __init__(
        self,
        pipeline_params: Mapping[str, Any] | None = None,
        step_params: Mapping[str, Any] | None = None,
        substep_params: Mapping[str, Any] | None = None,
        *,
        default_env_name: str = "user",
        default_zone_name: str = "zone",
        default_pipeline_name: str | None = None,
        default_step_name: str | None = None,
    ) -> None:
        """Find out which run this substep belongs to.

        Raises:
            ParamsError: If a name is missing, or by hand the parameter files are wrong.
            InterfaceError: If the notebook names another step than the run it belongs to.
        """
        defaults = {
            "env_name": default_env_name,
            "pipeline_name": default_pipeline_name,
            "zone_name": default_zone_name,
            "step_name": default_step_name,
        }
        context = identity.context_for(pipeline_params, step_params, substep_params, defaults)
        self._work = Work(context, in_job=session.job_context() is not None)
        self._metrics: dict[str, Any] = {}
        session.remember(context)
        NotebookSubstep.current = self

    # -- names ---------------------------------------------------------------------------

    @property
    def env_name(self) -> str:
        """Name of the env."""
        return self._work.context.env_name

    @property
    def pipeline_name(self) -> str:
        """Name of the pipeline."""
        return self._work.context.pipeline_name

    @property
    def zone_name(self) -> str:
        """Name of the zone."""
        return self._work.context.zone_name

    @property
    def step_name(self) -> str:
        """Name of the step."""
        return self._work.context.step_name

    @property
    def run_id(self) -> str:
        """Id of the run, or of the draft."""
        return self._work.context.run_id

    @property
    def substep_name(self) -> str:
        """Name of the notebook without its extension; empty by hand where nothing tells it."""
        return Path(self._work.context.substep_name).stem

    @property
    def work(self) -> Work:
        """What stands behind it, for the rest of this package."""
        return self._work

    # -- interface -----------------------------------------------------------------------

    def interface(
        self,
        *,
        inputs: Declared = None,
        outputs: Declared = None,
        custom_inputs: Declared = None,
        custom_outputs: Declared = None,
        tmp_inputs: Declared = None,
        tmp_outputs: Declared = None,
        tmp_entities: Declared = None,
    ) -> None:
        """Declare what this substep reads and writes, and pin its inputs to published runs.

        Args:
            inputs: Dictionaries with ``STEP_NAME`` and ``ENTITY_NAME``, and ``ENV_NAME``,
                ``PIPELINE_NAME``, ``ZONE_NAME`` where they differ from this step's, and
                ``RUN_ID`` where it is not to be the newest. ``contract`` says what has to hold
                of it: it is checked here.
            outputs: Dictionaries with ``ENTITY_NAME``. ``contract`` says what it promises: it is
                checked before it is published.
            custom_inputs: Dictionaries with ``ENTITY_NAME`` and ``ENTITY_PATH``.
            custom_outputs: The same.
            tmp_inputs: Dictionaries with ``ENTITY_NAME``: the newest run that has it.
            tmp_outputs: The same, of this run.
            tmp_entities: The same, of this run.

        Raises:
            InterfaceError: One line for each thing that is wrong with the declaration.
            EntityNotFoundError: One line for each input that no run may give.
            CorruptError: If an input differs from what was published.
            ContractError: In a job, one line for each rule that an input breaks.
        """
        declared = make_interface(
            inputs=inputs,
            outputs=outputs,
            custom_inputs=custom_inputs,
            custom_outputs=custom_outputs,
            tmp_inputs=tmp_inputs,
            tmp_outputs=tmp_outputs,
            tmp_entities=tmp_entities,
        )
        self._work.declare(declared)

    def print_interface_info(self) -> None:
        """Print the step's name, the run id and where each declared entity lies."""
        work = self._work
        say(f"STEP NAME: {self.step_name}")
        say(f"RUN ID: {self.run_id}")
        say("")
        if work.design_mode:
            declared = {kind: refs for kind, refs in as_lists(work.declared).items() if refs}
            show("INTERFACE:", declared)
            return
        notes = {item.full_name: item.note for item in work.inputs}
        show_urls("INPUTS:", {item.full_name: item.url for item in work.inputs}, notes)
        show_urls("OUTPUTS:", work.by_full_name(work.output_urls()))
        show_urls("CUSTOM INPUTS:", work.custom_paths("custom_inputs"))
        show_urls("CUSTOM OUTPUTS:", work.custom_paths("custom_outputs"))
        show_urls("TMP INPUTS:", work.by_full_name(work.tmp_inputs))
        show_urls("TMP OUTPUTS:", work.by_full_name(work.tmp_urls(work.declared.tmp_outputs)))
        show_urls("TMP ENTITIES:", work.by_full_name(work.tmp_urls(work.declared.tmp_entities)))

    def exit_in_visualize_mode(self) -> None:
        """Stop the notebook here when only its interface is asked for.

        Raises:
            StopExecution: In design mode, that is with ``DESIGN_MODE`` in the environment.
        """
        if self._work.design_mode:
            raise session.StopExecution

    # -- entities ------------------------------------------------------------------------

    def inputs(
        self,
        *,
        step_name: str,
        env_name: str | None = None,
        pipeline_name: str | None = None,
        zone_name: str | None = None,
        run_id: str | None = None,
    ) -> EntityUrls:
        """Return the URLs of the declared inputs that come from a step, one attribute each.

        Args:
            step_name: The step that wrote them.
            env_name: Only those of this env; also says where to look for an input that was
                declared without one. The same holds for the arguments below.
            pipeline_name: Only those of this pipeline.
            zone_name: Only those of this zone.
            run_id: Only those of this run.

        Raises:
            UsageError: If two inputs of one name fit.
            EntityNotFoundError: If an input has to be looked for elsewhere and is not there.
        """
        given = {"env": env_name, "pipeline": pipeline_name, "zone": zone_name, "run_id": run_id}
        wanted = {key: None if value in _NOT_GIVEN else value for key, value in given.items()}
        picked = self._work.inputs_from(step_name, wanted)
        return EntityUrls(
            f"inputs from step '{step_name}'",
            {item.ref.entity_name: item.url for item in picked},
            {item.ref.entity_name: item.full_name for item in picked},
        )

    def outputs(
        self,
        *,
        env_name: str | None = None,
        pipeline_name: str | None = None,
        zone_name: str | None = None,
    ) -> EntityUrls:
        """Return the URLs of the declared outputs, one attribute each.

        Nothing lies there until it is written: a folder of files, or one file at the URL itself.

        Args:
            env_name: If given, it must be this step's, and so must the names below: a run
                publishes in one place.
            pipeline_name: The same.
            zone_name: The same.

        Raises:
            UsageError: If another place is asked for, or by hand in env ``prod``.
        """
        asked = {"env_name": env_name, "pipeline_name": pipeline_name, "zone_name": zone_name}
        for key, value in asked.items():
            if value not in (*_NOT_GIVEN, getattr(self, key)):
                raise UsageError(
                    f"outputs({key}='{value}') would write outside of this run, whose {key} is "
                    f"'{getattr(self, key)}'. Declare the path in custom_outputs."
                )
        self._work.refuse_prod_by_hand()
        return self._work.own("outputs", self._work.output_urls())

    def custom_inputs(self) -> EntityUrls:
        """Return the paths of the declared custom inputs, one attribute each."""
        return self._work.custom("custom_inputs")

    def custom_outputs(self) -> EntityUrls:
        """Return the paths of the declared custom outputs, one attribute each."""
        return self._work.custom("custom_outputs")

    def tmp_inputs(self) -> EntityUrls:
        """Return where the newest run that has them keeps the declared temporary inputs."""
        return self._work.own("tmp_inputs", self._work.tmp_inputs)

    def tmp_outputs(self) -> EntityUrls:
        """Return the folders of the declared temporary outputs; they are there."""
        return self._work.own("tmp_outputs", self._work.tmp_urls(self._work.declared.tmp_outputs))

    def tmp_entities(self) -> EntityUrls:
        """Return the folders of the declared temporary entities; they are there."""
        return self._work.own("tmp_entities", self._work.tmp_urls(self._work.declared.tmp_entities))

    def read(
        self,
        entity: str,
        step_name: str | None = None,
        *,
        as_: str = "pandas",
        columns: Iterable[str] | None = None,
    ) -> Any:
        """Return the table of a declared input.

        Args:
            entity: Its name.
            step_name: The step that wrote it, needed where two steps have an entity of that name.
            as_: ``pandas``, ``polars``, ``arrow`` (a ``pyarrow.Table``), or ``batches``: a
                ``pyarrow.RecordBatchReader`` that never holds the whole table.
            columns: Which columns; ``None`` for all.

        Raises:
            UsageError: If no declared input, or more than one, has that name, or it is no table.
        """
        from sinara.substep.tables import read_table

        item = self._work.input_named(entity, step_name)
        return read_table(item.url, as_, columns, self._work.env_of(item).storage_options)

    def write(self, entity: str, table: Any) -> str:
        """Write a table to a declared output, in place of what it held, and return its URL.

        Args:
            entity: Its name.
            table: A pandas or polars frame, a pyarrow table or reader, or an iterable of record
                batches, which are written as they come: memory does not grow with their number.

        Raises:
            UsageError: If ``table`` is none of these, or by hand in env ``prod``.
            UnknownEntityError: If no output has that name.
        """
        from sinara.substep.tables import write_table

        url = self.outputs()[entity]
        write_table(url, table, self._work.addresses.env.storage_options)
        return url

    # -- by hand -------------------------------------------------------------------------

    def publish(self) -> str:
        """By hand, publish what the outputs hold now, and return the run id of the snapshot.

        In a job nothing is published before all substeps succeeded: this only returns the run id.

        Raises:
            OutputError: If no declared output was written.
            UsageError: In env ``prod``.
        """
        return self._work.publish()

    def __enter__(self) -> NotebookSubstep:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._work.publish()

    # -- metrics -------------------------------------------------------------------------

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics so far, and the run id."""
        return {"run_id": self.run_id, **self._metrics}

    def add_metric(self, metric_name: str, metric_value: Any) -> None:
        """Add a metric to the run's report, or replace it.

        Args:
            metric_name: Its name.
            metric_value: A number, text, truth value or date, a scalar or array of numpy, or
                lists and dictionaries of these. NaN and the infinities are reported as the texts
                ``NaN``, ``Infinity`` and ``-Infinity``, since JSON has no numbers for them.

        Raises:
            UsageError: If a report cannot hold the value.
        """
        self._work.add_metric(metric_name, metric_value)
        self._metrics[metric_name] = metric_value

    def print_metrics(self) -> None:
        """Print all metrics."""
        show("METRICS:", self.metrics)

    # -- store ---------------------------------------------------------------------------

    def last_run_id(
        self, step_name: str, env_name: str, pipeline_name: str, zone_name: str, entity_name: str
    ) -> str:
        """Return the newest published run of a step that holds an entity.

        Raises:
            EntityNotFoundError: If there is none.
        """
        step = StepName(env_name, pipeline_name, zone_name, step_name)
        return self._work.reader.newest(step, [entity_name]).run_id

    def make_data_url(
        self,
        step_name: str,
        env_name: str,
        pipeline_name: str,
        zone_name: str,
        entity_name: str,
        run_id: str,
        data_type: str = "inputs",
    ) -> tuple[str, str]:
        """Return where an entity of a run would lie, and its full name; nothing is looked up.

        Args:
            step_name: The step's name.
            env_name: The env's name.
            pipeline_name: The pipeline's name.
            zone_name: The zone's name.
            entity_name: The entity's name.
            run_id: The run's id.
            data_type: ``inputs`` or ``outputs``, or ``tmp_inputs``, ``tmp_outputs`` or
                ``tmp_entities`` for a place below the temporary root.
        """
        step = StepName(env_name, pipeline_name, zone_name, step_name)
        env = self._work.settings.env(env_name)
        root = env.tmp_root if data_type.startswith("tmp_") else env.root
        if run_id == self.run_id:
            root = self._work.context.outputs_root or root
        return names.entity_url(root, step, run_id, entity_name), names.full_name(step, entity_name)

    # -- tensorboard ---------------------------------------------------------------------

    def tensorboard_log_dir(self, log_name: str) -> str:
        """Return the folder to which this run writes the events of ``log_name``."""
        return str(self._work.tensorboard_base(log_name) / self.run_id)

    def tensorboard_log_base_dir(self, log_name: str = "") -> str:
        """Return the folder that holds the events of ``log_name`` of several runs."""
        return str(self._work.tensorboard_base(log_name))

    def prepare_tensorbord_logs(
        self, log_name: str, copy_prev_logs: bool = True, prev_logs_env: str | None = None
    ) -> tuple[str, str]:
        """Return the folders for TensorBoard and for this run's writer, with earlier runs' events.

        Args:
            log_name: Of the experiment.
            copy_prev_logs: Copy the events that earlier runs of this step published.
            prev_logs_env: The env whose runs are meant; this one's if ``None``.
        """
        base, writer = self.tensorboard_log_base_dir(log_name), self.tensorboard_log_dir(log_name)
        if copy_prev_logs:
            self._work.copy_tensorboard_logs(log_name, prev_logs_env or self.env_name)
        say(f"Tensorboard log dir: {base}")
        say(f"Log writer dir: {writer}")
        return base, writer
