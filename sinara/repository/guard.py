"""Reading an untrusted repository: nothing that it brings along is run.

A repository's own configuration can name programs that git starts by itself, in commands that
only read as well::

    core.fsmonitor, core.hooksPath    before and after the index is read
    filter.<name>.clean, .process     when a file is compared with its commit
    core.pager, pager.status          when the answer is shown
    diff.external, diff.<name>.*      when a difference is shown
    remote.<name>.uploadpack, .vcs    when an object is missing and its remote is a promisor
    submodules                        are repositories with a configuration of their own

Each of them is put back to what the person's own configuration says, or to nothing. No
transport at all is allowed while reading, and submodules are not entered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.repository.call import run
from sinara.repository.outputs import SETTING, filter_command, own_lines

READING = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.pager", "cat"),
    ("diff.external", ""),
    ("status.submoduleSummary", "false"),
    ("log.showSignature", "false"),
)
READING_OPTIONS = ("--no-pager", "--no-optional-locks")
READING_ENV = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}

_PROGRAMS = re.compile(
    r"filter\..*\.(clean|smudge|process|required)"
    r"|core\.(fsmonitor|hookspath|sshcommand|gitproxy|askpass|pager|editor|alternaterefscommand)"
    r"|diff\.external|diff\..*\.(command|textconv)|merge\..*\.driver|pager\..*"
    r"|gpg\..*|credential\..*|protocol\..*|http\..*|sequence\.editor|alias\..*"
    r"|remote\..*\.(proxy|promisor)|extensions\.partialclone",
    re.DOTALL,
)
_TRANSPORTS = re.compile(r"remote\..*\.(uploadpack|receivepack|vcs)", re.DOTALL)
_OFF = {"required": "false", "promisor": "false", "sslverify": "true", "fsmonitor": "false"}
_OFF |= {"hookspath": "/dev/null", "pager": "cat"}
_OWN = ("local", "worktree")

# A configuration that is nothing but what `git init`, `clone` and `push -u` write: no need to
# ask git about it, which halves the processes of a look at fifty steps.
_PLAIN_LINE = re.compile(
    r"\s*(?:"
    r'\[(?:core|user|(?:remote|branch) "[^"\\\n]*")\]'
    r"|(?:repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode"
    r"|symlinks|url|pushurl|fetch|remote|merge|rebase|name|email)\s*=[^\\\n]*"
    r"|[#;].*)?\s*"
)


@dataclass(frozen=True)
class Setting:
    """One line of git's configuration: where it comes from, its name, its value."""

    scope: str
    name: str
    value: str


def read_settings(folder: Path) -> tuple[Setting, ...]:
    """Return git's whole configuration for ``folder``, in the order in which later ones win.

    Empty where there is no repository, or git cannot read its configuration.
    """
    done = run(folder, "config", "--list", "--show-scope", "--includes", "-z", env=READING_ENV)
    if done.code != 0:
        return ()
    words = done.out.split("\0")
    pairs = zip(words[::2], words[1::2], strict=False)
    split = [(scope, *pair.partition("\n")[::2]) for scope, pair in pairs]
    return tuple(Setting(scope, name, value) for scope, name, value in split)


def remote_addresses(settings: Iterable[Setting]) -> dict[str, str]:
    """Return the remotes that the settings name: name and first address, as written there."""
    found: dict[str, str] = {}
    for setting in settings:
        if setting.name.startswith("remote.") and setting.name.endswith(".url"):
            found.setdefault(setting.name[len("remote.") : -len(".url")], setting.value)
    return found


def follow(settings: Iterable[Setting], branch: str | None) -> str | None:
    """Return the remote that ``branch`` follows, else ``origin``, else the only one."""
    settings = tuple(settings)
    remotes = remote_addresses(settings)
    name = f"branch.{branch}.remote"
    followed = [setting.value for setting in settings if setting.name == name]
    for candidate in (*followed[-1:], "origin"):
        if candidate in remotes:
            return candidate
    return next(iter(remotes)) if len(remotes) == 1 else None


def own_transport(settings: Iterable[Setting]) -> str:
    """Return the setting by which the repository itself names a program that speaks to a remote.

    Of these Git takes the first, so that they cannot be put back; an empty string: there is none.
    """
    names = (setting.name for setting in settings if setting.scope in _OWN)
    return next(filter(_TRANSPORTS.fullmatch, names), "")


def disarm(settings: Iterable[Setting], *, only: str = "") -> tuple[tuple[str, str], ...]:
    """Return the settings that put back every program that the repository itself names.

    Args:
        settings: As read.
        only: A prefix of the names to put back; all by default.
    """
    known: dict[str, str] = {}
    own: dict[str, None] = {}
    for setting in settings:
        if setting.name == SETTING and setting.value == filter_command():
            continue  # our own program, which clears outputs: without it git sees changes
        if setting.scope in _OWN:
            if setting.name.startswith(only) and _PROGRAMS.fullmatch(setting.name):
                own[setting.name] = None
        else:
            known[setting.name] = setting.value
    return tuple((name, known.get(name, _off(name))) for name in own)


def reading(folder: Path) -> dict[str, Any]:
    """Return how to call git to read the repository of ``folder`` and run nothing of it."""
    if is_plain(folder):  # and it is this repository that git then takes, none further up
        ceiling = {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
        return {"config": READING, "env": {**READING_ENV, **ceiling}}
    return {"config": (*disarm(read_settings(folder)), *READING), "env": READING_ENV}


def is_plain(folder: Path) -> bool:
    """Return whether the configuration in ``folder/.git`` names no program, at one look."""
    try:
        if (folder / ".git" / "commondir").exists():  # the configuration lies elsewhere
            return False
        text = (folder / ".git" / "config").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    own = own_lines()
    return all(_PLAIN_LINE.fullmatch(line) or line.strip() in own for line in text.split("\n"))


def _off(name: str) -> str:
    return _OFF.get(name.rpartition(".")[2], "")
