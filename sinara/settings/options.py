"""Which options there are, and those that a file sets for single substeps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from sinara.errors import BadNameError, suggest
from sinara.names import check_name, shown
from sinara.settings import checks
from sinara.settings.conditions import parse_condition
from sinara.settings.values import StepOptions

CHECKS: dict[str, Callable[[Any], Any]] = {
    "strict_params": checks.switch,
    "cell_timeout": checks.seconds_or_no_limit,
    "run_timeout": checks.seconds_or_no_limit,
    "start_timeout": checks.seconds,
    "memory": checks.memory_or_no_limit,
    "cpu_seconds": checks.seconds_or_no_limit,
    "retries": checks.retries,
    "retry_on": checks.retry_causes,
    "retry_wait": checks.retry_wait,
    "warm": checks.switch,
    "preload": checks.modules,
    "max_cell_output": checks.size,
    "max_notebook_output": checks.size,
    "strict_files": checks.switch,
    "strict_shell": checks.switch,
    "legacy_in_prod": checks.switch,
    "durability": checks.one_of("full", "fast"),
    "publish": checks.one_of("cell", "request"),
    "dirty": checks.one_of("refuse", "worktree"),
    "row_drop": checks.share,
    "workers": checks.count,
    "memory_budget": checks.memory_or_no_limit,
    "row_size": checks.size,
    "block_size": checks.size,
}
OF_A_STEP: dict[str, Callable[[Any], Any]] = {
    "when": parse_condition,
    "independent": checks.switch,
}
OF_A_SUBSTEP = (
    "cell_timeout",
    "run_timeout",
    "start_timeout",
    "memory",
    "cpu_seconds",
    "retries",
    "retry_on",
    "retry_wait",
    "strict_files",
    "strict_shell",
)


def read_substeps(
    file: Path | None, value: Any, in_environ: Collection[str], lines: list[str]
) -> dict[str, dict[str, Any]]:
    """Return what a file sets for single substeps; what is wrong with it goes to ``lines``.

    Args:
        file: Where it stands, for messages.
        value: The table ``substeps``: one table per ``train.ipynb`` or ``step_name/train.ipynb``.
        in_environ: Options that the environment sets: it wins over all of the file.
        lines: Gets one line per finding.
    """
    if not isinstance(value, dict):
        hint = 'Write [substeps."train.ipynb"] and one line per setting.'
        lines.append(f"{file}: substeps: {shown(value)} is not a table. {hint}")
        return {}
    found: dict[str, dict[str, Any]] = {}
    for key, table in value.items():
        options = _read_substep(f"{file}: substeps", key, table, lines)
        found[key] = {name: option for name, option in options.items() if name not in in_environ}
    return found


def read_steps(file: Path | None, value: Any, lines: list[str]) -> dict[str, StepOptions]:
    """Return what a file sets for single steps; what is wrong with it goes to ``lines``.

    Args:
        file: Where it stands, for messages.
        value: The table ``steps``: one table per step name.
        lines: Gets one line per finding.
    """
    if not isinstance(value, dict):
        lines.append(f"{file}: steps: {shown(value)} is not a table. Write [steps.train].")
        return {}
    found: dict[str, StepOptions] = {}
    for name, table in value.items():
        here = f"{file}: steps.{name if name.isascii() and name.isprintable() else shown(name)}"
        try:
            check_name("step", name)
        except BadNameError as error:
            lines.append(f"{file}: steps: {error}")
            continue
        if not isinstance(table, dict):
            lines.append(f"{here}: {shown(table)} is not a table")
            continue
        options: dict[str, Any] = {}
        for key, setting in table.items():
            if key in OF_A_STEP:
                keep(options, key, OF_A_STEP[key], setting, f"{here}: {key}", lines)
            else:
                told = advice(key, OF_A_STEP)
                lines.append(f"{here}: {shown(key)} is not a setting of a step. {told}")
        found[name] = StepOptions(**options)
    return found


def _read_substep(where: str, key: str, table: Any, lines: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    try:
        here = f"{where}.{shown(checks.substep_key(key))}"
    except ValueError as error:
        lines.append(f"{where}: {error}")
        return options
    if not isinstance(table, dict):
        lines.append(f"{here}: {shown(table)} is not a table")
        return options
    for name, value in table.items():
        if name in OF_A_SUBSTEP:
            keep(options, name, CHECKS[name], value, f"{here}: {name}", lines)
        elif name in CHECKS:
            lines.append(f"{here}: {name} holds for all substeps: write it above all tables")
        else:
            told = advice(name, OF_A_SUBSTEP)
            lines.append(f"{here}: {shown(name)} is not a setting of a substep. {told}")
    return options


def keep(
    table: dict[str, Any],
    key: str,
    check: Callable[[Any], Any],
    value: Any,
    where: str,
    lines: list[str],
) -> None:
    """Put the checked ``value`` into ``table``, or why it is wrong into ``lines``."""
    try:
        table[key] = check(value)
    except ValueError as error:
        lines.append(f"{where}: {error}")


def advice(key: str, known: Iterable[str]) -> str:
    """Return what to write instead of ``key``."""
    names = list(known)
    return suggest(key, names) or f"The settings are {', '.join(names)}."
