"""Requests to one registry: who may see the password, how long to wait, when to try again.

Three rules hold for every request:

* the ``Authorization`` header goes to the registry alone: a redirect to another host goes without;
* a request that changes something is sent once; one that reads is tried three times;
* no wait is without an end, whatever a registry does.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from sinara.errors import MissingExtraError, RegistryError
from sinara.images.answers import causes, refused, too_slow, unreachable, unsound
from sinara.images.credentials import Login
from sinara.images.hosts import base_url, is_loopback, is_plain
from sinara.images.tokens import authorize, read_challenge

if TYPE_CHECKING:
    import httpx

_TRIES = 3
_PAUSE = 0.5  # seconds before the second try; twice that before the third
_LONGEST_PAUSE = 5.0  # that a registry may ask for
_BUSY = (429, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_MAX_WORDS = 1 << 16  # bytes of a refusal that are read
_PIECE = 1 << 16


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        method: ``GET``, ``HEAD``, ``PUT`` or ``POST``.
        path: ``/v2/…``, or an address that the registry gave.
        what: For messages: completes *asked to …*.
        scope: What a token has to be good for; requests of one scope share it.
        fine: Status codes that are an answer.
        follow: Whether to go where the registry points to, another host perhaps.
        content: Makes the body.
        headers: Of the request.
    """

    method: str
    path: str
    what: str
    scope: str = ""
    fine: Sequence[int] = (200,)
    follow: bool = False
    content: Callable[[], Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Transport:
    """How one registry is asked.

    Args:
        host: ``host`` or ``host:port``.
        insecure: Hosts that may be asked by plain HTTP; this machine always may.
        timeout: Seconds to wait for a connection, and for each piece of an answer.
        login: Returns what is known of the registry for a repository; called when it asks.
    """

    def __init__(
        self,
        host: str,
        *,
        insecure: Sequence[str],
        timeout: float,
        login: Callable[[str, str], Login | None],
    ) -> None:
        self.host = host
        self.timeout = timeout
        self._insecure = tuple(insecure)
        self._login = login
        self._base = base_url(host, insecure)
        self._authorization: dict[str, str] = {}  # by scope: what the registry took last
        self._client = _new_client(host, timeout)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    @contextlib.contextmanager
    def ask(self, asked: Asked) -> Iterator[httpx.Response]:
        """Give the answer to one request, not read yet.

        Raises:
            RegistryError: One line, whatever goes wrong, also while the answer is read.
        """
        import httpx

        response = self._authorized(asked)
        if asked.follow and response.status_code in _REDIRECTS:
            response.close()
            response = self._follow(asked, response)
        with contextlib.closing(response):
            try:
                if response.status_code not in asked.fine:
                    words = self._words(response)
                    raise refused(self.host, response.status_code, asked.what, words)
                yield response
            except (httpx.HTTPError, httpx.StreamError) as error:
                raise unreachable(self.host, error, self.timeout) from None

    def body(self, response: httpx.Response, limit: int) -> bytes:
        """Return a small answer whole, within the time of one.

        Raises:
            RegistryError: If it is longer than ``limit``, or does not come in time.
        """
        pieces, size, end = [], 0, time.monotonic() + self.timeout
        for piece in response.iter_bytes(_PIECE):
            size += len(piece)
            if size > limit:
                raise unsound(self.host, f"more than {limit:,} bytes where few are due")
            if time.monotonic() > end:
                raise too_slow(self.host, self.timeout)
            pieces.append(piece)
        return b"".join(pieces)

    def address(self, path: str) -> str:
        """Return an address on the registry for a path or an address that it gave.

        Raises:
            RegistryError: If it is on another host: neither the login nor an image goes there.
        """
        try:
            whole, base = urlsplit(urljoin(f"{self._base}/", path)), urlsplit(self._base)
        except ValueError:
            raise unsound(self.host, "it sends uploads to what is no address") from None
        if whole.hostname != base.hostname or whole.scheme not in ("http", "https"):
            raise unsound(self.host, "it sends uploads to another host")
        return whole._replace(scheme=base.scheme, netloc=base.netloc, fragment="").geturl()

    def _authorized(self, asked: Asked) -> httpx.Response:
        """Send a request; if the registry asks who is there, tell it and send it again."""
        url, sent = self.address(asked.path), dict(asked.headers)
        if asked.scope in self._authorization:
            sent["Authorization"] = self._authorization[asked.scope]
        response = self._send(asked, url, sent)
        if response.status_code != 401:
            return response
        response.close()
        header = self._answer(response, asked)
        if header is None:
            raise refused(self.host, 401, asked.what)
        self._authorization[asked.scope] = header
        return self._send(asked, url, {**sent, "Authorization": header})

    def _answer(self, response: httpx.Response, asked: Asked) -> str | None:
        repository = asked.scope.partition(":")[2].partition(":")[0]
        for value in response.headers.get_list("www-authenticate"):
            challenge = read_challenge(value)
            if challenge is not None:
                login = self._login(self.host, repository)
                return authorize(
                    self._client, self.host, challenge, login, self._insecure, self.timeout
                )
        raise unsound(self.host, f"it wants an unknown kind of login, asked to {asked.what}")

    def _send(self, asked: Asked, url: str, headers: dict[str, str]) -> httpx.Response:
        tries = _TRIES if asked.method in ("GET", "HEAD") else 1
        for turn in range(tries):
            last, pause = turn == tries - 1, _PAUSE * 2**turn
            response = self._once(asked, url, headers, last=last)
            if response is not None:
                if last or response.status_code not in _BUSY:
                    return response
                response.close()
                pause = max(pause, _retry_after(response))
            time.sleep(min(pause, _LONGEST_PAUSE))
        raise AssertionError("the last turn returns or raises")

    def _once(
        self, asked: Asked, url: str, headers: dict[str, str], *, last: bool
    ) -> httpx.Response | None:
        """Return the answer, or None if there was none and it is worth a second try."""
        import httpx

        try:
            body = asked.content() if asked.content is not None else None
            request = self._client.build_request(asked.method, url, content=body, headers=headers)
            return self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            broken = isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
            if last or not broken or _is_final(error):
                raise unreachable(self.host, error, self.timeout) from None
            return None

    def _follow(self, asked: Asked, response: httpx.Response) -> httpx.Response:
        for _ in range(_MAX_REDIRECTS):
            url = urljoin(str(response.url), response.headers.get("location", ""))
            parts = urlsplit(url)
            plain = parts.scheme == "http" and is_plain(self.host, self._insecure)
            if not parts.hostname or not (parts.scheme == "https" or plain):
                raise unsound(self.host, f"it points to no safe address, asked to {asked.what}")
            response = self._send(asked, url, asked.headers)  # without who is there
            if response.status_code not in _REDIRECTS:
                return response
            response.close()
        raise unsound(self.host, f"it points from address to address, asked to {asked.what}")

    def _words(self, response: httpx.Response) -> bytes:
        with contextlib.suppress(RegistryError):
            return self.body(response, _MAX_WORDS)
        return b""


def _new_client(host: str, timeout: float) -> httpx.Client:
    try:
        import httpx
    except ImportError:
        raise MissingExtraError.for_extra("httpx", "bento") from None
    # An own context: the system's CAs and SSL_CERT_FILE, not those of a Python package.
    return httpx.Client(
        timeout=timeout,
        verify=ssl.create_default_context(),
        trust_env=not is_loopback(host),  # a proxy cannot reach this machine's own
        follow_redirects=False,
        headers={"User-Agent": "sinara"},
    )


def _is_final(error: Exception) -> bool:
    """Return whether a second try cannot help: a certificate, or a name that is not there."""
    return any(isinstance(cause, ssl.SSLError | socket.gaierror) for cause in causes(error))


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else 0.0
