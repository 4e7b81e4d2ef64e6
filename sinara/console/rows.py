r"""What one stream of a cell shows, as a terminal would: finished lines, and those still drawn.

``\r`` begins the line anew, ``\b`` takes a character back, ``ESC [ A`` goes up one line: with
these a progress bar, or several, stay in their places. Colours are kept; whatever else a
terminal could be told to do (clear itself, change its title, answer) is dropped.
"""

from __future__ import annotations

import re

_LONGEST = 8192  # characters kept of a line that does not end
_MOST_ROWS = 8  # lines kept open once a cell has gone up

# ECMA-48 5.4 (CSI), 8.3.89 (OSC and other strings), 5.3.3 (two-character sequences), C0, C1.
_CONTROL = re.compile(
    r"(?P<up>\x1b\[(?P<by>[0-9]*)A)|(?P<colour>\x1b\[[0-9;:]*m)|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]"
    r"|(?P<one>[\x00-\x08\n\x0b-\x1f\x7f-\x9f])"
)
_SPECIAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]{0,4000})?\Z")
_ESCAPES = re.compile(r"\x1b\[[0-9;:]*m")


def without_colour(text: str) -> str:
    """Return text without the colours that :class:`Rows` leaves in it."""
    return _ESCAPES.sub("", text)


class Rows:
    """The open lines of one stream of one cell.

    Attributes:
        drawn: Whether a line that is open was drawn over: a progress bar.
    """

    def __init__(self) -> None:
        self._rows = [""]
        self._at = 0
        self._anew = False  # the next text begins the line anew
        self._gone_up = False
        self._tail = ""  # the beginning of an escape sequence
        self.drawn = False

    @property
    def open(self) -> tuple[str, ...]:
        """The lines that are not finished and not blank."""
        return tuple(row for row in self._rows if without_colour(row).strip())

    def feed(self, text: str) -> list[str]:
        """Take in what was printed; return the lines that it finished."""
        text = self._tail + text
        cut = _UNFINISHED.search(text)
        self._tail = text[cut.start() :] if cut else ""
        text = text[: cut.start()] if cut else text
        if self._is_plain(text):
            *done, rest = (self._rows[0] + text).split("\n")
            self._rows = [rest[-_LONGEST:]]
            return done
        return self._carry_out(text)

    def rest(self) -> list[str]:
        """Return the open lines, finished now: the cell has ended."""
        left, self._rows, self._at, self.drawn = list(self.open), [""], 0, False
        return left

    def _is_plain(self, text: str) -> bool:
        """Whether only line ends have to be minded: the usual case, and a flood's."""
        return not (self._anew or self._gone_up or self.drawn) and not _SPECIAL.search(text)

    def _carry_out(self, text: str) -> list[str]:
        done: list[str] = []
        begin = 0
        for found in _CONTROL.finditer(text):
            self._put(text[begin : found.start()])
            begin = found.end()
            if found["up"]:
                self._up(int(found["by"] or 1))
            elif found["colour"]:
                self._put(found["colour"])
            elif found["one"]:
                done += self._control(found["one"])
        self._put(text[begin:])
        return done

    def _put(self, text: str) -> None:
        if not text:
            return
        if self._anew:
            self._rows[self._at], self._anew, self.drawn = "", False, True
        self._rows[self._at] = (self._rows[self._at] + text)[-_LONGEST:]

    def _up(self, by: int) -> None:
        self._gone_up = True
        for _ in range(min(by, _MOST_ROWS) - self._at):
            self._rows.insert(0, "")
            self._at += 1
        self._at -= min(by, self._at)

    def _control(self, one: str) -> list[str]:
        if one == "\r":
            self._anew = True
        elif one == "\b":
            self._rows[self._at] = self._rows[self._at][:-1]
        elif one == "\n":
            return self._next()
        return []

    def _next(self) -> list[str]:
        self._anew = False
        if not self._gone_up:
            done, self._rows, self.drawn = self._rows, [""], False
            return done
        self._at += 1
        if self._at == len(self._rows):
            self._rows.append("")
        if len(self._rows) <= _MOST_ROWS:
            return []
        self._at -= 1
        done = [self._rows.pop(0)]
        return done if done[0] else []
