"""Whether a notebook has the parts that the format says, without a library for the format.

A kernel is started before the libraries that know the whole format are loaded. What is
plainly no notebook is told before that, from the JSON alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sinara.errors import NotebookError

_CELL_TYPES = ("code", "markdown", "raw")


def check_shape(document: Mapping[str, Any], name: str) -> None:
    """Refuse the JSON of a notebook that cannot be run.

    Args:
        document: As :func:`sinara.reading.read_notebook_json` gives it.
        name: The notebook's name, for the line.

    Raises:
        NotebookError: One line, with the first cell that is not right.

    Source:
        https://nbformat.readthedocs.io/en/latest/format_description.html
    """
    wrong = next(_faults(document), "")
    if wrong:
        raise NotebookError(f"{name}: no valid notebook: {wrong}. Restore it from Git.")
    language = _language(document.get("metadata", {}))
    if language and not language.startswith(("python", "ipython")):
        raise NotebookError(
            f"{name}: a notebook in {language}; substeps run in Python. "
            "Choose a Python kernel in it and save it."
        )


def _faults(document: Mapping[str, Any]) -> Iterator[str]:
    if type(document.get("nbformat")) is not int or document["nbformat"] != 4:
        yield f"its format is {document.get('nbformat')!r}, and 4 is the one that is run"
    metadata = document.get("metadata", {})
    if not isinstance(metadata, dict):
        yield "its metadata is no dictionary"
        return
    for key in ("kernelspec", "language_info"):
        if not isinstance(metadata.get(key, {}), dict):
            yield f"its {key} is no dictionary"
    for index, cell in enumerate(document["cells"]):
        yield from (f"cell {index + 1}: {what}" for what in _cell_faults(cell))


def _cell_faults(cell: Mapping[str, Any]) -> Iterator[str]:
    if cell.get("cell_type") not in _CELL_TYPES:
        yield f"its type is none of {', '.join(_CELL_TYPES)}"
    if "source" not in cell:
        yield "it has no source"
    elif not _is_text(cell["source"]):
        yield "its source holds half a character (a lone surrogate), which no file can hold"
    if not isinstance(cell.get("outputs", []), list):
        yield "its outputs are no list"
    metadata = cell.get("metadata", {})
    if not isinstance(metadata, dict):
        yield "its metadata is no dictionary"
        return
    tags = metadata.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        yield "its tags are no list of names"
    elif len(set(tags)) != len(tags):
        yield "it has the same tag twice"


def _is_text(source: object) -> bool:
    text = "".join(source) if isinstance(source, list) else str(source)
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _language(metadata: Mapping[str, Any]) -> str:
    for section, key in (("kernelspec", "language"), ("language_info", "name")):
        value = metadata.get(section, {}).get(key)
        if isinstance(value, str) and value:
            return value.lower()
    return ""
