"""One answer of a service over HTTP, whole and in bounded time, however slowly it comes.

What is asked may be anybody's code: it is followed to no other address, and a service on this
machine is never asked through a proxy, which would look for it on another one.
"""

from __future__ import annotations

import http.client
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sinara.images.hosts import is_loopback


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        url: With ``http://`` or ``https://``.
        body: Is sent by POST; None asks by GET.
        headers: Of the request.
    """

    url: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A status, and the first bytes of what came with it."""

    status: int
    content: bytes


def fetch(asked: Asked, seconds: float, most: int, *, near: bool = False) -> Answer:
    """Return the answer to one request, whatever its status.

    Args:
        asked: The request.
        seconds: How long all of it may take.
        most: How many bytes of the answer are read.
        near: Whether it is known to be on this machine, whatever its address.

    Raises:
        TimeoutError: If it takes longer.
        OSError: If it cannot be asked, or what answers speaks no HTTP.
        ValueError: If ``url`` is no address.
    """
    told: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            told.put(_fetched(asked, seconds, most, near))
        except Exception as error:  # is raised below, where somebody waits for it
            told.put(error)

    # The socket's own limit is for each piece: a service that sends one byte now and then has none.
    threading.Thread(target=ask, daemon=True).start()
    try:
        found = told.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no whole answer within {seconds:g} s") from None
    if isinstance(found, Exception):
        raise found
    return found


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows to no other address."""

    def redirect_request(self, *_: object) -> None:
        """Leave the answer as it is."""


def _fetched(asked: Asked, seconds: float, most: int, near: bool) -> Answer:
    request = urllib.request.Request(asked.url, data=asked.body, headers=dict(asked.headers))
    direct = near or is_loopback(urlsplit(asked.url).netloc)
    proxies = [urllib.request.ProxyHandler({})] if direct else []
    opener = urllib.request.build_opener(_Stay, *proxies)
    try:
        try:
            with opener.open(request, timeout=seconds) as answer:
                return Answer(answer.status, answer.read(most))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read(most))
    except http.client.InvalidURL as error:
        raise ValueError(str(error)) from error
    except http.client.HTTPException as error:
        raise OSError(f"it speaks no HTTP ({type(error).__name__})") from error
