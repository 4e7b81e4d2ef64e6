"""Have a kernel tell its variables after a failure, before it is ended."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.kernels.failures import Ended
from sinara.kernels.redact import Redactor
from sinara.kernels.writer import write_atomically
from sinara.postmortem import Frame, Variables, to_json
from sinara.postmortem.preview import CUT
from sinara.postmortem.values import MOST_BYTES, frame

if TYPE_CHECKING:
    from sinara.kernels.session import Session

LOOK_SECONDS = 3.0  # the kernel's own limit
ANSWER_SECONDS = 4.0  # ours, over all attempts
ATTEMPTS = 10
_KINDS = ("cell", "early exit", "timeout")
_GONE = "The kernel's process had ended: its variables are gone with it."
_INTERRUPTED = "The run was stopped from outside: no variables were kept."
_OTHER = "Only kernels in Python tell their variables."
_SILENT = "The kernel did not tell its variables: a value could not be looked at in time."
_NONE = "The traceback leads to no line of the cell: there are no variables to tell."


def keep(session: Session, ended: Ended, count: int, file: Path) -> None:
    """Write the variables of a failed cell to ``file``, or why there are none.

    Args:
        session: The session, whose kernel may be dead.
        ended: How its cell ended.
        count: The cell's number, ``In [count]``.
        file: The ``failure.json`` to write.
    """
    if ended.failure is None:
        return
    with contextlib.suppress(OSError):  # the disk is full: the failure itself is worth more
        write_atomically(file, to_json(_kept(session, ended, count)).encode(), sync=False)


def _kept(session: Session, ended: Ended, count: int) -> Variables:
    kind = ended.failure.kind if ended.failure else ""
    if kind == "interrupted":
        return Variables(_INTERRUPTED)
    if session.client.exit is not None:
        return Variables(_GONE)
    if kind not in _KINDS:
        return Variables(_SILENT)
    if session.language_info.get("name") != "python":
        return Variables(_OTHER)
    folder = session.options.runtime_folder
    handed = folder / f"variables-{secrets.token_hex(8)}.jsonl"
    code = _code(handed, count)
    end = time.monotonic() + ANSWER_SECONDS
    try:
        # A kernel answers "aborted" to what comes right after an error: ask again.
        for _ in range(ATTEMPTS):
            left = end - time.monotonic()
            if left <= 0 or session.aside(code, left) or handed.exists():
                break
            time.sleep(0.05)
        return _read(handed, Redactor(session.options.redact))
    finally:
        handed.unlink(missing_ok=True)


def _code(file: Path, count: int) -> str:
    return (
        "def _sinara():\n"
        "    from sinara.postmortem.frames import write\n"
        f"    write({str(file)!r}, {count}, {LOOK_SECONDS})\n"
        "try:\n    _sinara()\nfinally:\n    del _sinara\n"
    )


def _read(file: Path, redactor: Redactor) -> Variables:
    """Return what the kernel wrote; it may have written anything, or half of it."""
    try:
        with file.open("rb") as written:
            lines = written.read(2 * MOST_BYTES).split(b"\n")
    except OSError:
        return Variables(_SILENT)
    found: list[tuple[int, Frame]] = []
    left_out = 0
    for line in lines:
        given = _object(line)
        if isinstance(given.get("index"), int):
            found.append((given["index"], frame(_clean(given, redactor))))
        elif isinstance(given.get("left_out"), int):
            left_out = given["left_out"]
    if not found:
        return Variables(_NONE if lines[0] else _SILENT)
    frames = [each for _, each in sorted(found, key=lambda pair: pair[0])]
    return Variables("", tuple(frames), left_out)


def _object(line: bytes) -> dict[str, Any]:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def _clean(value: Any, redactor: Redactor) -> Any:
    """Return a JSON value without secrets, nor the half of one before a cut."""
    if isinstance(value, str):
        *cut, last = value.split(CUT)
        return CUT.join([*(redactor.split(part)[0] for part in cut), redactor.text(last)])
    if isinstance(value, list):
        return [_clean(item, redactor) for item in value]
    if isinstance(value, dict):
        return {key: _clean(item, redactor) for key, item in value.items()}
    return value
