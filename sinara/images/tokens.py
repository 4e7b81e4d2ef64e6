"""How a registry asks who is there, and what it is told.

It answers 401 and says in ``WWW-Authenticate`` which of two ways it wants: ``Basic``, the user and
password with every request, or ``Bearer``, a token that another address (the realm) gives to those
who may have it.

Source: distribution's ``docs/spec/auth/token.md`` and ``oauth.md``.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sinara.errors import RegistryError
from sinara.images.answers import refused, unreachable, unsound
from sinara.images.credentials import Login
from sinara.images.hosts import is_plain

if TYPE_CHECKING:
    import httpx

_MAX_ANSWER = 1 << 20
_PAIR = re.compile(r'([A-Za-z]+)="([^"]*)"')
_CLIENT = "sinara"


@dataclass(frozen=True)
class Challenge:
    """What a registry wants to see: ``scheme`` is ``basic`` or ``bearer``."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def read_challenge(header: str) -> Challenge | None:
    """Return what a ``WWW-Authenticate`` header asks for; None if sinara cannot give it."""
    scheme, _, rest = header.strip().partition(" ")
    pairs = {key.lower(): value for key, value in _PAIR.findall(rest)}
    if scheme.lower() not in ("basic", "bearer"):
        return None
    named = [pairs.get(key, "") for key in ("realm", "service", "scope")]
    return Challenge(scheme.lower(), *named)


def authorize(
    client: httpx.Client,
    host: str,
    challenge: Challenge,
    login: Login | None,
    insecure: tuple[str, ...],
    seconds: float,
) -> str | None:
    """Return the ``Authorization`` header for a challenge; None if no login fits it.

    Args:
        client: Asks the realm.
        host: The registry.
        challenge: What it wants.
        login: What is known of it.
        insecure: Hosts that may be asked by plain HTTP.
        seconds: For an answer.

    Raises:
        RegistryError: If the realm is not to be trusted with a password, or refuses.
    """
    if challenge.scheme == "basic":
        if login is None or login.is_token:
            return None
        return _basic(login)
    _check_realm(host, challenge.realm, insecure)
    answer = _ask_realm(client, host, challenge, login, seconds)
    token = answer.get("token") or answer.get("access_token")
    if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
        raise unsound(host, "its token server gives no token")
    return f"Bearer {token}"


def _basic(login: Login) -> str:
    packed = base64.b64encode(f"{login.user}:{login.password.reveal()}".encode())
    return f"Basic {packed.decode()}"


def _check_realm(host: str, realm: str, insecure: tuple[str, ...]) -> None:
    parts = urlsplit(realm)
    plain = parts.scheme == "http" and is_plain(host, insecure)
    known = parts.netloc == host or is_plain(parts.netloc, insecure)
    if not parts.hostname or parts.username or not (parts.scheme == "https" or (plain and known)):
        raise RegistryError(
            f"Registry {host} wants its login sent to an address that is not safe. "
            "Nothing was sent. Ask who runs it."
        )


def _ask_realm(
    client: httpx.Client, host: str, challenge: Challenge, login: Login | None, seconds: float
) -> dict[str, object]:
    import httpx

    asked = {"service": challenge.service, "scope": challenge.scope}
    sent = {key: value for key, value in asked.items() if value}
    try:
        if login is not None and login.is_token:
            form = {
                **sent,
                "grant_type": "refresh_token",
                "client_id": _CLIENT,
                "refresh_token": login.password.reveal(),
            }
            request = client.build_request("POST", challenge.realm, data=form)
        else:
            headers = {"Authorization": _basic(login)} if login is not None else {}
            asked_for = [("service", challenge.service)] if challenge.service else []
            asked_for += [("scope", scope) for scope in challenge.scope.split()]
            url = httpx.URL(challenge.realm)
            url = url.copy_with(params=[*url.params.multi_items(), *asked_for])
            request = client.build_request("GET", url, headers=headers)
        response = client.send(request, stream=True)
        with contextlib.closing(response):
            body = b"".join(_limited(response, host))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise unreachable(urlsplit(challenge.realm).netloc, error, seconds) from None
    if response.status_code in (400, 401, 403):
        raise refused(host, 401, "give a token")
    if response.status_code != 200:
        raise refused(host, response.status_code, "give a token", body)
    try:
        answer = response_json(body)
    except ValueError:
        raise unsound(host, "its token server gives no token") from None
    return answer


def response_json(body: bytes) -> dict[str, object]:
    """Return a JSON object; ValueError if it is none."""
    try:
        answer = json.loads(body)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(answer, dict):
        raise ValueError("no object")
    return answer


def _limited(response: httpx.Response, host: str) -> list[bytes]:
    pieces, size = [], 0
    for piece in response.iter_bytes(1 << 16):
        size += len(piece)
        if size > _MAX_ANSWER:
            raise unsound(host, "its token server answers without end")
        pieces.append(piece)
    return pieces
