"""Entities for tests of contracts: real parquet, in a folder of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sinara.contract import RuleResult, read_contract
from sinara.contract.check import check_data
from sinara.contract.files import open_table


def write(folder: Path, *parts: Mapping[str, Any] | pa.Table, **options: Any) -> Path:
    """Write one parquet file for each of ``parts``."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts):
        table = part if isinstance(part, pa.Table) else pa.table(dict(part))
        pq.write_table(table, folder / f"part-{number:05d}.parquet", **options)
    return folder


def checked(folder: Path, declared: Mapping[str, Any]) -> tuple[RuleResult, ...]:
    """Check what lies in a folder against a declaration."""
    contract, lines = read_contract(declared)
    assert contract is not None, lines
    return check_data(contract, open_table(str(folder), {}))


def broken(folder: Path, declared: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Return column and rule of all that is not kept."""
    return [(found.column, found.rule) for found in checked(folder, declared) if not found.kept]
