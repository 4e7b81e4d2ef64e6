"""Inside the kernel, between two cells: save variables, and put them back in a resumed run.

The driver calls :func:`save`, :func:`rerun` and :func:`restore` by name, each with one JSON
text, and reads the answer from a file: the notebook sees nothing of it.

All variables go into one pickle, so that what they share stays shared. In it

* a text that holds the run's id or scratch folder holds a mark instead, and gets the resumed
  run's own when it is put back: so a URL always points to the run that uses it;
* the substep is a reference to the substep of the kernel that reads it;
* a secret is refused, and so is a path of the run where it cannot be marked (in the buffer
  of a table).
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import pickle
import platform
import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sinara.secret import read_reference, resolve
from sinara.substep.notebook import NotebookSubstep

VARIABLES = "variables.pickle"
_RUN, _WORK = "\0run\0", "\0work\0"
_SHORTEST = 4  # characters; a shorter secret would be found by chance in any file
_PIECE = 1 << 24  # bytes looked through at once
# Distributions whose objects are pickled by their own rules, by the module that they bring.
_PACKAGES = {
    "numpy": "numpy", "pandas": "pandas", "pyarrow": "pyarrow", "scipy": "scipy",
    "sklearn": "scikit-learn", "polars": "polars", "torch": "torch", "tensorflow": "tensorflow",
    "keras": "keras", "jax": "jax", "xgboost": "xgboost", "lightgbm": "lightgbm",
    "catboost": "catboost", "statsmodels": "statsmodels",
}  # fmt: skip
_postponed: list[str] = []  # statements that need a saved variable, for the end of restore()


class RefusedError(Exception):
    """A value that a checkpoint does not hold; the text says why."""


def save(order: str) -> None:
    """Save variables of the notebook.

    Args:
        order: JSON with ``folder`` to write to, ``names``, ``answer``, ``run_id``, ``work``,
            ``secrets`` (references) and ``step_folder``.
    """
    given = json.loads(order)
    answer: dict[str, Any] = {"problem": ""}
    try:
        answer |= _save(given)
    except Exception as error:  # whatever a foreign object raises: the run goes on without
        answer["problem"] = _told(error)
    _answer(given, answer)


def _save(given: Mapping[str, Any]) -> dict[str, Any]:
    space = _namespace()
    names = [name for name in given["names"] if name in space]
    if absent := sorted(set(given["names"]) - set(names)):
        raise RefusedError(f"'{absent[0]}' is not defined")
    marks = _Marks(given["run_id"], given["work"], _secrets(given))
    held = {
        "variables": {name: space[name] for name in names},
        "metrics": _metrics(),
        "random": random.getstate(),
        "numpy": _numpy_state(),
        "cwd": _cwd(given["step_folder"]),
    }
    path = Path(given["folder"], VARIABLES)
    try:
        with path.open("wb") as file:
            _dump(held, file, marks)
    except Exception as error:  # see save()
        path.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            _name_the_culprit(held, marks)
        raise
    return {
        "types": {name: type(space[name]).__qualname__ for name in names},
        "versions": _versions(),
    }


def _dump(value: Any, file: Any, marks: _Marks) -> None:
    sieve = _Sieve(file, marks.forbidden())
    _Pickler(sieve, marks).dump(value)
    sieve.end()


def _name_the_culprit(held: Mapping[str, Any], marks: _Marks) -> None:
    """Pickle the variables one by one, to nowhere, and raise for the first that cannot be."""
    metrics = {f"metric {name}": value for name, value in held["metrics"].items()}
    for name, value in {**held["variables"], **metrics}.items():
        try:
            _dump(value, None, marks)
        except Exception as error:  # see save()
            raise RefusedError(f"'{name}' ({type(value).__qualname__}): {_told(error)}") from error


class _Marks:
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
    def __init__(self, file: _Sieve, marks: _Marks) -> None:
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


# -- putting back ------------------------------------------------------------------------


def rerun(order: str) -> None:
    """Run statements again that stand above a checkpoint.

    One that needs a variable which is not there yet waits for :func:`restore`.

    Args:
        order: JSON with ``pieces`` (each a line and a source) and ``answer``.
    """
    given = json.loads(order)
    problem = ""
    for line, source in given["pieces"]:
        error = _run("\n" * (line - 1) + source)
        if isinstance(error, NameError):
            _postponed.append(source)
        elif error is not None:
            problem = f"line {line}: {_told(error)}"
            break
    _answer(given, {"problem": problem})


def restore(order: str) -> None:
    """Put the saved variables back.

    Args:
        order: JSON with ``folder``, ``versions``, ``answer``, ``run_id`` and ``work`` of this run,
            and ``step_folder``.
    """
    given = json.loads(order)
    try:
        problem = _restore(given)
    except Exception as error:  # whatever a foreign object raises: the driver starts anew
        problem = _told(error)
    _answer(given, {"problem": problem})


def _restore(given: Mapping[str, Any]) -> str:
    now = _versions(given["versions"])
    for name, version in given["versions"].items():
        if now.get(name) != version:
            return f"{name} was {version}, and is {now.get(name) or 'not installed'}"
    with Path(given["folder"], VARIABLES).open("rb") as file:
        held = _Unpickler(file, given["run_id"], given["work"]).load()
    _namespace().update(held["variables"])
    for source in _postponed:
        error = _run(source)
        if error is not None:
            return _told(error)
    if held["metrics"] and NotebookSubstep.current is not None:
        for name, value in held["metrics"].items():
            NotebookSubstep.current.add_metric(name, value)
    _namespace().update(held["variables"])  # what was postponed may have bound one of them
    if held["cwd"]:
        os.chdir(Path(given["step_folder"], held["cwd"]))
    random.setstate(held["random"])
    if held["numpy"] is not None:
        import numpy as np

        np.random.set_state(held["numpy"])
    return ""


def _run(source: str) -> BaseException | None:
    """Run a source in the notebook's namespace, and return what it raised."""
    result = _shell().run_cell(source, store_history=False, silent=True)
    error: BaseException | None = result.error_before_exec or result.error_in_exec
    return error


# -- the kernel --------------------------------------------------------------------------


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


def _namespace() -> dict[str, Any]:
    space: dict[str, Any] = _shell().user_ns
    return space


def _metrics() -> dict[str, Any]:
    if NotebookSubstep.current is None:
        return {}
    return {k: v for k, v in NotebookSubstep.current.metrics.items() if k != "run_id"}


def _numpy_state() -> Any:
    if "numpy" not in sys.modules:
        return None
    import numpy as np

    return np.random.get_state()


def _cwd(step_folder: str) -> str:
    """Return the working folder, relative to the step's where it lies in it; empty if it is it."""
    here = Path.cwd()
    if here == Path(step_folder).resolve():
        return ""
    inside = here.is_relative_to(Path(step_folder).resolve())
    return str(here.relative_to(Path(step_folder).resolve())) if inside else str(here)


def _versions(asked: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the versions that pickles depend on: of what is imported, or of what is asked."""
    loaded = {dist for module, dist in _PACKAGES.items() if module in sys.modules}
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in sorted(loaded if asked is None else set(asked) - {"python"}):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _secrets(given: Mapping[str, Any]) -> list[str]:
    found = []
    for value in given["secrets"]:
        reference = read_reference(value)
        if reference is not None:
            found.append(resolve(reference, folder=Path(given["step_folder"])))
    return found


def _answer(given: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    path = Path(given["answer"])
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(answer), encoding="utf-8")
    beside.replace(path)


def _told(error: BaseException) -> str:
    if isinstance(error, RefusedError):
        return str(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
