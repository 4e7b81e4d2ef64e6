"""A notebook read from its file, and the parameters of a run filled in.

::

    file ──read_notebook──► notebook ──fill──► notebook with its parameters ──► a kernel

Everything but :func:`read_notebook` is pure: it takes a notebook and gives another.
"""

from __future__ import annotations

import copy
import json
import stat
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.errors import NotebookError, suggest
from sinara.params import CheckedParams, ParametersSchema, cell_source, find_parameters_cell

if TYPE_CHECKING:
    from nbformat import NotebookNode

_GRAMMAR = "rfc3987_syntax"

INJECTED_TAG = "injected-parameters"
BUSINESS_TAG = "business_report"
MAX_BYTES = 200_000_000
_RUN_METADATA = ("execution", "papermill", "sinara", "widgets", "ExecuteTime")


def read_notebook(path: Path) -> NotebookNode:
    """Return the notebook in a file, as nbformat 4.5 with an id for every cell.

    Notebooks of older formats are brought up to it; ids that are missing, malformed or
    there twice are replaced by ones that depend on nothing but the place of the cell.

    Raises:
        NotebookError: One line if there is no such file, or it holds no notebook in Python.
    """
    document = _parse(_read(Path(path)), Path(path).name)
    notebook = _as_version_4(document, Path(path).name)
    language = _language(notebook)
    if language and not language.startswith(("python", "ipython")):
        raise NotebookError(
            f"{Path(path).name}: a notebook in {language}; substeps run in Python. "
            "Choose a Python kernel in it and save it."
        )
    return notebook


def _read(path: Path) -> bytes:
    try:
        if not path.exists():
            there = sorted(p.name for p in path.parent.glob("*.ipynb"))
            have = f"There is {', '.join(there[:20])}." if there else "The folder has no notebook."
            raise NotebookError(
                f"{path.name}: no such notebook in {path.parent}. "
                f"{have} {suggest(path.name, there)}".rstrip()
            )
        if not stat.S_ISREG(path.stat().st_mode):
            raise NotebookError(f"{path.name}: not a file. Give the path of a notebook.")
        if path.stat().st_size > MAX_BYTES:
            raise NotebookError(
                f"{path.name}: larger than {MAX_BYTES // 1_000_000} MB. "
                "Clear its outputs and save it."
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NotebookError(f"{path.name}: cannot be read: {reason}. Check the path.") from None


def _parse(raw: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise NotebookError(f"{name}: no UTF-8 text. Save it again from JupyterLab.") from None
    except json.JSONDecodeError as error:
        what = "empty" if not raw.strip() else f"no JSON: {error.msg}"
        place = f"{name}:{error.lineno}:{error.colno}"
        raise NotebookError(f"{place}: {what}. Restore the notebook from Git.") from None
    except (RecursionError, ValueError):
        raise NotebookError(f"{name}: no notebook: nested too deep or numbers too long.") from None
    if not isinstance(document, dict) or type(document.get("nbformat")) is not int:
        raise NotebookError(f"{name}: no notebook: 'nbformat' is missing. Save it from JupyterLab.")
    if document["nbformat"] > 4:
        raise NotebookError(
            f"{name}: notebook format {document['nbformat']}; 4 is the newest known."
        )
    if not isinstance(document.get("cells", document.get("worksheets")), list):
        raise NotebookError(f"{name}: no notebook: it has no cells. Save it from JupyterLab.")
    return document


def _nbformat() -> Any:
    """Load nbformat, when a notebook is first read; most of its functions have no types.

    jsonschema, which it needs, compiles the grammar of international addresses (for half a second
    and more) where JupyterLab has brought it along, to check a format that no notebook has.
    It does without where that module is not to be had.
    """
    absent = _GRAMMAR not in sys.modules
    if absent:
        sys.modules[_GRAMMAR] = None  # type: ignore[assignment]
    try:
        import nbformat
    finally:
        if absent:
            del sys.modules[_GRAMMAR]
    return nbformat


def _as_version_4(document: dict[str, Any], name: str) -> NotebookNode:
    nbformat = _nbformat()
    with warnings.catch_warnings():  # nbformat warns of what is repaired here
        warnings.simplefilter("ignore")
        try:
            node: NotebookNode = nbformat.from_dict(document)
            if node.nbformat < 4:
                node = nbformat.convert(node, 4)
            nbformat.v4.rwbase.rejoin_lines(node)
            _repair_cells(node)
            nbformat.v4.rwbase.strip_transient(node)
            # As JupyterLab does, take more than the format says; old outputs do not matter.
            nbformat.validate(without_outputs(node), relax_add_props=True)
        except nbformat.ValidationError as error:
            reason = str(error.message).splitlines()[0][:200]
            raise NotebookError(
                f"{name}: no valid notebook: {reason}. Restore it from Git."
            ) from None
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
            raise NotebookError(
                f"{name}: no valid notebook: its cells or metadata are not what the notebook "
                "format says. Restore it from Git."
            ) from None
    return node


def _repair_cells(node: NotebookNode) -> None:
    """Repair what editors get wrong and nobody sees, and give every cell an id of its own."""
    minor = node.get("nbformat_minor")
    node.nbformat_minor = max(5, minor) if isinstance(minor, int) else 5
    kernel = node.setdefault("metadata", {}).get("kernelspec")
    if isinstance(kernel, dict):
        kernel.setdefault("name", "python3")
        kernel.setdefault("display_name", kernel["name"])
    seen: set[str] = set()
    for index, cell in enumerate(node.cells):
        cell.setdefault("metadata", {})
        if cell.get("cell_type") == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)
        else:
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
        own = cell.get("id")
        if not _is_id(own) or own in seen:
            own = f"cell-{index}"
            while own in seen or any(other.get("id") == own for other in node.cells):
                own += "-"
        cell.id = own
        seen.add(own)


def _is_id(value: object) -> bool:
    return (
        isinstance(value, str)
        and 1 <= len(value) <= 64
        and value.isascii()
        and value.replace("-", "").replace("_", "a").isalnum()
    )


def _language(notebook: NotebookNode) -> str:
    metadata = notebook.metadata
    for section, key in (("kernelspec", "language"), ("language_info", "name")):
        value = metadata.get(section, {})
        value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            return value.lower()
    return ""


def tags(cell: NotebookNode) -> tuple[str, ...]:
    """Return the tags of a cell; none if its metadata is malformed."""
    found = cell.get("metadata", {}).get("tags", ())
    if not isinstance(found, list | tuple):
        return ()
    return tuple(tag for tag in found if isinstance(tag, str))


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook as it was before anyone ran it: no outputs, counts or run metadata."""
    node = type(notebook)
    # Outputs are left out before the copy is made: they may be most of the file.
    cells = [node({k: v for k, v in cell.items() if k != "outputs"}) for cell in notebook.cells]
    result = copy.deepcopy(node({**notebook, "cells": cells}))
    for key in _RUN_METADATA:
        result.metadata.pop(key, None)
    for cell in result.cells:
        for key in _RUN_METADATA:
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    return result


def fill(
    notebook: NotebookNode,
    schema: ParametersSchema,
    checked: CheckedParams,
    *,
    pipeline_params: Mapping[str, Any] | None = None,
    step_params: Mapping[str, Any] | None = None,
) -> NotebookNode:
    """Return the notebook with one more cell, which sets the parameters of this run.

    The cell is tagged ``injected-parameters`` and comes after the parameters cell, or first
    of all where there is none. One that is there from an earlier run is replaced. Outputs of
    earlier runs are left out.

    Args:
        notebook: As :func:`read_notebook` gives it.
        schema: What its parameters cell declares.
        checked: The values, checked against it.
        pipeline_params: Set only where the notebook's parameters cell sets them itself.
        step_params: The same.
    """
    given = {"pipeline_params": pipeline_params, "step_params": step_params}
    dicts = {n: dict(v) for n, v in given.items() if v is not None and n in schema.sets}
    source = cell_source(checked.code, checked.imports, dicts)
    result = without_outputs(notebook)
    result.cells = [cell for cell in result.cells if INJECTED_TAG not in tags(cell)]
    used = {cell.get("id") for cell in result.cells}
    name = INJECTED_TAG
    while name in used:
        name += "-"
    cell = _nbformat().v4.new_code_cell(source, id=name, metadata={"tags": [INJECTED_TAG]})
    found = find_parameters_cell([tags(c) if c.cell_type == "code" else () for c in result.cells])
    result.cells.insert(found[0] + 1 if found else 0, cell)
    return result


def business_cells(notebook: NotebookNode) -> tuple[NotebookNode, ...]:
    """Return the cells tagged ``business_report`` that show something, in their order.

    A code cell shows its outputs, and a Markdown cell its text.
    """
    return tuple(
        cell
        for cell in notebook.cells
        if BUSINESS_TAG in tags(cell)
        and (cell.get("outputs") if cell.cell_type == "code" else cell.source.strip())
    )
