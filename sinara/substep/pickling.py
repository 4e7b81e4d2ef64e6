"""Pickles of a notebook's variables, without secrets and without paths of one run.

* A text that holds the run's id or scratch folder holds a mark instead, and gets the resumed
  run's own when it is read: so a URL always points to the run that uses it.
* The substep is a reference to the substep of the kernel that reads it.
* A secret is refused, and so is a path of the run where it cannot be marked (in the buffer of
  a table): no byte of it is ever written.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from typing import Any

from sinara.substep.notebook import NotebookSubstep

_RUN, _WORK = "\0run\0", "\0work\0"
_SHORTEST = 4  # characters; a shorter secret would be found by chance in any file
_PIECE = 1 << 24  # bytes looked through at once


class RefusedError(Exception):
    """A value that a checkpoint does not hold; the text says why."""


def dump(value: Any, file: Any, marks: Marks) -> None:
    """Pickle a value into an open file; with ``None`` only look whether that can be done.

    Raises:
        RefusedError: If it holds what a checkpoint does not.
        Exception: Whatever its own pickling raises.
    """
    sieve = _Sieve(file, marks.forbidden())
    _Pickler(sieve, marks).dump(value)
    sieve.end()


def load(file: Any, run_id: str, work: str) -> Any:
    """Return what was pickled.

    Args:
        file: Open.
        run_id: Of the run that reads it.
        work: Its scratch folder.
    """
    return _Unpickler(file, run_id, work).load()


class Marks:
    """What may not be written as it is: secrets, and texts that belong to this run."""

    def __init__(self, run_id: str, work: str, secrets: list[str]) -> None:
        self.run_id = run_id
        self.work = work
        self.secrets = secrets
        self._long = [secret for secret in secrets if len(secret) >= _SHORTEST]

    def check(self, text: str) -> None:
        """Refuse a text that is a secret, or holds one."""
        if text in self.secrets or any(secret in text for secret in self._long):
            raise RefusedError("it holds a secret")

    def marked(self, text: str) -> str | None:
        """Return a text of this run with marks in it; None if it is not of this run."""
        if self.run_id not in text and (not self.work or self.work not in text):
            return None
        changed = text.replace(self.work, _WORK) if self.work else text
        return changed.replace(self.run_id, _RUN)

    def forbidden(self) -> dict[bytes, str]:
        """Return what no byte of a file may spell, and why."""
        own = "a table or buffer in it holds a path of this run, which a resumed run has not"
        found = dict.fromkeys(_forms(self.run_id), own)
        for secret in self._long:
            found |= dict.fromkeys(_forms(secret), "it holds a secret")
        return found


def _forms(text: str) -> Iterator[bytes]:
    """Yield a text as buffers hold it: UTF-8, and as NumPy's and other arrays have it."""
    for encoding in ("utf-8", "utf-16-le", "utf-32-le"):
        yield text.encode(encoding, "surrogatepass")


class _Pickler(pickle.Pickler):
    def __init__(self, file: _Sieve, marks: Marks) -> None:
        super().__init__(file, protocol=5)
        self._marks = marks

    def persistent_id(self, value: Any) -> Any:
        """Return a reference for what is another thing in another run."""
        if type(value) is str:
            self._marks.check(value)
            marked = self._marks.marked(value)
            return None if marked is None else ("text", marked)
        return ("substep", "") if isinstance(value, NotebookSubstep) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, run_id: str, work: str) -> None:
        super().__init__(file)
        self._texts = ((_WORK, work), (_RUN, run_id))

    def persistent_load(self, reference: Any) -> Any:
        """Return what a reference means in this run."""
        kind, text = reference
        if kind == "substep":
            return NotebookSubstep.current
        for mark, own in self._texts:
            text = text.replace(mark, own)
        return text


class _Sieve:
    """A file that refuses to hold certain bytes: they are found before they are written."""

    def __init__(self, file: Any, forbidden: Mapping[bytes, str]) -> None:
        self._file = file
        self._forbidden = forbidden
        self._keep = max((len(form) for form in forbidden), default=1) - 1
        self._tail = b""

    def write(self, data: Any) -> int:
        """Write what is sure to begin nothing that is forbidden; keep the rest back."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _PIECE):
            self._look(self._tail + bytes(view[start : start + _PIECE]))
        return len(view)

    def _look(self, data: bytes) -> None:
        for form, why in self._forbidden.items():
            if form in data:
                raise RefusedError(why)
        cut = max(len(data) - self._keep, 0)
        self._put(data[:cut])
        self._tail = data[cut:]

    def end(self) -> None:
        """Write what was kept back."""
        self._put(self._tail)
        self._tail = b""

    def _put(self, data: bytes) -> None:
        if self._file is not None:
            self._file.write(data)
