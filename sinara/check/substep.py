"""One substep looked over: its file, its cells, its parameters, its interface, its kernel."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.check.findings import Finding, error, warning
from sinara.errors import NotebookError, ParamsError, suggest
from sinara.interface import Interface
from sinara.params import (
    ParametersSchema,
    StepParams,
    SubstepParams,
    check_substep,
    read_parameters,
)
from sinara.reading import CellSource, NotPythonError, parse_cell, read_cells, read_interface
from sinara.reading.resuming import checkpoint_findings

_LOCAL = re.compile(r"(?:/|~|[A-Za-z]:[\\/]|file:)")
# Commands that IPython also takes without their %, where they stand alone on a line.
_BARE_MAGIC = re.compile(
    r"\s*(?:pip|conda|mamba|uv|cd|ls|ll|pwd|cat|cp|mv|rm|mkdir|rmdir)\b[^=(\n]*$"
)


@dataclass(frozen=True)
class Checked:
    """What was found in one substep.

    Attributes:
        name: The substep.
        findings: In the order of the cells.
        interface: What it declares, if that can be read.
        readable: Whether ``interface`` is what a run will declare, nothing included.
    """

    name: str
    findings: tuple[Finding, ...]
    interface: Interface | None = None
    readable: bool = False


def check_one(folder: Path, params: StepParams, substep: SubstepParams) -> Checked:
    """Look over one substep of the step in ``folder``."""
    name, path = substep.name, folder / substep.name
    if not path.is_file():
        near = [*folder.glob(f"*{path.suffix}"), *folder.glob(f"*/*{path.suffix}")]
        there = sorted(str(p.relative_to(folder)) for p in near)
        advice = suggest(name, there) or "Create it, or take it off the list in the parameter file."
        return Checked(name, (error(name, "missing-file", f"there is no such file. {advice}"),))
    try:
        cells = read_cells(path)
        notebook = _notebook(path)
    except NotebookError as problem:
        return Checked(name, tuple(error(name, "notebook", line) for line in problem.lines))
    schema = read_parameters(cells)
    values, findings = _check_parameters(name, schema, params, substep)
    findings += _check_cells(name, cells, in_notebook=path.suffix == ".ipynb")
    if path.suffix == ".ipynb":
        findings += _check_kernel(name, params.kernel_name, notebook)
        findings += _check_outputs(name, notebook)
        findings += _check_checkpoints(name, cells)
    broken = {finding.cell for finding in findings if finding.code == "syntax"}
    reading = read_interface(
        cells,
        pipeline_params=params.pipeline_params,
        step_params=params.step_params,
        substep_params=values,
    )
    findings += [
        Finding(
            "error" if problem.certain else "warning",
            name,
            problem.cell if path.suffix == ".ipynb" else None,
            problem.line,
            "interface" if problem.certain else "unreadable-interface",
            problem.text,
        )
        for problem in reading.problems
        if problem.cell not in broken
    ]
    if reading.interface is None and not reading.problems:
        text = "it declares no interface, so it reads and writes no entities"
        findings.append(
            warning(name, "no-interface", f"{text}. Add a call of substep.interface(...).")
        )
    findings += _check_paths(name, reading.interface)
    findings.sort(
        key=lambda finding: (finding.cell is not None, finding.cell or 0, finding.line or 0)
    )
    return Checked(name, tuple(findings), reading.interface, readable=not reading.problems)


def _notebook(path: Path) -> Mapping[str, Any]:
    """Return the notebook as a run reads it; an empty one for a module.

    Raises:
        NotebookError: If a run would refuse it.
    """
    if path.suffix != ".ipynb":
        return {}
    from sinara.notebook import read_notebook

    notebook: Mapping[str, Any] = read_notebook(path)
    return notebook


def _check_cells(
    name: str, cells: tuple[CellSource, ...], *, in_notebook: bool
) -> Iterator[Finding]:
    for cell in cells:
        if cell.cell_type != "code":
            continue
        index = cell.index if in_notebook else None
        try:
            body = parse_cell(cell.source)
        except NotPythonError as problem:
            if not problem.foreign:
                yield _syntax(name, index, cell.source, problem)
            continue
        for node in ast.walk(ast.Module(body, [])):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "input":
                text = "input() waits for a person, and a run has none. Make it a parameter."
                yield error(name, "input", text, index, node.lineno)


def _syntax(name: str, cell: int | None, source: str, problem: NotPythonError) -> Finding:
    lines = source.split("\n")
    at = lines[problem.line - 1] if problem.line <= len(lines) else ""
    if cell is not None and _BARE_MAGIC.fullmatch(at):
        text = f"{' '.join(at.split())[:60]!r} is no Python. Write it as %{at.strip()[:60]}"
        return warning(name, "bare-magic", text, cell, problem.line)
    return error(name, "syntax", f"the cell cannot be parsed: {problem.text}", cell, problem.line)


def _check_parameters(
    name: str, schema: ParametersSchema, params: StepParams, substep: SubstepParams
) -> tuple[dict[str, Any], list[Finding]]:
    """Return the values that the notebook will see, and what is wrong with those given."""
    found = []
    if schema.cell is None and name.endswith(".ipynb"):
        text = "no cell is tagged 'parameters': values are set before the first cell. Tag one."
        found.append(warning(name, "no-parameters-cell", text))
    make, values = warning, substep.params
    lines: tuple[str, ...] = ()
    try:
        checked = check_substep(schema, substep, strict=params.strict)
        values, lines = checked.values, checked.warnings
    except ParamsError as problem:
        make, lines = error, problem.lines
    cell = schema.cell if name.endswith(".ipynb") else None
    found += [make(name, "parameters", line.removeprefix(f"{name}: "), cell) for line in lines]
    return values, found


def _check_kernel(
    name: str, kernel_name: str | None, notebook: Mapping[str, Any]
) -> Iterator[Finding]:
    from sinara.kernels.specs import find_kernel

    try:
        find_kernel(kernel_name, notebook.get("metadata"))
    except NotebookError as problem:
        yield from (error(name, "kernel", line) for line in problem.lines)


def _check_outputs(name: str, notebook: Mapping[str, Any]) -> Iterator[Finding]:
    for index, cell in enumerate(notebook.get("cells", ())):
        if cell.get("outputs"):
            text = "the notebook holds outputs, which Git would keep. Clear them before you commit."
            yield warning(name, "saved-outputs", text, index)
            return


def _check_checkpoints(name: str, cells: tuple[CellSource, ...]) -> Iterator[Finding]:
    for found in checkpoint_findings(cells):
        make = error if found.certain else warning
        yield make(name, "checkpoint", found.text, found.cell, found.line)


def _check_paths(name: str, interface: Interface | None) -> Iterator[Finding]:
    for reference in interface.custom_inputs if interface else ():
        if _LOCAL.match(reference.path):
            text = (
                f"custom input '{reference.entity_name}' is read from a path of this machine: "
                f"{reference.path!r}. Another machine may not have it."
            )
            yield warning(name, "local-path", text)
