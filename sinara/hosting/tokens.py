"""Where a token comes from: a variable, git's credential helper, or a hidden prompt.

A variable such as ``GITHUB_TOKEN`` holds for the public host, and for the one that the person
names (``url``, ``SINARA_GITHUB_URL``, ``SINARA_GITLAB_URL``); no other host is ever shown it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sinara.errors import HostingError, RepositoryError
from sinara.hosting.places import GITHUB, GITLAB
from sinara.repository import Credentials, base_of
from sinara.repository.call import run

VARIABLES = {
    "github": ("SINARA_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"),
    "gitlab": ("SINARA_GITLAB_TOKEN", "GITLAB_TOKEN"),
}
URLS = {"github": ("SINARA_GITHUB_URL", GITHUB), "gitlab": ("SINARA_GITLAB_URL", GITLAB)}
# With a token, both hosts take any user name; these are the ones in their documentation.
USERS = {"github": "x-access-token", "gitlab": "oauth2"}
_HELPER_SECONDS = 20


def find_token(
    kind: str,
    url: str,
    environ: Mapping[str, str],
    ask: Callable[[str], str] | None,
) -> Credentials:
    """Return the token for a host.

    Args:
        kind: ``github`` or ``gitlab``.
        url: The host's web address.
        environ: The environment.
        ask: Asks a person who can answer, and shows nothing of it; ``None``: nobody is there.

    Raises:
        HostingError: If there is none; names the variable.
    """
    base = base_of(url)
    credentials = _from_variables(kind, base, environ) or _from_helper(base)
    if credentials:
        return credentials
    first = VARIABLES[kind][0]
    said = ask(f"Token for {base}: ").strip() if ask else ""
    if said:
        return Credentials(base, USERS[kind], said)
    raise HostingError(
        f"There is no token for {base}. Put one into the variable {first}, or into git's "
        "credential helper."
    )


def credentials_for(remote_url: str, environ: Mapping[str, str]) -> Credentials | None:
    """Return the token that a variable holds for the host of a remote.

    Returns:
        ``None`` where none does: git then asks its own helper, and nobody else.
    """
    base = base_of(remote_url)
    for kind, (variable, public) in URLS.items():
        if base and base in (public, base_of(environ.get(variable, ""))):
            return _from_variables(kind, base, environ)
    return None


def _from_variables(kind: str, base: str, environ: Mapping[str, str]) -> Credentials | None:
    for name in VARIABLES[kind]:
        token = environ.get(name, "").strip()
        if token:
            return Credentials(base, USERS[kind], token)
    return None


def _from_helper(base: str) -> Credentials | None:
    """Ask the credential helpers that the person has set up; no repository has a say."""
    parts = urlsplit(base)
    # Where no helper knows, `true` answers nothing: not a person, not core.askPass.
    quiet = {"GIT_ASKPASS": "true"}
    with tempfile.TemporaryFile() as question:
        question.write(f"protocol={parts.scheme}\nhost={parts.netloc}\n\n".encode())
        question.seek(0)
        try:
            done = run(
                Path(os.sep),
                "credential",
                "fill",
                env=quiet,
                stdin=question,
                apart=True,
                seconds=_HELPER_SECONDS,
            )
        except RepositoryError:
            return None
    answer = dict(line.partition("=")[::2] for line in done.out.splitlines())
    if done.code != 0 or not answer.get("password"):
        return None
    return Credentials(base, answer.get("username") or "token", answer["password"])
