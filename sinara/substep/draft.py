"""Outputs that a person writes by hand, published as snapshots that others can read.

::

    notebook a ─┐                              ┌─► run-… interactive   (a)
    notebook b ─┴─► one draft run, writable ───┼─► run-… interactive   (a, b)
                    of this checkout           └─► run-… interactive   (a', b)

The notebooks of a step share one draft run. After each cell that changed an output and did not
raise, what the draft holds is copied into a run of its own and published as *interactive*:
readers see whole snapshots and nothing else, and the draft stays writable. What a failed
cell changed is left out until a cell that succeeds changes it again. What another notebook is
writing right now is left out, too.

A small state file beside the draft's id says what each output looked like when the last good cell
ended, so that kernels which never heard of each other agree, and a kernel can be restarted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.contract import Contract, RuleResult, as_literal, read_contract
from sinara.contract.told import broken_lines
from sinara.errors import ContractError, OutputError, SinaraError
from sinara.substep.locked import locked_json
from sinara.substep.places import exists, signature
from sinara.substep.show import say

if TYPE_CHECKING:
    from sinara.store import Commit, RunWriter, StepStore
    from sinara.store.writer import Check

State = dict[str, dict[str, Any]]


class Draft:
    """The draft run of one checkout, as one kernel sees it.

    Attributes:
        run_id: The draft's run id; it is in URLs, and no reader ever sees it.
    """

    def __init__(
        self,
        writer: RunWriter,
        store: StepStore,
        state_folder: Path,
        *,
        storage_options: Mapping[str, Any],
        each_cell: bool,
    ) -> None:
        """Share a draft.

        Args:
            writer: Of the draft run.
            store: Of the step.
            state_folder: Where kernels that share the draft tell each other what is whole.
            storage_options: For fsspec.
            each_cell: Publish after each cell that wrote; otherwise only :meth:`publish` does.
        """
        self.run_id = writer.run_id
        self._writer = writer
        self._store = store
        self._storage_options = storage_options
        self._each_cell = each_cell
        self._declared: dict[str, dict[str, Any]] = {}  # entity -> what it is made from
        digest = hashlib.sha256(self._writer.url.encode()).hexdigest()[:16]
        self._state_file = state_folder / f"{digest}.state.json"

    def declare(
        self,
        outputs: Mapping[str, Contract | None],
        inputs: Mapping[str, Mapping[str, Any]],
        params_sha256: str,
    ) -> None:
        """Say what this notebook writes, and from what.

        Args:
            outputs: Its entities, and what each promises.
            inputs: Full name -> ``run_id`` and ``manifest_sha256`` of what it reads.
            params_sha256: Digest of its parameters.
        """
        about = {"inputs": dict(inputs), "params_sha256": params_sha256}
        for name, contract in outputs.items():
            promise = None if contract is None else as_literal(contract)
            self._declared[name] = {**about, "contract": promise}

    def after_cell(self, succeeded: bool) -> None:
        """Note what a cell changed, and publish it if the cell succeeded."""
        try:
            with locked_json(self._state_file) as state:
                changed = self._note_changes(state, succeeded)
                if changed and not succeeded:
                    say(f"Not published: {', '.join(changed)} changed in a cell that failed.")
                elif changed and self._each_cell:
                    say(_published(self._snapshot(state)))
        except (SinaraError, OSError) as error:
            say(f"Not published: {error}")

    def publish(self) -> Commit:
        """Publish what the draft holds now, and return the log entry.

        Raises:
            OutputError: If no declared output was written.
            StoreError: If the store cannot be written.
        """
        with locked_json(self._state_file) as state:
            self._note_changes(state, succeeded=True)
            for name in self._declared.keys() & state.keys():
                state[name]["whole"] = True
            commit = self._snapshot(state)
        say(_published(commit))
        return commit

    def is_there(self) -> bool:
        """Return whether the draft's folder still is; somebody may have cleaned up."""
        return exists(self._writer.url, self._storage_options)

    def release(self) -> None:
        """Leave the draft; what was published stays."""
        self._writer.release()

    def _note_changes(self, state: State, succeeded: bool) -> list[str]:
        changed: list[str] = []
        for name, about in self._declared.items():
            now = self._signature(name)
            known = state.get(name, {"signature": ""})
            if name in state:
                state[name]["contract"] = about["contract"]  # it may have been edited since
            if now != known["signature"]:
                state[name] = {"signature": now, "whole": succeeded, **about}
                if now:
                    changed.append(name)
        return changed

    def _snapshot(self, state: State) -> Commit:
        # What is not asked for stays as it was in the last snapshot; what is gone goes there, too.
        whole = {
            name: entry
            for name, entry in state.items()
            if entry["whole"] and entry["signature"] == self._signature(name)
        }
        inputs: dict[str, Any] = {}
        for entry in whole.values():
            inputs |= entry["inputs"]
        digests = sorted({entry["params_sha256"] for entry in whole.values()})
        commit = self._writer.snapshot(
            sorted(whole),
            inputs=inputs,
            code={},
            params_sha256=digests[0] if len(digests) == 1 else _digest("\n".join(digests)),
            substeps=[],
            checks=self._checks(whole),
        )
        if commit is None:
            outputs = ", ".join(self._declared)
            raise OutputError(f"Nothing to publish: nothing was written to {outputs}.")
        return commit

    def _checks(self, whole: Mapping[str, Mapping[str, Any]]) -> dict[str, Check]:
        """Return the checks of outputs with a contract, those of other notebooks among them."""
        from sinara.substep.contracts import check_when_sealed

        found: dict[str, Check] = {}
        for name, entry in whole.items():
            contract, _ = read_contract(entry.get("contract"))
            if contract is not None:
                found[name] = check_when_sealed(
                    contract, name, self._storage_options, self._store, partial(_refuse, name)
                )
        return found

    def _signature(self, entity: str) -> str:
        """Return a text that changes when the files of an output do; empty when there are none."""
        return signature(self._writer.entity_url(entity), self._storage_options)


def _refuse(entity: str, results: tuple[RuleResult, ...]) -> None:
    lines = broken_lines(f"Output '{entity}'", results)
    if lines:
        raise ContractError(*lines)


def _published(commit: Commit) -> str:
    parts = []
    for name, held in commit.entities.items():
        count, unit = (held.files, "file") if held.rows is None else (held.rows, "row")
        parts.append(f"{name} ({count:,} {unit}{'' if count == 1 else 's'})")
    as_before = [
        f"{name} as before: {' '.join(why.split())}" for name, why in commit.skipped.items()
    ]
    return f"Published {commit.run_id}: {'; '.join([', '.join(parts), *as_before])}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
