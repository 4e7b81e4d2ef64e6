"""Keep what the cells of a notebook put out, within limits and without secrets.

Display ids, ``clear_output`` and ``update_display_data`` mean what they mean in nbclient
and JupyterLab; late output of a background thread goes to the cell that started it.
What is beyond a limit is dropped, and the cell says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sinara.kernels.redact import Redactor
from sinara.kernels.streams import StreamText, cut_bytes
from sinara.kernels.wire import Message

ERROR_SHARE = 200_000  # bytes that an error may have beyond every limit
OUTPUT_COST = 200  # bytes that one output costs besides its content

Output = dict[str, Any]


class Budget:
    """How many bytes of output the whole notebook may still keep."""

    def __init__(self, cell: int, notebook: int) -> None:
        self.cell = cell
        self.notebook = notebook
        self.used = 0


class CellOutputs:
    """The outputs of one cell."""

    def __init__(
        self,
        budget: Budget,
        redactor: Redactor,
        displays: Displays,
        emit: Callable[[str, str], None],
    ) -> None:
        self._budget = budget
        self._redactor = redactor
        self._displays = displays
        self._emit = emit  # gets stream name and text, while they are within the limits
        self._outputs: list[Output] = []
        self._used = 0
        self._tails: dict[str, str] = {}  # by stream: what may be the beginning of a secret
        self._clear_next = False
        self.cut = ""  # the limit that was hit, in words
        self.changed = False  # since as_list() was called last

    def take(self, message: Message) -> None:
        """Take in one message of the ``iopub`` channel."""
        content = message.content
        self.changed = True
        if message.dropped:
            self._cut()
        if message.kind == "stream":
            self._stream(_name(content), _clean(str(content.get("text", ""))))
        elif message.kind in {"display_data", "execute_result"} and not message.dropped:
            self._display(message.kind, content)
        elif message.kind == "update_display_data":
            self._displays.update(content, self._redactor)
        elif message.kind == "error":
            self._error(content)
        elif message.kind == "clear_output":
            self._clear_next = bool(content.get("wait"))
            if not self._clear_next:
                self._clear()

    def end(self) -> None:
        """The cell has ended: nothing more is held back."""
        for name, tail in list(self._tails.items()):
            self._tails[name] = ""
            if tail:
                self._append_stream(name, self._redactor.text(tail))

    def note(self, text: str) -> None:
        """Add a line of our own, whatever the limits say."""
        stream = StreamText()
        stream.add(text + "\n")
        self._outputs.append({"output_type": "stream", "name": "stderr", "text": stream})

    def redact(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return a message's content without secrets."""
        clean: dict[str, Any] = self._redactor.value(_clean_value(content))
        return clean

    def ensure_error(self, reply: dict[str, Any]) -> None:
        """Show the error of a reply that came without one; some magics do that."""
        if not any(output["output_type"] == "error" for output in self._outputs):
            self._error(reply)

    def as_list(self) -> list[Output]:
        """Return the outputs as nbformat has them."""
        self.changed = False
        return [_plain(output) for output in self._outputs]

    def _stream(self, name: str, text: str) -> None:
        clean, self._tails[name] = self._redactor.split(self._tails.get(name, "") + text)
        if clean:
            self._append_stream(name, clean)

    def _append_stream(self, name: str, text: str) -> None:
        self._clear_if_due()
        if self.cut:
            return
        last = self._outputs[-1] if self._outputs else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            stream: StreamText = last["text"]
        else:
            stream = StreamText()
            self._outputs.append({"output_type": "stream", "name": name, "text": stream})
            self._spend(OUTPUT_COST)
        before, room = stream.size, max(self._room(), 0)
        stream.add(text)
        if stream.size - before > room:
            stream.cut(before + room)
            text = cut_bytes(text, room)
        self._spend(stream.size - before)
        self._emit(name, text)
        if self._room() <= 0:
            self._cut()

    def _display(self, kind: str, content: dict[str, Any]) -> None:
        self._clear_if_due()
        data = self._redactor.value(_clean_value(content.get("data") or {}))
        metadata = self._redactor.value(_clean_value(content.get("metadata") or {}))
        size = _size(data) + _size(metadata) + OUTPUT_COST
        if self.cut or size > self._room():
            self._cut()
            return
        output: Output = {"output_type": kind, "data": data, "metadata": metadata}
        if kind == "execute_result":
            output["execution_count"] = content.get("execution_count")
        self._outputs.append(output)
        self._spend(size)
        self._displays.remember(content, output, self)

    def _error(self, content: dict[str, Any]) -> None:
        self.end()
        self._clear_if_due()
        lines = [str(line) for line in content.get("traceback") or []]
        error = {
            "ename": str(content.get("ename", "")),
            "evalue": str(content.get("evalue", ""))[:ERROR_SHARE],
            "traceback": "\n".join(lines)[-ERROR_SHARE:].split("\n") if lines else [],
        }
        self._outputs.append({"output_type": "error", **self._redactor.value(_clean_value(error))})

    def _clear_if_due(self) -> None:
        if self._clear_next:
            self._clear()

    def _clear(self) -> None:
        self._clear_next = False
        self._displays.forget(self)
        self._outputs.clear()
        self._budget.used -= self._used
        self._used = 0
        self.cut = ""

    def _room(self) -> int:
        return min(self._budget.cell - self._used, self._budget.notebook - self._budget.used)

    def _spend(self, size: int) -> None:
        self._used += size
        self._budget.used += size

    def _cut(self) -> None:
        if self.cut:
            return
        whole = self._budget.notebook - self._budget.used < self._budget.cell - self._used
        limit = self._budget.notebook if whole else self._budget.cell
        self.cut = f"{megabytes(limit)}{' for the whole notebook' if whole else ''}"
        mark = f"\n… output cut after {self.cut}; the full text was dropped"
        self.note(mark)
        self._emit("stderr", mark + "\n")

    def resize(self, change: int) -> bool:
        """Account for a display that grew by ``change`` bytes; False if there is no room."""
        if change > self._room():
            self._cut()
            return False
        self._spend(change)
        return True


class Displays:
    """Which outputs a display id stands for, in all cells."""

    def __init__(self) -> None:
        self._known: dict[str, list[tuple[CellOutputs, Output]]] = {}

    def remember(self, content: dict[str, Any], output: Output, cell: CellOutputs) -> None:
        """Note that ``output`` carries the display id in ``content``; older ones follow it."""
        name = _display_id(content)
        if name:
            self.update(content, cell._redactor)
            self._known.setdefault(name, []).append((cell, output))

    def update(self, content: dict[str, Any], redactor: Redactor) -> None:
        """Replace the data of every output with the display id in ``content``."""
        data = redactor.value(_clean_value(content.get("data") or {}))
        metadata = redactor.value(_clean_value(content.get("metadata") or {}))
        size = _size(data) + _size(metadata)
        for cell, output in self._known.get(_display_id(content), []):
            if cell.resize(size - _size(output["data"]) - _size(output["metadata"])):
                output["data"], output["metadata"] = data, metadata
                cell.changed = True

    def forget(self, cell: CellOutputs) -> None:
        """The outputs of ``cell`` are gone."""
        for name, known in self._known.items():
            self._known[name] = [entry for entry in known if entry[0] is not cell]


def megabytes(size: int) -> str:
    """Return ``10 MB``, ``1.5 kB`` for less than one, ``2 GB`` for a thousand and more."""
    if size >= 999_500_000:
        return f"{size / 1e9:.3g} GB"
    return f"{size / 1e6:.3g} MB" if size >= 1_000_000 else f"{size / 1e3:.3g} kB"


def _display_id(content: dict[str, Any]) -> str:
    return str((content.get("transient") or {}).get("display_id") or "")


def _name(content: dict[str, Any]) -> str:
    return "stderr" if content.get("name") == "stderr" else "stdout"


def _plain(output: Output) -> Output:
    if output["output_type"] == "stream":
        return {**output, "text": str(output["text"])}
    return dict(output)


def _clean(text: str) -> str:
    """Return text that can be written as UTF-8: a lone surrogate becomes ``?``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        return [_clean_value(item) for item in value]
    if isinstance(value, dict):
        return {_clean(str(key)): _clean_value(item) for key, item in value.items()}
    return value


def _size(value: Any) -> int:
    """Return about how many bytes a JSON value takes."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_size, value)) + 2 * len(value)
    if isinstance(value, dict):
        return sum(len(key) + _size(item) + 4 for key, item in value.items())
    return 8
