"""Watch what Python code does to files: run inside the kernel, ours or another environment's.

An audit hook (PEP 578) appends one JSON line to a file for each path that it meets first::

    ["on", "3.11.7"]                       the watch began
    ["r", path, modified, bytes]           opened to be read; ns since 1970, and size, before that
    ["l", folder, digest]                  listed, in the step's folder: of its names
    ["m", path]                            opened to be read in the step's folder: not there
    ["w", path, existed]                   opened to be written, or made by a rename or a link
    ["d", path, existed]                   removed, or renamed to something else
    ["c", program]  ["a", "host:port"]     started; connected to
    ["cut", kind]                          more of that kind is not noted

The file is opened for each line, so that no descriptor of ours can be mistaken for the notebook's;
forked children go on with it, and nothing is lost when the process is killed. Standard library
only; nothing is left in ``sys.modules``. A hook cannot be taken off, and never raises.
"""

# ruff: noqa: PTH100, PTH111, PTH116, PTH117, PTH118, PTH119, PTH120, PTH208
# Paths stay texts: pathlib costs more than all that is watched.
from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

MOST = 10_000  # paths of one kind that one process notes
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/proc", "/sys", "/dev", "/run",
    "/var/cache/fontconfig", "/var/lib/ca-certificates", "/nix/store", "/snap",
    "/System", "/Library", "/private/etc", "/opt/homebrew",
)  # fmt: skip
DEVICES = ("/proc/", "/sys/", "/dev/")  # writing there changes no file
HOME = (
    ".cache/matplotlib", ".config/matplotlib", ".matplotlib", ".cache/fontconfig", ".fonts",
    ".local/share/fonts", ".config/fontconfig", ".cache/sinara", ".ipython", ".jupyter",
    ".local/share/jupyter",
)  # fmt: skip
_PYTHON = (".py", ".pyc", ".so", ".pyi", ".pth", ".egg-link")
_UNPACKING = os.path.join("sinara", "extract", "")
_CACHE = f"{os.sep}__pycache__{os.sep}"
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "ash")
_WORD = re.compile(r"[\w./+-]{1,100}", re.ASCII)
_IMPORTERS = ("importlib", "pkgutil.py", "pkg_resources")
_ACCESS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

Handler = Callable[[tuple[Any, ...]], None]


def begin(log: str, step: str) -> None:
    """Watch this process, and those that are forked from it, until they end.

    Args:
        log: A file that is there, to which lines are appended.
        step: The step's folder.
    """
    watch = Watch(log, step)
    get, known = watch.handlers.get, watch.known

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        handler = get(event)
        if handler is not None:
            try:  # the same file, opened in a loop, costs no more than the look into ``known``
                if event != "open" or arguments not in known:
                    handler(arguments)
            except Exception:  # what we cannot note must not become an error of the notebook's
                return

    watch.note("on", ".".join(map(str, sys.version_info[:3])))
    sys.addaudithook(hook)


class Watch:
    """What was met already, and what is done with each event."""

    def __init__(self, log: str, step: str) -> None:
        self.handlers: dict[str, Handler] = {
            "open": self.opened,
            "os.listdir": self.listed,
            "os.scandir": self.listed,
            "os.rename": self.renamed,
            "os.mkdir": self.made,
            "os.remove": self.removed,
            "os.rmdir": self.removed,
            "shutil.rmtree": self.removed,
            "os.truncate": lambda given: self.wrote(given[0]),
            "os.link": lambda given: self.wrote(given[1]),
            "os.symlink": lambda given: self.wrote(given[1]),
            "sqlite3.connect": self.database,
            "os.chdir": self.forget,
            "subprocess.Popen": lambda given: self.started(given[0], given[1]),
            "os.exec": lambda given: self.started(given[0], given[1]),
            "os.posix_spawn": lambda given: self.started(given[0], given[1]),
            "os.spawn": lambda given: self.started(given[1], given[2]),
            "os.system": lambda given: self.started("sh", ("sh", "-c", given[0])),
            "socket.connect": lambda given: self.connected(given[1]),
            "http.client.connect": lambda given: self.connected(given[1:3]),
        }
        self.log = log
        self.step = os.path.join(step, "")
        self.known: set[tuple[Any, ...]] = set()  # arguments of "open"
        self.met: dict[str, set[object]] = {kind: set() for kind in ("r", "w", "l", "c", "a")}
        self.counts: dict[str, int] = {}
        self.inside, self.outside, self.packages = _passed_over(self.step)

    def note(self, kind: str, *what: object) -> None:
        """Append one line, unless there are too many."""
        count = self.counts[kind] = self.counts.get(kind, 0) + 1
        if count > MOST:
            if count > MOST + 1:
                return
            kind, what = "cut", (kind,)
        line = (json.dumps([kind, *what]) + "\n").encode()
        file = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def is_new(self, kind: str, key: object) -> bool:
        """Return whether something of a kind is met for the first time; it is not, from then on."""
        met = self.met[kind]
        if key in met or len(met) > 2 * MOST:
            return False
        met.add(key)
        if len(met) > 2 * MOST:
            self.note("cut", kind)
        return True

    def forget(self, given: tuple[Any, ...]) -> None:
        """Take note that relative paths are others from now on."""
        del given
        self.known.clear()
        for kind in ("r", "w", "l"):
            self.met[kind].clear()

    def is_passed_over(self, path: str) -> bool:
        """Return whether reading ``path`` is nobody's business: Python, the system, fonts."""
        if path.startswith(self.step):
            return path.startswith(self.inside)
        if path.startswith(self.outside):
            return True
        return path.endswith(_PYTHON) and path.startswith(self.packages)

    # -- files -----------------------------------------------------------------------------

    def opened(self, given: tuple[Any, ...]) -> None:
        """Note a file that is about to be opened."""
        path, mode, flags = given
        if len(self.known) < 2 * MOST:
            self.known.add(given)
        if type(path) is int or path == self.log or (mode is None and _is_in_folder(path)):
            return
        kind = "w" if flags & _ACCESS else "r"
        if not self.is_new(kind, path):
            return
        if kind == "r":
            self.read(path, plain=mode is not None)
            return
        if flags & os.O_RDWR and not flags & os.O_TRUNC:
            self.read(path, plain=False)
        self.wrote(path, met=True)

    def read(self, path: object, *, plain: bool) -> None:
        """Note a file that is read; one that is not there only if ``plain`` code opens it."""
        name = _absolute(path)
        if not name or self.is_passed_over(name):
            return
        if _CACHE in name:  # the bytecode stands for its source
            folder, _, file = name.rpartition(_CACHE)
            name = f"{folder}{os.sep}{file.split('.')[0]}.py"
        try:
            found = os.stat(name)
        except OSError:
            if plain and name.startswith(self.step) and not name.endswith(".py"):
                self.note("m", name)
            return
        self.note("r", name, found.st_mtime_ns, found.st_size)

    def wrote(self, path: object, *, met: bool = False) -> None:
        """Note a file that is written."""
        name = _absolute(path)
        if not name or name.startswith(DEVICES) or _CACHE in name:
            return
        if met or self.is_new("w", path):
            self.note("w", name, os.path.lexists(name))

    def made(self, given: tuple[Any, ...]) -> None:
        """Note a folder that is made, unless its name counts from an open folder."""
        if not (isinstance(given[2], int) and given[2] >= 0):
            self.wrote(given[0])

    def removed(self, given: tuple[Any, ...]) -> None:
        """Note a file or a tree that is removed, unless its name counts from an open folder."""
        if len(given) > 1 and isinstance(given[1], int) and given[1] >= 0:
            return
        name = _absolute(given[0])
        if name and _CACHE not in name and not name.startswith(DEVICES):
            self.note("d", name, os.path.lexists(name))

    def renamed(self, given: tuple[Any, ...]) -> None:
        """Note both names of a file that gets another one."""
        if any(isinstance(folder, int) and folder >= 0 for folder in given[2:]):
            return
        self.wrote(given[1])
        self.removed(given[:1])

    def listed(self, given: tuple[Any, ...]) -> None:
        """Note a folder of the step whose content is asked for, unless an import does it."""
        path = given[0]
        if isinstance(path, int):
            return
        caller = sys._getframe(2).f_code.co_filename
        if any(name in caller for name in _IMPORTERS):
            return
        name = os.path.join(_absolute("." if path is None else path or "."), "")
        if not name.startswith(self.step) or name.startswith(self.inside) or _CACHE in name:
            return
        if self.is_new("l", name):
            self.note("l", name, listing_digest(name))

    def database(self, given: tuple[Any, ...]) -> None:
        """Note a file that SQLite opens by itself."""
        path = given[0]
        if os.fsdecode(path) in ("", ":memory:") or os.fsdecode(path).startswith("file:"):
            return
        if self.is_new("w", path):
            self.read(path, plain=False)
            self.wrote(path, met=True)

    # -- programs and addresses --------------------------------------------------------------

    def started(self, program: object, arguments: object) -> None:
        """Note a program; its arguments may hold secrets and are left out."""
        words = [arguments] if isinstance(arguments, str | bytes) else list(arguments or ())  # type: ignore[call-overload]
        name = os.path.basename(_text(program if program is not None else words[0]))
        if name in _SHELLS and len(words) > 2 and _text(words[1]) == "-c":
            first = first_program(_text(words[2]))
            name = f"{name}: {first}" if first else name
        if self.is_new("c", name):
            self.note("c", name)

    def connected(self, address: object) -> None:
        """Note where a connection goes."""
        if isinstance(address, tuple) and len(address) >= 2:
            host = _text(address[0])
            where = f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"
        elif isinstance(address, str | bytes):
            where = f"unix:{_text(address)}"
        else:
            return
        if self.is_new("a", where):
            self.note("a", where)


def _is_in_folder(path: object) -> bool:
    """Return whether our own unpacking opens it, whose names count from an open folder.

    The event does not tell that folder, and the name would be taken for one of the current folder.
    """
    if os.path.isabs(path):  # type: ignore[arg-type]
        return False
    return _UNPACKING in sys._getframe(3).f_code.co_filename


def listing_digest(folder: str) -> str:
    """Return the SHA-256 of the names in a folder, without what tools leave there."""
    import hashlib

    names = sorted(os.fsencode(name) for name in os.listdir(folder))
    passed = (b"__pycache__", b".ipynb_checkpoints", b".git")
    return hashlib.sha256(b"\0".join(name for name in names if name not in passed)).hexdigest()


def first_program(command: str) -> str:
    """Return the program that a shell's command begins with; empty if that is not plain."""
    for word in command.split():
        if "=" in word:  # an assignment, of a token perhaps
            continue
        return os.path.basename(word) if _WORD.fullmatch(word) else ""
    return ""


def python_folders() -> tuple[list[str], list[str]]:
    """Return the folders of this Python, and those besides from which it may import modules."""
    whole = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    whole.append(os.path.dirname(os.path.realpath(sys.executable)))
    whole.append(os.path.dirname(os.path.realpath(os.__file__)))
    rest: list[str] = []
    for path in sys.path:
        if not path or not os.path.isabs(path):
            continue
        packed = os.path.basename(path) in ("site-packages", "dist-packages")
        (whole if packed or path.endswith((".zip", "lib-dynload")) else rest).append(path)
    return _with_real(whole), _with_real(rest)


def _passed_over(step: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return beginnings of paths: in the step, out of it, and where only modules are meant."""
    whole, rest = python_folders()
    home = os.path.expanduser("~")
    whole += [*SYSTEM, *(os.path.join(home, part) for part in HOME)]
    roots = [os.path.join(path, "") for path in whole if path != os.sep]
    inside = tuple(path for path in roots if path.startswith(step) and path != step)
    outside = tuple(path for path in roots if not path.startswith(step))
    packages = tuple(os.path.join(path, "") for path in rest)
    return inside, outside, tuple(path for path in packages if not path.startswith(step))


def _with_real(paths: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(p for path in paths for p in (path, os.path.realpath(path))))


def _absolute(path: object) -> str:
    """Return a path as an absolute text; an empty text for what is none."""
    if not isinstance(path, str | bytes | os.PathLike):
        return ""
    name = os.fsdecode(path)
    return "" if "\0" in name else os.path.abspath(name)


def _text(value: object) -> str:
    return os.fsdecode(value) if isinstance(value, str | bytes | os.PathLike) else str(value)
