"""``step.dev.py`` and ``step.prod.py`` as people have them: Step, StepSafeguard, StepReport.

    try:
        step = Step(step_params_file_globs="params/step_params.json", env_name="user")
        for notebook in step.notebooks:
            notebook.run()
    except Exception as e:
        step.handle_exception(e)
    finally:
        sr.save()
        step.handle_exit()

``Step(…)`` never raises: a script that failed before ``step`` was bound would end in a
NameError. It keeps the error, has no notebooks, and ``handle_exit`` tells it.

Exit codes: 0 done, 1 the run failed (of any cause, as in the original), 2 the step is
configured wrongly, 130 interrupted, 254 stopped in design mode.
"""

from __future__ import annotations

import atexit
import fnmatch
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NoReturn

from sinara import repository
from sinara.console import Console, say, tell_end
from sinara.errors import InterruptedRunError, RunError, SinaraError
from sinara.record import Failure, RunRecord, SubstepRecord
from sinara.runner import PreparedSubstep, RunRequest, StepRun
from sinara.settings import load_settings
from sinara.streams import hold_streams, let_go_of_streams
from sinara.substep import StopExecution

RESUME_VARIABLE = "SINARA_RESUME"  # as ``sinara step run --resume``

__all__ = [
    "SinaraDiffReport",
    "Step",
    "StepNotebook",
    "StepReport",
    "StepSafeguard",
    "StopExecution",
]


class StepNotebook:
    """One substep of a step, ready to be run.

    Attributes:
        name: The substep's file name.
    """

    def __init__(self, run: StepRun, substep: PreparedSubstep) -> None:
        self._run = run
        self._substep = substep
        self.name = substep.name

    def run(self) -> dict[str, str]:
        """Run this substep.

        Returns:
            Absolute paths of ``commit_report`` (the executed notebook), ``business_report`` and
            ``run_info``, and the ``run_id``.

        Raises:
            StopExecution: In design mode, after the interface cell.
            RunError: If the substep failed; the record and the report are written already.
        """
        record = self._run.run_substep(self._substep)
        if record.status == "stopped":
            raise StopExecution
        if record.status != "succeeded":
            raise RunError(_told(record))
        folder = self._run.evidence_folder
        return {
            "commit_report": str(folder / (record.notebook or "")),
            "business_report": str(folder / (record.business_report or "")),
            "run_info": str((folder / (record.notebook or "")).with_name("runinfo.json")),
            "run_id": self._run.record.run_id,
        }


class Step:
    """A step of a pipeline: its parameters, its substeps, one run of it.

    Args:
        step_params_file_globs: Where the parameter file lies: a pattern or a list of them,
            relative to the step's folder. Exactly one file may match.
        pipeline_params_file_globs: Where a file lies whose ``pipeline_params`` replace those of
            the step's file.
        env_name: The env to run in; wins over the files.

    Attributes:
        notebooks: One :class:`StepNotebook` per substep, in order; none if the step cannot be run.
        exit_code: What ``handle_exit`` will end with.
    """

    current: ClassVar[Step | None] = None

    def __init__(
        self,
        step_params_file_globs: str | Sequence[str] = "params/step_params.json",
        pipeline_params_file_globs: str | Sequence[str] | None = None,
        env_name: str | None = None,
    ) -> None:
        hold_streams()
        Step.current = self
        self.notebooks: tuple[StepNotebook, ...] = ()
        self._run: StepRun | None = None
        self._error: BaseException | None = None
        self._told = False
        self._tag_failed = False
        self._outside: Failure | None = None
        atexit.register(self._at_exit, os.getpid())
        request = RunRequest(
            _step_folder(),
            step_params_file_globs,
            pipeline_params_file_globs,
            env_name,
            resume=os.environ.get(RESUME_VARIABLE) or None,
        )
        self._console = Console()
        try:
            self._run = StepRun(request, listener=self._console)
            self._console.verbose = self._run.verbose
            self._error = self._run.refused
            if self._error is None:
                self.notebooks = tuple(
                    StepNotebook(self._run, s) for s in self._run.prepared.substeps
                )
        except KeyboardInterrupt:
            self._error = InterruptedRunError("Stopped by Ctrl-C.")
        except Exception as error:  # kept, told and turned into an exit code by handle_exit
            self._error = error

    @property
    def exit_code(self) -> int:
        """The exit code of the script, as things stand."""
        if self._error is not None and self._run is None:
            if isinstance(self._error, InterruptedRunError):
                return self._error.exit_code
            return 2 if isinstance(self._error, SinaraError) else 1
        record = self.finish()
        if record is None:
            return 0
        code = record.exit_code if record.exit_code in (0, 130, 254) else 1
        return 1 if code == 0 and self._tag_failed else code

    def handle_exception(self, e: BaseException) -> None:
        """Take note of what ended the loop over the notebooks.

        A substep's own failure is in the record already. Anything else is a fault of
        the script or of sinara: its traceback is printed, and the run fails.
        """
        self._console.close()
        if isinstance(e, InterruptedRunError):
            self._outside = Failure(kind="interrupted", message=str(e))
            return
        if isinstance(e, StopExecution | RunError) or (self._run and self._run.stopped):
            return
        if isinstance(e, SinaraError):
            self._outside = Failure(kind="error", message=str(e))
            return
        _say_traceback(e)
        self._outside = Failure(kind="error", message=f"{type(e).__name__}: {e}")

    def finish(self) -> RunRecord | None:
        """End the run if it goes on still; publish it if every substep succeeded."""
        if self._run is None:
            return None
        current = sys.exc_info()[1]
        if isinstance(current, KeyboardInterrupt):
            return self._run.end(Failure(kind="interrupted", message="Stopped by Ctrl-C."))
        return self._run.end(self._outside or _in_flight(current))

    def tag(self) -> None:
        """End the run and, if it was published, tag its commit; a failed run is never tagged."""
        self.finish()
        if self._run is None:
            return
        try:
            self._run.tag()
        except SinaraError as error:
            say(f"sinara: {error}")
            self._tag_failed = True

    def handle_exit(self) -> None:
        """End the script with the exit code of the run; in IPython only say what happened."""
        code = self.exit_code
        self._tell()
        if not _in_ipython():
            let_go_of_streams()
            sys.exit(code)

    def _at_exit(self, process: int) -> None:
        """End a run that the script has forgotten: nothing of it is published."""
        if self._run is not None and not self._run.ended and process == os.getpid():
            self._outside = self._outside or Failure(
                kind="error",
                message="The script ended without sr.save() or step.handle_exit().",
            )
            self.finish()
            self._tell()

    def _tell(self) -> None:
        if self._told:
            return
        self._told = True
        self._console.close()
        if isinstance(self._error, SinaraError):
            for line in self._error.lines:
                say(f"sinara: {line}")
        elif self._error is not None:
            _say_traceback(self._error)
        elif self._run is not None:
            tell_end(self._run.record, self._run.evidence_folder)


class StepSafeguard:
    """Conditions that a script sets before it runs; each ends it with one line and exit code 2."""

    @staticmethod
    def step_is_in_dir(globs: str | Sequence[str]) -> bool:
        """Go on only if the step's folder matches one of the patterns, in lower case."""
        folder = str(_step_folder())
        if not any(fnmatch.fnmatch(folder.lower(), pattern) for pattern in _as_list(globs)):
            wanted = " or ".join(_as_list(globs))
            _refuse(f"{folder}: this script runs only in a folder that matches {wanted}.")
        return True

    @staticmethod
    def step_is_in_branch(globs: str | Sequence[str]) -> bool:
        """Go on only if the checked-out branch matches one of the patterns, in lower case."""
        branch = repository.current_branch(_step_folder())
        wanted = _as_list(globs)
        if not branch or not any(fnmatch.fnmatch(branch.lower(), pattern) for pattern in wanted):
            _refuse(
                f"{_step_folder()}: this script runs only on a branch that matches "
                f"{' or '.join(wanted)}; checked out is {branch or 'no branch'}."
            )
        return True

    @staticmethod
    def git_reset(branch: str | None = None) -> None:
        """Go on only with what is committed. Nothing is ever reset: changes are named, and stay.

        Args:
            branch: The branch that has to be checked out; any, if not given.

        With ``dirty = "worktree"`` in ``sinara.toml`` changes are no obstacle: the commit
        then runs in a clean worktree beside them.
        """
        folder = _step_folder()
        try:
            if load_settings(folder).dirty == "refuse":
                repository.require_clean(folder)
        except SinaraError as error:
            _refuse(str(error))
        checked_out = repository.current_branch(folder)
        if branch and checked_out != branch:
            _refuse(
                f"{folder}: this script runs on branch '{branch}'; checked out is "
                f"'{checked_out}'. Switch: git switch {branch}"
            )


class StepReport:
    """What is kept and told of a run, at the end of a script."""

    @staticmethod
    def save(run_id: str | None = None) -> None:
        """Publish the run of this script if every substep succeeded; its report is kept either way.

        Args:
            run_id: Kept for older scripts; a run has one id, and it is this script's.
        """
        del run_id
        if Step.current is not None:
            Step.current.finish()

    @staticmethod
    def tag_commit_by_run(run_id: str | None = None, run_fs_path: str | None = None) -> None:
        """Publish the run, then tag its commit with its run id and push the tag.

        A run that failed is never tagged. Without a remote the tag stays local; a push that
        fails is told in one line, and the run stays published.
        """
        del run_id, run_fs_path
        step = Step.current
        if step is not None:
            step.tag()


class SinaraDiffReport:
    """What changed between the last tagged runs of two branches."""

    @staticmethod
    def save(curr_branch: str, target_branch: str) -> str | None:
        """Compare the last tagged runs of two branches, and keep the page with the current run.

        Args:
            curr_branch: The branch with what is new.
            target_branch: The branch that it shall be merged into.

        Returns:
            The page's path or URL; ``None`` if a branch has no tagged run, which is told.
        """
        from sinara.compare.branches import save_report

        return save_report(_step_folder(), curr_branch, target_branch, say)


def _told(record: SubstepRecord) -> str:
    return f"{record.name}: {record.failure.message if record.failure else record.status}"


def _in_flight(error: BaseException | None) -> Failure | None:
    """Return why a script that is on its way out must not publish; None if it may."""
    if error is None or isinstance(error, StopExecution | RunError):
        return None
    if isinstance(error, SystemExit):
        if error.code in (None, 0):
            return None
        return Failure(kind="error", message=f"The script ended with exit code {error.code}.")
    return Failure(kind="error", message=f"{type(error).__name__}: {error}")


def _step_folder() -> Path:
    """Return the folder of the step: where the script lies, or else where it was started.

    ``python ../other/step.dev.py`` means the other step, even in the folder of a step.
    """
    here = Path.cwd()
    script = Path(sys.argv[0]).absolute().parent if sys.argv and sys.argv[0] else here
    return script if (script / "params").is_dir() else here


def _as_list(globs: str | Sequence[str]) -> list[str]:
    return [globs] if isinstance(globs, str) else list(globs)


def _refuse(line: str) -> NoReturn:
    say(f"sinara: {line}")
    let_go_of_streams()
    raise SystemExit(2)


def _say_traceback(error: BaseException) -> None:
    say("".join(traceback.format_exception(error)).rstrip())


def _in_ipython() -> bool:
    return "__IPYTHON__" in vars(sys.modules["builtins"])
