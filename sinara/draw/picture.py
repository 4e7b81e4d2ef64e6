"""The picture of a pipeline as a value: a notebook shows it, and it can be saved in any form."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.draw import text
from sinara.draw.dot import dot, render_dot
from sinara.draw.mermaid import mermaid
from sinara.draw.page import file_link, link_beside, page
from sinara.draw.plain import as_json
from sinara.draw.png import png
from sinara.draw.scene import Level
from sinara.draw.svg import svg
from sinara.errors import UsageError
from sinara.graph import History, PipelineGraph, Problem

_SUFFIXES = {
    ".svg": "svg", ".html": "html", ".htm": "html", ".png": "png", ".dot": "dot", ".gv": "dot",
    ".mmd": "mermaid", ".json": "json", ".pdf": "pdf",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A graph, ready to be shown; a notebook cell that ends with it shows it as SVG.

    Attributes:
        graph: What is drawn.
        history: What runs said about it.
        level: ``substeps``, or ``steps`` for the steps alone.
    """

    graph: PipelineGraph
    history: History | None = None
    level: Level = "substeps"

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the pipeline, errors first."""
        return self.graph.problems

    @property
    def svg(self) -> str:
        """The picture as SVG."""
        return svg(self.graph, self.history, level=self.level)

    @property
    def dot(self) -> str:
        """The graph in the language of Graphviz."""
        return dot(self.graph, self.history, level=self.level)

    @property
    def mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        return mermaid(self.graph, self.history, level=self.level)

    @property
    def page(self) -> str:
        """The graph as one HTML page."""
        return page(self.graph, self.history, link=file_link)

    def rendered(self, form: str, *, beside: Path | None = None) -> bytes:
        """Return the picture in a form.

        Args:
            form: ``svg``, ``html``, ``png``, ``dot``, ``mermaid``, ``json`` or ``pdf``.
            beside: The folder of a page: its links are then relative to it.

        Raises:
            UsageError: If the form is unknown, or what it needs is not there.
            MissingExtraError: If an extra is needed that is not installed.
        """
        makers: dict[str, Callable[[], str | bytes]] = {
            "svg": lambda: self.svg,
            "html": lambda: page(
                self.graph, self.history, link=link_beside(beside) if beside else file_link
            ),
            "png": lambda: png(self.svg),
            "dot": lambda: self.dot,
            "mermaid": lambda: self.mermaid,
            "json": lambda: json.dumps(as_json(self.graph, self.history), indent=1) + "\n",
            "pdf": lambda: render_dot(self.graph, self.history, "pdf", level=self.level),
        }
        if form not in makers:
            raise UsageError(f"{form!r} is no form of a picture. Known are {', '.join(makers)}.")
        made = makers[form]()
        return made if isinstance(made, bytes) else made.encode("utf-8", "backslashreplace")

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file, whole or not at all.

        Args:
            path: Its suffix says the form: ``.svg .html .png .dot .gv .mmd .json .pdf``.

        Returns:
            The file's absolute path.

        Raises:
            UsageError: If the suffix is unknown or the file cannot be written.
            MissingExtraError: If an extra is needed that is not installed.
        """
        target = Path(path).absolute()
        form = _SUFFIXES.get(target.suffix.lower())
        if form is None:
            known = " ".join(_SUFFIXES)
            raise UsageError(f"{path}: the suffix says how to draw, and is one of {known}.")
        made = self.rendered(form, beside=target.parent)
        scratch = None
        try:
            handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:60]}-")
            with os.fdopen(handle, "wb") as file:
                file.write(made)
            Path(scratch).chmod(0o666 & ~_umask())
            Path(scratch).replace(target)
        except OSError as error:
            if scratch:
                Path(scratch).unlink(missing_ok=True)
            raise UsageError(f"{path}: cannot be written: {error.strerror}.") from error
        return target

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        told = f"{self.graph.name}: {len(self.graph.steps)} steps"
        lines = [told, *(f"{p.severity}: {p.text}" for p in self.graph.problems)]
        return {"image/svg+xml": self.svg, "text/plain": "\n".join(map(text.one_line, lines))}

    def __repr__(self) -> str:
        return f"<Picture of {self.graph.name}: {len(self.graph.steps)} steps>"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
