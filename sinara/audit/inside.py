"""What a kernel or a module is told of its watching and its limits, in its own Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Rules:
    """What a substep with ``strict_files`` may touch; all paths absolute.

    Attributes:
        read: Files and folders that may be read.
        write: Files and folders that may be written, too.
        names: Folders of which only the names may be read.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit:
    """How the files of one substep are watched.

    Attributes:
        log: Where the kernel notes what it does; a file that is there, of this user only.
        step: The step's folder.
        rules: Everything else is refused; ``None``: nothing is.
    """

    log: Path
    step: Path
    rules: Rules | None = None

    @property
    def watching(self) -> str:
        """Python code that begins to watch the process that runs it; it leaves no name behind."""
        code = _LOAD + f"_sinara('watch').begin({str(self.log)!r}, {str(self.step)!r})\n"
        return code + "del _sinara\n"

    @property
    def enforcing(self) -> str:
        """Python code that puts the rules in force, or raises; empty if there are none."""
        if self.rules is None:
            return ""
        step = f"{self.step}/"
        return (
            _LOAD
            + f"""\
def _sinara(load=_sinara):
    whole, rest = load("watch").python_folders()
    rest = [path for path in rest if not {step!r}.startswith(path.rstrip("/") + "/")]
    read, write, names = {self.rules.read!r}, {self.rules.write!r}, {self.rules.names!r}
    load("landlock").apply([*read, *whole, *rest], write, names)
    import tempfile
    tempfile.tempdir = None
_sinara()
del _sinara
"""
        )


_LOAD = f"""\
def _sinara(name):
    import importlib.util as util
    spec = util.spec_from_file_location("sinara_" + name, {str(HERE)!r} + "/" + name + ".py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
"""
