"""nbformat's values, with types; nbformat itself has none, and is slow to import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode


def as_node(value: Any) -> Any:
    """Return a JSON value as nbformat's nodes."""
    import nbformat

    return nbformat.from_dict(value)


def as_nodes(values: Sequence[Any]) -> list[Any]:
    """Return JSON values as nbformat's nodes."""
    return [as_node(value) for value in values]


def prepared_for_papermill(nb: NotebookNode, output: str) -> NotebookNode:
    """Return a copy of ``nb`` in the newest format, with what papermill's manager expects.

    Source:
        ``load_notebook_node`` and ``prepare_notebook_metadata`` of papermill 2.7.
    """
    import copy

    import nbformat
    from papermill import __version__
    from papermill.execute import prepare_notebook_metadata, remove_error_markers

    own = copy.deepcopy(nb)
    own = nbformat.v4.upgrade(own) or own
    kept: dict[str, Any] = {"default_parameters": {}, "environment_variables": {}, "parameters": {}}
    own.metadata.setdefault("papermill", as_node({**kept, "version": __version__}))
    for cell in own.cells:
        cell.metadata.setdefault("tags", [])
    ready: NotebookNode = remove_error_markers(prepare_notebook_metadata(own, None, output))
    return ready


def new_notebook(title: str, source: str) -> NotebookNode:
    """Return a notebook with a heading and one code cell."""
    from nbformat import v4

    cells = [
        v4.new_markdown_cell(f"# {title}"),
        v4.new_code_cell(source, execution_count=1),
    ]
    metadata = {"language_info": {"name": "python", "file_extension": ".py"}}
    made: NotebookNode = v4.new_notebook(cells=cells, metadata=metadata)
    return made
