"""A new name for a pipeline, a new origin for its steps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from sinara.errors import ParamsError, RepositoryError, SinaraError
from sinara.fleet.rename import parameter_files, pipeline_name, renamed
from sinara.fleet.state import changed, on_a_branch, own_state
from sinara.fleet.together import Did, results
from sinara.fleet.values import FleetStep, Result
from sinara.hosting import Host, host_of
from sinara.names import check_name
from sinara.repository import check_address, commit, connect, remotes
from sinara.repository.call import git

PLACEHOLDER = "{repository}"


def rename(steps: Sequence[FleetStep], new: str) -> tuple[Result, ...]:
    """Give the pipeline another name in the parameter files of each step, and commit that.

    Every file in ``params/`` that names the step's pipeline is changed, in that one value. A
    step with changed files is refused; one that has the name already is left. Entities that were
    published stay where they are, under the old name.

    Args:
        steps: The steps.
        new: The new name.

    Raises:
        BadNameError: If it is no name of a pipeline.
    """
    check_name("pipeline", new)
    return results(steps, lambda step: _rename(step, new))


def set_origins(
    steps: Sequence[FleetStep], *, origin: str = "", host: Host | None = None
) -> tuple[Result, ...]:
    """Let ``origin`` of each step stand for another place; nothing is pushed.

    Args:
        steps: The steps.
        origin: Where the repositories lie: ``git@host:team``, to which ``/<repository>.git`` is
            added, or an address with ``{repository}`` in it. The repository is called as the
            one that is the origin now, else as the step's folder.
        host: Instead of ``origin``: a host that has a repository for each step.

    Raises:
        UsageError: If the address is of a kind that is not allowed.
    """
    if host is None:
        check_address(_address(origin, "x") if origin else "")
        return results(steps, lambda step: _connect(step, lambda name: _address(origin, name)))
    return results(steps, lambda step: _connect(step, lambda name: _found(host, name)))


def repository_name(folder: Path) -> str:
    """Return how the repository of a step is called: as its origin, else as its folder."""
    address = remotes(folder).get("origin", "")
    with contextlib.suppress(SinaraError):
        return check_name("repository", host_of(address).name)
    return check_name("repository", folder.name)


def _rename(step: FleetStep, new: str) -> Did:
    if not step.pipeline:
        raise ParamsError(step.problem or "its parameter file names no pipeline")
    old = step.pipeline
    files = [path for path in parameter_files(step.folder) if pipeline_name(path) == old != new]
    if not files:
        return "unchanged", f"pipeline {new} already" if old == new else "no file names it"
    state = own_state(step.folder)
    on_a_branch(state)
    if state.dirty:
        raise RepositoryError(f"{changed(state)}: commit or stash them, then repeat")
    texts = {path: renamed(path, new) for path in files}  # all of them can be, or none is
    before = {path: path.read_bytes() for path in files}
    names = [path.relative_to(step.folder).as_posix() for path in files]
    try:
        for path, text in texts.items():
            _write(path, text.encode())
        git(step.folder, "add", "--", *names)
        commit(step.folder, f"Rename pipeline {old} to {new}")
    except BaseException:
        for path, data in before.items():
            _write(path, data)
        with contextlib.suppress(SinaraError):
            git(step.folder, "reset", "--quiet", "--", *names)
        raise
    return "done", f"pipeline {old} -> {new} in {', '.join(names)}"


def _write(path: Path, data: bytes) -> None:
    """Write a file whole: a command that is ended leaves the old one or the new one."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)  # of a command that was ended; or a link that leads away
        with beside.open("xb") as file:
            file.write(data)
        beside.chmod(path.stat().st_mode & 0o777)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise RepositoryError(f"{path} cannot be written: {error.strerror}.") from error


def _connect(step: FleetStep, address_of: Callable[[str], str]) -> Did:
    own_state(step.folder)
    before = remotes(step.folder).get("origin")
    address = address_of(repository_name(step.folder))
    if not connect(step.folder, "origin", address):
        return "unchanged", f"origin is {address} already"
    return "done", f"origin is {address}" + ("" if before else ", there was none")


def _address(origin: str, name: str) -> str:
    if PLACEHOLDER in origin:
        return origin.replace(PLACEHOLDER, name)
    return f"{origin.rstrip('/')}/{name}.git"


def _found(host: Host, name: str) -> str:
    found = host.find(name)
    if found is None:
        raise RepositoryError(
            f"{host.organization} has no repository '{name}': sinara pipeline transfer makes it"
        )
    return found.url
