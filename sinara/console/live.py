"""What is told while a step runs: one plain line per thing that happened."""

from __future__ import annotations

from typing import TextIO

from sinara.console.lines import say
from sinara.runner import RunEvent


class Console:
    """Prints the events of a run.

    Args:
        stream: Where to; the process's error stream by default.
        verbose: Whether what the cells print is shown as well; may be changed at any time.
    """

    def __init__(self, stream: TextIO | None = None, *, verbose: bool = True) -> None:
        self._stream = stream
        self.verbose = verbose
        self._partial: dict[tuple[str, int | None, str | None], str] = {}

    def __call__(self, event: RunEvent) -> None:
        """Print one event."""
        if event.kind == "stream":
            if self.verbose:
                self._text(event)
            return
        self._flush()
        line = _line(event)
        if line:
            self._write(line)

    def _text(self, event: RunEvent) -> None:
        key = (event.substep, event.cell, event.stream)
        text = self._partial.pop(key, "") + event.text
        *whole, rest = text.split("\n")
        for line in whole:
            self._write(f"{_place(event)} | {line.rpartition(chr(13))[2]}")
        if rest:
            self._partial[key] = rest[-8192:]

    def _flush(self) -> None:
        for (substep, cell, _), rest in self._partial.items():
            self._write(
                f"{_place(RunEvent('stream', substep, cell))} | {rest.rpartition(chr(13))[2]}"
            )
        self._partial.clear()

    def _write(self, line: str) -> None:
        say(line, self._stream)


def _place(event: RunEvent) -> str:
    cell = "" if event.cell is None else f" [cell {event.cell + 1}]"
    seconds = f" {event.seconds:6.1f} s" if event.seconds else ""
    return f"  {event.substep}{cell}{seconds}"


def _line(event: RunEvent) -> str:
    match event.kind:
        case "run_start":
            return f"run {event.text}"
        case "substep_start":
            return f"  {event.substep} started"
        case "resume":
            return f"  {event.substep}: {event.text}"
        case "checkpoint":
            return f"{_place(event)} checkpoint: {event.text}"
        case "substep_end":
            return f"  {event.substep} {event.status} after {event.seconds:.1f} s"
        case "warning":
            return f"  {event.substep + ': ' if event.substep else ''}{event.text}"
        case "published":
            return f"  published {event.text}"
        case "run_end":
            return f"run {event.status} after {event.seconds:.1f} s"
    return ""
