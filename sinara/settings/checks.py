"""Single settings checked: each function returns the good value or raises a one-line reason.

Text from the environment and values from TOML meet here: ``"600"`` and ``600`` are one number
of seconds, ``"true"`` and ``true`` are one switch.
"""

from __future__ import annotations

import contextlib
import keyword
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sinara.errors import BadNameError, suggest
from sinara.names import check_name, shown
from sinara.settings.amounts import parse_bytes
from sinara.settings.values import RETRY_CAUSES

_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?:::[a-z][a-z0-9+.-]*)*://", re.IGNORECASE)
_SECRET = re.compile(
    r"(?:^|_)(?:key|pwd)(?:$|_)|(?:access|account|api)_?key"
    r"|secret|token|passw|credential|connection_?string",
    re.IGNORECASE,
)
_LEAST_MEMORY = 1_000_000  # bytes; what is below is a number whose unit was forgotten
_MOST_RETRIES = 100
_MOST_WORKERS = 1000
_LONGEST_WAIT = 86_400  # s
_NEVER_RETRIED = ("interrupted", "stopped", "inputs", "params", "error")
_NO_SECRETS = ("anon", "google_default", "cache", "cloud")  # words that gcsfs takes as its token


def switch(value: Any) -> bool:
    """Return a switch: ``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise ValueError(f"{shown(value)} is not true or false")


def seconds(value: Any) -> float:
    """Return a number of seconds above 0."""
    number = _number(value)
    if number is None or not (math.isfinite(number) and number > 0):
        raise ValueError(f"{shown(value)} is not a number of seconds above 0")
    return number


def seconds_or_no_limit(value: Any) -> float | None:
    """Return a number of seconds, or ``None`` for 0."""
    return None if _number(value) == 0 else seconds(value)


def share(value: Any) -> float:
    """Return a share from 0 to 1."""
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        raise ValueError(f"{shown(value)} is not a share from 0 to 1, such as 0.1")
    return number


def size(value: Any) -> int:
    """Return a whole number of bytes above 0."""
    number = _number(value)
    if number is None or not math.isfinite(number) or number < 1 or number != int(number):
        raise ValueError(f"{shown(value)} is not a whole number of bytes above 0")
    return int(number)


def memory_or_no_limit(value: Any) -> int | None:
    """Return an amount of memory in bytes (``"2 GB"``, ``"512 MiB"``, ``536870912``), or ``None``.

    0 stands for no limit, as with seconds.
    """
    if isinstance(value, str):
        count = parse_bytes(value)
    else:
        number = _number(value)
        whole = number is not None and math.isfinite(number) and number == int(number)
        count = int(number) if whole and number is not None else None
    if count == 0:
        return None
    if count is None or count < 0 or count >= 2**63:
        raise ValueError(f'{shown(value)} is not an amount of memory, as in "2 GB" or "512 MiB"')
    if count < _LEAST_MEMORY:
        raise ValueError(f'{shown(value)} is less than 1 MB; write the unit, as in "2 GB"')
    return count


def count(value: Any) -> int | None:
    """Return a whole number from 1, or ``None`` for 0."""
    number = _number(value)
    if number is None or not 0 <= number <= _MOST_WORKERS or number != int(number):
        raise ValueError(f"{shown(value)} is not a whole number from 0 to {_MOST_WORKERS}")
    return int(number) or None


def retries(value: Any) -> int:
    """Return how often something is tried again: a whole number from 0."""
    number = _number(value)
    if number is None or not 0 <= number <= _MOST_RETRIES or number != int(number):
        raise ValueError(f"{shown(value)} is not a whole number from 0 to {_MOST_RETRIES}")
    return int(number)


def retry_wait(value: Any) -> float:
    """Return a number of seconds, 0 included."""
    number = _number(value)
    if number is None or not 0 <= number <= _LONGEST_WAIT:
        raise ValueError(f"{shown(value)} is not a number of seconds from 0 to {_LONGEST_WAIT}")
    return number


def retry_causes(value: Any) -> tuple[str, ...]:
    """Return kinds of failure that may be tried again, each once."""
    for word in (given := words(value)):
        if word in _NEVER_RETRIED:
            known = ", ".join(RETRY_CAUSES)
            raise ValueError(f"{shown(word)} is never tried again; the causes are {known}")
        if word not in RETRY_CAUSES:
            advice = suggest(word, RETRY_CAUSES) or f"The causes are {', '.join(RETRY_CAUSES)}."
            raise ValueError(f"{shown(word)} is not a cause of a failure. {advice}")
    return given


def modules(value: Any) -> tuple[str, ...]:
    """Return names of Python modules, each once."""
    for name in (given := words(value)):
        parts = name.split(".")
        if not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
            raise ValueError(
                f'{shown(name)} is not the name of a module, as in "sklearn.linear_model"'
            )
    return given


def substep_key(value: str) -> str:
    """Return the name of a table under ``substeps``: a substep, or ``step_name/substep``."""
    step, slash, inner = value.partition("/")
    try:
        return check_name("substep", value)
    except BadNameError as error:
        with contextlib.suppress(BadNameError):  # both names at their longest are longer than one
            if slash and check_name("step", step) and check_name("substep", inner):
                return value
        raise ValueError(f'{error}. Write it as in [substeps."train.ipynb"]') from None


def words(value: Any) -> tuple[str, ...]:
    """Return a list of words; in the environment they stand between commas."""
    if isinstance(value, str):
        value = [word for word in (part.strip() for part in value.split(",")) if word]
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{shown(value)} is not a list of words")
    return tuple(dict.fromkeys(value))


def one_of(*words: str) -> Callable[[Any], str]:
    """Return a check that lets only ``words`` pass."""

    def check(value: Any) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise ValueError(f"{shown(value)} is not one of {', '.join(words)}")

    return check


def root(value: object, *, base: Path | None) -> str:
    """Return an absolute local path or an fsspec URL, with no ``/`` at its end.

    Args:
        value: Path or URL; ``~`` at its begin stands for the home folder, nothing else is expanded.
        base: The folder from which a relative path counts; ``None`` refuses one.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{shown(value)} is not a path or a URL")
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError(f"{shown(value)} holds a control character")
    value = value.removeprefix("file://")
    if _SCHEME.match(value):
        if "@" in value.split("://", 1)[1].split("/", 1)[0]:
            raise ValueError(
                "a URL must not hold a user or a password: give them in the environment"
            )
        if not value.partition("://")[2].strip("/"):
            raise ValueError(f"{shown(value)} names no bucket or folder")
        return value.rstrip("/")
    if value == "~" or value.startswith("~/"):
        value = str(Path.home()) + value[1:]
    if base is None and not Path(value).is_absolute():
        raise ValueError(f"{shown(value)} is not an absolute path or a URL")
    path = os.path.normpath(Path(base or "/") / value)
    if path == Path(path).anchor:
        raise ValueError(f"{shown(value)} is the top of the disk: choose a folder in it")
    return path


def storage_options(value: Any) -> dict[str, Any]:
    """Return the options for fsspec, if none of them is a secret."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{shown(value)} is not a table")
    secret = _find_secret(value)
    if secret:
        raise ValueError(
            f"{secret} looks like a secret: keep it out of the file, "
            "in the environment or in an AWS profile"
        )
    return dict(value)


def _find_secret(options: Mapping[str, Any]) -> str:
    for key, value in options.items():
        if _SECRET.search(key) and not isinstance(value, bool) and value not in _NO_SECRETS:
            return key
        found = _find_secret(value) if isinstance(value, Mapping) else ""
        if found:
            return f"{key}.{found}"
    return ""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
