"""Decide what of a step has to run: where an earlier run had the same ingredients, it need not.

::

    substep ─► its key ─► a published run with the same key, its outputs still there ─► reuse
                  │ none
                  └─► run, and why: in what it differs from the newest run

Only the commit log, records and manifests are read; the data itself is not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sinara import names
from sinara.audit.digest import CHANGED, LARGE, is_unchanged
from sinara.audit.sort import MOST
from sinara.errors import SinaraError
from sinara.interface import InputRef, Interface
from sinara.record import FileTouched, RunRecord, SubstepRecord
from sinara.runner import ingredients as parts
from sinara.runner.ingredients import Ingredients
from sinara.runner.inputs import producer
from sinara.runner.prepare import PreparedStep, PreparedSubstep

if TYPE_CHECKING:
    from sinara.store import Commit, StepStore

Action = Literal["run", "reuse", "open"]
_MOST = 1000  # published runs that are looked at, newest first


@dataclass(frozen=True)
class Decision:
    """What is to become of one substep.

    Attributes:
        substep: Its name.
        action: ``run``; ``reuse`` what an earlier run published; ``open``: that depends on what
            inputs hold that are yet to be made.
        reasons: Why; each a clause. Of a reuse: that nothing changed.
        source: The run whose outputs are reused; empty otherwise.
        outputs: Digest of the content of each output, where it is known.
    """

    substep: str
    action: Action
    reasons: tuple[str, ...]
    source: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)


class Chooser:
    """Decides for the substeps of one step, in their order.

    Args:
        prepared: The step.
        store: Where its runs are.
        digest_of: Gives the digest of what an input of another step holds, if it is known.
        force: Names of substeps that run in any case.
    """

    def __init__(
        self,
        prepared: PreparedStep,
        store: StepStore,
        digest_of: parts.DigestOf,
        force: Collection[str] = (),
    ) -> None:
        self._prepared = prepared
        self._store = store
        self._digest_of = digest_of
        self._force = force
        self._commits: list[Commit] | None = None
        self._records: dict[str, RunRecord | None] = {}
        self._made: dict[str, Ingredients] = {}
        self._produced: dict[str, str | None] = {}

    def all(self) -> tuple[Decision, ...]:
        """Return what is to become of each substep, if nothing of the step has run yet."""
        found = []
        for substep in self._prepared.substeps:
            decision = self.one(substep)
            self.note(substep, decision.outputs)
            found.append(decision)
        return self._with_temporary(found)

    def note(self, substep: PreparedSubstep, outputs: Mapping[str, str]) -> None:
        """Take note of what a substep holds, for those that come after it."""
        declared = substep.interface.outputs if substep.interface else ()
        self._produced.update(dict.fromkeys(declared))
        self._produced.update(outputs)

    def forget(self) -> None:
        """Forget what was noted: the substeps are gone through once more."""
        self._produced.clear()

    def ingredients(self, substep: PreparedSubstep, interface: Interface) -> Ingredients:
        """Return the ingredients of a substep as they are known now."""
        own, folder = self._prepared.params.step, self._prepared.folder
        if substep.name not in self._made:
            made = parts.ingredients_of(self._prepared, substep, substep.cells)
            self._made[substep.name] = made
        made = self._made[substep.name]
        return parts.with_inputs(made, interface, folder, own, self.digest)

    def one(self, substep: PreparedSubstep) -> Decision:
        """Return what is to become of one substep, after those before it were noted."""
        if substep.interface is None:
            why = substep.unread[0] if substep.unread else "it declares no interface"
            return Decision(substep.name, "run", (f"its interface is not known: {why}",))
        now = self.ingredients(substep, substep.interface)
        if substep.name in self._force:
            return Decision(substep.name, "run", ("forced",))
        unknown = [name for name, digest in now.inputs.items() if digest is None]
        if not unknown and not now.key:
            path = next(path for path, state in now.customs.items() if state is None)
            return Decision(substep.name, "run", (f"nobody can tell whether {path} has changed",))
        refused = ""
        for commit in self._with_key(substep.name, now.key) if now.key else ():
            refused = self._unfit(commit, substep, now)
            if not refused:
                return self._reuse(commit, substep)
        return self._run(substep, now, unknown, refused)

    # -- looking ---------------------------------------------------------------------------

    def digest(self, ref: InputRef) -> str | None:
        """Return the digest of what an input holds, if it is known by now."""
        own = self._prepared.params.step
        if producer(ref, own) == own and not ref.run_id and ref.entity_name in self._produced:
            return self._produced[ref.entity_name]
        return self._digest_of(ref)

    def _published(self) -> list[Commit]:
        if self._commits is None:
            self._commits = [
                commit
                for commit in islice(self._store.commits(), _MOST)
                if not commit.interactive and not commit.again
            ]
        return self._commits

    def _with_key(self, substep: str, key: str) -> Iterator[Commit]:
        for commit in self._published():
            if any(ran["name"] == substep and ran.get("key") == key for ran in commit.substeps):
                yield commit

    def record(self, run_id: str) -> RunRecord | None:
        """Return the record of a published run, if it can be read."""
        if run_id not in self._records:
            self._records[run_id] = None
            with contextlib.suppress(SinaraError):
                self._records[run_id] = self._store.read_record(run_id)
        return self._records[run_id]

    def _ran(self, commit: Commit, substep: str) -> SubstepRecord | None:
        record = self.record(commit.run_id)
        found = record.substeps if record else ()
        return next((one for one in found if one.name == substep), None)

    def _unfit(self, commit: Commit, substep: PreparedSubstep, now: Ingredients) -> str:
        """Return why a run with the same key cannot be reused after all; empty if it can."""
        ran = self._ran(commit, substep.name)
        if ran is None:
            return f"the record of run {commit.run_id} is not there any more"
        for entity in ran.outputs:
            if entity.kind != "outputs":
                continue
            held = commit.entities.get(entity.name)
            if held is None or held.manifest_sha256 != entity.manifest:
                return f"run {commit.run_id} holds no '{entity.name}' any more"
            try:
                self._store.open(commit, entity.name, verify="sizes")
            except SinaraError:
                return f"'{entity.name}' of run {commit.run_id} is not as it was published"
        before = self._ingredients_of(commit, substep.name)
        if before is None:
            return f"what run {commit.run_id} was made of is not there any more"
        if changed := self._changed_file(commit, ran, before):
            return f"{changed}, which it reads, was changed"
        if ran.files and sum(file.of_step for file in ran.files.read) >= MOST:
            return f"it reads more than {MOST - 1:,} files of the step: declare their folder"
        left = parts.with_left(now, substep.interface or Interface(), self._prepared.folder).left
        moved = [path for path, state in left.items() if before.left.get(path) != state]
        return f"its custom output {moved[0]} was changed since" if moved else ""

    def _changed_file(self, commit: Commit, ran: SubstepRecord, before: Ingredients) -> str:
        """Return a file of the step that the substep read undeclared and that is not as it was.

        Modules are compared by what they mean, and what an earlier substep wrote is made by that.
        """
        record = self.record(commit.run_id)
        every = record.substeps if record else ()
        earlier = {path for one in every[: every.index(ran)] for path in _written(one)}
        for file in ran.files.read if ran.files else ():
            if not file.of_step or file.path in before.modules or file.path in earlier:
                continue
            if not _is_as_it_was(self._prepared.folder, file, ran):
                return file.path
        return ""

    def _ingredients_of(self, commit: Commit, substep: str) -> Ingredients | None:
        path = f"{names.entity_folder(names.reports_entity(substep))}/{parts.FILE_NAME}"
        try:
            return parts.decode(self._store.get_file(commit.run_id, path))
        except SinaraError:
            return None

    # -- telling ---------------------------------------------------------------------------

    def _reuse(self, commit: Commit, substep: PreparedSubstep) -> Decision:
        ran = self._ran(commit, substep.name)
        outputs = {
            entity.name: entity.manifest
            for entity in (ran.outputs if ran else ())
            if entity.kind == "outputs" and entity.manifest
        }
        return Decision(substep.name, "reuse", ("nothing changed",), commit.run_id, outputs)

    def _run(
        self, substep: PreparedSubstep, now: Ingredients, unknown: list[str], refused: str
    ) -> Decision:
        if refused:
            return Decision(substep.name, "run", (refused,))
        for commit in self._published():
            before = self._ingredients_of(commit, substep.name)
            if before is not None:
                why = parts.differences(before, now)
                anew = tuple(f"input {name} is made anew" for name in unknown)
                if unknown and not why:
                    return Decision(substep.name, "open", anew)
                return Decision(substep.name, "run", (*why, *anew) or ("nothing comparable ran",))
        return Decision(substep.name, "run", ("no earlier run",))

    def _with_temporary(self, found: list[Decision]) -> tuple[Decision, ...]:
        """Have those run again, too, whose temporary entities or files somebody will read."""
        interfaces = [substep.interface or Interface() for substep in self._prepared.substeps]
        newest = self.record(self._published()[0].run_id) if self._published() else None
        ran = {one.name: one for one in newest.substeps} if newest else {}
        changed = True
        while changed:
            changed = False
            for at, decision in enumerate(found):
                if decision.action == "run":
                    continue
                makes = {*interfaces[at].tmp_outputs, *interfaces[at].tmp_entities}
                makes |= _written(ran.get(decision.substep))
                for later in range(at + 1, len(found)):
                    reads = {*interfaces[later].tmp_inputs, *interfaces[later].tmp_entities}
                    reads |= _read(ran.get(found[later].substep))
                    if found[later].action != "reuse" and makes & reads:
                        why = f"{found[later].substep} runs, and reads its {min(makes & reads)}"
                        found[at] = replace(
                            decision, action="run", reasons=(why,), source="", outputs={}
                        )
                        changed = True
                        break
        return tuple(found)


def _written(record: SubstepRecord | None) -> set[str]:
    """Return the files that a substep wrote beside what it declares."""
    return {file.path for file in record.files.written} if record and record.files else set()


def _read(record: SubstepRecord | None) -> set[str]:
    """Return the files that a substep read beside what it declares."""
    return {file.path for file in record.files.read} if record and record.files else set()


def _is_as_it_was(folder: Path, file: FileTouched, ran: SubstepRecord) -> bool:
    """Return whether a file of the step is what a substep read; False if nobody can say.

    Args:
        folder: The step's.
        file: That it read.
        ran: The substep.
    """
    if file.note == LARGE:  # nobody read it twice; its size and its time tell enough
        return _same_size_and_older(folder / file.path, file.bytes, ran.started)
    if file.note == CHANGED:  # it may do that itself, to a file that it keeps for itself
        written = ran.files.written if ran.files else ()
        return any(one.path == file.path and one.seen == "python" for one in written)
    return is_unchanged(folder, file)


def _same_size_and_older(path: Path, size: int | None, started: str | None) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    began = datetime.fromisoformat(started).timestamp() if started else 0.0
    return found.st_size == size and found.st_mtime <= began


def sole_source(decisions: Collection[Decision], published: Collection[str]) -> str:
    """Return the one run that a whole step can be read from; empty if there is none.

    Args:
        decisions: For every substep of the step.
        published: The names of the substeps that the run has, in order.
    """
    sources = {decision.source for decision in decisions}
    whole = all(decision.action == "reuse" for decision in decisions)
    same = [decision.substep for decision in decisions] == list(published)
    return next(iter(sources)) if whole and same and len(sources) == 1 else ""
