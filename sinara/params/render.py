"""Values as Python source that makes an equal value, and nothing but a value.

A *value* can only become a literal: it is written by ``repr`` and read back by
``ast.literal_eval`` before it is used. A *name* becomes code only if the notebook's own
cell has it, and is looked at once more here.
"""

from __future__ import annotations

import ast
import keyword
from typing import Any

from sinara.errors import ParamsError
from sinara.params.values import plain
from sinara.secret import SecretRef, find_references, read_reference

SECRET_NAME = "_Secret"
SECRET_IMPORT = f"from sinara.secret import Secret as {SECRET_NAME}"
_WIDTH = 88


def literal(value: Any) -> str:
    """Return the source of a JSON-like value; a reference to a secret becomes a `Secret`.

    Raises:
        ParamsError: If the source would not give back the same value, or a reference is
            malformed.
    """
    if next(find_references(value), None) is not None:
        return _with_secrets(value)
    code = repr(value)
    # By `repr`, not `==`: 1, 1.0 and True are equal, and are not the same.
    try:
        same = repr(ast.literal_eval(code)) == code
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise ParamsError(f"a value of type {type(value).__name__} has no Python literal.")
    return code


def secret(reference: SecretRef) -> str:
    """Return the source that makes the `Secret`; it needs :data:`SECRET_IMPORT`."""
    return f"{SECRET_NAME}.{reference.code}"


def _with_secrets(value: Any) -> str:
    reference = read_reference(value)
    if reference is not None:
        return secret(reference)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_with_secrets(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_with_secrets, value)) + "]"
    return repr(value)


def dictionary(items: dict[str, str], before: tuple[str, ...] = ()) -> str:
    """Return the source of a dictionary whose values are sources already.

    Args:
        items: Source of each value, by its key.
        before: Sources of dictionaries that are unpacked first.
    """
    parts = [f"**{source}" for source in before]
    parts += [f"{key!r}: {source}" for key, source in items.items()]
    line = "{" + ", ".join(parts) + "}"
    if len(line) <= _WIDTH:
        return line
    return "{\n" + "".join(f"    {part},\n" for part in parts) + "}"


def assignment(name: str, source: str) -> str:
    """Return ``name = source``.

    Raises:
        ParamsError: If ``name`` is not a plain Python name: a name must never be code.
    """
    problem = name_problem(name)
    if problem:
        raise ParamsError(f"the parameter {plain(name)} {problem}")
    return f"{name} = {source}"


def name_problem(name: str) -> str:
    """Return what keeps ``name`` from being a parameter's name, or an empty string."""
    if not name.isidentifier():
        return "is no Python name: use letters, digits and _, with no digit first."
    if keyword.iskeyword(name):
        return "is a word of the Python language. Give it another name."
    if name.startswith("__"):
        return "begins with two underscores, which Python keeps. Give it another name."
    return ""


def cell_source(
    code: dict[str, str], imports: tuple[str, ...] = (), dicts: dict[str, Any] | None = None
) -> str:
    """Return the source of the injected cell.

    Args:
        code: Source of the value of each name.
        imports: Statements that the sources need.
        dicts: Whole dictionaries to set before them, by name: the older form's.
    """
    if SECRET_IMPORT not in imports and next(find_references(dicts or {}), None):
        imports = (*imports, SECRET_IMPORT)
    lines = ["# Parameters of this run", *imports]
    for name, values in (dicts or {}).items():
        items = {key: literal(value) for key, value in values.items()}
        lines.append(assignment(name, dictionary(items)))
    lines += [assignment(name, source) for name, source in code.items()]
    return "\n".join(lines)
