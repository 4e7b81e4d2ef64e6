"""The name of the pipeline in a parameter file: only that value changes, not a space beside it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sinara.errors import ParamsError
from sinara.params.text import parse_json, parse_yaml, read_dict

_JSON_VALUE = re.compile(r'"pipeline_name"\s*:\s*(?P<value>"(?:[^"\\]|\\.)*")')
_YAML_VALUE = re.compile(
    r"""(?:"pipeline_name"|'pipeline_name'|pipeline_name)\s*:\s*"""
    r"""(?P<value>"(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'|[^\s#'",}\]]+)"""
)


def parameter_files(folder: Path) -> tuple[Path, ...]:
    """Return the parameter files of a step: those directly in ``params/``, sorted."""
    ends = (".json", ".yaml", ".yml")
    inside = sorted((folder / "params").glob("*"))
    return tuple(
        path for path in inside if path.suffix in ends and path.is_file() and not path.is_symlink()
    )


def pipeline_name(path: Path) -> str | None:
    """Return the pipeline that a parameter file names; ``None``: none, or it cannot be read."""
    try:
        return _name(read_dict(path, _shown(path)))
    except ParamsError:
        return None


def renamed(path: Path, new: str) -> str:
    """Return the text of a parameter file with another pipeline's name.

    Every place where that name may stand is tried, and the one is taken after which the file
    holds the same values as before but for that one.

    Args:
        path: A file that names a pipeline.
        new: The new name.

    Raises:
        ParamsError: If there is no such place, as in a file with anchors or escapes.
    """
    with path.open(encoding="utf-8", newline="") as file:  # line ends stay as they are
        text = file.read()
    json_file = path.suffix == ".json"
    wanted = copy.deepcopy(read_dict(path, _shown(path)))
    wanted["pipeline_params"]["pipeline_name"] = new
    parse = parse_json if json_file else parse_yaml
    for candidate in _candidates(text, new, json_file=json_file):
        try:
            if parse(candidate.removeprefix("\ufeff"), _shown(path)) == wanted:
                return candidate
        except ParamsError:
            continue
    raise ParamsError(
        f"{_shown(path)}: pipeline_name cannot be changed with the rest of the file kept as it "
        f"is. Set it to '{new}' by hand, and commit."
    )


def _candidates(text: str, new: str, *, json_file: bool) -> Iterator[str]:
    for found in (_JSON_VALUE if json_file else _YAML_VALUE).finditer(text):
        quote = found["value"][0]
        spellings = [json.dumps(new)]
        if not json_file:
            spellings = [f"{quote}{new}{quote}" if quote in "\"'" else new, json.dumps(new)]
        for spelling in spellings:
            yield text[: found.start("value")] + spelling + text[found.end("value") :]


def _name(document: dict[str, Any]) -> str | None:
    pipeline = document.get("pipeline_params")
    name = pipeline.get("pipeline_name") if isinstance(pipeline, dict) else None
    return name if isinstance(name, str) else None


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
