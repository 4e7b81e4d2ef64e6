"""Where a registry is, and whether it may be asked by plain HTTP."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from sinara.images.reference import HUB

_HUB_API = "registry-1.docker.io"  # the hub's name for people is not where its API is


def is_loopback(host: str) -> bool:
    """Return whether ``host`` or ``host:port`` is this machine itself."""
    name = _name(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_plain(host: str, insecure: Sequence[str] = ()) -> bool:
    """Return whether a registry is asked by plain HTTP: this machine, or one that is listed.

    Args:
        host: ``host`` or ``host:port``.
        insecure: Hosts, with their port or for all ports.
    """
    return is_loopback(host) or host in insecure or _name(host) in insecure


def base_url(host: str, insecure: Sequence[str] = ()) -> str:
    """Return the address of a registry's API, without a slash at its end."""
    scheme = "http" if is_plain(host, insecure) else "https"
    return f"{scheme}://{_HUB_API if host == HUB else host}"


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
