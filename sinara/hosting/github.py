"""GitHub and GitHub Enterprise, through PyGithub."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sinara.errors import HostingError, MissingExtraError, UsageError
from sinara.hosting.answers import TIMEOUT, Asking, Refusal
from sinara.hosting.places import GITHUB
from sinara.hosting.values import Remote
from sinara.names import check_name, shown
from sinara.repository import Credentials

if TYPE_CHECKING:
    from github import Github
    from github.AuthenticatedUser import AuthenticatedUser
    from github.Organization import Organization
    from github.Repository import Repository

_ACCOUNT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?")
_API = "https://api.github.com"


class GitHubHost:
    """Repositories of an organisation, or of the account that the token belongs to.

    A repository that is made is empty; the first branch pushed, ``main``, becomes its default.
    """

    kind = "github"

    def __init__(self, base: str, organization: str | None, credentials: Credentials) -> None:
        self._base = base
        self._given = organization
        self._credentials = credentials
        self._client = _client(base, credentials.token)
        self._asking = Asking("github", base, _refusal)
        self._account: AuthenticatedUser | Organization | None = None

    @classmethod
    def open(
        cls, base: str, organization: str | None, token: Callable[[], Credentials]
    ) -> GitHubHost:
        """Return the host; see :func:`~sinara.hosting.open_host`."""
        try:
            import github  # noqa: F401 -- before a person is asked for a token
        except ImportError as error:
            raise MissingExtraError.for_extra("PyGithub", "github") from error
        if organization is not None and not _ACCOUNT.fullmatch(organization):
            raise UsageError(f"{shown(organization)} is no organisation on {base}: letters, - _")
        return cls(base, organization, token())

    @property
    def organization(self) -> str:
        """The account whose repositories these are; the token's own is asked for once."""
        return self._given or str(self._owner().login)

    def repositories(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names that begin with ``prefix``, sorted."""
        owner = self._owner()
        kind: dict[str, Any] = {} if self._is_organization(owner) else {"affiliation": "owner"}
        with self._asking.to(f"list the repositories of {self.organization}"):
            found = [str(repository.name) for repository in owner.get_repos(**kind)]
        return tuple(sorted(name for name in found if name.startswith(prefix)))

    def find(self, name: str) -> Remote | None:
        """Return a repository, or ``None``."""
        check_name("repository", name)
        whole = f"{self.organization}/{name}"
        with self._asking.to(f"look for {whole}"):
            try:
                found = self._client.get_repo(whole)
            except Exception as error:
                refusal = _refusal(error)
                if refusal is not None and refusal.status == 404:
                    return None
                raise
            return self._remote(found, name)

    def ensure(self, name: str, *, description: str = "", private: bool = True) -> Remote:
        """Return a repository, which is made if it is not there."""
        found = self.find(name)
        if found:
            return found
        owner = self._owner()
        what = f"make {self.organization}/{name}"
        with self._asking.to(what, absent=f"the token may not {what}"):
            try:
                made = owner.create_repo(name, description=description, private=private)
            except Exception as error:
                refusal = _refusal(error)
                if refusal is not None and refusal.status == 422:  # somebody was faster
                    found = self.find(name)
                if found is None:
                    raise
                return found
            return self._remote(made, name, created=True)

    def credentials(self) -> Credentials | None:
        """Return what git needs."""
        return self._credentials

    def _owner(self) -> AuthenticatedUser | Organization:
        if self._account is None:
            with self._asking.to("say whose it is"):
                user: Any = self._client.get_user()
                login = str(user.login)
            if self._given is None or self._given.lower() == login.lower():
                self._account = user
            else:
                absent = f"the token sees no organisation '{self._given}'"
                with self._asking.to(f"see organisation '{self._given}'", absent=absent):
                    self._account = self._client.get_organization(self._given)
        assert self._account is not None
        return self._account

    def _is_organization(self, owner: object) -> bool:
        from github.Organization import Organization

        return isinstance(owner, Organization)

    def _remote(self, found: Repository, name: str, *, created: bool = False) -> Remote:
        there = str(found.full_name)
        if there.lower() != f"{self.organization}/{name}".lower():
            raise HostingError(
                f"{self._base}: {self.organization}/{name} was renamed to {shown(there)}. "
                "Use that name, or another one."
            )
        return Remote(name, self._asking.address(found.clone_url, there), created)


def _client(base: str, token: str) -> Github:
    from github import Auth, Github

    public = base == GITHUB
    return Github(
        auth=Auth.Token(token),
        base_url=_API if public else f"{base}/api/v3",
        timeout=TIMEOUT,
        retry=None,  # theirs waits for an hour where the limit is reached; ours says so
        per_page=100,
        # What the public host asks of its clients; a host of one's own has no such limit.
        seconds_between_requests=0.05 if public else None,
        seconds_between_writes=1 if public else None,
    )


def _refusal(error: Exception) -> Refusal | None:
    from github import BadAttributeException, GithubException, RateLimitExceededException

    if isinstance(error, BadAttributeException):
        return Refusal(200, "an answer of another form than GitHub's")
    if isinstance(error, RuntimeError) and "redirected" in str(error):
        return Refusal(301, "it redirects elsewhere: give the address that people use, with --url")
    if not isinstance(error, GithubException):
        return None
    data = error.data if isinstance(error.data, dict) else {}
    message = str(data.get("message") or "")
    details = data.get("errors")
    for item in details if isinstance(details, list) else ():
        message += f" {item.get('message') or ''}" if isinstance(item, dict) else f" {item}"
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    limited = isinstance(error, RateLimitExceededException) or error.status == 429
    return Refusal(error.status, message.strip(), wait=limited, after=_after(headers))


def _after(headers: dict[str, str]) -> str:
    seconds, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if seconds.isdigit():
        return f"in {seconds} s"
    if reset.isdigit() and int(reset) < 2**33:
        return f"at {datetime.fromtimestamp(int(reset), UTC):%H:%M:%S} UTC"
    return ""
