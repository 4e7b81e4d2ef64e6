"""Inside the kernel, between two cells: save variables, and put them back in a resumed run.

The driver calls :func:`save`, :func:`rerun` and :func:`restore` by name, each with one JSON
text, and reads the answer from a file: the notebook sees nothing of it.

All variables go into one pickle, so that what they share stays shared.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sinara.secret import read_reference, resolve
from sinara.substep.notebook import NotebookSubstep
from sinara.substep.pickling import Marks, RefusedError, dump, load

VARIABLES = "variables.pickle"
# Distributions whose objects are pickled by their own rules, by the module that they bring.
_PACKAGES = {
    "numpy": "numpy", "pandas": "pandas", "pyarrow": "pyarrow", "scipy": "scipy",
    "sklearn": "scikit-learn", "polars": "polars", "torch": "torch", "tensorflow": "tensorflow",
    "keras": "keras", "jax": "jax", "xgboost": "xgboost", "lightgbm": "lightgbm",
    "catboost": "catboost", "statsmodels": "statsmodels",
}  # fmt: skip
_postponed: list[str] = []  # statements that need a saved variable, for the end of restore()


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
    marks = Marks(given["run_id"], given["work"], _secrets(given))
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
            dump(held, file, marks)
    except Exception as error:  # see save()
        path.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            _name_the_culprit(held, marks)
        raise
    return {
        "types": {name: type(space[name]).__qualname__ for name in names},
        "versions": _versions(),
    }


def _name_the_culprit(held: Mapping[str, Any], marks: Marks) -> None:
    """Pickle the variables one by one, to nowhere, and raise for the first that cannot be."""
    metrics = {f"metric {name}": value for name, value in held["metrics"].items()}
    for name, value in {**held["variables"], **metrics}.items():
        try:
            dump(value, None, marks)
        except Exception as error:  # see save()
            raise RefusedError(f"'{name}' ({type(value).__qualname__}): {_told(error)}") from error


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
        held = load(file, given["run_id"], given["work"])
    _namespace().update(held["variables"])
    while _postponed:
        error = _run(_postponed.pop(0))
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
