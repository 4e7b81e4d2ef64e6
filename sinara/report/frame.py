"""Sandboxed frames: where the HTML that a notebook made is shown.

A frame is a document of its own, given as text (``srcdoc``). Three walls, each enough alone:

* ``sandbox`` without ``allow-same-origin``: an origin that is nobody's, so it can touch neither
  the page nor storage; no forms, no top navigation, no downloads;
* the page's policy, which a ``srcdoc`` document inherits: no script but the two below, by their
  hashes, nothing loaded from anywhere, no frame that leads elsewhere;
* the frame's own policy, the same once more.

A frame cannot know its height without a script, so one of four lines tells it to the page,
and one in the page believes it within bounds. With no scripts at all a frame keeps the height
that was guessed from its content, and scrolls.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from sinara.report.elements import Html, el, escape
from sinara.report.sanitise import Sanitised, sanitise

HIGHEST = 4000  # pixels
SANDBOX = "allow-scripts allow-popups allow-popups-to-escape-sandbox"

REPORTER = (
    "(function(){var b=document.getElementById('sinara-output');"
    "function tell(){parent.postMessage({sinaraHeight:Math.ceil("
    "Math.max(b.scrollHeight,b.getBoundingClientRect().height))},'*')}"
    "new ResizeObserver(tell).observe(b);addEventListener('load',tell);tell()})()"
)
LISTENER = (
    "addEventListener('message',function(e){var h=e.data&&e.data.sinaraHeight;"
    "if(typeof h!=='number'||!(h>0))return;"
    "document.querySelectorAll('iframe.output').forEach(function(f){"
    f"if(f.contentWindow===e.source)f.style.height=Math.min(h+2,{HIGHEST})+'px'}})}})"
)


def digest(text: str) -> str:
    """Return the CSP source that lets exactly this inline script or style through."""
    hashed = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest())
    return f"'sha256-{hashed.decode('ascii')}'"


@cache
def _style() -> str:
    return (Path(__file__).parent / "frame.css").read_text(encoding="utf-8")


@cache
def _head() -> str:
    policy = (
        "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
        f"script-src {digest(REPORTER)}; base-uri 'none'; form-action 'none'"
    )
    return (
        f'<!doctype html><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="referrer" content="no-referrer">'
        f'<meta name="color-scheme" content="light dark"><style>{_style()}</style>'
    )


def frame(markup: str, title: str) -> tuple[Html, Sanitised]:
    """Return ``markup`` in a sandboxed frame, and what was dropped from it.

    Args:
        markup: HTML by anyone.
        title: What a screen reader calls the frame.
    """
    left = sanitise(markup)
    document = (
        f'{_head()}<div id="sinara-output" class="markdown">{left.html}</div>'
        f"<script>{REPORTER}</script>"
    )
    attributes = {
        "class": "output",
        "title": title,
        "sandbox": SANDBOX,
        "height": _guess(left.html),
        "srcdoc": Html(document),
    }
    return el("iframe", attributes), left


def _guess(markup: str) -> int:
    """Return about how many pixels high ``markup`` is, so that a page hardly moves as it loads."""
    rows = markup.count("<tr")
    lines = sum(markup.count(tag) for tag in ("<p", "<li", "<h1", "<h2", "<h3", "<div", "<br"))
    return max(48, min(rows * 30 + lines * 25 + 16, 900))


def is_blank(left: Sanitised) -> bool:
    """Say whether nothing that a person could see is left."""
    return not escape(_without_tags(left.html)).strip() and not any(
        tag in left.html for tag in ("<img", "<svg", "<hr", "<math", "<meter", "<progress")
    )


def _without_tags(markup: str) -> str:
    import re

    return re.sub(r"<style.*?</style>|<[^>]*>", "", markup, flags=re.DOTALL)
