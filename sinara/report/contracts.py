"""What came of contracts: a table for each entity that has one."""

from __future__ import annotations

from collections.abc import Sequence

from sinara.contract import RuleResult
from sinara.record import EntityRecord, SubstepRecord
from sinara.report.elements import Child, Html, el, join
from sinara.report.facts import Limits, more, table
from sinara.report.words import one_line

_HEAD = ("Column", "Rule", "Asked", "Found", "Verdict")


def contracts(substep: SubstepRecord, limits: Limits) -> Html | None:
    """Return a table of rules for each input and output with a contract; broken rules first."""
    parts = [
        _entity(what, entity, limits)
        for what, several in (("Input", substep.inputs), ("Output", substep.outputs))
        for entity in several
        if entity.contract
    ]
    return join(*parts) if parts else None


def contracts_note(substep: SubstepRecord) -> str:
    """Return in a few words how many rules are kept; empty if there are none."""
    rules = _rules(substep)
    broken = sum(not rule.kept for rule in rules)
    return f"{broken:,} of {len(rules):,} rules broken" if broken else f"{len(rules):,} rules kept"


def is_broken(substep: SubstepRecord) -> bool:
    """Return whether any rule of a contract is not kept."""
    return any(not rule.kept for rule in _rules(substep))


def _rules(substep: SubstepRecord) -> list[RuleResult]:
    return [rule for e in (*substep.inputs, *substep.outputs) for rule in e.contract]


def _entity(what: str, entity: EntityRecord, limits: Limits) -> Html:
    rules = sorted(entity.contract, key=lambda rule: rule.kept)
    rows = [_row(rule) for rule in rules[: limits.rows]]
    title = el("h3", None, f"{what} {one_line(entity.full_name or entity.name)}")
    return join(title, table(_HEAD, rows, "contract"), more(len(rules), limits.rows))


def _row(rule: RuleResult) -> Sequence[Child]:
    sample = [el("code", {"class": "text"}, one_line(row, 500)) for row in rule.sample]
    found = join(one_line(rule.found, 500), [join(el("br"), row) for row in sample])
    verdict = "kept" if rule.kept else el("span", {"class": "tag warn"}, "broken")
    column = one_line(rule.column, 120)
    return column, one_line(rule.rule, 40), one_line(rule.asked, 200), found, verdict
