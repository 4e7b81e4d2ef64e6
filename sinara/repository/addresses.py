"""Addresses of remotes and names of branches: checked where they enter.

An address is one of::

    https://host/owner/name.git       http:// only on this machine
    ssh://git@host/owner/name.git     git@host:owner/name.git
    file:///srv/git/name.git          /srv/git/name.git

Everything else is refused: ``ext::`` and other helpers run programs, a leading ``-`` is an
option, ``git://`` and ``http://`` let anybody on the way change what is fetched.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit, urlunsplit

from sinara.errors import BadNameError, UsageError
from sinara.names import shown

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_SCP = re.compile(rf"(?:{_USER}@)?{_HOST}:(?!//)[^\s:-][^\s]*")
_NETLOC = re.compile(rf"(?:(?P<user>{_USER})@)?{_HOST}(?::[0-9]{{1,5}})?")
_REMOTE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.|$))*")
_ALLOWED = "Use https://, ssh://, git@host:path, or the absolute path of a folder."
_BAD_IN_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")


def check_address(url: str) -> str:
    """Return ``url`` if it may be the address of a remote.

    Raises:
        UsageError: If it may not, with what is allowed; a password in it is never shown.
    """
    problem = _problem(url)
    if problem:
        raise UsageError(f"{shown(without_credentials(url))} is no address of a remote: {problem}")
    return url


def without_credentials(address: str) -> str:
    """Return a remote's address without the user name, the token and the query in it."""
    try:
        parts = urlsplit(address)
        port, host = parts.port, parts.hostname
    except ValueError:
        return re.sub(r"://[^/]*@", "://", address)
    if not parts.scheme or not host:
        return address.rpartition("@")[2] if "://" in address else address
    host = f"[{host}]" if ":" in host else host
    host = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def on_this_machine(host: str | None) -> bool:
    """Return whether a host is the loopback of this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def check_branch(name: str) -> str:
    """Return ``name`` if Git takes it for a branch.

    The rules are those of ``git check-ref-format --branch``, and no ``@{-1}``.

    Raises:
        BadNameError: If it breaks one of them.
    """
    rule = _branch_rule(name)
    if rule:
        raise BadNameError(f"branch name {shown(name)} cannot be used: {rule}")
    return name


def check_remote(name: str) -> str:
    """Return ``name`` if it may be the name of a remote.

    Raises:
        BadNameError: If it may not.
    """
    if not _REMOTE.fullmatch(name) or len(name) > 100 or name.endswith(".lock"):
        raise BadNameError(
            f"remote name {shown(name)} cannot be used: it may hold letters, digits, _ - and "
            "single dots, and begins with a letter or a digit"
        )
    return name


def _problem(url: str) -> str:
    if not url or not url.isprintable():
        return "it is empty, or holds a character that cannot be seen."
    if url.startswith("-"):
        return f"it begins with '-'. {_ALLOWED}"
    if url.startswith("/"):
        return ""
    if " " in url and not url.startswith("file:///"):
        return f"it holds a space. {_ALLOWED}"
    if "://" not in url:
        good = "::" not in url and _SCP.fullmatch(url)
        return "" if good else _ALLOWED
    return _url_problem(url)


def _url_problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return _ALLOWED
    if parts.scheme == "file":
        return "" if parts.netloc in ("", "localhost") and parts.path[:1] == "/" else _ALLOWED
    if parts.scheme not in ("https", "http", "ssh"):
        return _ALLOWED
    if parts.password is not None or (parts.username and parts.scheme != "ssh"):
        return "it holds a user name or a token. Leave it out, and put the token into a variable."
    if not _NETLOC.fullmatch(parts.netloc) or parts.query or parts.fragment:
        return _ALLOWED
    if parts.scheme == "http" and not on_this_machine(host):
        return "http:// shows the token to everybody on the way. Use https://."
    return ""


def _branch_rule(name: str) -> str:
    if not name or len(name.encode("utf-8", "surrogatepass")) > 200:
        return "it is empty, or longer than 200 bytes"
    if name.startswith("-") or name in ("@", "HEAD"):
        return "Git would take it for something else"
    if _BAD_IN_BRANCH.search(name):
        return "it may hold no space, no control character, and none of ~ ^ : ? * [ \\ .. @{ //"
    if name.startswith("/") or name.endswith(("/", ".")):
        return "it may not begin or end with /, nor end with a dot"
    if any(part.startswith(".") or part.endswith(".lock") for part in name.split("/")):
        return "none of its parts may begin with a dot or end with .lock"
    return ""
