"""Source code as HTML, in the colours of Pygments: what nbconvert's own highlighter calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sinara.report.elements import Html, clean, el, escape

HIGHLIGHTER = ("pygments.formatters.html", "pygments.lexers.python")
_LARGEST = 60_000  # characters; longer sources are shown plain
_LANGUAGE = re.compile(r"[A-Za-z0-9+#._-]{1,40}")
# Lines that are IPython's and not Python's: %magic, !command, name?
_IPYTHON = re.compile(r"^\s*(?:[%!?]|\w+\s*=\s*[%!])|\?\s*$", re.MULTILINE)


def code(source: object, language: str = "ipython3", marked_line: int | None = None) -> Html:
    """Return ``source`` as a block of highlighted code; of an unknown language, plain.

    Args:
        source: The source; anything.
        language: A name that Pygments knows.
        marked_line: A line to mark, from 1.
    """
    inner = _highlighted(clean(source), language, marked_line)
    return el("pre", {"class": "code"}, el("code", None, inner))


def _highlighted(text: str, language: str, marked_line: int | None) -> Html:
    if len(text) > _LARGEST or not text.strip():
        return escape(text)
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters.html import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.util import ClassNotFound  # type: ignore[import-untyped]

    try:
        lexer = _lexer(text, language)
    except ClassNotFound:
        return escape(text)
    lexer.stripnl = False  # else the lines would no longer be those of the cell
    formatter = HtmlFormatter(nowrap=True, hl_lines=[marked_line] if marked_line else [])
    return Html(highlight(text, lexer, formatter).rstrip("\n"))


def _lexer(text: str, language: str) -> Any:
    """Return the lexer; that of IPython is slower to import, so only where it is needed."""
    if language in ("ipython3", "ipython", "python", "python3"):
        return _ipython_lexer() if _IPYTHON.search(text) else _python_lexer()
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
    from pygments.util import ClassNotFound

    if not _LANGUAGE.fullmatch(language):
        raise ClassNotFound(language)
    return get_lexer_by_name(language)


def _python_lexer() -> Any:
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

    return PythonLexer()


def _ipython_lexer() -> Any:
    try:
        from ipython_pygments_lexers import IPython3Lexer  # type: ignore[import-untyped]
    except ImportError:  # IPython before 8.29 brings it under another name
        return _python_lexer()
    return IPython3Lexer()


def notebook_language(notebook: Mapping[str, Any]) -> str:
    """Return the name of the language of a notebook's code cells, as its kernel gave it."""
    metadata = notebook.get("metadata")
    info = metadata.get("language_info") if isinstance(metadata, Mapping) else None
    if not isinstance(info, Mapping):
        return "ipython3"
    name = info.get("pygments_lexer") or info.get("name") or "ipython3"
    return _named(name) if isinstance(name, (str, Mapping)) else "ipython3"


def _named(name: str | Mapping[str, Any]) -> str:
    """Return the name in either form that the notebook format allows for a lexer."""
    return name if isinstance(name, str) else str(name.get("name", "ipython3"))
