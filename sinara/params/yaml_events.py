"""YAML as values, built from the parser's events and from nothing else.

PyYAML's own constructors follow aliases, recurse without limit and know types that
JSON does not. Its parser is sound: this module puts its events together one by one,
so that depth, aliases, tags and repeated keys are seen before they cost anything.
"""

from __future__ import annotations

from typing import Any

import yaml

from sinara.errors import ParamsError
from sinara.params import text as texts
from sinara.params.values import MAX_DEPTH, plain, short

MAX_NODES = 200_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}
_NO_KEY = object()


def build(text: str, where: str) -> Any:
    """Return the value of a YAML text that holds one document.

    Raises:
        ParamsError: One line with the line number.
    """
    builder = _Builder(where)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        if "nesting depth" in problem:  # PyYAML from 6.0.4 on looks at it, too
            raise ParamsError(
                f"{place}: nested deeper than {MAX_DEPTH} levels. Make it flatter."
            ) from None
        raise ParamsError(f"{place}: no YAML: {plain(problem)}. Correct it there.") from None
    except (ValueError, OverflowError):  # an escape such as \UFFFFFFFF, or half a surrogate pair
        raise ParamsError(f"{where}: no YAML: a character that is none. Correct it.") from None
    if not builder.documents:
        raise ParamsError(f"{where}: empty. Write a dictionary into it.")
    return builder.documents[0]


class _Builder:
    """The containers that are open, innermost last; a dictionary goes with its waiting key."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.documents: list[Any] = []
        self.open: list[tuple[list[Any] | dict[str, Any], list[Any]]] = []
        self.nodes = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            self.refuse(event, "an alias (*name) is not taken here. Write the value out.")
        elif isinstance(event, yaml.DocumentStartEvent):
            if self.documents:
                self.refuse(event, "a second document (---). Keep one.")
        elif isinstance(event, yaml.ScalarEvent):
            self.put(event, self.scalar(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            self.enter(event, [], "seq")
        elif isinstance(event, yaml.MappingStartEvent):
            self.enter(event, {}, "map")
        elif isinstance(event, yaml.CollectionEndEvent):
            self.open.pop()

    def enter(self, event: Any, container: list[Any] | dict[str, Any], kind: str) -> None:
        if event.tag not in (None, "!", _CORE + kind):
            self.refuse(event, f"the tag {plain(event.tag)} is not taken here. Remove it.")
        if len(self.open) >= MAX_DEPTH:
            self.refuse(event, f"nested deeper than {MAX_DEPTH} levels. Make it flatter.")
        self.put(event, container)
        self.open.append((container, [_NO_KEY]))

    def put(self, event: Any, value: Any) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.refuse(event, f"more than {MAX_NODES} values. Move data to an entity.")
        if not self.open:
            self.documents.append(value)
            return
        container, waiting = self.open[-1]
        if isinstance(container, list):
            container.append(value)
        elif waiting[0] is _NO_KEY:
            waiting[0] = self.key(event, value, container)
        else:
            container[waiting[0]] = value
            waiting[0] = _NO_KEY

    def key(self, event: Any, value: Any, container: dict[str, Any]) -> str:
        if not isinstance(value, str):
            self.refuse(event, f"the key {short(value)} is not text. Put it in quotes.")
        if value in container:
            self.refuse(event, f"the key '{plain(value)}' is there twice. Keep one of them.")
        return str(value)

    def scalar(self, event: Any) -> Any:
        if event.tag in (None, "!"):
            unquoted = event.implicit[0] and event.tag is None
            return texts.plain_scalar(event.value) if unquoted else event.value
        if event.tag == _CORE + "str":
            return event.value
        value = texts.plain_scalar(event.value)
        kinds = _SCALAR_TAGS.get(event.tag.removeprefix(_CORE))
        if kinds is None:
            self.refuse(event, f"the tag {plain(event.tag)} is not taken here. Remove it.")
        elif type(value) not in kinds:
            self.refuse(event, f"{short(event.value)} is no {event.tag.removeprefix(_CORE)}.")
        return float(value) if event.tag == _CORE + "float" else value

    def refuse(self, event: Any, reason: str) -> None:
        raise ParamsError(f"{self.where}:{event.start_mark.line + 1}: {reason}")
