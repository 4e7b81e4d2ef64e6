"""What goes wrong on a host, each in one line: what, where, and what to do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sinara.errors import HostingError
from sinara.hosting.tokens import VARIABLES
from sinara.names import shown
from sinara.repository import base_of, check_address, without_credentials
from sinara.repository.call import one_line

TIMEOUT = 20  # seconds without an answer
_RIGHTS = {"github": "repo", "gitlab": "api"}


@dataclass(frozen=True)
class Refusal:
    """What a host answered instead of what was asked for.

    Attributes:
        status: HTTP status.
        message: What it says about it.
        wait: Whether it asks to come again later.
        after: When, as it says it; seconds.
    """

    status: int
    message: str = ""
    wait: bool = False
    after: str = ""


@dataclass(frozen=True)
class Asking:
    """How a host is asked: one request at a time, and every failure becomes one line.

    The client libraries keep the request that is under way in the client itself.
    """

    kind: str
    base: str
    refusal: Callable[[Exception], Refusal | None]
    lock: threading.RLock = field(default_factory=threading.RLock)

    @contextlib.contextmanager
    def to(self, what: str, *, absent: str = "") -> Iterator[None]:
        """Ask for something; ``what`` completes *the token may not …*.

        Args:
            what: What is asked for.
            absent: What a 404 means.

        Raises:
            HostingError: If it is not answered.
        """
        import requests

        with self.lock:
            try:
                yield
            except requests.exceptions.RequestException as error:
                raise HostingError(self._unreachable(error, what)) from None
            except HostingError:
                raise
            except Exception as error:
                refusal = self.refusal(error)
                if refusal is None and _of_library(error):  # it met what it did not expect
                    raise HostingError(self._unreachable(error, what)) from None
                if refusal is None:
                    raise
                # The libraries' own errors hold requests and headers: none of it goes on.
                raise HostingError(self._refused(refusal, what, absent)) from None

    def address(self, url: object, what: str) -> str:
        """Return the address for git that the host names, if it is on this host.

        Raises:
            HostingError: If it is not, or is none.
        """
        bare = without_credentials(url) if isinstance(url, str) else ""
        if base_of(bare) != base_of(self.base):
            raise HostingError(
                f"{self.base} answers with an address for {what} that is not on it: {shown(bare)}. "
                "Give the address that people use, with --url."
            )
        return check_address(bare)

    def _unreachable(self, error: Exception, what: str) -> str:
        import requests

        if isinstance(error, requests.exceptions.Timeout):
            return f"{self.base} did not answer within {TIMEOUT} s, asked to {what}. Try again."
        if isinstance(error, requests.exceptions.SSLError):
            return (
                f"{self.base} shows a certificate that is not trusted here. For one of your own: "
                "REQUESTS_CA_BUNDLE=FILE"
            )
        if isinstance(error, requests.exceptions.ConnectionError):
            return f"{self.base} cannot be reached. Check the address and the network."
        return f"{self.base} gave no sound answer, asked to {what}: {type(error).__name__}."

    def _refused(self, refusal: Refusal, what: str, absent: str) -> str:
        variable = VARIABLES[self.kind][0]
        said = f" It says: {one_line(refusal.message)[:200]}" if refusal.message else ""
        if refusal.wait:
            when = f" It takes the next one {refusal.after}." if refusal.after else ""
            return f"{self.base} takes no more requests for now.{when} Then repeat the command."
        if refusal.status == 401:
            return (
                f"{self.base} does not take the token. Make a new one with the right "
                f"'{_RIGHTS[self.kind]}', and put it into {variable}."
            )
        if refusal.status == 403:
            right = _RIGHTS[self.kind]
            return f"{self.base}: the token may not {what}; it needs the right '{right}'.{said}"
        if refusal.status == 404:
            return f"{self.base}: {absent or f'not found, asked to {what}'}.{said}"
        if refusal.status >= 500:
            return f"{self.base} is in trouble (HTTP {refusal.status}). Try again later."
        return f"{self.base} refused to {what} (HTTP {refusal.status}).{said}"


def _of_library(error: Exception) -> bool:
    """Return whether a client library raised, and not sinara."""
    trace, module = error.__traceback__, ""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    return module.partition(".")[0] in ("github", "gitlab", "requests", "json")
