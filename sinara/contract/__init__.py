"""What an entity promises: declared beside it in the interface cell, checked, learned.

::

    values   Contract, RuleResult                   read        a declaration, and back
    types    the names of types                     compare     limits and lists over Arrow arrays
    files    the parquet files of an entity         statistics  what their footers say of a column
    scan     rules counted row by row               unique      keys
    samples  rows that break a rule, as text        check       a contract against an entity
    learn    a first contract from data             told        results and contracts as text

This module imports nothing heavy: it is read with every interface.
"""

from __future__ import annotations

from sinara.contract.read import as_literal, read_contract
from sinara.contract.values import ColumnRules, Contract, RuleResult

__all__ = ["ColumnRules", "Contract", "RuleResult", "as_literal", "read_contract"]
