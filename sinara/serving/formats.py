"""A model as files: which format it is kept in, written, and which packages read it again.

A pickle runs code of its makers when it is loaded, so it is loaded by the service only: nothing
that lists, verifies, unpacks or builds an image ever reads one. ONNX and PyTorch's exported
programs hold no code.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sinara.errors import MissingExtraError, UsageError
from sinara.serving.exported import write_program
from sinara.serving.shipped.sinara_served import ServedModel
from sinara.serving.values import Samples

_SHORT_NUMBERS = 1e-4  # float32 has seven digits, and sums differ with the count of threads
ONNX_DATA = (".data", "_data")  # weights beside an ONNX file, after its whole name


@dataclass(frozen=True)
class ModelFiles:
    """A model that was written down.

    Attributes:
        format: ``pickle``, ``onnx`` or ``torch``.
        files: Path inside the folder ``model`` -> the file on this machine; the first is the
            one to load.
        told: What ``model.json`` says besides: how to ask it.
        modules: Modules that it needs when it is loaded, by their whole names.
    """

    format: str
    files: Mapping[str, Path]
    told: Mapping[str, Any] = field(default_factory=dict)
    modules: frozenset[str] = frozenset()


def write_model(model: Any, method: str, sample: Any, folder: Path) -> ModelFiles:
    """Write a model into a folder, or find the file that it is already.

    Args:
        model: A path to an ``.onnx`` file, an ONNX model, a PyTorch module or exported program,
            or anything that pickle takes.
        method: Which of its methods predicts; ``__call__`` for the object itself. Of ONNX: which
            output.
        sample: Rows as the model takes them: PyTorch is exported with them.
        folder: Where new files go.

    Raises:
        UsageError: If it cannot be written, or could not be loaded elsewhere.
    """
    if isinstance(model, str | os.PathLike):
        return onnx_file(Path(model), method)
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    if hasattr(model, "SerializeToString") and kind.startswith("onnx."):
        path = folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return onnx_file(path, method)
    if any(base.__module__.startswith("torch.") for base in type(model).__mro__):
        path = folder / "model.pt2"
        told = {"tensor": write_program(model, sample, path)}
        return ModelFiles("torch", {path.name: path}, told, frozenset({"torch", "numpy"}))
    return _pickle(model, method, folder / "model.pkl")


def onnx_file(path: Path, method: str) -> ModelFiles:
    """Return an ONNX model that lies in a file, with the weights beside it.

    Args:
        path: The file.
        method: The output that is the answer; ``predict`` for the first.

    Raises:
        UsageError: If it is no such file.
        MissingExtraError: If onnxruntime is not installed.
    """
    if path.suffix != ".onnx":
        raise UsageError(
            f"{path} is no .onnx file. Give the model itself, or write a service class and pass "
            "its files: save_bentoservice(Service, models={'name': 'file'}, …)."
        )
    if not path.is_file():
        raise UsageError(f"{path} is not there.")
    _needs_module("onnxruntime", "onnxruntime")
    files = {path.name: path}
    for end in ONNX_DATA:
        beside = path.with_name(path.name + end)
        if beside.is_file():
            files[beside.name] = beside
    told = {"output": "" if method in ("predict", "__call__") else method}
    return ModelFiles("onnx", files, told, frozenset({"onnxruntime", "numpy"}))


def tolerance_of(format_name: str) -> float:
    """Return how far a number that a model answers may be off elsewhere, as a share of it."""
    return Samples.tolerance if format_name == "pickle" else _SHORT_NUMBERS


def ask_model(load: Callable[[], ServedModel], rows: Sequence[Any]) -> list[Any]:
    """Return what a model predicts for a sample, once it has answered another count of rows, too.

    Raises:
        UsageError: If it cannot be loaded, does not take the sample, or takes so many rows only.
    """
    given = list(rows)
    try:
        model = load()
    except Exception as error:  # a model raises what it likes
        raise UsageError(f"The model cannot be loaded: {_line(error)}.") from error
    try:
        answers = model.predict(given)
    except Exception as error:
        raise UsageError(
            f"The model does not predict for the sample: {_line(error)}. "
            "Give rows as it takes them."
        ) from error
    other = given[:1] if len(given) > 1 else given * 2
    try:
        model.predict(other)
    except Exception as error:
        raise UsageError(
            f"The model predicts for {len(given)} rows at once, and not for {len(other)}: "
            f"{_line(error)}. A request may have any number: the first axis of what it takes and "
            "answers has to be free."
        ) from error
    return answers


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _pickle(model: Any, method: str, path: Path) -> ModelFiles:
    if method != "__call__" and not callable(getattr(model, method, None)):
        raise UsageError(
            f"{type(model).__name__} has no method {method!r}. Name the one that predicts: "
            "make_service(model, sample, method='predict_proba')."
        )
    modules = write_pickle(model, path)
    return ModelFiles("pickle", {path.name: path}, {"method": method}, modules)


def write_pickle(model: Any, path: Path) -> frozenset[str]:
    """Pickle an object into a file, and return the modules that loading it imports.

    Raises:
        UsageError: If it cannot be pickled, or not be loaded elsewhere.
    """
    with path.open("wb") as file:
        pickler = _Pickler(file)
        try:
            pickler.dump(model)
        except OSError:
            raise
        except Exception as error:  # a __reduce__ raises what it likes
            raise UsageError(
                f"{type(model).__name__} cannot be pickled: {error}. Write a service class that "
                "loads it from a file: save_bentoservice(Service, models={'name': 'file'}, …)."
            ) from error
    here = sorted(name for module, name in pickler.seen if module == "__main__")
    if here:
        raise UsageError(
            f"{', '.join(here)} is defined in this notebook, so a service could not load the "
            "model. Move it to a .py file beside the notebook and import it from there."
        )
    return frozenset(module for module, _ in pickler.seen)


class _Pickler(pickle.Pickler):
    """Notes the module of every class and function that a pickle names."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, protocol=5)
        self.seen: set[tuple[str, str]] = set()

    def reducer_override(self, obj: Any) -> Any:
        named = obj if isinstance(obj, type) or hasattr(obj, "__qualname__") else type(obj)
        module = getattr(named, "__module__", None)
        if isinstance(module, str):
            self.seen.add((module, named.__qualname__))
        return NotImplemented


def _needs_module(module: str, package: str) -> None:
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(
            f"{package} is not installed. Install it with: pip install {package}"
        )
