"""Terminal text as HTML: colours kept, every other escape sequence dropped.

nbconvert's ``ansi2html`` copies the rest of the text at every sequence (time grows with the
square) and writes inline styles, which the pages' security policy forbids. This one is linear
and writes classes: nbconvert's names for the 16 colours, ``ansi-f-rrggbb`` and ``ansi-b-rrggbb``
for all others, whose rules :func:`rules` gives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sinara.report.elements import Html, el, escape, join

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
# ECMA-48 5.4 (CSI), 8.3.89 (OSC and other strings), 5.3.3 (two-character sequences).
_SEQUENCE = re.compile(
    r"\x1b\[(?P<sgr>[0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]"
)
_EXTENDED = re.compile(r"ansi-([fb])-([0-9a-f]{6})\b")
_MOST_RULES = 1000


@dataclass(frozen=True)
class _Pen:
    """How the next characters look; a colour is the end of a class name."""

    fore: str | None = None
    back: str | None = None
    bold: bool = False
    underline: bool = False
    inverse: bool = False

    def classes(self) -> str:
        fore, back = (self.back, self.fore) if self.inverse else (self.fore, self.back)
        names = [_colour_class("f", fore), _colour_class("b", back)]
        if self.inverse and fore is None:
            names[0] = "ansi-default-inverse-fg"
        if self.inverse and back is None:
            names[1] = "ansi-default-inverse-bg"
        names += ["ansi-bold" * self.bold, "ansi-underline" * self.underline]
        return " ".join(name for name in names if name)


def _colour_class(side: str, colour: str | None) -> str:
    if colour is None:
        return ""
    return f"ansi-{side}-{colour[1:]}" if colour[0] == "#" else f"ansi-{colour}-{side}g"


def ansi(text: str) -> Html:
    """Return terminal ``text`` as HTML; what was overwritten in its line is left out."""
    text = overwritten(text)
    if "\x1b" not in text:
        return escape(text)
    pieces: list[Html] = []
    pen, end = _Pen(), 0
    for match in _SEQUENCE.finditer(text):
        pieces.append(_piece(pen, text[end : match.start()]))
        end = match.end()
        if match["sgr"] is not None:
            pen = _moved(pen, match["sgr"])
    pieces.append(_piece(pen, text[end:]))
    return join(pieces)


def plain_text(text: str) -> str:
    """Return terminal ``text`` without its escape sequences."""
    return _SEQUENCE.sub("", overwritten(text)) if "\x1b" in text or "\r" in text else text


def overwritten(text: str) -> str:
    """Return ``text`` as a terminal leaves it: after a carriage return a line starts anew."""
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def rules(page: str) -> str:
    """Return the CSS rules of the colours beyond the 16 that ``page`` uses."""
    found = sorted(set(_EXTENDED.findall(page)))[:_MOST_RULES]
    return "".join(_rule(side, colour) for side, colour in found)


def _rule(side: str, colour: str) -> str:
    name = "color" if side == "f" else "background-color"
    # Programs choose their colours for a dark or a light terminal: move each towards the
    # side where this page's background is not, and keep its hue.
    lighter, darker = (f"color-mix(in srgb,#{colour} 65%,{c})" for c in ("#fff", "#000"))
    shown = f"light-dark({darker},{lighter})" if side == "f" else f"#{colour}"
    return f".ansi-{side}-{colour}{{{name}:#{colour};{name}:{shown}}}\n"


def _piece(pen: _Pen, text: str) -> Html:
    if not text:
        return Html("")
    classes = pen.classes()
    return el("span", {"class": classes}, text) if classes else escape(text)


def _moved(pen: _Pen, codes: str) -> _Pen:
    """Return the pen after one SGR sequence (ECMA-48 8.3.117, and xterm's colours)."""
    numbers = [int(code[:4] or 0) for code in re.split("[;:]", codes)]
    while numbers:
        number = numbers.pop(0)
        if number in (38, 48):
            colour = _extended(numbers)
            pen = replace(pen, fore=colour) if number == 38 else replace(pen, back=colour)
        else:
            pen = _simple(pen, number)
    return pen


_FLAGS: dict[int, dict[str, bool | None]] = {
    1: {"bold": True},
    4: {"underline": True},
    5: {"bold": True},
    7: {"inverse": True},
    21: {"bold": False},
    22: {"bold": False},
    24: {"underline": False},
    27: {"inverse": False},
    39: {"fore": None},
    49: {"back": None},
}


def _simple(pen: _Pen, number: int) -> _Pen:
    if number == 0:
        return _Pen()
    if number in _FLAGS:
        return replace(pen, **_FLAGS[number])  # type: ignore[arg-type]
    tens, ones = divmod(number, 10)
    if ones > 7 or tens not in (3, 4, 9, 10):
        return pen
    colour = _NAMES[ones] + ("-intense" if tens > 4 else "")
    return replace(pen, fore=colour) if tens in (3, 9) else replace(pen, back=colour)


def _extended(numbers: list[int]) -> str | None:
    """Take a colour of the 256 or of all off the front of ``numbers``."""
    kind = numbers.pop(0) if numbers else 0
    if kind == 2 and len(numbers) >= 3:
        red, green, blue = (min(numbers.pop(0), 255) for _ in range(3))
        return f"#{red:02x}{green:02x}{blue:02x}"
    if kind == 5 and numbers:
        return _palette(min(numbers.pop(0), 255))
    numbers.clear()
    return None


def _palette(index: int) -> str:
    """Return colour ``index`` of xterm's 256: 16 named, a 6x6x6 cube, 24 greys."""
    if index < 16:
        return _NAMES[index % 8] + ("-intense" if index > 7 else "")
    if index >= 232:
        return "#" + f"{(index - 232) * 10 + 8:02x}" * 3
    levels = [0 if n == 0 else 55 + 40 * n for n in _cube(index - 16)]
    return "#{:02x}{:02x}{:02x}".format(*levels)


def _cube(index: int) -> tuple[int, int, int]:
    return index // 36, index // 6 % 6, index % 6
