"""What a substep reads and writes: the declaration of its interface cell, checked.

One value, :class:`Interface`, comes from two places: from the call
``substep.interface(...)`` in a running notebook, and from the source of the
cell, read without running it (:mod:`sinara.reading`). Everything that draws,
plans, pins or commits leans on that being the same value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sinara import names
from sinara.contract import Contract, as_literal, read_contract
from sinara.errors import BadNameError, InterfaceError, suggest

ENV_NAME = "ENV_NAME"
PIPELINE_NAME = "PIPELINE_NAME"
ZONE_NAME = "ZONE_NAME"
STEP_NAME = "STEP_NAME"
RUN_ID = "RUN_ID"
ENTITY_NAME = "ENTITY_NAME"
ENTITY_PATH = "ENTITY_PATH"
SUBSTEP_NAME = "SUBSTEP_NAME"
CONTRACT = "contract"


@dataclass(frozen=True, order=True)
class InputRef:
    """An entity of another run. ``None`` means: as the step that reads it."""

    step_name: str
    entity_name: str
    env_name: str | None = None
    pipeline_name: str | None = None
    zone_name: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, order=True)
class CustomRef:
    """An entity at a path of the user's own, outside the store."""

    entity_name: str
    path: str


@dataclass(frozen=True)
class Interface:
    """The seven kinds of entities that a substep declares, in the order declared.

    Attributes:
        contracts: What those inputs and outputs promise that have a contract, in the same order:
            an output's stands beside its name.
    """

    inputs: tuple[InputRef, ...] = ()
    outputs: tuple[str, ...] = ()
    custom_inputs: tuple[CustomRef, ...] = ()
    custom_outputs: tuple[CustomRef, ...] = ()
    tmp_inputs: tuple[str, ...] = ()
    tmp_outputs: tuple[str, ...] = ()
    tmp_entities: tuple[str, ...] = ()
    contracts: tuple[tuple[InputRef | str, Contract], ...] = ()

    def contract_of(self, reference: InputRef | str) -> Contract | None:
        """Return the contract of an input, or of the output of that name, if it has one."""
        return next((found for of, found in self.contracts if of == reference), None)


_OPTIONAL_INPUT_KEYS = (ENV_NAME, PIPELINE_NAME, ZONE_NAME, RUN_ID)
_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "inputs": ((STEP_NAME, ENTITY_NAME), _OPTIONAL_INPUT_KEYS),
    "outputs": ((ENTITY_NAME,), ()),
    "custom_inputs": ((ENTITY_NAME, ENTITY_PATH), ()),
    "custom_outputs": ((ENTITY_NAME, ENTITY_PATH), ()),
    "tmp_inputs": ((ENTITY_NAME,), ()),
    "tmp_outputs": ((ENTITY_NAME,), ()),
    "tmp_entities": ((ENTITY_NAME,), ()),
}
KINDS = tuple(_KEYS)
_WITH_CONTRACT = ("inputs", "outputs")
_REPORTS = re.compile(r"reports_.*_(?:ipynb|py)", re.IGNORECASE)


def make_interface(**declared: Iterable[Mapping[str, Any]] | None) -> Interface:
    """Return the checked :class:`Interface` of a declaration.

    Args:
        declared: One list of dictionaries per kind (``inputs``, ``outputs``, …), with
            the keys ``STEP_NAME``, ``ENTITY_NAME``, … of this module. ``None`` is an empty
            list, and ``None`` or ``""`` for a key that may be left out leaves it out. Inputs and
            outputs may have a ``contract``; see :mod:`sinara.contract.read`.

    Raises:
        InterfaceError: One line per finding: an unknown kind or key, a missing key, a
            name that breaks the grammar, an entity declared twice, a rule that cannot be.
    """
    lines: list[str] = []
    kinds: dict[str, tuple[Any, ...]] = {}
    contracts: dict[str, list[tuple[InputRef | str, Contract]]] = {k: [] for k in _WITH_CONTRACT}
    for kind, entities in declared.items():
        if kind in _KEYS:
            kinds[kind] = _references(kind, entities, lines, contracts.get(kind))
        else:
            advice = suggest(kind, KINDS) or f"The kinds are {', '.join(KINDS)}."
            lines.append(f"interface: {names.shown(kind)} is not a kind of entity. {advice}")
    if not lines:
        lines.extend(_clashes(kinds))
    if lines:
        raise InterfaceError(*lines)
    return Interface(**kinds, contracts=tuple(pair for some in contracts.values() for pair in some))


def as_lists(interface: Interface) -> dict[str, list[dict[str, Any]]]:
    """Return the lists of dictionaries that :func:`make_interface` takes for ``interface``."""
    return {
        kind: [
            {
                key: value
                for key, value in zip(keys, _values(reference), strict=True)
                if value is not None
            }
            | _contract_literal(interface, kind, reference)
            for reference in getattr(interface, kind)
        ]
        for kind, keys in ((kind, (*must, *may)) for kind, (must, may) in _KEYS.items())
    }


def _contract_literal(
    interface: Interface, kind: str, reference: InputRef | CustomRef | str
) -> dict[str, Any]:
    if kind not in _WITH_CONTRACT or isinstance(reference, CustomRef):
        return {}
    contract = interface.contract_of(reference)
    return {} if contract is None else {CONTRACT: as_literal(contract)}


def _values(reference: InputRef | CustomRef | str) -> tuple[str | None, ...]:
    """Return the values of a reference in the order of its kind's keys."""
    if isinstance(reference, str):
        return (reference,)
    return tuple(getattr(reference, field.name) for field in fields(reference))


def _references(
    kind: str,
    entities: object,
    lines: list[str],
    contracts: list[tuple[InputRef | str, Contract]] | None,
) -> tuple[Any, ...]:
    """Return the references of one kind; what is wrong with them goes to ``lines``.

    Args:
        kind: Which.
        entities: As declared.
        lines: Gets a line for each thing that is wrong.
        contracts: Gets what they promise; ``None`` if entities of this kind cannot.
    """
    if entities is None:
        return ()
    if isinstance(entities, str | bytes | Mapping) or not isinstance(entities, Iterable):
        lines.append(f"{kind}: it must be a list of dictionaries, not {names.shown(entities)}")
        return ()
    found = []
    for position, entity in enumerate(entities, start=1):
        where = f"{kind}, entity {position}"
        if not isinstance(entity, Mapping):
            lines.append(f"{where}: it must be a dictionary, not {names.shown(entity)}")
            continue
        contract, faults = _contract(entity) if contracts is not None else (None, ())
        values, wrong = _checked(kind, entity)
        lines.extend(f"{where}: {line}" for line in (*wrong, *faults))
        if wrong or faults:
            continue
        reference = _reference(kind, values)
        found.append(reference)
        if contracts is not None and contract is not None and not isinstance(reference, CustomRef):
            contracts.append((reference, contract))
    return tuple(found)


def _contract(entity: Mapping[Any, Any]) -> tuple[Contract | None, tuple[str, ...]]:
    """Return what an entity promises, if anything, and what is wrong with that."""
    if entity.get(CONTRACT) is None:
        return None, ()
    contract, lines = read_contract(entity[CONTRACT])
    return contract, tuple(f"contract: {line}" for line in lines)


def _checked(kind: str, entity: Mapping[Any, Any]) -> tuple[list[str | None], list[str]]:
    """Return the values of an entity in the order of its kind's keys, and what is wrong."""
    must, may = _KEYS[kind]
    allowed = (*must, *may)
    known = (*allowed, CONTRACT) if kind in _WITH_CONTRACT else allowed
    wrong = []
    for key in entity:
        if key not in known:
            wrong.append(f"key {names.shown(key)} is not permitted. {_advice(key, known)}")
    values: list[str | None] = []
    for key in allowed:
        value = entity.get(key)
        if key in may and (value is None or (isinstance(value, str) and not value)):
            values.append(None)
        elif key not in entity:
            wrong.append(f"key {key} is missing in {_shown_entity(entity)}")
        else:
            try:
                values.append(_check_value(key, value))
            except BadNameError as error:
                wrong.append(f"{key}: {error}")
    return values, wrong


def _advice(key: object, known: Sequence[str]) -> str:
    if key == CONTRACT:
        return f"Only {' and '.join(_WITH_CONTRACT)} have one."
    word = str(key)
    near = (suggest(spelling, known) for spelling in (word, word.upper(), word.lower()))
    return next(filter(None, near), f"The keys are {', '.join(known)}.")


def _check_value(key: str, value: object) -> str:
    if key == RUN_ID:
        return names.check_run_id(value)
    if key != ENTITY_PATH:
        return names.check_name(key.removesuffix("_NAME").lower(), value)
    if not isinstance(value, str) or not value or "\0" in value:
        raise BadNameError(f"path {names.shown(value)} cannot be used: it must be text, not empty")
    return value


def _shown_entity(entity: Mapping[Any, Any]) -> str:
    return (
        "{"
        + ", ".join(f"{names.shown(k)}: {names.shown(v)}" for k, v in list(entity.items())[:4])
        + "}"
    )


def _reference(kind: str, values: list[str | None]) -> InputRef | CustomRef | str:
    first, *rest = (str(value) for value in values[:2])
    if kind == "inputs":
        return InputRef(first, rest[0], *values[2:])
    return CustomRef(first, rest[0]) if kind.startswith("custom_") else first


def _clashes(kinds: Mapping[str, Sequence[Any]]) -> Iterable[str]:
    """Yield a line for each entity that stands twice in one kind, or takes another's folder."""
    for kind, references in kinds.items():
        for reference, count in Counter(references).items():
            if count > 1:
                yield f"{kind}: {_shown_reference(reference)} is declared {count} times"
        once = list(dict.fromkeys(references))
        if kind != "inputs":
            entities = [r.entity_name if isinstance(r, CustomRef) else r for r in once]
            try:
                names.check_distinct("entity", entities)
            except BadNameError as error:
                yield from (f"{kind}: {line}" for line in error.lines)
    for entity in kinds.get("outputs", ()):
        if _REPORTS.fullmatch(names.entity_folder(entity)):
            yield f"outputs: {names.shown(entity)} is where the run keeps its reports; rename it"


def _shown_reference(reference: InputRef | CustomRef | str) -> str:
    return names.shown(reference if isinstance(reference, str) else reference.entity_name)
