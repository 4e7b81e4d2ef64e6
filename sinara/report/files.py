"""The part of a substep's report about files that it touched beside what it declares."""

from __future__ import annotations

from collections.abc import Sequence

from sinara.record import FilesTouched, FileTouched
from sinara.report.elements import Html, el, join
from sinara.report.facts import Limits, block, more, table
from sinara.report.run import part
from sinara.report.words import EMPTY, one_line, size

_HOW = {"python": "", "system": "seen in the folder, of whatever process"}


def files_block(files: FilesTouched | None, limits: Limits) -> Html | None:
    """Return the section "Files"; nothing if nothing was undeclared."""
    if files is None:
        return None
    outside = [file for file in files.read if not file.of_step]
    of_step = [file for file in files.read if file.of_step]
    if not (outside or files.written or files.commands or files.addresses):
        return None
    body = join(
        el("p", {"class": "note"}, "What it touched and does not declare in its interface."),
        part("Written", _files(files.written, limits)),
        part("Read", _files(outside, limits)),
        part("Programs started", _words(files.commands, limits)),
        part("Addresses connected to", _words(files.addresses, limits)),
        part("Files of the step that it read", _files(of_step, limits)),
        part("What was watched", el("ul", {"class": "plain"}, [_item(w) for w in files.watched])),
    )
    counts = f"{len(files.written):,} written, {len(outside):,} read, not declared"
    return block("Files", body, opened=bool(outside or files.written), note=counts)


def _files(given: Sequence[FileTouched], limits: Limits) -> Html | None:
    if not given:
        return None
    rows = [
        (
            el("code", {"class": "url"}, one_line(file.path, 1000)),
            size(file.bytes) if file.bytes is not None else EMPTY,
            one_line("; ".join(word for word in (file.note, _HOW.get(file.seen, "")) if word)),
        )
        for file in given[: limits.rows]
    ]
    return join(table(("File", "Size", ""), rows, "entities"), more(len(given), limits.rows))


def _words(given: Sequence[str], limits: Limits) -> Html | None:
    if not given:
        return None
    items = [_item(word) for word in given[: limits.rows]]
    return join(el("ul", {"class": "plain"}, items), more(len(given), limits.rows))


def _item(text: str) -> Html:
    return el("li", None, one_line(text, 300))
