"""A report that cannot be built still says so, and never hides why its run failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from sinara.report.elements import Html, el

_Given = ParamSpec("_Given")


def guarded(
    what: str, build: Callable[_Given, Html], *args: _Given.args, **kwargs: _Given.kwargs
) -> Html:
    """Return what ``build`` returns, or a line that says why it could not."""
    try:
        return build(*args, **kwargs)
    except Exception as error:  # a notebook may hold anything, and the rest is worth showing
        words = f"{what.capitalize()} cannot be shown: {describe(error)}. It is in report.ipynb."
        return el("section", {"class": "cell"}, el("p", {"class": "alert"}, words))


def describe(error: BaseException) -> str:
    """Return an error in a line; never raises."""
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:  # its own text cannot be had
        return type(error).__name__
