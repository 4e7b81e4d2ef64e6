"""From an entity back to the raw data, by records and commit logs alone.

There is no index: what a run read is in its record, and in the commit log for runs whose record
is gone. A run that is published is found by its own mark. Only for one that is not, the log of
its step is looked through, once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from sinara import names
from sinara.errors import BadNameError, RunNotFoundError, SinaraError
from sinara.lineage.values import Ancestor, Key, Lineage, Maker, Raw
from sinara.names import StepName
from sinara.record import RunRecord, SubstepRecord
from sinara.settings import Settings
from sinara.store import Commit, StepStore, Store, Word, open_store

# By these sinara finds things; they are in the full names already.
_OWN_PARAMS = {
    *("env_name", "pipeline_name", "zone_name", "step_name"),
    *("kernel_name", "verbose_output"),
}


def trace(settings: Settings, entity: str, run_id: str, depth: int | None = None) -> Lineage:
    """Return an entity with everything that it was made from.

    Args:
        settings: Where the envs are.
        entity: Its full name.
        run_id: The run that it is of.
        depth: How many levels to follow; all by default.

    Returns:
        The lineage. What was taken back, or cannot be found or read, is an ancestor that says so;
        nothing is left out.
    """
    tracer = _Tracer(settings)
    found: dict[Key, Ancestor] = {}
    waiting = deque([((entity, run_id), 0)])
    while waiting:
        key, level = waiting.popleft()
        if key in found:
            continue
        found[key] = ancestor = tracer.ancestor(*key)
        if ancestor.maker is not None and (depth is None or level < depth):
            waiting.extend((read, level + 1) for read in ancestor.maker.inputs)
    return Lineage((entity, run_id), found)


class _Run:
    """What is known of one run: read once, for all of its entities."""

    def __init__(self, store: StepStore, run_id: str, word: Word | None) -> None:
        self.run_id = run_id
        self.step = store.step
        self.word = word
        self.record: RunRecord | None = None
        self.problem = ""
        self.makers: dict[str, Maker] = {}  # by substep: entities of one share theirs
        try:
            self.record = store.read_record(run_id)
        except RunNotFoundError:
            pass
        except SinaraError as error:
            self.problem = error.lines[0]

    @property
    def commit(self) -> Commit | None:
        return None if self.word is None else self.word.commit


class _Tracer:
    """Stores, logs and records, each opened or read once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._envs: dict[str, Store] = {}
        self._steps: dict[StepName, StepStore] = {}
        self._searches: dict[StepName, Callable[[str], Word | None]] = {}
        self._legacy: dict[StepName, frozenset[str]] = {}
        self._runs: dict[tuple[StepName, str], _Run] = {}

    def ancestor(self, entity: str, run_id: str) -> Ancestor:
        """Return one entity of one run."""
        if not run_id:
            return Ancestor(entity, run_id, "missing", "no run of it was recorded")
        try:
            step, name = names.parse_full_name(entity)
            run = self._run(step, names.check_run_id(run_id))
        except BadNameError as error:
            return Ancestor(entity, run_id, "unreadable", error.lines[0])
        except SinaraError as error:
            return Ancestor(entity, run_id, "unreadable", error.lines[0])
        return self._told(entity, name, run)

    def _run(self, step: StepName, run_id: str) -> _Run:
        if (step, run_id) not in self._runs:
            store = self._store(step)
            commit = store.marked(run_id)
            word = self._search(store)(run_id) if commit is None else Word(commit)
            self._runs[step, run_id] = _Run(store, run_id, word)
        return self._runs[step, run_id]

    def _store(self, step: StepName) -> StepStore:
        if step.env not in self._envs:
            env = self._settings.env(step.env)
            self._envs[step.env] = open_store(env.root, storage_options=env.storage_options)
        if step not in self._steps:
            self._steps[step] = self._envs[step.env].step(step)
        return self._steps[step]

    def _search(self, store: StepStore) -> Callable[[str], Word | None]:
        if store.step not in self._searches:
            self._searches[store.step] = store.search()
        return self._searches[store.step]

    def _is_legacy(self, run: _Run) -> bool:
        if run.step not in self._legacy:
            self._legacy[run.step] = frozenset(self._store(run.step).legacy_runs())
        return run.run_id in self._legacy[run.step]

    def _told(self, entity: str, name: str, run: _Run) -> Ancestor:
        """Return what became of an entity, and what made it."""
        part = _part(run.record, entity, name)
        maker = _maker(run, part, name)
        held = run.commit.entities.get(name) if run.commit else None
        written = next((e for e in part.outputs if e.full_name == entity), None) if part else None
        found = held or written
        state, told = "published", ""
        if run.word is not None and run.word.taken_back is not None:
            state, told = "taken back", run.word.taken_back
        elif run.commit is not None and held is None:
            state, told, maker = "missing", "the run holds no such entity", None
        elif run.commit is None and run.record is not None:
            state, told = "not published", f"its run {run.record.status}"
            if part is None:
                state, told = "missing", "its run wrote no such entity"
        elif run.commit is None:
            state, told = self._unknown(run)
        return Ancestor(
            entity,
            run.run_id,
            state,  # type: ignore[arg-type]  # of the words above
            told,
            found.rows if found else None,
            found.bytes if found else None,
            maker,
        )

    def _unknown(self, run: _Run) -> tuple[str, str]:
        """Return what to say of a run that has neither a log entry nor a record."""
        if run.problem:
            return "unreadable", run.problem
        if self._is_legacy(run):
            return "unsealed", "written by 4-DS Sinara: what it was made from is not recorded"
        return "missing", "its step knows no such run"


def _part(record: RunRecord | None, entity: str, name: str) -> SubstepRecord | None:
    """Return the substep that wrote an entity, or whose reports it holds."""
    for substep in record.substeps if record else ():
        if name == names.reports_entity(substep.name):
            return substep
        if any(e.full_name == entity and e.kind == "outputs" for e in substep.outputs):
            return substep
    return None


def _maker(run: _Run, part: SubstepRecord | None, name: str) -> Maker | None:
    """Return what made an entity: by the record, or by the log where there is none."""
    if part is None or run.record is None:
        return _by_log(run, name)
    if part.name not in run.makers:
        run.makers[part.name] = _by_record(run, run.record, part)
    return run.makers[part.name]


def _by_record(run: _Run, record: RunRecord, part: SubstepRecord) -> Maker:
    code = record.code
    return Maker(
        run.step.dotted,
        run.run_id,
        part.name,
        part.adopted_from,
        record.started,
        code.commit,
        code.branch,
        code.origin,
        code.dirty,
        _set(record, part),
        tuple(dict.fromkeys((e.full_name, e.run_id) for e in part.inputs if e.kind == "inputs")),
        tuple(Raw(e.name, e.url) for e in part.inputs if e.kind == "custom_inputs"),
        record.interactive,
    )


def _by_log(run: _Run, name: str) -> Maker | None:
    """Return what the log alone says: all inputs of the run, whichever substep read them."""
    commit = run.commit
    if commit is None or name not in commit.entities:
        return None
    if "" not in run.makers:
        substeps = [str(s.get("name", "")) for s in commit.substeps if isinstance(s, Mapping)]
        run.makers[""] = Maker(
            run.step.dotted,
            run.run_id,
            substeps[0] if len(substeps) == 1 else "",
            time=commit.time,
            commit=_text(commit.code, "commit"),
            branch=_text(commit.code, "branch"),
            origin=_text(commit.code, "origin"),
            dirty=tuple(str(path) for path in commit.code.get("dirty") or ()),
            inputs=tuple(_pinned(commit)),
            by_hand=commit.interactive,
        )
    return run.makers[""]


def _pinned(commit: Commit) -> list[Key]:
    # What a later substep of the very run read is an input in the log, too. With no record
    # nobody knows which substep came first: it must not become its own ancestor.
    pins = ((name, str(pin.get("run_id", ""))) for name, pin in commit.inputs.items())
    return [(name, run_id) for name, run_id in pins if run_id != commit.run_id]


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    return None if value is None else str(value)


def _set(record: RunRecord, part: SubstepRecord) -> dict[str, Any]:
    """Return the parameters: the substep's win over the step's, those over the pipeline's."""
    everywhere = {**record.pipeline_params, **record.step_params}
    shared = {key: value for key, value in everywhere.items() if key not in _OWN_PARAMS}
    return {**shared, **part.params}
