"""What goes wrong between here and a registry, each in one line: what, where, and what to do."""

from __future__ import annotations

import json
import socket
import ssl

from sinara.errors import RegistryError


def unreachable(host: str, error: Exception, seconds: float) -> RegistryError:
    """Return the line for a request that httpx could not make, or got no answer to."""
    import httpx

    chain = causes(error)
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return too_slow(host, seconds)
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RegistryError(
                f"Registry {host} shows a certificate that is not trusted here: "
                f"{one_line(cause.verify_message)}. For one of your own: SSL_CERT_FILE=FILE"
            )
        if isinstance(cause, ssl.SSLError):
            return RegistryError(
                f"Registry {host} does not speak HTTPS. If it speaks plain HTTP in a network that "
                "you trust, list it as insecure."
            )
        if isinstance(cause, socket.gaierror):
            return RegistryError(f"Registry {host} has no address: check its name and the network.")
        if isinstance(cause, ConnectionRefusedError):
            return RegistryError(
                f"Registry {host} refuses the connection: is it running, and is this its port?"
            )
    if isinstance(error, httpx.ProxyError):
        return RegistryError(
            f"Registry {host} cannot be reached: the proxy refuses. Check NO_PROXY."
        )
    if isinstance(error, httpx.ConnectError):
        return RegistryError(f"Registry {host} cannot be reached. Check its name and the network.")
    return RegistryError(
        f"Registry {host} ended the connection in the middle of an answer. Try again."
    )


def too_slow(host: str, seconds: float) -> RegistryError:
    """Return the line for a registry that did not answer in time."""
    return RegistryError(f"Registry {host} took longer than {seconds:g} s to answer. Try again.")


def unsound(host: str, what: str) -> RegistryError:
    """Return the line for an answer that no registry gives."""
    return RegistryError(
        f"{host} gives an answer that no registry gives: {what}. Check the address."
    )


def differs(host: str, what: str) -> RegistryError:
    """Return the line for content that is not what its digest says."""
    return RegistryError(
        f"Registry {host} sent {what} that differs from its digest. "
        "It was damaged on the way, or in the registry. Try again."
    )


def refused(host: str, status: int, what: str, body: bytes = b"") -> RegistryError:
    """Return the line for an answer other than the one that was asked for.

    Args:
        host: The registry.
        status: HTTP status.
        what: What was asked: completes *asked to …*.
        body: What it said, as it came.
    """
    said = _said(body)
    if status == 401:
        return RegistryError(
            f"Registry {host} wants a login, asked to {what}. "
            f"Log in with: docker login {host} (or podman login {host})"
        )
    if status == 403:
        return RegistryError(
            f"Registry {host} does not let this login {what}.{said} Ask for the right, "
            f"or log in as somebody who has it: docker login {host}"
        )
    if status == 404:
        return RegistryError(f"Registry {host} does not have it, asked to {what}.{said}")
    if status == 429:
        return RegistryError(f"Registry {host} takes no more requests for now. Try again later.")
    if status >= 500:
        return RegistryError(
            f"Registry {host} is in trouble (HTTP {status}).{said} Try again later."
        )
    return RegistryError(f"Registry {host} refused to {what} (HTTP {status}).{said}")


def one_line(text: object) -> str:
    """Return what somebody else said as one short line that a terminal may show."""
    joined = " ".join(str(text).split())[:200]
    return "".join(one if one.isprintable() else " " for one in joined).rstrip(". ")


def _said(body: bytes) -> str:
    """Return a registry's own words. Source: distribution-spec, "Error Codes"."""
    try:
        first = json.loads(body)["errors"][0]
        text = first.get("message") or first.get("code")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return ""
    return f" It says: {one_line(text)}." if isinstance(text, str) and text else ""


def causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and all that led to it."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
