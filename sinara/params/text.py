"""Text to values: JSON, and YAML read by a schema with no surprises.

Whoever wrote the file, reading it is quick and small: at most 1 MB, 32 levels,
no aliases (a "billion laughs" is 300 bytes long), no tags that make objects, no
key twice, nothing that is not JSON.

YAML is read by the core schema of YAML 1.2, the one whose plain values are JSON's:
``NO``, ``off`` and ``y`` are text, and so are ``12:30:45``, ``1_000``, ``010`` and
dates such as ``2025-01-31``; ``true``, ``12``, ``0x1F``, ``1e-3``, ``null`` and ``~``
are what they look like. (YAML 1.1, PyYAML's own, makes False, 45045, 8 and a date of
the first four. A number with a leading zero stays text because it is most often a code,
and nothing is then lost.)
"""

from __future__ import annotations

import codecs
import json
import re
import stat
from pathlib import Path
from typing import Any

from sinara.errors import ParamsError
from sinara.params.values import MAX_BYTES, MAX_DEPTH, capped, findings, plain, short

_TOO_BIG = 1 << 70  # stands for any integer that is too long to be worth converting
# Possessive, so that a text without an end costs nothing: Python 3.11.
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def read_values(path: Path, shown: str | None = None) -> Any:
    """Return what a JSON or YAML file holds: values that :func:`findings` has nothing to say of.

    Args:
        path: A file whose name ends in ``.json``, ``.yaml`` or ``.yml``.
        shown: How messages call the file; its path if None.

    Raises:
        ParamsError: One line per finding, each beginning with ``shown``.
    """
    where = shown or str(path)
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        raise ParamsError(f"{where}: not a .json, .yaml or .yml file. Rename it, or give another.")
    text = _decode(_read(path, where), where)
    parse = parse_json if path.suffix.lower() == ".json" else parse_yaml
    value = parse(text, where)
    lines = capped(findings(value, where))
    if lines:
        raise ParamsError(*lines)
    return value


def read_dict(path: Path, shown: str | None = None) -> dict[str, Any]:
    """Return what a file holds, which has to be a dictionary; otherwise as :func:`read_values`."""
    value = read_values(path, shown)
    if not isinstance(value, dict):
        raise ParamsError(f"{shown or path}: holds {short(value)}; it has to hold a dictionary.")
    return value


def _read(path: Path, where: str) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for without end
            raise ParamsError(f"{where}: not a file. Give the path of a JSON or YAML file.")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ParamsError(f"{where}: cannot be read: {reason}. Check the path.") from None
    if len(raw) > MAX_BYTES:
        raise ParamsError(f"{where}: larger than 1 MB. Parameters are few: move data to an entity.")
    return raw


def _decode(raw: bytes, where: str) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in raw[:4]:
        raise ParamsError(f"{where}: UTF-16 or UTF-32 text. Save it as UTF-8.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start]
        raise ParamsError(
            f"{where}:{line}: byte {byte:#04x} is no UTF-8. Save it as UTF-8."
        ) from None


def parse_json(text: str, where: str) -> Any:
    """Return the value of a JSON text; NaN, infinity and big integers are left to `findings`."""
    _check_depth(text, where)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) < len(items):
            last = {name: place for place, (name, _) in enumerate(items)}
            twice = next(name for place, (name, _) in enumerate(items) if last[name] != place)
            raise ParamsError(
                f"{where}: the key '{plain(twice)}' is there twice. Keep one of them."
            )
        return result

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_int=_int)
    except json.JSONDecodeError as error:
        if not text.strip():
            raise ParamsError(f"{where}: empty. Write a JSON object into it.") from None
        place = f"{where}:{error.lineno}:{error.colno}"
        hint = _json_hint(text, error.pos)
        raise ParamsError(f"{place}: no JSON: {error.msg}. {hint}") from None


def _int(text: str) -> int:
    return int(text) if len(text) <= 21 else _TOO_BIG


def _json_hint(text: str, position: int) -> str:
    before, at = text[:position].rstrip()[-1:], text[position : position + 1]
    if before == "," or (at == "," and text[position + 1 :].lstrip()[:1] in ("}", "]")):
        return "JSON takes no comma after the last item."
    if at == "'":
        return 'JSON takes text in double quotes: "…".'
    if text.startswith(("//", "#", "/*"), position):
        return "JSON takes no comments; YAML does."
    if text.startswith(("True", "False", "None"), position):
        return "JSON writes true, false and null."
    return "Correct it there, or just before."


def _check_depth(text: str, where: str) -> None:
    """Refuse what is nested too deep before the recursive parser meets it."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        token = match.group()
        if token in "[{":
            depth += 1
        elif token in "]}":
            depth -= 1
        if depth > MAX_DEPTH:
            line = text.count("\n", 0, match.start()) + 1
            raise ParamsError(
                f"{where}:{line}: nested deeper than {MAX_DEPTH} levels. Make it flatter."
            )


def parse_yaml(text: str, where: str) -> Any:
    """Return the value of a YAML text, by the schema of this module."""
    from sinara.params import yaml_events  # PyYAML is loaded only when there is YAML to read

    return yaml_events.build(text, where)


_YAML_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_YAML_HEX = re.compile(r"0x[0-9a-fA-F]{1,17}")
_YAML_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_YAML_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_YAML_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def plain_scalar(text: str) -> Any:
    """Return the value of a YAML scalar that stands without quotes."""
    if text in _YAML_CONSTANTS:
        return _YAML_CONSTANTS[text]
    if _YAML_INT.fullmatch(text):
        return _int(text)
    if _YAML_HEX.fullmatch(text):
        return int(text, 16)
    if _YAML_FLOAT.fullmatch(text):
        return float(text)
    if _YAML_NOT_FINITE.fullmatch(text):
        return float("nan")  # refused by `findings`, which knows the path
    return text
