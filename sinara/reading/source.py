"""A cell's source as a syntax tree, with the lines that only IPython understands as calls."""

from __future__ import annotations

import ast
import functools
import re
import warnings
from collections.abc import Callable

from sinara.reading.values import words

# Cell magics whose body is Python in the notebook's own namespace.
_PYTHON_MAGICS = frozenset({"time", "capture", "prun"})
# Cell magics whose body is another language, another process or another namespace.
_FOREIGN_MAGICS = words(
    "bash sh script html HTML javascript js latex markdown svg SVG writefile file cmd "
    "system sx ! perl ruby python python2 python3 pypy timeit"
)
_LINE = re.compile(r"^(\s*)(?:(\w[\w.]*(?:\s*,\s*\w+)*)\s*=\s*)?([%!])(?!=)(.*)$")
_SHORT = 2000  # characters of a cell whose tree may be kept in memory
_HELP = re.compile(r"^(\s*)(?:\?{1,2}[\w.]+|[\w.]+\?{1,2})\s*$")


class NotPythonError(Exception):
    """A cell that cannot be parsed; ``line`` counts from 1, ``foreign`` is another language's."""

    def __init__(self, text: str, line: int, *, foreign: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.line = line
        self.foreign = foreign


def parse_cell(source: str) -> list[ast.stmt]:
    """Return the statements of a cell; a magic becomes a call of ``get_ipython()``.

    Equal cells may share their nodes: change none of them.

    Raises:
        NotPythonError: If the cell is no Python, nor what IPython makes of it.
    """
    stripped = source.lstrip()
    if stripped.startswith("%%"):
        return _parse_cell_magic(source, stripped.split(None, 1)[0][2:])
    try:
        return _parse(source)
    except NotPythonError:
        if not re.search(r"[%!?]", source):
            raise
    if not re.search(r"'''|\"\"\"|\\\s*$", source, re.MULTILINE):
        try:
            return _parse("\n".join(map(_as_call, source.split("\n"))))
        except NotPythonError:
            pass
    return _parse(_by_ipython(source))


def _parse_cell_magic(source: str, magic: str) -> list[ast.stmt]:
    first, _, body = source.lstrip().partition("\n")
    if magic in _PYTHON_MAGICS:
        named = f"get_ipython().run_line_magic({magic!r}, {first[2 + len(magic) :].strip()!r})"
        blank = "\n" * source[: len(source) - len(source.lstrip())].count("\n")
        return [*_parse(blank + named), *parse_cell(f"{blank}\n{body}")]
    if magic in _FOREIGN_MAGICS and not re.search(r"--(?:out|err|proc)|-o\b", first):
        raise NotPythonError(f"the cell begins with %%{magic}", 1, foreign=True)
    return _parse(f"get_ipython().run_cell_magic({magic!r}, '', '')")


def _as_call(line: str) -> str:
    """Return a line of IPython as Python on the same line."""
    if _HELP.match(line):
        return f"{line[: len(line) - len(line.lstrip())]}pass"
    match = _LINE.match(line)
    if match is None:
        return line
    indent, target, sign, rest = match.groups()
    name, _, argument = rest.partition(" ")
    if sign == "!":
        call = f"get_ipython().getoutput({rest!r})"
    else:
        call = f"get_ipython().run_line_magic({name!r}, {argument.strip()!r})"
    return f"{indent}{target} = {call}" if target else f"{indent}{call}"


def _by_ipython(source: str) -> str:
    from IPython.core.inputtransformer2 import TransformerManager

    transform: Callable[[str], str] = TransformerManager().transform_cell  # type: ignore[no-untyped-call]

    try:
        return transform(source)
    except SyntaxError as error:
        raise NotPythonError(error.msg or "invalid syntax", error.lineno or 1) from None


@functools.lru_cache(maxsize=128)  # steps of one template share most of their cells
def _parse_text(source: str) -> tuple[ast.stmt, ...] | NotPythonError:
    try:
        return tuple(_parse_anew(source))
    except NotPythonError as error:
        return error


def _parse(source: str) -> list[ast.stmt]:
    if len(source) > _SHORT:
        return _parse_anew(source)
    parsed = _parse_text(source)
    if isinstance(parsed, NotPythonError):
        raise NotPythonError(parsed.text, parsed.line)
    return list(parsed)


def _parse_anew(source: str) -> list[ast.stmt]:
    try:
        with warnings.catch_warnings():  # "\d" in a cell is the notebook's affair
            warnings.simplefilter("ignore")
            return ast.parse(source).body
    except SyntaxError as error:
        raise NotPythonError(error.msg or "invalid syntax", error.lineno or 1) from None
    except (ValueError, RecursionError, MemoryError) as error:
        text = "it is nested too deeply" if not isinstance(error, ValueError) else str(error)
        raise NotPythonError(text, 1) from None
