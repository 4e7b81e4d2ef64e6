"""The errors that sinara raises on purpose, and the exit code that each becomes.

SinaraError                      catch this one to catch them all            2
├── UsageError                   an argument or a call that cannot be        2
├── BadNameError                 a name breaks the grammar                   2
├── SettingsError                sinara.toml or SINARA_* is wrong            2
├── ParamsError                  a parameter file or an override is wrong    2
├── ManifestError                a pipeline's manifest is wrong              2
├── InterfaceError               a substep declares what cannot be           2
├── NotebookError                a file is no notebook that can be run       2
├── RepositoryError              Git refuses, or the tree is not clean       2
├── HostingError                 a Git host refuses, or cannot be reached    2
├── MissingExtraError            an optional package is not installed        2
├── StoreError                   the store cannot be read or written         2
│   ├── EntityNotFoundError      an input was never published                2
│   ├── RunNotFoundError         no run has that id                          2
│   └── CorruptError             what is stored differs from its digest      3
├── ArchiveError                 an archive is damaged or hostile            2
├── ServiceError                 a model's service cannot be saved or served 2
├── ImageError                   an image cannot be built or read            2
│   └── RegistryError            a registry refuses, or cannot be reached    2
├── AnswersDifferError           a service answers not as the notebook did   1
└── RunError                     a run failed                                1
    ├── OutputError              a declared output is missing or unreadable  1
    ├── ContractError            an entity breaks its contract               1
    ├── CellError                a cell raised                               1
    ├── KernelDiedError          the kernel's process ended                  4
    ├── SubstepTimeoutError      a cell or a run took too long               5
    └── InterruptedRunError      SIGINT, SIGTERM or SIGHUP                 130

Anything else that escapes sinara is a bug in sinara, and keeps its traceback.
``python step.dev.py`` ends with 1 for every failed run, as the original did.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class SinaraError(Exception):
    """Base class of every error that sinara raises on purpose.

    The text says what is wrong, where, what was found and what to do next.
    ``lines`` holds one entry per finding; ``str()`` joins them.
    """

    exit_code = 2

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines: tuple[str, ...] = tuple(lines)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class UsageError(SinaraError):
    """An argument or a call that cannot be."""


class BadNameError(SinaraError):
    """A name breaks the grammar of :mod:`sinara.names`."""


class SettingsError(SinaraError):
    """``sinara.toml`` or a ``SINARA_*`` variable is wrong."""


class ParamsError(SinaraError):
    """A parameter file, a parameters cell or an override is wrong; one line per finding."""


class ManifestError(SinaraError):
    """The manifest of a pipeline is wrong; one line per finding."""


class InterfaceError(SinaraError):
    """A substep declares an interface that cannot be."""


class NotebookError(SinaraError):
    """A file is not a notebook that can be run."""


class RepositoryError(SinaraError):
    """Git refuses, or the working tree is not what it has to be."""


class HostingError(SinaraError):
    """A Git host refuses, or cannot be reached."""


class MissingExtraError(SinaraError):
    """An optional package is not installed."""

    @classmethod
    def for_extra(cls, package: str, extra: str) -> MissingExtraError:
        """Return the error for ``package``, naming the extra that brings it."""
        return cls(f"{package} is not installed. Install it with: pip install 'sinara[{extra}]'")


class StoreError(SinaraError):
    """The store cannot be read or written."""


class EntityNotFoundError(StoreError):
    """An input names an entity that no published run holds."""

    @classmethod
    def for_entity(cls, entity: str, step: str, written: Iterable[str] = ()) -> EntityNotFoundError:
        """Return the error for ``entity`` of ``step``, given what that step has ``written``."""
        there = sorted(set(written))
        if not there:
            return cls(
                f"Entity '{entity}' cannot be read: step '{step}' has no published run. "
                "Run that step first, in its folder."
            )
        advice = suggest(entity, there) or "Add it to that step's outputs."
        known = ", ".join(there)
        return cls(f"Step '{step}' wrote no entity '{entity}'; it wrote {known}. {advice}")


class RunNotFoundError(StoreError):
    """No run has that id."""


class CorruptError(StoreError):
    """What is stored differs from its digest."""

    exit_code = 3


class ArchiveError(SinaraError):
    """An archive is damaged, or would write outside its folder."""


class ServiceError(SinaraError):
    """A model's service cannot be saved, loaded or served."""


class ImageError(SinaraError):
    """A container image cannot be built or read."""


class RegistryError(ImageError):
    """A registry of images refuses, or cannot be reached."""


class AnswersDifferError(SinaraError):
    """A service does not answer what the notebook predicted; one line per sample."""

    exit_code = 1


class RunError(SinaraError):
    """A run failed."""

    exit_code = 1


class OutputError(RunError):
    """A declared output is missing or unreadable."""


class ContractError(RunError):
    """An entity does not hold what its contract promises; one line per rule."""


class CellError(RunError):
    """A cell of a substep raised."""


class KernelDiedError(RunError):
    """The kernel's process ended while it was needed."""

    exit_code = 4


class SubstepTimeoutError(RunError):
    """A cell, or the whole substep, took longer than it may."""

    exit_code = 5


class InterruptedRunError(RunError):
    """The run was stopped from outside: SIGINT, SIGTERM or SIGHUP."""

    exit_code = 130


def suggest(word: str, known: Sequence[str]) -> str:
    """Return ``Did you mean 'x'?`` for the nearest of ``known``, or an empty string."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean '{close[0]}'?" if close else ""
