"""One run of one step, from its parameters to its published entities.

    prepare ─► claim, record ─► pin inputs ─► each substep ─► seal, commit ─► record

A :class:`StepRun` is begun once, executes its substeps in order, and is ended once,
whatever happens in between; ending it twice changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sinara import names
from sinara.context import OUTER_RUN_ID_VARIABLE, RunContext
from sinara.errors import (
    BadNameError,
    EntityNotFoundError,
    InterruptedRunError,
    RunError,
    RunNotFoundError,
    SinaraError,
)
from sinara.kernels.signals import StopRequest
from sinara.record import AttemptRecord, EntityRecord, Failure, RunRecord, RunStatus, SubstepRecord
from sinara.repository import TagResult, changed_files, clean_worktree, require_clean, tag_run
from sinara.runner import publish, signals
from sinara.runner.attempts import Attempts
from sinara.runner.continuation import continuation_of
from sinara.runner.describe import exit_code, first_record, now, settled, verdict
from sinara.runner.estimate import Usual, UsualTimes
from sinara.runner.events import Listener, RunEvent, nobody
from sinara.runner.evidence import Evidence
from sinara.runner.inputs import pin_inputs, step_store
from sinara.runner.keep import Keep
from sinara.runner.lock import LOCK_NAME, lock_of
from sinara.runner.memory import with_remembered
from sinara.runner.pages import warm, write_lost_pages, write_run_page, write_substep_pages
from sinara.runner.prepare import (
    PreparedStep,
    PreparedSubstep,
    RunRequest,
    prepare,
    step_params,
)
from sinara.runner.resume import PINS_NAME, Resumption, find_run, write_pins
from sinara.runner.reusing import Reusing
from sinara.runner.scratch import make_scratch
from sinara.runner.substep import NOTEBOOK_NAME, SubstepOutcome, SubstepPlace, warm_up
from sinara.settings import load_settings
from sinara.store.layout import CHECKPOINTS
from sinara.store.values import ASIDE

if TYPE_CHECKING:
    from sinara.store import RunWriter


class StepRun:
    """One run of one step.

    Attributes:
        prepared: The step, read and checked.
        record: What is known of the run; every state in it is true when it is read.
        refused: Why no substep can be started (an input that nobody published), or ``None``.
    """

    def __init__(
        self,
        request: RunRequest,
        *,
        listener: Listener = nobody,
        stop: StopRequest | None = None,
    ) -> None:
        """Check the step, claim a run id, write the record and pin the inputs.

        Args:
            request: Which step, with which values.
            listener: Is told what happens while it happens.
            stop: Asks for the end of the run, which goes on in a thread; otherwise signals do.

        Raises:
            SinaraError: If the step is configured wrongly; there is no run then. When only
                an input is missing there is one, recorded as failed; ``refused`` says why.
        """
        self._began = time.monotonic()
        self._listener = listener
        self._stop = stop
        self._ended = False
        self._lock = threading.RLock()  # of all that substeps which run at once share
        self._writers: dict[str, RunWriter] = {}
        self._outcomes: list[SubstepOutcome] = []
        self._resumption: Resumption | None = None
        self.refused: SinaraError | None = None
        with contextlib.ExitStack() as cleanup:
            self.prepared = self._prepare(request, cleanup)
            if stop is None:
                notebooks = sum(substep.is_notebook for substep in self.prepared.substeps)
                warm_up(self.prepared.settings, expect=notebooks)
            self._begin(request, cleanup)
            self._signals = cleanup.enter_context(signals.as_errors(stop))
            self._cleanup = cleanup.pop_all()
        self._pin()

    @property
    def evidence_folder(self) -> Path:
        """The local folder in which the run's record, notebooks and pages lie."""
        return self._evidence.folder

    @property
    def verbose(self) -> bool:
        """Whether what the cells print is to be shown: ``verbose_output`` can say no."""
        return self.prepared.params.step_params.get("verbose_output", True) is not False

    @property
    def is_resumed(self) -> bool:
        """Whether the run goes on with another one."""
        return self._resumption is not None

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self._ended

    @property
    def stopped(self) -> str:
        """Which signal asked for the end of this run, as a line; empty if none did."""
        return signals.stopped_by(self._signals)

    # -- beginning ---------------------------------------------------------------------

    def _prepare(self, request: RunRequest, cleanup: contextlib.ExitStack) -> PreparedStep:
        """Return the step to run: in prod as it is committed, otherwise as it lies there."""
        settings = load_settings(request.folder)
        if self._stop is None:  # whoever runs several steps knows how many kernels there will be
            warm_up(settings, expect=1)  # it boots while the step is read
        if request.commit is not None:
            folder = cleanup.enter_context(clean_worktree(request.folder, request.commit))
            return prepare(replace(request, folder=folder), settings=settings)
        env = request.env_name or step_params(request, settings).env_name
        if env != "prod":
            return prepare(request, settings=settings)
        if settings.dirty == "refuse" or not changed_files(request.folder):
            require_clean(request.folder)
            return prepare(request, settings=settings)
        folder = cleanup.enter_context(clean_worktree(request.folder))
        return prepare(replace(request, folder=folder), settings=settings)

    def _begin(self, request: RunRequest, cleanup: contextlib.ExitStack) -> None:
        self._store = step_store(self.prepared.settings, self.prepared.params.step)
        wanted = find_run(self._store, request.resume) if request.resume else ""
        keep = Keep(self._store, wanted)
        write_lost_pages(self._store, self._store.recover(keep=keep).lost)
        if wanted:
            self._resumption = Resumption(self.prepared, self._store, wanted)
            cleanup.callback(self._resumption.release)
        self.prepared = with_remembered(self.prepared, self._store)
        self._run_id = _run_id()
        self._trigger_key = request.trigger_key
        cleanup.callback(self._release)
        writer = self._writer(self._run_id)
        self._scratch = make_scratch()
        cleanup.callback(shutil.rmtree, self._scratch, ignore_errors=True)
        self._evidence = Evidence(self._store, self._run_id, self._scratch)
        self._evidence.page(LOCK_NAME, lock_of(self.prepared))
        folder = request.folder.resolve()
        self.record = first_record(self.prepared, self._run_id, writer.url, folder)
        aside = (request.trigger_key or "").startswith(ASIDE)
        self.record = replace(self.record, pipeline_run=request.pipeline_run, aside=aside)
        if self._resumption is not None:
            old = self._resumption.record.run_id
            self.record = replace(self.record, resumed_from=old)
        self._write_record()
        self._usual = UsualTimes(self._store, self._run_id)
        self._reusing = Reusing(self.prepared, self._store, request, self._all_pins)
        self._given_pins = request.pins
        self._say(RunEvent("run_start", text=self._run_id))
        told = (w for substep in self.record.substeps for w in substep.warnings)
        unread = (w for substep in self.prepared.substeps for w in substep.unread)
        for warning in (*self.prepared.params.warnings, *told, *unread):
            self._say(RunEvent("warning", text=warning))

    def _pin(self) -> None:
        try:
            pins = pin_inputs(self.prepared, self._given_pins)
            if self._resumption is not None:
                pins |= self._resumption.pins
            for pin in pins.values():
                if not pin.commit.legacy:
                    held = step_store(self.prepared.settings, pin.step).pin(pin.commit.run_id)
                    self._cleanup.callback(held.release)
            self._pins = {key: pin.commit.run_id for key, pin in pins.items()}
            write_pins(self._pins_file(), self._pins)
        except InterruptedRunError as error:
            self.refused = error
            self.end(Failure(kind="interrupted", message=str(error)))
        except SinaraError as error:
            self.refused = error
            self.end(Failure(kind="inputs", message=" ".join(error.lines)))

    def _writer(self, run_id: str) -> RunWriter:
        """Return the writer of a run id: this run's, or one that a notebook fixed itself."""
        with self._lock:
            if run_id not in self._writers:
                first = not self._writers
                key = self._trigger_key if first else None
                self._writers[run_id] = self._store.claim(run_id, trigger_key=key, adopt=not first)
            return self._writers[run_id]

    def _release(self) -> None:
        for writer in self._writers.values():
            writer.release()

    # -- substeps ----------------------------------------------------------------------

    def run_substep(self, substep: PreparedSubstep) -> SubstepRecord:
        """Execute one substep; what it did is in the record before this returns.

        Raises:
            RunError: If the run has ended already.
            InterruptedRunError: If a signal asks for the end between two cells.
        """
        if self._ended:
            raise RunError(f"Run {self._run_id} has ended; {substep.name} was not started.")
        if self.stopped:
            raise InterruptedRunError(self.stopped)
        usual = partial(self._usual.of, substep)
        every = [one.name for one in self.prepared.substeps]
        self._say(
            RunEvent(
                "substep_start",
                substep.name,
                number=every.index(substep.name) + 1,
                of=len(every),
                usual=usual().seconds,
            )
        )
        self._put(replace(self._get(substep.name), status="running", started=now()))
        try:
            place = self._place(substep)
            going_on = place.continuation
            with self._lock:
                self._reusing.begin(substep)
                adopted = going_on and going_on.adopted(place, self._writer(self._run_id))
                adopted = adopted or self._reusing.adopted(
                    substep, place, self._writer(self._run_id), self._say
                )
            outcome = adopted or self._attempts(substep, place, usual).run()
            with self._lock:
                self._reusing.note(substep, outcome.record.outputs, ran=adopted is None)
        except OSError as error:  # the disk is full, or somebody took the folder away
            why = Failure(kind="error", message=f"It could not be kept what it did: {error}")
            with contextlib.suppress(SinaraError):
                self._put(replace(self._get(substep.name), status="failed", failure=why))
            return self._get(substep.name)
        with self._lock:
            self._outcomes.append(outcome)
            self._outcomes.sort(key=lambda one: every.index(one.record.name))
        done = outcome.record
        self._say(RunEvent("substep_end", done.name, seconds=done.seconds, status=done.status))
        self._put(done)
        with self._evidence_only(f"{substep.name}: its report"):
            self._put(write_substep_pages(self._evidence, self.record, outcome))
        return self._get(substep.name)

    def _attempts(
        self, substep: PreparedSubstep, first: SubstepPlace, usual: Callable[[], Usual]
    ) -> Attempts:
        def keep(attempts: tuple[AttemptRecord, ...]) -> None:
            if self.stopped:
                raise InterruptedRunError(self.stopped)
            self._put(replace(self._get(substep.name), attempts=attempts))

        return Attempts(
            self.prepared,
            substep,
            lambda number: first if number == 1 else self._place(substep, number),
            self._writer,
            self._outcomes,
            self._say,
            keep,
            usual,
            self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        """Wait; whoever asks for the end of the run ends the waiting with an error."""
        if self._stop is None:
            time.sleep(seconds)  # a signal raises
        elif self._stop.wait(seconds):
            raise InterruptedRunError(self.stopped)

    def _place(self, substep: PreparedSubstep, attempt: int = 1) -> SubstepPlace:
        folder = names.entity_folder(names.reports_entity(substep.name))
        runtime = self._scratch / (folder if attempt == 1 else f"{folder}-{attempt}")
        work = self._scratch / "work"
        work.mkdir(exist_ok=True)
        output = self._evidence.folder / folder / NOTEBOOK_NAME
        output.parent.mkdir(parents=True, exist_ok=True)
        params = self.prepared.params
        context = RunContext(
            run_id=self._run_id,
            env_name=params.env_name,
            pipeline_name=params.pipeline_name,
            zone_name=params.zone_name,
            step_name=params.step_name,
            substep_name=substep.name,
            step_folder=str(self.prepared.folder),
            settings_folder=self.record.step_folder,
            pipeline_params=params.pipeline_params,
            step_params=params.step_params,
            substep_params=substep.given,
            pins=self._pins,
            pins_file=str(self._pins_file()),
            produced=self._produced(),
            handback_file=str(runtime / "handback.json"),
            work_path=str(work),
            design_mode="DESIGN_MODE" in os.environ,
        )
        going_on = None
        if self._store.local:
            old = self._resumption if attempt == 1 else None  # a retry begins at the beginning
            going_on = continuation_of(self.prepared, substep, context, runtime, self._say, old)
        return SubstepPlace(context, runtime, output, self._known_input, going_on, self._stop)

    def _pins_file(self) -> Path:
        """Return where inputs are noted that nobody could pin before: kept, for a resume."""
        if not self._store.local:
            return self._scratch / PINS_NAME
        return Path(self._store.url, self._run_id, CHECKPOINTS, PINS_NAME)

    def _all_pins(self) -> dict[str, str]:
        """Return the run that each step is read from: those that kernels chose later, too."""
        later: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            later = json.loads(self._pins_file().read_text(encoding="utf-8"))
        return {**later, **self._pins}

    def _produced(self) -> dict[str, str]:
        return {
            entity.name: entity.url
            for outcome in self._outcomes
            for entity in outcome.record.outputs
            if entity.kind == "outputs"
        }

    def _known_input(self, full_name: str, run_id: str) -> EntityRecord | None:
        """Return what the store says of an entity that was read, for the record."""
        for outcome in self._outcomes:
            for entity in outcome.record.outputs:
                if (entity.full_name, entity.run_id) == (full_name, run_id):
                    return entity
        step, name = names.parse_full_name(full_name)
        try:
            store = step_store(self.prepared.settings, step)
            commit = store.commit(run_id, legacy=True)
            info = store.open(commit, name, verify="sizes")
            note = "interactive" if commit.interactive else "unverified" if commit.legacy else ""
            return EntityRecord(
                name, full_name, info.url, run_id, "inputs", "", info.files, info.bytes, info.rows,
                tuple(info.columns), info.manifest or None, note,
            )  # fmt: skip
        except (EntityNotFoundError, RunNotFoundError):
            return EntityRecord(name, full_name, "", run_id, "inputs", "", note="not found")
        except SinaraError:
            return None

    # -- the record --------------------------------------------------------------------

    def _get(self, name: str) -> SubstepRecord:
        return next(substep for substep in self.record.substeps if substep.name == name)

    def _put(self, changed: SubstepRecord) -> None:
        with self._lock:
            substeps = tuple(changed if s.name == changed.name else s for s in self.record.substeps)
            self.record = replace(self.record, substeps=substeps)
            self._write_record()

    def _write_record(self) -> None:
        self.record = replace(self.record, seconds=round(time.monotonic() - self._began, 3))
        self._evidence.record(self.record)

    def _say(self, event: RunEvent) -> None:
        if event.kind == "cell_start" and self._stop is None:
            warm()
        with self._lock, contextlib.suppress(OSError):
            self._evidence.log(event)
        self._listener(event)

    @contextlib.contextmanager
    def _evidence_only(self, what: str) -> Iterator[None]:
        """Turn a fault in writing pages into a warning: it must never hide what the run did."""
        try:
            yield
        except InterruptedRunError:
            raise
        except Exception as error:  # a page is evidence, not the run
            self._say(
                RunEvent(
                    "warning", text=f"{what} could not be written: {type(error).__name__}: {error}"
                )
            )

    # -- ending ------------------------------------------------------------------------

    def end(self, outside: Failure | None = None) -> RunRecord:
        """End the run: publish it if every substep succeeded, and write its last record.

        Args:
            outside: A cause from outside the substeps (kind ``interrupted`` for a signal), if any.

        Returns:
            The final record. A second call changes nothing.
        """
        if self._ended:
            return self.record
        self._ended = True
        if self.stopped:
            outside = Failure(kind="interrupted", message=self.stopped)
        try:
            with signals.deferred() as seen:
                status, message = verdict(self.record, outside)
                if status == "succeeded":
                    status, message = self._publish(seen)
                self._close(status, message)
        finally:
            self._cleanup.close()
        return self.record

    def _publish(self, seen: list[str]) -> tuple[RunStatus, str]:
        self._say(RunEvent("publish_start"))
        keys: dict[str, str] = {}
        try:
            for run_id, writer in self._writers.items():
                self.record = publish.seal(self.record, run_id, writer)
                if run_id == self._run_id:
                    self._outcomes = publish.with_sealed(self._outcomes, self.record)
                    keys = self._reusing.keep(self._outcomes, self._evidence.folder, self._run_id)
                    publish.seal_reports(self.record, self._evidence.folder, writer)
            if seen:
                return "cancelled", f"Stopped by {seen[0]} before it was published."
            for run_id, writer in self._writers.items():
                publish.commit(self.record, writer, keys if run_id == self._run_id else {})
                self._say(RunEvent("published", text=run_id))
        except (SinaraError, OSError) as error:
            return "failed", f"Nothing was published: {error}"
        self.record = replace(self.record, published=True)
        return "succeeded", ""

    def _close(self, status: RunStatus, message: str) -> None:
        self.record = replace(
            settled(self.record, status),
            status=status,
            message=message,
            stopped=now(),
            exit_code=exit_code(self.record, status),
        )
        try:
            self._write_record()
        except SinaraError as error:  # the run is over all the same; recovery will call it lost
            self._listener(RunEvent("warning", text=str(error)))
        with self._evidence_only("The run's page"):
            write_run_page(self._evidence, self.record)
        self._say(RunEvent("run_end", status=status, text=message, seconds=self.record.seconds))
        with self._evidence_only("The run's evidence"):
            self._evidence.upload()

    def tag(self) -> TagResult | None:
        """Tag the commit of a published run with its id, and push the tag if there is where to.

        Returns:
            What was done; ``None`` if the run is not published or the step is in no repository.

        Raises:
            RepositoryError: If the tag stands on another commit.
        """
        if not self.record.published or self.record.code.commit is None:
            return None
        folder = Path(self.record.step_folder)
        done = tag_run(folder, self._run_id, self.record.code.commit, self.record.url)
        self.record = replace(self.record, tag=done.tag)
        self._store.add_note(self._run_id, "tag", asdict(done))
        self._write_record()
        if done.problem:
            self._listener(RunEvent("warning", text=done.problem))
        return done


def _run_id() -> str:
    """Return the id that whoever starts the run has fixed, or a new one."""
    fixed = os.environ.get(OUTER_RUN_ID_VARIABLE)
    try:
        return names.check_run_id(fixed) if fixed else names.new_run_id()
    except BadNameError as error:
        raise BadNameError(*(f"{OUTER_RUN_ID_VARIABLE}: {line}" for line in error.lines)) from None
