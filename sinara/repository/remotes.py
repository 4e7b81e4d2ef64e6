"""A repository and its remotes: connect, clone, fetch, push.

Only https, ssh, this machine's http and folders are allowed as transports, whatever a
repository's configuration says. A call that is given credentials also puts back what the
repository itself says about connections (proxies, certificates, helpers): a token goes only the
way that the person has set up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sinara.errors import RepositoryError, UsageError
from sinara.repository.addresses import (
    check_address,
    check_branch,
    check_remote,
    without_credentials,
)
from sinara.repository.call import Done, git, one_line, reason, run
from sinara.repository.credentials import Credentials, handing_over
from sinara.repository.guard import READING, disarm, own_transport, read_settings, remote_addresses

NETWORK_SECONDS = 600.0
_NETWORK_ENV = {"GIT_ALLOW_PROTOCOL": "file:http:https:ssh"}
_STALLED = (("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", "60"))
_NO_UPKEEP = (("gc.auto", "0"), ("maintenance.auto", "false"))
_ONLY_FAILED = "error: failed to push some refs"
_REFUSED = (
    "could not read Username",
    "could not read Password",
    "Authentication failed",
    "terminal prompts disabled",
    "The requested URL returned error: 403",
    "Permission denied (publickey",
)


def remotes(folder: Path) -> Mapping[str, str]:
    """Return the remotes of a repository: name and address, as they are written there."""
    return remote_addresses(read_settings(folder))


def connect(folder: Path, remote: str, url: str) -> bool:
    """Let ``remote`` stand for ``url``.

    Returns:
        Whether anything changed.

    Raises:
        UsageError: If the address is of a kind that is not allowed.
        BadNameError: If the remote's name is none.
        RepositoryError: If git refuses.
    """
    check_remote(remote)
    check_address(url)
    before = remotes(folder).get(remote)
    if before == url:
        return False
    if before is None:
        add_remote(folder, remote, url)
    else:
        git(folder, "remote", "set-url", "--", remote, url)
    return True


def add_remote(folder: Path, remote: str, url: str) -> None:
    """Write a remote that is not there: what is fetched first, so that none without it is left.

    ``git remote add`` writes the address first; one that is killed leaves a remote that looks
    whole, and no branch can follow it.
    """
    name = f"remote.{remote}.fetch"
    if not any(setting.name == name for setting in read_settings(folder)):
        git(folder, "config", "--local", name, f"+refs/heads/*:refs/remotes/{remote}/*")
    git(folder, "config", "--local", f"remote.{remote}.url", url)


def push(
    folder: Path,
    remote: str,
    branch: str,
    *,
    credentials: Credentials | None = None,
    set_upstream: bool = True,
    seconds: float = NETWORK_SECONDS,
) -> bool:
    """Push a branch under its own name; never forced.

    Returns:
        Whether the remote got anything new.

    Raises:
        RepositoryError: If the remote has commits that are not here, refuses, or is not there.
    """
    ref = f"refs/heads/{check_branch(branch)}"
    options = ("--set-upstream",) if set_upstream else ()
    return push_refs(
        folder, remote, (f"{ref}:{ref}",), credentials=credentials, options=options, seconds=seconds
    )


def push_refs(
    folder: Path,
    remote: str,
    refspecs: Iterable[str],
    *,
    url: str | None = None,
    credentials: Credentials | None = None,
    options: tuple[str, ...] = (),
    seconds: float = NETWORK_SECONDS,
) -> bool:
    """Push what ``refspecs`` say to ``remote``, or to ``url`` in its place: as :func:`push`."""
    how = _network(folder, remote, credentials, url=url)
    call = ("push", "--porcelain", "--no-recurse-submodules", *options, "--", remote, *refspecs)
    done = _call(folder, call, how, credentials, seconds)
    if done.code != 0:
        where = without_credentials(url) if url else f"'{remote}'"
        raise RepositoryError(f"{folder}: not pushed to {where}: {_push_problem(done)}")
    return any(line[:1] in " *+-" and "\t" in line for line in done.out.splitlines())


def fetch(
    folder: Path,
    remote: str,
    *,
    credentials: Credentials | None = None,
    reading: bool = False,
    seconds: float = NETWORK_SECONDS,
) -> None:
    """Fetch the branches and tags of a remote; nothing that is checked out changes.

    Args:
        folder: A folder of the repository.
        remote: The remote's name.
        credentials: What its host asks for.
        reading: Whether to run nothing that the repository brings along: hooks, a transport or
            a credential helper of its own.
        seconds: When to give up.

    Raises:
        RepositoryError: If it cannot be had.
    """
    how = _network(folder, remote, credentials, reading=reading)
    call = ("fetch", "--quiet", "--no-recurse-submodules", "--no-auto-maintenance", "--", remote)
    done = _call(folder, call, how, credentials, seconds)
    if done.code != 0:
        raise RepositoryError(f"{folder}: not fetched from '{remote}': {_problem(done)}")


def clone(
    url: str,
    folder: Path,
    *,
    credentials: Credentials | None = None,
    seconds: float = NETWORK_SECONDS,
) -> None:
    """Clone a repository; ``folder`` is there whole, or not at all. Submodules are not entered.

    Raises:
        UsageError: If the address is of a kind that is not allowed.
        RepositoryError: If ``folder`` is taken, or the remote cannot be had.
    """
    check_address(url)
    if folder.exists():
        raise RepositoryError(f"{folder} is there already: nothing was cloned.")
    parent = folder.parent
    with tempfile.TemporaryDirectory(prefix=".sinara-clone-", dir=parent) as beside:
        made = Path(beside) / folder.name
        how = {"env": _NETWORK_ENV, "config": (*_STALLED, *_NO_UPKEEP)}
        call = ("clone", "--quiet", "--no-recurse-submodules", "--", url, str(made))
        done = _call(parent, call, how, _for(credentials, url), seconds)
        if done.code != 0:
            raise RepositoryError(f"{without_credentials(url)}: not cloned: {_problem(done)}")
        try:
            made.rename(folder)
        except OSError as error:
            raise RepositoryError(f"{folder} cannot be made: {error.strerror}.") from error


def _network(
    folder: Path,
    remote: str,
    credentials: Credentials | None,
    *,
    reading: bool = False,
    url: str | None = None,
) -> dict[str, Any]:
    """Return how to call git so that it talks to ``remote`` of ``folder``."""
    check_remote(remote)
    settings = read_settings(folder)
    there = {remote: url} if url else remote_addresses(settings)
    if remote not in there:
        known = f"there is {', '.join(sorted(there))}" if there else "there is none"
        raise RepositoryError(
            f"{folder}: no remote is called '{remote}'; {known}. "
            f"Add it: git remote add {remote} ADDRESS"
        )
    address = there[remote]
    if "@" not in address or "://" not in address:  # one with a token in it is Git's own affair
        try:
            check_address(address)
        except UsageError as error:
            raise RepositoryError(f"{folder}: remote '{remote}': {error}") from error
    config: tuple[tuple[str, str], ...] = (*_STALLED, *_NO_UPKEEP)
    if reading and own_transport(settings):
        raise RepositoryError(
            f"{folder}: its own configuration names a program to fetch with "
            f"({own_transport(settings)}). If you trust it: git fetch {remote}"
        )
    if reading:
        config = (*disarm(settings), *READING, *config)
    elif credentials:
        for section in ("http.", "credential.", "core.askpass", "protocol."):
            config = (*disarm(settings, only=section), *config)
    if url:
        config = (*config, (f"remote.{remote}.url", url))
    return {"env": _NETWORK_ENV, "config": config}


def _call(
    folder: Path,
    call: tuple[str, ...],
    how: Mapping[str, Any],
    credentials: Credentials | None,
    seconds: float,
) -> Done:
    with handing_over(credentials) as given:
        return run(
            folder,
            *call,
            seconds=seconds,
            apart=True,
            env={**how["env"], **given["env"]},
            config=(*how["config"], *given["config"]),
            pass_fds=given.get("pass_fds", ()),
        )


def _for(credentials: Credentials | None, url: str) -> Credentials | None:
    return credentials if credentials and credentials.fits(url) else None


def _push_problem(done: Done) -> str:
    for line in done.out.splitlines():
        if line.startswith("!"):
            said = line.rpartition("\t")[2]
            if "atomic" in said:  # another one is the reason
                continue
            if "fetch first" in said or "non-fast-forward" in said:
                return "it has commits that are not here. Pull first: sinara pipeline pull"
            return f"it refuses: {said.strip()}"
    said = reason(done)
    if said.startswith(_ONLY_FAILED):  # Git itself does not say why: a hook may have
        lines = [one_line(line) for line in done.err.splitlines() if line.strip()]
        more = "; ".join(line for line in lines if not line.startswith(_ONLY_FAILED))[:300]
        return f"a hook (pre-push here, or one of the host) refuses: {more or 'it says nothing'}"
    return _problem(done)


def _problem(done: Done) -> str:
    said = reason(done)
    if any(word in done.err for word in _REFUSED):
        return (
            f"{said} -- it does not let you in. Check the token and its rights "
            "(SINARA_GITHUB_TOKEN, SINARA_GITLAB_TOKEN, or git's credential helper), or the ssh key"
        )
    return said
