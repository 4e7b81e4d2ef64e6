"""A notebook as a Python function.

::

    train = Experiment.function("train.ipynb", tag="sweep")
    scores = [train(lr=lr) for lr in (0.1, 0.01)]

The names that the notebook's parameters cell sets are the arguments, and the last literal that
it shows is what the function returns. No source is made of names or values: a value goes in as
its own literal and comes out through ``ast.literal_eval``.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.errors import (
    CellError,
    InterruptedRunError,
    KernelDiedError,
    NotebookError,
    RunError,
    SubstepTimeoutError,
    UsageError,
)

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from sinara.execute import Executed

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_FAILURES: dict[str, type[RunError]] = {
    "cell": CellError,
    "kernel died": KernelDiedError,
    "memory": KernelDiedError,
    "timeout": SubstepTimeoutError,
    "cpu limit": SubstepTimeoutError,
    "interrupted": InterruptedRunError,
}
# IPython prints "..." for all that follows the first thousand items of a list.
_WHOLE_VALUES = 'get_ipython().display_formatter.formatters["text/plain"].max_seq_length = 0'


class ArgumentsError(UsageError, TypeError):
    """The function was called with arguments that the notebook has not; also a ``TypeError``."""


class _Default:
    """Stands for a value that only the notebook knows."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown


_REQUIRED = _Default("<required>")


class Experiment:
    """Makes functions of notebooks."""

    @staticmethod
    def function(nbname: str | os.PathLike[str], tag: str = "") -> Callable[..., Any]:
        """Return a function that runs a notebook.

        Its arguments are the names that the cell tagged ``parameters`` sets, in that order, by
        position or by name; those left out keep the notebook's own values. It returns the last
        value that a cell ended with, ``None`` if none did. The notebook runs in a kernel of its
        own, in the current folder, and is kept, executed, in this run's scratch folder.

        Args:
            nbname: The notebook's file.
            tag: Added to the name of the executed notebook, to tell several apart.

        Returns:
            The function. It raises ``ArgumentsError`` for arguments that do not fit,
            ``NotebookError`` if the last value is no literal, and ``CellError`` or another
            ``RunError`` if the notebook fails; the line names the cell and the cause.

        Raises:
            NotebookError: If the file is no notebook, or its parameters cell is no Python.
            UsageError: If the tag cannot be part of a file name.
        """
        from sinara.notebook import read_notebook

        path = Path(nbname).absolute()
        if tag and not _TAG.fullmatch(tag):
            raise UsageError(
                f"tag {tag!r} cannot be part of a file name: use letters, digits, _ . -"
            )
        notebook = read_notebook(path)
        signature = _signature(notebook, path.name)

        def run(*args: Any, **kwargs: Any) -> Any:
            code = _code(signature, path.name, args, kwargs)
            executed, output = _execute(notebook, path, tag, code)
            _check(executed, path.name, output)
            return _result(executed.notebook, path.name)

        run.__name__ = run.__qualname__ = path.name.replace(".", "_")
        run.__doc__ = f"Run {path.name} and return the last value that it shows."
        run.__signature__ = signature  # type: ignore[attr-defined]
        return run


def _signature(notebook: NotebookNode, name: str) -> inspect.Signature:
    """Return the arguments that a notebook's parameters cell gives, with its defaults."""
    from sinara.notebook import tags
    from sinara.params import find_parameters_cell
    from sinara.params.source import UNKNOWN, NotPythonError, constant, parse

    cells = notebook.cells
    found = find_parameters_cell([tags(cell) if cell.cell_type == "code" else () for cell in cells])
    if not found:
        return inspect.Signature()
    try:
        body = parse(cells[found[0]].source).body
    except NotPythonError as error:
        raise NotebookError(
            f"{name}: its parameters cell {found[0]} is no Python: {error}."
        ) from error
    parameters: dict[str, inspect.Parameter] = {}
    for target, value in _assignments(body):
        default = constant(value)
        if value is None:
            default = _REQUIRED
        elif default is UNKNOWN:
            default = _Default(f"<{ast.unparse(value)}>")
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters[target] = inspect.Parameter(target, kind, default=default)
    return inspect.Signature(list(parameters.values()))


def _assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr | None]]:
    for statement in body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id, statement.value
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    yield target.id, statement.value


def _code(
    signature: inspect.Signature, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, str]:
    """Return the source of each value that was given."""
    try:
        bound = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise ArgumentsError(f"{name}: {error}; its arguments are {signature}.") from None
    left_out = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.default is _REQUIRED and parameter.name not in bound
    ]
    if left_out:
        raise ArgumentsError(f"{name}: {', '.join(left_out)} has no default and must be given.")
    return {argument: _literal(name, argument, value) for argument, value in bound.items()}


def _literal(name: str, argument: str, value: Any) -> str:
    code = repr(value)
    try:
        same = repr(ast.literal_eval(code)) == code
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        same = False
    if not same:
        raise ArgumentsError(
            f"{name}: the argument {argument} is a {type(value).__name__}. Give a plain value: "
            "text, numbers, True, None, or lists, tuples, sets and dictionaries of these."
        )
    return code


def _execute(
    notebook: NotebookNode, path: Path, tag: str, code: dict[str, str]
) -> tuple[Executed, Path]:
    from sinara.execute import ExecuteOptions, execute_notebook
    from sinara.notebook import fill
    from sinara.params import CheckedParams, ParametersSchema
    from sinara.settings import load_settings
    from sinara.substep import get_tmp_work_path

    settings = load_settings(Path.cwd())
    output = Path(get_tmp_work_path(), f"{path.stem}_{tag}.ipynb" if tag else path.name)
    filled = fill(notebook, ParametersSchema(), CheckedParams(code=code, imports=(_WHOLE_VALUES,)))
    with tempfile.TemporaryDirectory(prefix="sinara-") as private:
        options = ExecuteOptions(
            runtime_folder=Path(private),
            cwd=Path.cwd(),
            env=_environment(path.name, Path(private)),
            cell_timeout=settings.cell_timeout,
            run_timeout=settings.run_timeout,
            start_timeout=settings.start_timeout,
            max_cell_output=settings.max_cell_output,
            max_notebook_output=settings.max_notebook_output,
            strict_shell=bool(settings.strict_shell),
        )
        return execute_notebook(filled, output, options), output


def _environment(name: str, private: Path) -> dict[str, str]:
    """Return the environment of the notebook: its run is ours, what it hands back is not."""
    from sinara.context import CONTEXT_VARIABLE, load_context, write_context

    environment = dict(os.environ)
    job = load_context(environment)
    if job is not None:
        context = private / "context.json"
        handback = str(private / "handback.json")
        write_context(context, replace(job, substep_name=name, handback_file=handback))
        environment[CONTEXT_VARIABLE] = str(context)
    return environment


def _check(executed: Executed, name: str, output: Path) -> None:
    failure = executed.failure
    if failure is None:
        return
    kind = _FAILURES.get(failure.kind, RunError)
    place = name if failure.cell is None else f"{name}, cell {failure.cell}"
    raise kind(f"{place}: {failure.message}", f"The executed notebook is {output}.")


def _result(notebook: NotebookNode, name: str) -> Any:
    """Return the value of the last output that a cell ended with; None if none did."""
    for index, cell in reversed(list(enumerate(notebook.cells))):
        shown = [out for out in cell.get("outputs", ()) if out.output_type == "execute_result"]
        if shown and "text/plain" in shown[-1].data:
            return _value(shown[-1].data["text/plain"], f"{name}, cell {index}")
    return None


def _value(text: str, place: str) -> Any:
    with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        return ast.literal_eval(_plain_numbers(text))
    shown = " ".join(text.split())
    raise NotebookError(
        f"{place} ends with {shown[:80]!r}, which is no literal. Let the last cell end with a "
        "plain value: text, numbers, or lists and dictionaries of these."
    )


def _plain_numbers(text: str) -> ast.expr:
    """Read ``np.float64(0.5)``, as NumPy 2 shows its numbers, as the number in it."""

    class Unwrap(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            whose = node.func.value if isinstance(node.func, ast.Attribute) else None
            if isinstance(whose, ast.Name) and whose.id == "np" and len(node.args) == 1:
                return node.args[0]
            return node

    unwrapped: ast.expr = Unwrap().visit(ast.parse(text.strip(), mode="eval").body)
    return unwrapped
