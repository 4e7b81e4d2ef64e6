"""The page around everything: head, security policy, styles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sinara.report.ansi import rules
from sinara.report.elements import Html, el, join
from sinara.report.frame import LISTENER, REPORTER, digest


@cache
def _style() -> str:
    return (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def page(
    title: str,
    header: Html,
    main: Html,
    *,
    styles: Sequence[str] = (),
    script: str = "",
    no_script: Html | None = None,
) -> str:
    """Return a whole HTML document that needs nothing but itself.

    Args:
        title: In the browser's tab.
        header: The bar at the top.
        main: The page.
        styles: Styles that stand in ``main``.
        script: The page's own script; it may load nothing.
        no_script: Stands in the head where no script runs.

    With no frame in it the page runs no script, and its one style is pinned by its hash. Frames
    inherit the page's policy, and tables of pandas bring styles of their own: a page with frames
    therefore lets every style through. A style can load nothing here: no address is allowed
    but ``data:`` pictures.
    """
    style = _style() + rules(main)
    has_frames = "<iframe" in main
    scripts = [LISTENER, REPORTER] if has_frames else []
    scripts += [script] if script else []
    policy = _policy(" ".join(map(digest, scripts))) if scripts else _policy()
    allowed = "'unsafe-inline'" if has_frames else " ".join(map(digest, [style, *styles]))
    head = el(
        "head",
        None,
        el("meta", {"charset": "utf-8"}),
        _meta("Content-Security-Policy", f"{policy}; style-src {allowed}"),
        el("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        el("meta", {"name": "color-scheme", "content": "light dark"}),
        el("meta", {"name": "referrer", "content": "no-referrer"}),
        el("title", None, title),
        el("style", None, Html(style)),
        Html(f"<noscript>{no_script}</noscript>") if no_script else None,
    )
    listener = el("script", None, Html(LISTENER)) if has_frames else None
    own = el("script", None, Html(script)) if script else None
    body = el("body", None, listener, header, el("main", None, main), own)
    return "<!doctype html>\n" + el("html", {"lang": "en"}, head, body) + "\n"


def _meta(name: str, content: str) -> Html:
    # Quotes inside the policy stay as they are: "&#x27;" would be right as well, and unreadable.
    return Html(f'<meta http-equiv="{name}" content="{content}">')


def _policy(scripts: str = "'none'") -> str:
    return (
        "default-src 'none'; img-src data:; font-src data:; base-uri 'none'; "
        f"form-action 'none'; script-src {scripts}"
    )


def pill(status: str) -> Html:
    """Return a status as a word in its colour."""
    return el("span", {"class": f"pill s-{status.replace(' ', '-')}"}, status)


def top(status: str, trail: Html, title: str, *links: Html | None) -> Html:
    """Return the bar that stays at the top: status, where one is, title, links."""
    where = el("div", {"class": "where"}, el("p", {"class": "trail"}, trail), el("h1", None, title))
    return el("header", {"class": "top"}, pill(status), where, el("nav", None, join(*links)))
