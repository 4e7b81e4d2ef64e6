"""Watch what one substep does to files beside what it declares, from its kernel to its record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sinara.audit.folder import FolderWatch, Seen
from sinara.audit.inside import Audit, Rules
from sinara.audit.named import named_places
from sinara.audit.refusal import is_refused
from sinara.audit.sort import read_notes, sort
from sinara.context import Handback, RunContext
from sinara.errors import NotebookError
from sinara.interface import Interface
from sinara.reading import read_cells
from sinara.record import FilesTouched, FileTouched
from sinara.runner.declared import places_of, private_tmp, rules_of
from sinara.runner.events import Listener, RunEvent
from sinara.runner.prepare import PreparedStep, PreparedSubstep

if TYPE_CHECKING:
    from sinara.execute import Executed, ExecuteEvent

LOG_NAME = "touched.jsonl"
HELD = (
    "Refused by Landlock, whoever tried (strict_files): files that are neither declared, nor of "
    "the run, the step, Python or the system. Names of files, and connections, are not refused."
)
REFUSED = "refused"
_SHOWN = 3  # files that a warning names


class Watching:
    """One substep under watch; used as a context, so that nothing goes on after it.

    Attributes:
        audit: What its kernel is told.
    """

    def __init__(
        self, prepared: PreparedStep, substep: PreparedSubstep, context: RunContext
    ) -> None:
        self._prepared = prepared
        self._substep = substep
        self._context = context
        self._began = time.time()
        self._seen: Seen | None = None
        options = prepared.settings.for_substep(prepared.params.step_name, substep.name)
        log = Path(context.handback_file).with_name(LOG_NAME)
        log.touch(mode=0o600)
        rules = rules_of(prepared, substep, context) if options.strict_files else None
        self.audit = Audit(log, prepared.folder, rules)
        params = [context.pipeline_params, context.step_params, context.substep_params]
        folders, files = named_places(_sources(substep), params, prepared.folder)
        self._folders = FolderWatch((prepared.folder, *folders), files)

    def __enter__(self) -> Watching:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def environment(self) -> dict[str, str]:
        """What the kernel's environment gets: with rules, a folder for temporary files alone."""
        return {} if self.audit.rules is None else {"TMPDIR": str(private_tmp(self._context))}

    def told(
        self, teller: Callable[..., Callable[[ExecuteEvent], None]]
    ) -> Callable[..., Callable[[ExecuteEvent], None]]:
        """Return a teller that begins to watch the folders, too.

        With a notebook that is when its kernel is up: what is read before, the driver reads. The
        teller of a module is made right before the module is started.
        """

        def with_watch(*given: Any) -> Callable[[ExecuteEvent], None]:
            tell = teller(*given)
            if not given:
                self._folders.begin()

            def hear(event: ExecuteEvent) -> None:
                if event.kind == "kernel":
                    self._folders.begin()
                tell(event)

            return hear

        return with_watch

    def files(self, interface: Interface, handback: Handback, executed: Executed) -> FilesTouched:
        """Return what it did to files, once it is over."""
        places = places_of(self._prepared, self._substep, self._context, interface, handback)
        found = sort(read_notes(self.audit.log), self._end(), places, self._began)
        if any(cell.status == "restored" for cell in executed.cells):
            found = replace(found, complete=False)
        if self.audit.rules is not None:
            found = _with_refusals(found, self.audit.rules, self._prepared.folder)
        return found

    def _end(self) -> Seen:
        if self._seen is None:
            self._seen = self._folders.end()
        return self._seen


def tell_writes(name: str, files: FilesTouched, listener: Listener) -> None:
    """Tell which files out of the step's folder a substep wrote undeclared, as one warning.

    Caches and settings in the home folder are not told: the record has them.
    """
    home = Path.home()
    hidden = tuple(f"{home}/{part}/" for part in (".cache", ".config", ".local"))
    done = [file for file in files.written if not file.of_step and file.note != REFUSED]
    paths = [file.path for file in done if not file.path.startswith(hidden)]
    if not paths:
        return
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    text = (
        f"it wrote {', '.join(paths[:_SHOWN])}{more}, which it does not declare. "
        "Name such files in custom_outputs."
    )
    listener(RunEvent("warning", name, text=text))


def _with_refusals(files: FilesTouched, rules: Rules, step: Path) -> FilesTouched:
    """Mark what was tried in vain: the kernel notes a file before it is opened."""

    def marked(file: FileTouched, *, written: bool) -> FileTouched:
        refused = is_refused(str(step / file.path), rules, written=written)
        return replace(file, note=REFUSED) if refused else file

    return replace(
        files,
        read=tuple(marked(file, written=False) for file in files.read),
        written=tuple(marked(file, written=True) for file in files.written),
        watched=(HELD, *files.watched),
    )


def _sources(substep: PreparedSubstep) -> list[str]:
    try:
        return [cell.source for cell in read_cells(substep.path)]
    except NotebookError:  # changed since it was checked; its kernel will tell
        return []
