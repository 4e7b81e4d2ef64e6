"""What of the cells above a checkpoint runs again when a run is resumed there.

::

    parameters, injected parameters, the interface       the whole cell runs
    import, def, class; %load_ext and the like;          these statements run
    settings of what was imported; outputs = substep.outputs()
    everything else                                      does not run

Then the saved variables are put back, and the cells below run.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sinara.reading.cells import CellSource
from sinara.reading.source import NotPythonError, parse_cell
from sinara.reading.uses import Flow

_WHOLE_TAGS = frozenset({"parameters", "params", "injected-parameters"})
_MAGICS = frozenset(
    {"matplotlib", "load_ext", "reload_ext", "autoreload", "config", "precision", "env", "cd"}
)
_SETTINGS = frozenset(
    {
        "filterwarnings", "simplefilter", "set_option", "seterr", "set_printoptions", "use",
        "set_theme", "set_style", "basicConfig",
    }
)  # fmt: skip
_OF_SUBSTEP = frozenset(
    {
        "inputs", "outputs", "custom_inputs", "custom_outputs", "tmp_inputs", "tmp_outputs",
        "tmp_entities",
    }
)  # fmt: skip
_OF_SINARA = frozenset(
    {
        "NotebookSubstep", "get_pipeline_params", "get_step_params", "get_substep_params",
        "get_tmp_work_path", "get_curr_run_id", "default_param_values",
    }
)  # fmt: skip
_Definition: TypeAlias = (
    ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
)


@dataclass(frozen=True)
class Piece:
    """One statement that runs again, with the line of its cell where it begins, from 1."""

    line: int
    source: str


@dataclass
class Known:
    """What is known of the names that cells above bound.

    Attributes:
        imported: By an import.
        given: By what was asked of the substep: ``outputs = substep.outputs()``.
    """

    imported: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)


def runs_whole(cell: CellSource) -> bool:
    """Return whether a cell above a checkpoint runs again as it is."""
    if _WHOLE_TAGS.intersection(cell.tags):
        return True
    nodes = ast.walk(ast.Module(statements(cell), []))
    calls = (node for node in nodes if isinstance(node, ast.Call))
    return any(_called(call) in ("NotebookSubstep", "interface") for call in calls)


def pieces(cell: CellSource, known: Known) -> tuple[Piece, ...]:
    """Return the statements of a cell that run again.

    Args:
        cell: A code cell above a checkpoint, or the checkpoint cell itself.
        known: Of the cells above it; what this cell binds is added.
    """
    again = runs_again(statements(cell), known)
    return tuple(Piece(node.lineno, _source(cell.source, node)) for node in again)


def runs_again(body: Sequence[ast.stmt], known: Known) -> list[ast.stmt]:
    """Return the statements of a cell that run again; see :func:`pieces`."""
    found = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            flow = Flow(set())
            flow.follow([node])
            known.imported |= flow.there
        if _does(node, known):
            found.append(node)
            if isinstance(node, ast.Assign):
                known.given |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return found


def statements(cell: CellSource) -> list[ast.stmt]:
    """Return the statements of a cell; none if it is no Python."""
    try:
        return parse_cell(cell.source)
    except NotPythonError:
        return []


def _does(node: ast.stmt, known: Known) -> bool:
    if isinstance(node, _Definition):
        return True
    if isinstance(node, ast.Try):
        return _only_imports(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return _is_setting(node.value, known.imported)
    if isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets):
        return _is_given(node.value, known.given)
    if isinstance(node, ast.Assign):
        return _is_constant(node.value) and all(root(t) in known.imported for t in node.targets)
    return False


def _only_imports(node: ast.Try) -> bool:
    """Return whether a ``try`` only chooses what to import."""
    parts = [*node.body, *(s for h in node.handlers for s in h.body), *node.orelse, *node.finalbody]
    return all(
        isinstance(part, ast.Import | ast.ImportFrom | ast.Pass)
        or (isinstance(part, ast.Assign) and _is_constant(part.value))
        for part in parts
    )


def _is_setting(call: ast.Call, imported: set[str]) -> bool:
    """Return whether a call sets something up in this process, and does nothing else."""
    name = _called(call)
    if name == "run_line_magic" and call.args:
        magic = call.args[0]
        return isinstance(magic, ast.Constant) and magic.value in _MAGICS
    if isinstance(call.func, ast.Attribute) and ast.unparse(call.func).startswith("sys.path."):
        return True
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return name in _SETTINGS and root(call.func) in imported and all(map(_is_constant, given))


def _is_given(value: ast.expr, given: set[str]) -> bool:
    """Return whether a value is asked of the substep: ``substep.outputs()``, ``outputs.model``."""
    whole = value
    while isinstance(value, ast.Attribute | ast.Subscript):
        value = value.value
    if isinstance(value, ast.Name):
        return value.id in given and value is not whole
    if not isinstance(value, ast.Call):
        return False
    name = _called(value)
    if isinstance(value.func, ast.Attribute):
        return name in _OF_SUBSTEP and isinstance(value.func.value, ast.Name)
    return name in _OF_SINARA


def _is_constant(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", "") or getattr(call.func, "id", "")


def root(node: ast.AST) -> str:
    """Return the name that a chain of attributes and items begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _source(whole: str, node: ast.stmt) -> str:
    """Return a statement's own text, comments and all, or one that means the same."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    text = "\n".join(whole.split("\n")[first - 1 : node.end_lineno])
    try:
        (alone,) = ast.parse(text).body
    except (SyntaxError, ValueError):  # another statement is on its lines, or it is a magic
        return ast.unparse(node)
    return text if ast.dump(alone) == ast.dump(node) else ast.unparse(node)
