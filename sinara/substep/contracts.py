"""Contracts of entities in a store: checked, and remembered by the digest of what was checked.

What a published entity holds never changes, so a contract that it kept once is kept: the data is
read once for each contract and manifest, however many runs read it on this machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sinara import __version__
from sinara.contract import Contract, RuleResult, as_literal
from sinara.contract.results import plain_results, read_results

if TYPE_CHECKING:
    from sinara.store import Commit, EntityInfo, StepStore

_FORMAT = 1


def check_entity(
    contract: Contract,
    entity: str,
    url: str,
    storage_options: Mapping[str, Any],
    store: StepStore,
    *,
    run: Commit | None = None,
    manifest: str = "",
) -> tuple[RuleResult, ...]:
    """Check all that a contract says of one entity.

    Args:
        contract: The contract.
        entity: The entity's name.
        url: Where it lies.
        storage_options: For fsspec.
        store: Of the step that writes it; tells how many rows there were before.
        run: The published run that holds it; ``None`` for one that is not published yet.
        manifest: The digest of what is published there; empty if nothing is, or nobody knows.

    Raises:
        ContractError: If its files cannot be read.
        StoreError: If the store cannot be read.
    """
    from sinara.contract.check import check_data, check_rows
    from sinara.contract.files import open_table

    table = open_table(url, storage_options)
    before = rows_before(store, entity, run) if contract.rows_change is not None else (None, "")
    rows = check_rows(contract, None if table is None else table.rows, *before)
    if not contract.about_data:
        return rows
    data = _known(contract, manifest)
    if data is None:
        data = check_data(contract, table)
        remember(contract, manifest, data)
    return (*data, *rows)


def check_when_sealed(
    contract: Contract,
    entity: str,
    storage_options: Mapping[str, Any],
    store: StepStore,
    take: Callable[[tuple[RuleResult, ...]], None],
) -> Callable[[EntityInfo], None]:
    """Return a check for :meth:`sinara.store.writer.RunWriter.seal`.

    Args:
        contract: The contract of an output.
        entity: The output.
        storage_options: For fsspec.
        store: Of the step that writes it.
        take: Gets the results, and may raise to stop the sealing.
    """

    def check(info: EntityInfo) -> None:
        take(check_entity(contract, entity, info.url, storage_options, store))

    return check


def rows_before(store: StepStore, entity: str, run: Commit | None) -> tuple[int | None, str]:
    """Return how many rows an entity had in the newest run published before, and that run.

    Args:
        store: Of the step that writes it.
        entity: The entity.
        run: The run to compare; ``None`` for one that is not published yet.

    Returns:
        The rows, and the run's id. Work by hand is not compared with; ``None`` and an empty text
        if there is no earlier run, or it is no table.
    """
    for commit in store.commits():
        held = commit.entities.get(entity)
        earlier = run is None or commit.sequence < run.sequence  # a legacy run has number 0
        aside = commit.interactive or commit.aside
        if earlier and not aside and held is not None:
            return held.rows, commit.run_id
    return None, ""


def remember(contract: Contract, manifest: str, data: tuple[RuleResult, ...]) -> None:
    """Note that what was published keeps what a contract says of data; what breaks it is not."""
    from sinara.store.disk import remember as write

    file = _file(contract, manifest)
    if file is not None and all(result.kept for result in data):
        write(file, json.dumps(plain_results(data)).encode())


def _known(contract: Contract, manifest: str) -> tuple[RuleResult, ...] | None:
    from sinara.store.paths import read_bytes

    file = _file(contract, manifest)
    if file is None:
        return None
    try:
        return read_results(json.loads(read_bytes(file)))
    except (OSError, ValueError, RecursionError):
        return None


def _file(contract: Contract, manifest: str) -> str | None:
    from sinara.store.api import cache_folder

    folder = cache_folder("contracts")
    if folder is None or not manifest:
        return None
    told = json.dumps([_FORMAT, __version__, as_literal(contract), manifest])
    return str(folder / hashlib.sha256(told.encode()).hexdigest()[:40])
