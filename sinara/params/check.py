"""Given values against the notebook's own cell, before any kernel starts.

Where the notebook annotates its parameters, or the step is strict, every difference is one
line of one error. In the classic form of a step that never opted in, a difference is one
warning line and the file's dictionary goes into the notebook as it is.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sinara.errors import ParamsError
from sinara.params import render
from sinara.params.cell import SUBSTEP
from sinara.params.kinds import Converted, Given, Mismatch
from sinara.params.load import SubstepParams
from sinara.params.schema import Parameter, ParametersSchema
from sinara.params.values import MAX_LINES, capped, findings, nearest, plain
from sinara.secret import SecretRef, find_references

_SHOWN_NAMES = 40


@dataclass(frozen=True)
class CheckedParams:
    """Values that fit the notebook.

    Attributes:
        values: What the notebook will see, JSON-like, secrets as references: the given
            values and, where the source tells them, the defaults of the others.
        code: Python source of the value of each name that the injected cell sets.
        imports: Statements that the sources need.
        warnings: One line per difference that is not an error.
        secrets: Every reference in ``values``, by its dotted path.
    """

    values: dict[str, Any] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    secrets: dict[str, SecretRef] = field(default_factory=dict)


def check_substep(
    schema: ParametersSchema, substep: SubstepParams, *, strict: bool
) -> CheckedParams:
    """Check the parameters of a substep as :func:`load_step_params` gives them.

    Raises:
        ParamsError: One line per finding; each begins with the substep's name.
    """
    if substep.name.endswith(".py") and schema.form == "none":
        schema = replace(schema, open=True)  # a module has no cells, and asks for its values itself
    return check_parameters(
        schema,
        substep.params,
        strict=strict,
        partial=substep.from_notebook,
        texts=substep.texts,
        added=substep.added,
        where=substep.name,
    )


def check_parameters(
    schema: ParametersSchema,
    given: Mapping[str, Any] | None,
    *,
    strict: bool,
    partial: bool = False,
    texts: Mapping[tuple[str, ...], str] | None = None,
    added: Collection[str] = (),
    where: str = "",
) -> CheckedParams:
    """Check values against what the parameters cell declares.

    Args:
        schema: What the cell declares.
        given: JSON-like values; None if no file gives any: the notebook's own hold.
        strict: Whether a difference is an error in the classic form, too.
        partial: The values are laid over the notebook's own and do not replace them.
        texts: What was typed for a value, by its path: it decides where the type, taken from
            how the text looks, does not fit.
        added: Names that a person gave for this run: unknown ones are always an error.
        where: What each line begins with.

    Raises:
        ParamsError: One line for each finding.
    """
    values = copy.deepcopy(dict(given or {}))
    wrong = capped(findings(values, "substep_params")) or _malformed_secrets(values)
    if wrong:
        raise _error(where, wrong)
    check = _Check(
        schema,
        values,
        firm=strict or schema.opted_in,
        lays_over=partial or given is None or schema.form == "annotated",
        texts=dict(texts or {}),
        added=frozenset(added),
    )
    check.run()
    if check.errors:
        raise _error(where, check.errors)
    recorded = {**(schema.defaults if check.lays_over else {}), **check.recorded}
    code = check.code()
    return CheckedParams(
        values=recorded,
        code=code,
        imports=(render.SECRET_IMPORT,) if check.needs_secrets() else (),
        warnings=tuple(f"{where}: {line}" if where else line for line in check.warnings),
        secrets=dict(find_references(recorded)),
    )


def _malformed_secrets(values: dict[str, Any]) -> list[str]:
    try:
        list(find_references(values))
    except ParamsError as error:
        return list(error.lines)
    return []


def _brief(parameter: Parameter) -> str:
    """Return the type without what explains it: ``date``, not ``date (2025-01-31)``."""
    return re.sub(r" \([^()]*\)", "", parameter.type.text)


def _error(where: str, lines: list[str]) -> ParamsError:
    return ParamsError(*(f"{where}: {line}" if where else line for line in lines))


@dataclass
class _Check:
    """One check while it goes on: what was found, and the values as they were converted."""

    schema: ParametersSchema
    values: dict[str, Any]
    firm: bool  # a difference is an error
    lays_over: bool  # what is not given stays as the notebook has it
    texts: dict[tuple[str, ...], str]
    added: frozenset[str]
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    converted: dict[str, Converted] = field(default_factory=dict)

    def run(self) -> None:
        self.errors += self.schema.problems
        self.warnings += self.schema.notes
        self.check_names()
        for parameter in self.schema.parameters:
            if parameter.name in self.values:
                self.check_type(parameter)
            else:
                self.check_missing(parameter)

    def note(self, line: str, *, firm: bool = False) -> None:
        (self.errors if self.firm or firm else self.warnings).append(line)

    def check_names(self) -> None:
        known = {parameter.name: parameter for parameter in self.schema.parameters}
        unknown = [name for name in self.values if name not in known]
        if (
            unknown
            and self.schema.form == "none"
            and not (self.schema.problems or self.schema.open)
        ):
            self.note_no_cell(unknown)
            return
        for name in self.values:
            problem = render.name_problem(name)
            if problem and self.firm:
                self.errors.append(f"the parameter '{plain(name)}' {problem}")
            elif name in unknown and not self.schema.open:
                self.note(self.unknown(name, known), firm=name in self.added)

    def unknown(self, name: str, known: Mapping[str, Parameter]) -> str:
        near = nearest(name, list(known))
        allowed = "; ".join(f"{p.name}: {_brief(p)}" for p in list(known.values())[:_SHOWN_NAMES])
        line = f"unknown parameter '{plain(name)}'; allowed are {allowed or 'none'}."
        return f"{line} {near}".rstrip()

    def note_no_cell(self, unknown: list[str]) -> None:
        have = (
            "no cell is tagged 'parameters': the values go in at the top"
            if self.schema.cell is None
            else f"cell {self.schema.cell + 1} is tagged as parameters and sets none"
        )
        line = f"{have}, and nothing is checked. Set substep_params = {{…}} in such a cell."
        self.note(line, firm=any(name in self.added for name in unknown))

    def check_type(self, parameter: Parameter) -> None:
        name = parameter.name
        try:
            given = Given(self.values[name], (name,), self.texts)
            self.converted[name] = parameter.type.convert(given)
        except Mismatch as mismatch:
            for place, what in mismatch.findings[:MAX_LINES]:
                self.note(f"the parameter '{plain(name)}{place}' {what}", firm=mismatch.private)

    def check_missing(self, parameter: Parameter) -> None:
        name, kind = plain(parameter.name), parameter.type.text
        if self.schema.form != "annotated" and not self.lays_over:
            self.note(
                f"the parameter '{name}' is in the notebook's cell and not given: "
                "the notebook will not have it. Add it."
            )
        elif parameter.required:
            self.errors.append(f"the parameter '{name}' ({kind}) is missing. Add it.")

    @property
    def recorded(self) -> dict[str, Any]:
        """The given values as they are recorded."""
        result = dict(self.values)
        for name, converted in self.converted.items():
            # A dictionary goes in as the file has it, but for what was typed as text.
            typed = any(path[0] == name for path in self.texts)
            if self.schema.form == "annotated" or typed:
                result[name] = converted.value
        return result

    def code(self) -> dict[str, str]:
        """Return the source of what the injected cell sets, by name."""
        sets_it = SUBSTEP in self.schema.sets
        before = (SUBSTEP,) if sets_it and self.lays_over else ()
        recorded = self.recorded
        if self.schema.form != "annotated":
            if before and not recorded:
                return {}
            items = {name: render.literal(value) for name, value in recorded.items()}
            return {SUBSTEP: render.dictionary(items, before)}
        result = {
            name: self.converted[name].code
            if name in self.converted
            else render.literal(recorded[name])
            for name in self.schema.names
            if name in recorded
        }
        items = {name: name for name in self.schema.names}
        items |= {n: render.literal(v) for n, v in recorded.items() if n not in items}
        return {**result, SUBSTEP: render.dictionary(items, before)}

    def needs_secrets(self) -> bool:
        """Return whether a source makes a `Secret`."""
        return next(find_references(self.recorded), None) is not None
