"""papermill's notebook manager, with metadata that is true and writes that are cheap.

papermill's own marks every cell ``completed`` when a kernel died, and saves the whole
notebook at the start and the end of every cell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from papermill.engines import NotebookExecutionManager
from papermill.iorw import write_ipynb

from sinara.kernels.writer import AtomicWriter


class Writer(Protocol):
    """Where the notebook is written to."""

    def due(self) -> bool:
        """True if enough time has passed since the last write."""

    def write(self, notebook: Any, *, final: bool = False) -> None:
        """Write the whole notebook."""


class NoWriter:
    """For a notebook that is not saved."""

    def due(self) -> bool:
        """Never."""
        return False

    def write(self, notebook: Any, *, final: bool = False) -> None:
        """Do nothing."""


class PapermillWriter(AtomicWriter):
    """Writes wherever papermill can: object stores, HDFS, a registered handler."""

    def __init__(self, address: str) -> None:
        super().__init__(Path(address))
        self.address = address

    def put(self, notebook: Any, *, final: bool) -> None:  # noqa: ARG002 - theirs to decide
        """Write by papermill's handler for this kind of address."""
        write_ipynb(notebook, self.address)


def writer_for(address: str | None) -> Writer:
    """Return what writes to papermill's ``output_path``."""
    if not address:
        return NoWriter()
    return PapermillWriter(address) if "://" in address else AtomicWriter(Path(address))


class TrueManager(NotebookExecutionManager):  # type: ignore[misc]  # papermill has no types
    """Keeps papermill's metadata and the output file while a notebook runs."""

    def __init__(self, nb: Any, writer: Writer, **options: Any) -> None:
        self.writer = writer
        super().__init__(nb, **options)

    def due(self) -> bool:
        """True if it is time to save."""
        return self.writer.due()

    def save(self, **kwargs: Any) -> None:  # noqa: ARG002 - papermill's signature
        """Save, unless that was done a moment ago."""
        if self.writer.due():
            self.writer.write(self.nb)
            self.last_save_time = self.now()

    def autosave_cell(self) -> None:
        """Save in the middle of a cell, unless papermill was told not to."""
        if self.autosave_cell_every:
            self.save()

    def notebook_complete(self, **kwargs: Any) -> None:  # noqa: ARG002 - papermill's signature
        """Close the books: what did not run stays ``pending``."""
        self.end_time = self.now()
        metadata = self.nb.metadata.papermill
        metadata["end_time"] = self.end_time.isoformat()
        metadata["duration"] = (self.end_time - self.start_time).total_seconds()
        self.complete_pbar()
        self.cleanup_pbar()
        self.writer.write(self.nb, final=True)
