"""The parameters that a run gives to a notebook, where the notebook will find them."""

from __future__ import annotations

import ast
import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any

from sinara.reading.values import Unknown, UnreadableError

DICTIONARIES = ("pipeline_params", "step_params", "substep_params")
_USER_VARIABLES = ("DSML_USER", "SINARA_USER", "NB_USER")
_SCALARS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}


class Given:
    """What a run knows before it starts.

    Args:
        pipeline_params: What ``get_pipeline_params()`` will return; ``None`` if not known.
        step_params: The same for ``get_step_params()``.
        substep_params: What the injected cell will set; ``None`` leaves the notebook's own.
        source: The text of all cells, looked at for what would change the user's name.
    """

    def __init__(
        self,
        pipeline_params: Mapping[str, Any] | None,
        step_params: Mapping[str, Any] | None,
        substep_params: Mapping[str, Any] | None,
        source: str,
    ) -> None:
        self._params = dict(
            zip(
                DICTIONARIES,
                map(_read, (pipeline_params, step_params, substep_params)),
                strict=True,
            )
        )
        self._renames_user = any(name in source for name in _USER_VARIABLES)

    def answer(self, function: str) -> Any:
        """Return what a function of sinara will give in the notebook.

        Raises:
            UnreadableError: If only a run can tell.
        """
        if function == "get_user" and not self._renames_user:
            from sinara.settings import get_user

            return get_user(os.environ)
        params = self._params.get(function.removeprefix("get_"))
        if params is None:
            raise UnreadableError(f"{function}() gives what only a run can tell")
        return copy.deepcopy(params)

    def injected(self, body: Sequence[ast.stmt]) -> dict[str, Any]:
        """Return the names that the injected cell sets after a parameters cell.

        Args:
            body: The statements of the parameters cell; none if there is no such cell.
        """
        values = self._params["substep_params"]
        annotations = _annotations(body)
        own = {target.id for node in body for target in _plain_targets(node)}
        if annotations or (own and not own & set(DICTIONARIES)):
            names = own | set(annotations)
            return {
                name: _typed(value, annotations.get(name), name)
                for name, value in (values or {}).items()
                if name in names
            }
        older = own & {"pipeline_params", "step_params"}
        return {
            name: copy.deepcopy(params)
            for name, params in self._params.items()
            if params is not None and (name == "substep_params" or name in older)
        }


def _annotations(body: Sequence[ast.stmt]) -> dict[str, ast.expr]:
    return {
        node.target.id: node.annotation
        for node in body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id not in DICTIONARIES
    }


def _plain_targets(node: ast.stmt) -> list[ast.Name]:
    if isinstance(node, ast.AnnAssign):
        return [node.target] if isinstance(node.target, ast.Name) else []
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target for target in targets if isinstance(target, ast.Name)]


def _typed(value: Any, annotation: ast.expr | None, name: str) -> Any:
    """Return a given value as its annotation makes it, where that is plain to see."""
    kind = _SCALARS.get(annotation.id) if isinstance(annotation, ast.Name) else None
    if kind is float and type(value) is int:
        return float(value)
    literal = (
        isinstance(annotation, ast.Subscript) and getattr(annotation.value, "id", "") == "Literal"
    )
    if annotation is None or type(value) is kind or (literal and isinstance(value, str)):
        return copy.deepcopy(value)
    plain = {"str", "int", "float", "bool", "None", "list", "dict", "Any", "Optional", "Literal"}
    named = {part.id for part in ast.walk(annotation) if isinstance(part, ast.Name)}
    others = any(isinstance(part, ast.Attribute) for part in ast.walk(annotation))
    numbers = "float" in named and not isinstance(value, str)
    if named and named <= plain and not others and not numbers:
        return copy.deepcopy(value)
    return Unknown(None, 0, f"the type of {name} is worked out only when the notebook runs")


def _read(value: Any) -> Any:
    """Return a copy of given parameters in which secrets are unknown."""
    if isinstance(value, Mapping):
        if len(value) == 1 and set(value) <= {"$env", "$file"}:
            return Unknown(None, 0, "a secret is never read before the notebook runs")
        return {key: _read(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_read(item) for item in value)
    return value
