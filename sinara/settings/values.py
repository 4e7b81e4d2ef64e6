"""The settings as values, checked by the time anybody holds one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from sinara.errors import SettingsError, suggest
from sinara.names import shown
from sinara.settings.conditions import Condition

_MEGABYTE = 1024 * 1024
# Kinds of failure (sinara.record.Failure.kind) that a second try may follow. What a person stopped,
# and what is configured wrongly, is not among them: it would end the same way, or is meant to end.
RETRY_CAUSES = ("kernel died", "timeout", "memory", "cpu limit", "cell", "early exit", "outputs")
_USER_VARIABLES = ("DSML_USER", "SINARA_USER", "NB_USER")


@dataclass(frozen=True)
class EnvSettings:
    """Where the entities of one env live.

    Attributes:
        name: The env's name.
        root: Absolute local path, or fsspec URL, with no ``/`` at its end.
        tmp_root: The same for temporary entities.
        storage_options: What fsspec is given with the root; never a secret.
    """

    name: str
    root: str
    tmp_root: str
    storage_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How runs behave. Each may stand in ``sinara.toml`` or be set as ``SINARA_<NAME>``.

    Attributes:
        strict_params: Whether a classic parameters cell is a schema rather than advice.
        cell_timeout: Seconds that one cell may take; ``None`` is no limit.
        run_timeout: Seconds that one substep may take; ``None`` is no limit.
        start_timeout: Seconds that a kernel may take to start.
        max_cell_output: Bytes of output that one cell may leave.
        max_notebook_output: Bytes of output that one notebook may leave.
        memory: Bytes that each process of one substep may reserve; ``None`` is no limit.
        cpu_seconds: Seconds of processor time that each of them may use; ``None`` is no limit.
        retries: How often a substep that failed is tried again.
        retry_on: Which kinds of failure are tried again; of :data:`RETRY_CAUSES`.
        retry_wait: Seconds before the first retry; each further one waits twice as long.
        warm: Whether kernels may be forked from a process that has imported things ahead.
        preload: Modules that this process imports besides its own.
        strict_files: Whether files that a substep does not declare are refused to it.
        strict_shell: Whether a failing ``!command`` fails its cell; ``None`` is only in prod.
        legacy_in_prod: Whether prod reads entities that were never sealed.
        durability: ``full`` waits for the disk, ``fast`` does not.
        publish: By hand, a snapshot after each ``cell`` that wrote, or on ``request``.
        dirty: In prod, ``refuse`` a changed tree or run its commit in a ``worktree``.
        row_drop: Share of its rows by which an entity may fall from one run to the next before
            pictures of the pipeline mark it: 0.1 is a tenth, 1 is never.
        workers: How many substeps of a pipeline run at once; ``None`` is one per processor.
        memory_budget: Bytes that the ``memory`` of substeps that run at once may add up to;
            ``None`` is no limit.
        row_size: Bytes of one archive row: longer files are split.
        block_size: Bytes of one block of an archive.
    """

    strict_params: bool = False
    cell_timeout: float | None = None
    run_timeout: float | None = None
    start_timeout: float = 60.0
    memory: int | None = None
    cpu_seconds: float | None = None
    retries: int = 0
    retry_on: tuple[str, ...] = ("kernel died", "timeout")
    retry_wait: float = 1.0
    warm: bool = True
    preload: tuple[str, ...] = ()
    max_cell_output: int = 10 * _MEGABYTE
    max_notebook_output: int = 50 * _MEGABYTE
    strict_files: bool = False
    strict_shell: bool | None = None
    legacy_in_prod: bool = False
    durability: Literal["full", "fast"] = "full"
    publish: Literal["cell", "request"] = "cell"
    dirty: Literal["refuse", "worktree"] = "refuse"
    row_drop: float = 0.1
    workers: int | None = None
    memory_budget: int | None = None
    row_size: int = _MEGABYTE
    block_size: int = 10 * _MEGABYTE


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """What the settings say of one step in runs of a whole pipeline.

    Attributes:
        when: The step runs only if this holds; ``None``: always.
        independent: Whether its substeps share nothing but entities: those that do not read
            from each other may then run at once.
    """

    when: Condition | None = None
    independent: bool = False


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """Where images come from and go to.

    Attributes:
        base: The image that others are built on, best with its digest.
        registry: Where images are sent: ``host:port/namespace``.
        backend: What builds them; empty: the first that this machine has.
        insecure: Registries that are asked over plain HTTP, besides those of this machine.
    """

    base: str = ""
    registry: str = ""
    backend: str = ""
    insecure: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    """All settings of one step.

    Attributes:
        envs: The envs by name: ``user``, ``test``, ``prod`` and those that the settings add.
        substeps: What the file sets for single substeps: ``train.ipynb``, or
            ``step_name/train.ipynb`` -> options. Those that the environment sets are left out.
        steps: What the file sets for single steps, by their names.
        images: Where images come from and go to.
        user: Who works here, see :func:`get_user`.
        file: The ``sinara.toml`` that was read, if there is one.
        folder: The step's folder, absolute.
    """

    envs: Mapping[str, EnvSettings] = field(default_factory=dict)
    substeps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    steps: Mapping[str, StepOptions] = field(default_factory=dict)
    images: ImageSettings = field(default_factory=ImageSettings)
    user: str = ""
    file: Path | None = None
    folder: Path = Path()

    def env(self, name: str) -> EnvSettings:
        """Return the settings of the env ``name``.

        Raises:
            SettingsError: If there is no such env; the line says which there are.
        """
        try:
            return self.envs[name]
        except (KeyError, TypeError):
            known = list(self.envs)
            advice = suggest(str(name), known) or "Add it under [envs] in sinara.toml."
            raise SettingsError(
                f"env {shown(name)} is not known; the envs are {', '.join(known)}. {advice}"
            ) from None

    def for_substep(self, step_name: str, substep_name: str) -> Options:
        """Return the options that hold for one substep.

        Args:
            step_name: The step's name, as in ``[substeps."model_train/train.ipynb"]``, which wins
                over ``[substeps."train.ipynb"]``.
            substep_name: The substep's file, relative to the step's folder.
        """
        everywhere = self.substeps.get(substep_name, {})
        here = self.substeps.get(f"{step_name}/{substep_name}", {})
        return replace(self, **{**everywhere, **here})


def get_user(environ: Mapping[str, str] | None = None) -> str:
    """Return who works here: ``DSML_USER``, ``SINARA_USER``, ``NB_USER`` or the login name.

    Args:
        environ: The environment to look in; that of this process by default.
    """
    environ = os.environ if environ is None else environ
    named = next((environ[name] for name in _USER_VARIABLES if environ.get(name)), "")
    return named or _login_name()


def _login_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have a number and no name
        return f"uid{os.getuid()}" if hasattr(os, "getuid") else "user"
