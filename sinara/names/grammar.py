"""The grammar of names, and the one line that says which rule a name breaks.

A name is looked at once, as it is, against a list of what is allowed: nothing is decoded,
stripped or repaired first, because every repair is a second spelling of the same name.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

from sinara.errors import BadNameError

PLAIN_LIMIT = 100  # characters: leaves room for suffixes within the 255 bytes of a file name
SUBSTEP_LIMIT = 200  # bytes of UTF-8
RUN_ID_LIMIT = 128  # characters: the length of a Docker tag
_SHOWN_LIMIT = 60

_PLAIN_CHARACTER = re.compile(r"[A-Za-z0-9_-]")
_GOOD_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
_FOLDED = str.maketrans(".-", "__")
_RUN_ID = re.compile(
    r"run-[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{6}"  # followed by nothing, or by no further digit
    r"(?:[A-Za-z_-][A-Za-z0-9_-]*)?(?:\.[A-Za-z0-9_-]+)*"
)
_DEVICES = frozenset({"con", "prn", "aux", "nul"}) | {
    f"{d}{n}" for d in ("com", "lpt") for n in range(10)
}
_SUBSTEP_SUFFIXES = (".ipynb", ".py")


def check_name(kind: str, value: object) -> str:
    """Return ``value`` if it is a good name of its ``kind``.

    Args:
        kind: ``"entity"``, ``"substep"`` and ``"run_id"`` have grammars of their own; any
            other word (``"env"``, ``"pipeline"``, ``"zone"``, ``"step"``, …) stands for the
            strictest one and is used in the message. ``"step_name"`` means ``"step"``.
        value: Anything.

    Raises:
        BadNameError: One line with the rule that is broken and the name.
    """
    kind = kind.removesuffix("_name")
    rule = _RULES.get(kind, _plain_rule)(value) if isinstance(value, str) else "it must be text"
    if rule:
        said = "run id" if kind == "run_id" else f"{kind.replace('_', ' ')} name"
        raise BadNameError(f"{said} {shown(value)} cannot be used: {rule}")
    return str(value)


def check_distinct(kind: str, values: Iterable[str]) -> None:
    """Check that no two of ``values`` are one name on some file system.

    Raises:
        BadNameError: One line for each name that equals an earlier one, or differs from it in
            nothing but upper and lower case or in which of ``.``, ``-`` and ``_`` it uses.
    """
    seen: dict[str, str] = {}
    lines = []
    for value in values:
        earlier = seen.get(fold(value))
        if earlier is None:
            seen[fold(value)] = value
        elif earlier == value:
            lines.append(
                f"{kind} name {shown(value)} is given twice: every {kind} needs a name of its own"
            )
        else:
            lines.append(
                f"{kind} names {shown(earlier)} and {shown(value)} would share one folder: "
                "they differ only in case or in . - _, so rename one"
            )
    if lines:
        raise BadNameError(*lines)


def fold(value: str) -> str:
    """Return what all spellings of a name have in common on any file system."""
    folded = value.lower() if value.isascii() else unicodedata.normalize("NFKC", value).casefold()
    return folded.translate(_FOLDED)


def shown(value: object) -> str:
    """Return ``value`` short, escaped and on one line, for a message."""
    if isinstance(value, str):
        cut = value[:_SHOWN_LIMIT]
        while len(repr(cut)) > 2 * _SHOWN_LIMIT:  # escapes are long
            cut = cut[:-1]
        return repr(value) if cut == value else f"{cut!r}… ({len(value)} characters)"
    if (
        value is None
        or isinstance(value, bool | float)
        or (isinstance(value, int) and abs(value) < 2**63)
    ):
        return repr(value)
    return f"of type {type(value).__name__}"


def _plain_rule(value: str) -> str:
    """Return the rule that an env, pipeline, zone or step name breaks, or an empty string."""
    return _component_rule(value, dots=False)


def _entity_rule(value: str) -> str:
    return _component_rule(value, dots=True)


@functools.lru_cache(maxsize=4096)  # a pipeline has few names, each looked at many times
def _component_rule(value: str, *, dots: bool) -> str:
    if not value:
        return "it is empty"
    if len(value) > PLAIN_LIMIT:
        return f"it is longer than {PLAIN_LIMIT} characters"
    if _GOOD_COMPONENT.fullmatch(value) and (dots or "." not in value):
        return _device_rule(value)
    allowed = "letters a-z A-Z, digits, _ and -" + (" and single dots" if dots else "")
    for character in value:
        if not (_PLAIN_CHARACTER.match(character) or (dots and character == ".")):
            return f"{character!r} is not one of {allowed}"
    if value[0] in "_-.":
        return "it must begin with a letter or a digit"
    return "a dot must stand alone between other characters"


def _device_rule(part: str) -> str:
    stem = part.partition(".")[0]
    stem = unicodedata.normalize("NFKC", stem).strip().lower()  # COM¹ is COM1
    return "Windows keeps it for a device" if stem in _DEVICES else ""


def _substep_rule(value: str) -> str:
    """Return the rule that a path to a substep inside its step breaks, or an empty string."""
    if not value:
        return "it is empty"
    if len(value.encode("utf-8", "surrogatepass")) > SUBSTEP_LIMIT:
        return f"it is longer than {SUBSTEP_LIMIT} bytes"
    if not value.endswith(_SUBSTEP_SUFFIXES):
        return "it must end in .ipynb or .py"
    for character in value:
        if not (character in "/._- " or _is_letter_or_digit(character)):
            return f"{character!r} is not a letter, a digit, a space or one of / . _ -"
    return next(filter(None, map(_substep_part_rule, value.split("/"))), "")


def _substep_part_rule(part: str) -> str:
    if not part:
        return "it must be a path inside the step's folder, with single / between its parts"
    if part[0] in ".- " or part[-1] in ". " or ".." in part:
        return "none of its parts may begin with . - or a space, end in . or a space, or hold .."
    if part in _SUBSTEP_SUFFIXES:
        return "it has no name before its suffix"
    return _device_rule(part)


def _is_letter_or_digit(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character) in {
        "Mn",
        "Mc",
    }  # accents, vowel signs


def _run_id_rule(value: str) -> str:
    if len(value) > RUN_ID_LIMIT:
        return f"it is longer than {RUN_ID_LIMIT} characters"
    if not _RUN_ID.fullmatch(value) or value.lower().endswith(".lock"):  # Git refuses tags in .lock
        return "it must be run-YY-MM-DD-HHMMSS and then only letters, digits, _ - and single dots"
    return ""


_RULES = {"entity": _entity_rule, "substep": _substep_rule, "run_id": _run_id_rule}
