"""GitLab, the public one or one's own, through python-gitlab."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sinara.errors import HostingError, MissingExtraError, UsageError
from sinara.hosting.answers import TIMEOUT, Asking, Refusal
from sinara.hosting.values import Remote
from sinara.names import check_name, shown
from sinara.repository import Credentials

if TYPE_CHECKING:
    from gitlab import Gitlab

_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.|$)){0,254}")
_ONCE = {"obey_rate_limit": False}  # it waits for as long as the host says; ours says so


class GitLabHost:
    """Projects of a group, of a subgroup, or of the account that the token belongs to.

    A project that is made is empty; the first branch pushed, ``main``, becomes its default.
    """

    kind = "gitlab"

    def __init__(self, base: str, organization: str | None, credentials: Credentials) -> None:
        self._base = base
        self._given = organization
        self._credentials = credentials
        self._client = _client(base, credentials.token)
        self._asking = Asking("gitlab", base, _refusal)
        self._user = ""
        self._group: Any = None

    @classmethod
    def open(
        cls, base: str, organization: str | None, token: Callable[[], Credentials]
    ) -> GitLabHost:
        """Return the host; see :func:`~sinara.hosting.open_host`."""
        try:
            import gitlab  # noqa: F401 -- before a person is asked for a token
        except ImportError as error:
            raise MissingExtraError.for_extra("python-gitlab", "gitlab") from error
        if organization is not None and not all(map(_PART.fullmatch, organization.split("/"))):
            raise UsageError(f"{shown(organization)} is no group on {base}: group/subgroup")
        return cls(base, organization, token())

    @property
    def organization(self) -> str:
        """The group or account whose projects these are."""
        return self._given or self._login()

    def repositories(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names that begin with ``prefix``, sorted."""
        group = self._owner()
        options: dict[str, Any] = {"iterator": True, "per_page": 100, "simple": True}
        with self._asking.to(f"list the projects of {self.organization}"):
            if group is not None:
                found = group.projects.list(**options, **_ONCE)
            else:
                found = self._client.projects.list(owned=True, **options, **_ONCE)
            whole = [str(project.path_with_namespace) for project in found]
        # Some of the list belong to others: shared with this group, owned in another one.
        own = f"{self.organization}/".lower()
        mine = [path.rpartition("/")[2] for path in whole if _owner_of(path) == own]
        return tuple(sorted(name for name in mine if name.startswith(prefix)))

    def find(self, name: str) -> Remote | None:
        """Return a project, or ``None``."""
        check_name("repository", name)
        whole = f"{self.organization}/{name}"
        with self._asking.to(f"look for {whole}"):
            try:
                found = self._client.projects.get(whole, **_ONCE)
            except Exception as error:
                refusal = _refusal(error)
                if refusal is not None and refusal.status == 404:
                    return None
                raise
            return self._remote(found, name)

    def ensure(self, name: str, *, description: str = "", private: bool = True) -> Remote:
        """Return a project, which is made if it is not there."""
        found = self.find(name)
        if found:
            return found
        group = self._owner()
        wanted: dict[str, Any] = {
            "name": name,
            "path": name,
            "visibility": "private" if private else "public",
        }
        if description:
            wanted["description"] = description
        if group is not None:
            wanted["namespace_id"] = group.id
        what = f"make {self.organization}/{name}"
        with self._asking.to(what, absent=f"the token may not {what}"):
            try:
                made = self._client.projects.create(wanted, **_ONCE)
            except Exception as error:
                refusal = _refusal(error)
                if refusal is not None and "taken" in refusal.message:  # somebody was faster
                    found = self.find(name)
                if found is None:
                    raise
                return found
            return self._remote(made, name, created=True)

    def credentials(self) -> Credentials | None:
        """Return what git needs."""
        return self._credentials

    def _login(self) -> str:
        if not self._user:
            with self._asking.to("say whose it is"):
                user = self._client.http_get("/user", obey_rate_limit=False)
                if not isinstance(user, dict) or not isinstance(user.get("username"), str):
                    raise HostingError(f"{self._base} gave no sound answer: is it a GitLab?")
                self._user = user["username"]
        return self._user

    def _owner(self) -> Any:
        """Return the group; ``None``: it is the account of the token."""
        if self._given is None or self._given.lower() == self._login().lower():
            return None
        if self._group is None:
            absent = f"the token sees no group '{self._given}'"
            with self._asking.to(f"see group '{self._given}'", absent=absent):
                self._group = self._client.groups.get(self._given, with_projects=False, **_ONCE)
        return self._group

    def _remote(self, found: Any, name: str, *, created: bool = False) -> Remote:
        there = str(getattr(found, "path_with_namespace", ""))
        if there.lower() != f"{self.organization}/{name}".lower():
            raise HostingError(
                f"{self._base}: {self.organization}/{name} was moved to {shown(there)}. "
                "Use that name, or another one."
            )
        url = getattr(found, "http_url_to_repo", None)
        return Remote(name, self._asking.address(url, there), created)


def _client(base: str, token: str) -> Gitlab:
    import gitlab

    # As a bearer, which is left out when a request is redirected to another host.
    return gitlab.Gitlab(
        base, oauth_token=token, timeout=TIMEOUT, keep_base_url=True, retry_transient_errors=False
    )


def _refusal(error: Exception) -> Refusal | None:
    import gitlab.exceptions as known

    if isinstance(error, known.RedirectError):
        return Refusal(301, "it redirects elsewhere: give the address that people use, with --url")
    if isinstance(error, known.GitlabParsingError):
        return Refusal(200, "an answer of another form than GitLab's")
    if not isinstance(error, known.GitlabError):
        return None
    status = error.response_code or 0
    said = error.error_message
    if isinstance(said, bytes):
        said = said.decode("utf-8", "replace")
    return Refusal(status, _flat(said), wait=status == 429)


def _owner_of(path: str) -> str:
    return path[: path.rfind("/") + 1].lower()


def _flat(said: object) -> str:
    """Return a message that GitLab gives as text, or as lists of texts by field."""
    if isinstance(said, dict):
        return ", ".join(f"{name} {_flat(texts)}" for name, texts in said.items())
    if isinstance(said, list | tuple):
        return ", ".join(map(str, said))
    return str(said)
