"""The names that a notebook can import and whose meaning is known without importing them."""

from __future__ import annotations

from typing import Any

from sinara import interface
from sinara.reading.values import Known, UnreadableError

CONSTANTS = {
    name: getattr(interface, name)
    for name in (
        "ENV_NAME",
        "PIPELINE_NAME",
        "ZONE_NAME",
        "STEP_NAME",
        "RUN_ID",
        "ENTITY_NAME",
        "ENTITY_PATH",
        "SUBSTEP_NAME",
        "CONTRACT",
    )
}
FUNCTIONS = frozenset(
    {"NotebookSubstep", "get_pipeline_params", "get_step_params", "get_user", "get_curr_run_id"}
)
_SINARA_MODULES = frozenset({"sinara", "sinara.substep", "sinara.interface", "sinara.settings"})
_OTHER = frozenset(
    {"os", "os.path", *(f"os.path.{name}" for name in ("join", "basename", "dirname", "normpath"))}
)


def member(name: str) -> Any:
    """Return what the full name of a module or of its member stands for.

    Raises:
        UnreadableError: If that is known only when the notebook runs.
    """
    module, _, last = name.rpartition(".")
    if module in _SINARA_MODULES and last in CONSTANTS:
        return CONSTANTS[last]
    if module in _SINARA_MODULES and last in FUNCTIONS:
        return Known(f"sinara.{last}")
    if name in _SINARA_MODULES or name in _OTHER:
        return Known(name)
    raise UnreadableError(f"{name} is known only when the notebook runs")


def all_members(module: str) -> dict[str, Any] | None:
    """Return what ``from module import *`` brings, or ``None`` if only a run can tell."""
    if module not in _SINARA_MODULES:
        return None
    return {**CONSTANTS, **{name: Known(f"sinara.{name}") for name in FUNCTIONS}}
