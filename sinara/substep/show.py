"""What a substep prints in its notebook: the only place here that writes to standard output."""

from __future__ import annotations

import pprint
import sys
from collections.abc import Mapping
from types import MappingProxyType

NO_NOTES: Mapping[str, str] = MappingProxyType({})


def say(line: str) -> None:
    """Print one line."""
    sys.stdout.write(f"{line}\n")


def show(title: str, value: object) -> None:
    """Print a heading and a value below it, long values on several lines."""
    say(title)
    say(pprint.pformat(value, sort_dicts=False))
    say("")


def show_urls(title: str, urls: Mapping[str, str], notes: Mapping[str, str] = NO_NOTES) -> None:
    """Print a heading and, below it, one line per entity; nothing when there is no entity."""
    if not urls:
        return
    say(title)
    for name, url in urls.items():
        note = f"  ({notes[name]})" if notes.get(name) else ""
        say(f"  {name}: {url}{note}")
    say("")
