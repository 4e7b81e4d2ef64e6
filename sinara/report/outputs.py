"""The outputs of a cell as HTML.

::

    text, tracebacks, LaTeX, JSON   escaped here, terminal colours kept
    PNG, JPEG, GIF, WebP, SVG       <img src="data:…">
    HTML, Markdown with HTML        a sandboxed frame
    widgets, plots that need a script   a note, and the text that came with them

Every output is cut at :mod:`sinara.report.budget`, and where it is cut a mark says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sinara.report import budget as most
from sinara.report.ansi import ansi, plain_text
from sinara.report.budget import Budget
from sinara.report.elements import Html, clean, el, join
from sinara.report.frame import frame, is_blank
from sinara.report.markdown import LARGEST, HasHtmlError, markdown
from sinara.report.pictures import KINDS, data_address, joined, picture

NOTEBOOK_FILE = "report.ipynb"  # beside the page


@dataclass(frozen=True)
class Place:
    """Where outputs are shown."""

    title: str  # "cell 3"
    budget: Budget
    tracebacks: bool = True  # a business report names an error in one line


def outputs(given: object, place: Place) -> Html:
    """Return the outputs of one cell, the neighbouring pieces of a stream as one."""
    return join([_output(output, place) for output in _merged(given)])


def output_kinds(given: object) -> list[str]:
    """Return the types of the outputs of one cell, such as ``stream`` and ``error``."""
    return [str(output.get("output_type")) for output in _merged(given)]


def _merged(given: object) -> Iterable[Mapping[str, Any]]:
    """Yield the outputs; a cell that prints in a loop has thousands of stream pieces."""
    name, texts = "", list[str]()
    for output in given if isinstance(given, (list, tuple)) else ():
        if not isinstance(output, Mapping):
            continue
        is_stream = output.get("output_type") == "stream"
        if texts and not (is_stream and str(output.get("name")) == name):
            yield {"output_type": "stream", "name": name, "text": texts}
            texts = []
        if is_stream:
            name = str(output.get("name"))
            texts.append(joined(output.get("text")))
        else:
            yield output
    if texts:
        yield {"output_type": "stream", "name": name, "text": texts}


def _output(output: Mapping[str, Any], place: Place) -> Html:
    kind = output.get("output_type")
    if kind == "stream":
        text = text_block(joined(output.get("text")), place.budget)
        stream = "stderr" if output.get("name") == "stderr" else "stdout"
        return el("div", {"class": f"out stream {stream}"}, text)
    if kind == "error":
        return _error(output, place)
    data, metadata = output.get("data"), output.get("metadata")
    if not isinstance(data, Mapping):
        return el("p", {"class": "note"}, f"An output of type {kind!r} holds nothing to show.")
    shown = _bundle(data, metadata if isinstance(metadata, Mapping) else {}, place)
    return el("div", {"class": "out"}, shown)


def _error(output: Mapping[str, Any], place: Place) -> Html:
    line = f"{output.get('ename', 'Error')}: {plain_text(joined(output.get('evalue')))}"
    if not place.tracebacks:
        return el("p", {"class": "alert"}, f"This cell failed: {_short(line)}")
    lines = output.get("traceback")
    text = "\n".join(str(x) for x in lines) if isinstance(lines, (list, tuple)) else joined(lines)
    return el("div", {"class": "out traceback"}, text_block(text or line, place.budget))


def _short(text: str, most_characters: int = 500) -> str:
    return text if len(text) <= most_characters else text[:most_characters] + "…"


def text_block(text: str, budget: Budget) -> Html:
    """Return terminal text; of a long one the beginning and the end, and a mark between."""
    granted = budget.allow(len(text), most.TEXT)
    if granted == len(text):
        return el("pre", None, ansi(text))
    head, tail = text[: granted * 3 // 4], text[len(text) - granted // 4 :]
    mark = left_out(f"{len(text) - granted:,} characters are left out here; the whole output is in")
    end = el("pre", None, ansi(tail)) if tail else None
    return join(el("pre", None, ansi(head)), mark, end)


def left_out(words: str) -> Html:
    """Return the mark of a cut."""
    link = el("a", {"href": NOTEBOOK_FILE}, NOTEBOOK_FILE)
    return el("p", {"class": "note cut"}, f"✂ {words} ", link, ".")


def _bundle(data: Mapping[str, Any], metadata: Mapping[str, Any], place: Place) -> Html:
    """Return the best of the forms that an output comes in; the first that can be shown."""
    for kind, show in _FORMS.items():
        if kind in data:
            shown = show(kind, data, metadata, place)
            if shown is not None:
                return shown
    kinds = ", ".join(sorted(str(kind)[:60] for kind in data)[:6]) or "nothing"
    return left_out(f"An output that is not shown here ({kinds}) is in")


def _html(_: str, data: Mapping[str, Any], __: Mapping[str, Any], place: Place) -> Html | None:
    text = joined(data["text/html"])
    granted = place.budget.allow(len(text), most.HTML)
    shown, left = frame(text[:granted], f"Output of {place.title}")
    needs_more = left.scripts + left.frames > 0
    if is_blank(left) and any(kind in data for kind in ("image/svg+xml", *KINDS, "text/plain")):
        return None if not needs_more else _still(data, place)
    cut = None
    if granted < len(text):
        cut = left_out(f"{len(text) - granted:,} characters are left out here; the rest is in")
    return join(shown, _needs_jupyter() if needs_more else None, cut)


def _still(data: Mapping[str, Any], place: Place) -> Html:
    """Return what stands in for an output that only scripts could draw."""
    rest = {kind: value for kind, value in data.items() if kind in (*_STILL, "text/plain")}
    return join(_needs_jupyter(), _bundle(rest, {}, place) if rest else None)


def _needs_jupyter() -> Html:
    words = "Scripts of an output do not run in a report. To see it at work, open in JupyterLab"
    return el("p", {"class": "note"}, f"{words}: ", el("a", {"href": NOTEBOOK_FILE}, NOTEBOOK_FILE))


def _interactive(_: str, data: Mapping[str, Any], __: object, place: Place) -> Html | None:
    return _still(data, place)


def _markdown(kind: str, data: Mapping[str, Any], _: object, place: Place) -> Html | None:
    return markdown_block(joined(data[kind]), {}, place)


def markdown_block(text: str, attachments: object, place: Place) -> Html:
    """Return Markdown in the page itself, or in a frame where it holds HTML."""
    if place.budget.allow(len(text), LARGEST) < len(text):
        return text_block(text, place.budget)
    try:
        return markdown(text, lambda address: _attached(attachments, address))
    except HasHtmlError:
        from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

        known = dict(attachments) if isinstance(attachments, Mapping) else {}
        renderer = IPythonRenderer(escape=False, attachments=known)
        shown, _ = frame(MarkdownWithMath(renderer=renderer).render(clean(text)), place.title)
        return shown


def _attached(attachments: object, address: str) -> str | None:
    """Return the ``data:`` address of a picture that a Markdown cell carries."""
    scheme, _, name = address.partition(":")
    if scheme == "data":
        kind, _, value = name.partition(";base64,")
        return data_address(kind, value) if kind in KINDS else None
    found = attachments.get(name) if isinstance(attachments, Mapping) else None
    if scheme != "attachment" or not isinstance(found, Mapping):
        return None
    return next((data_address(kind, value) for kind, value in found.items()), None)


def _picture(
    kind: str, data: Mapping[str, Any], metadata: Mapping[str, Any], place: Place
) -> Html | None:
    value = joined(data[kind])
    if place.budget.allow(len(value), most.PICTURE) < len(value):
        return left_out(f"A picture of {len(value):,} characters is in")
    alt = clean(joined(data.get("text/plain")) or f"Picture of {place.title}")
    shown = picture(kind, value, alt, metadata)
    return None if shown is None else el("div", {"class": "picture"}, shown)


def _latex(kind: str, data: Mapping[str, Any], _: object, place: Place) -> Html | None:
    text = joined(data[kind]).strip()[: place.budget.allow(len(joined(data[kind])), most.TEXT)]
    return el("code", {"class": "math block"}, text.removeprefix("$").removesuffix("$").strip("$ "))


def _json(kind: str, data: Mapping[str, Any], _: object, place: Place) -> Html | None:
    return text_block(
        json.dumps(data[kind], indent=2, ensure_ascii=False, default=str), place.budget
    )


def _text(kind: str, data: Mapping[str, Any], _: object, place: Place) -> Html | None:
    return text_block(joined(data[kind]), place.budget)


_Show = Callable[[str, Mapping[str, Any], Mapping[str, Any], Place], "Html | None"]
_STILL: tuple[str, ...] = ("image/svg+xml", *KINDS)
_FORMS: dict[str, _Show] = {
    "application/vnd.jupyter.widget-view+json": _interactive,
    "text/html": _html,
    "application/vnd.plotly.v1+json": _interactive,
    "text/markdown": _markdown,
    **dict.fromkeys(_STILL, _picture),
    "text/latex": _latex,
    "application/json": _json,
    "text/plain": _text,
}
