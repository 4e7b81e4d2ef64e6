"""Let the first file of an output be written before the output's folder exists.

The folder of an output does not exist until somebody writes to it: Spark's default mode and
``df.to_parquet(url)`` need that. But ``open(f"{url}/a.csv", "w")`` needs the folder. So the
folder is made at the last moment::

    open(f"{url}/a.csv", "w")       sys.audit hook: Python says what it is about to open
    pandas, polars, pyarrow, ...    their writers open files by themselves, or look first
                                    whether the folder is there: each writer of FIRST_LOOK
                                    is wrapped when its module is imported

A path is looked at only if it lies strictly below an output that :func:`watch` was told of, so
``df.to_parquet(url)`` still writes one file at ``url``, and nothing else on the machine changes.
What no wrapper knows (a library's own C code) asks for ``os.makedirs(url)`` first, as anywhere.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

# Module -> what in it writes to a path that it is given. A pattern's last part may end in "*".
FIRST_LOOK: dict[str, tuple[str, ...]] = {
    "pandas.io.common": ("check_parent_directory",),
    "pandas.io.parquet": ("check_parent_directory",),  # its own name for the same function
    "pandas.io.formats.format": ("check_parent_directory",),
    "polars.dataframe.frame": ("DataFrame.write_*",),
    "polars.lazyframe.frame": ("LazyFrame.sink_*",),
    "pyarrow.parquet.core": ("ParquetWriter.__init__",),
    "pyarrow.csv": ("write_csv",),
    "pyarrow.feather": ("write_feather",),
    "pyarrow.ipc": ("new_file", "new_stream"),
    "pyarrow.orc": ("ORCWriter.__init__",),
    "torch.serialization": ("save",),
    "xgboost.core": ("Booster.save_model",),
    "lightgbm.basic": ("Booster.save_model",),
    "h5py._hl.files": ("File.__init__",),
}

_outputs: tuple[str, ...] = ()  # replaced, never changed: other threads may be reading it
_hooked = False


def watch(output_urls: Iterable[str]) -> None:
    """Make missing folders at and below these outputs when something is written there.

    May be called again and again; outputs add up. Outputs that are not on a local disk are passed
    over, since an object store has no folders to make.

    Args:
        output_urls: Absolute local paths, or URLs.
    """
    global _hooked, _outputs
    local = {os.path.normpath(url) for url in output_urls if "://" not in url}
    _outputs = (*_outputs, *sorted(local.difference(_outputs)))
    if local and not _hooked:
        _hooked = True
        sys.addaudithook(_before)
        sys.meta_path.insert(0, _AfterImport())
        for name in FIRST_LOOK:
            if name in sys.modules:
                _wrap_module(sys.modules[name])


def make_parents(path: object) -> None:
    """Make the folder that ``path`` is to lie in, if it lies strictly below a watched output."""
    name = _as_text(path)
    if not name:
        return
    # Path objects would cost more than the look itself, at each file that is opened for writing.
    parent = os.path.dirname(os.path.abspath(name))  # noqa: PTH100, PTH120
    if any(parent == url or parent.startswith(url + os.sep) for url in _outputs):
        try:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103
        except OSError:
            return  # whoever is about to write gets the same error, in words of its own


def _before(event: str, arguments: tuple[Any, ...]) -> None:
    """See https://docs.python.org/3/library/audit_events.html for the events' arguments."""
    if event == "open":
        path, _mode, flags = arguments
        if flags & os.O_CREAT:
            make_parents(path)
    elif event in ("os.mkdir", "sqlite3.connect"):
        make_parents(arguments[0])
    elif event in ("os.rename", "os.link", "os.symlink"):
        make_parents(arguments[1])


def _as_text(path: object) -> str:
    """Return a local path as text; an empty text for what is none (a number, a buffer, a URL)."""
    if not isinstance(path, str | bytes | os.PathLike):
        return ""
    try:
        name = os.fsdecode(path)
    except (TypeError, ValueError):
        return ""
    name = name.removeprefix("file://")
    return "" if "://" in name or "\0" in name else name


class _AfterImport:
    """A finder of modules that wraps the writers of FIRST_LOOK right after their import."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders give, with a loader that wraps afterwards."""
        if fullname not in FIRST_LOOK:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(fullname, path, target) if find else None
            if spec is not None:
                _wrap_loader(spec.loader)
                return spec  # type: ignore[no-any-return]
        return None


def _wrap_loader(loader: Any) -> None:
    run = getattr(loader, "exec_module", None)
    if run is None:
        return

    def exec_module(module: ModuleType) -> None:
        run(module)
        _wrap_module(module)

    try:
        loader.exec_module = exec_module  # of this loader, which few other modules share, if any
    except AttributeError:
        return


def _wrap_module(module: ModuleType) -> None:
    for pattern in FIRST_LOOK.get(module.__name__, ()):
        *owners, last = pattern.split(".")
        owner: Any = module
        for name in owners:
            owner = getattr(owner, name, None)
        for name in _matching(owner, last):
            _wrap(owner, name)


def _matching(owner: object, pattern: str) -> list[str]:
    if pattern.endswith("*"):
        return [name for name in vars(owner) if name.startswith(pattern[:-1])] if owner else []
    return [pattern] if hasattr(owner, pattern) else []


def _wrap(owner: Any, name: str) -> None:
    writer = getattr(owner, name)
    if getattr(writer, "_sinara_looks_first", False) or not callable(writer):
        return
    wrapped = _looking_first(writer)
    try:
        setattr(owner, name, wrapped)
    except (AttributeError, TypeError):
        return  # a class in C: its attributes cannot be replaced


def _looking_first(writer: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(writer, updated=())
    def look_first(*args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            make_parents(value)
        return writer(*args, **kwargs)

    look_first._sinara_looks_first = True  # type: ignore[attr-defined]
    return look_first
