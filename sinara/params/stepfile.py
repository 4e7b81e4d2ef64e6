"""A step file taken apart: its two dictionaries and its list of substeps, in every form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sinara import names
from sinara.errors import BadNameError, ParamsError
from sinara.params.assignments import PIPELINE, STEP, stem
from sinara.params.globs import shown_path
from sinara.params.overrides import Draft
from sinara.params.text import read_dict
from sinara.params.values import misspelt, nearest, plain, short

SUBSTEPS = "substeps_params"
_ONE_SUBSTEP_FILE = "ci_params.json"  # oldest form: one notebook, one file of this name


class StepFile:
    """The step file while it is taken apart; findings are gathered, not raised one by one."""

    def __init__(self, folder: Path, shown: str, document: dict[str, Any]) -> None:
        self.folder, self.shown, self.document = folder, shown, document
        self.files: list[Path] = []
        self.lines: list[str] = []
        self.notes: list[str] = []  # warnings, or findings where the step is strict
        self._note_unknown(document, (PIPELINE, STEP, SUBSTEPS), shown)

    def raise_findings(self) -> None:
        """Raise everything that was found so far, if anything was."""
        if self.lines:
            raise ParamsError(*self.lines)

    def _note_unknown(self, values: dict[str, Any], known: Sequence[str], where: str) -> None:
        for key in values:
            if key not in known:
                line = f"{where}: unknown key '{plain(key)}'; it holds {', '.join(known)}."
                self.notes.append(f"{line} {nearest(key, known)}".rstrip())

    def replace_pipeline(self, path: Path) -> None:
        """Take the pipeline parameters from another file, all of them."""
        shown = shown_path(path, self.folder)
        overlay = read_dict(path, shown)
        self.files.append(path)
        self._note_unknown(overlay, (PIPELINE,), shown)
        if PIPELINE not in overlay:
            near = misspelt(PIPELINE, list(overlay))
            self.lines.append(f"{shown}: '{PIPELINE}' is missing. {near}".rstrip())
        self.document = {**self.document, PIPELINE: overlay.get(PIPELINE, {})}

    def drafts(self) -> list[Draft]:
        """Return the pipeline's values, the step's, and each substep's, in this order."""
        pipeline = Draft(PIPELINE, self._section(PIPELINE), self.shown)
        step = Draft(STEP, self._section(STEP), self.shown)
        return [pipeline, step, *self._substeps()]

    def _section(self, key: str) -> dict[str, Any]:
        value = self.document.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.lines.append(f"{self.shown}: '{key}' holds {short(value)}, not a dictionary.")
            return {}
        return dict(value)

    def _substeps(self) -> list[Draft]:
        listed = self.document.get(SUBSTEPS)
        if isinstance(listed, str):
            return self._checked([self._by_name(listed, SUBSTEPS, oldest=True)])
        if listed is None:
            others = [key for key in self.document if key not in (PIPELINE, STEP, SUBSTEPS)]
            near = misspelt(SUBSTEPS, others)
            line = f"{self.shown}: '{SUBSTEPS}' is missing: the list of notebooks to run."
            self.lines.append(f"{line} {near}".rstrip())
            return []
        if not isinstance(listed, list) or not listed:
            self.lines.append(
                f"{self.shown}: '{SUBSTEPS}' has to be a list with at least one substep, such as "
                '[{"substep_name": "x.ipynb", "substep_params": {}}].'
            )
            return []
        entries = [self._entry(item, f"{SUBSTEPS}[{i}]") for i, item in enumerate(listed)]
        return self._checked(entries)

    def _entry(self, item: Any, place: str) -> Draft | None:
        if isinstance(item, str):
            return self._by_name(item, place)
        where = f"{self.shown}: {place}"
        if not isinstance(item, dict):
            self.lines.append(f"{where}: {short(item)}: write a name, or a dictionary.")
            return None
        known = ("substep_name", "substep_params", "params")
        self._note_unknown(item, known, where)
        name = item.get("substep_name")
        if not isinstance(name, str):
            near = misspelt("substep_name", [key for key in item if key not in known])
            self.lines.append(f"{where}: 'substep_name' is missing or not text. {near}".rstrip())
            return None
        keys = [key for key in known[1:] if key in item]
        if not keys:
            return self._by_name(name, place)
        if len(keys) > 1 or not isinstance(item[keys[0]], dict):
            problem = "both are there" if len(keys) > 1 else f"holds {short(item[keys[0]])}"
            self.lines.append(
                f"{where}: '{' and '.join(keys)}' {problem}. Give one dictionary, 'substep_params'."
            )
            return None
        return Draft(name, dict(item[keys[0]]), f"{self.shown}: {place}")

    def _by_name(self, name: str, place: str, *, oldest: bool = False) -> Draft | None:
        """Return a substep listed by its plain name, with the values of its own file if any."""
        if not self._good_name(name, place):
            return None
        ends = ("json", "yaml", "yml")
        bases = [f"{name.rpartition('.')[0]}.params", f"params/{stem(name)}.params"]
        files = [f"{base}.{end}" for base in dict.fromkeys(bases) for end in ends]
        files += [_ONE_SUBSTEP_FILE] if oldest else []
        there = [file for file in files if (self.folder / file).is_file()]
        if len(there) > 1:
            self.lines.append(
                f"{self.shown}: {place}: '{name}' has several parameter files: "
                f"{', '.join(there)}. Keep one of them."
            )
        if len(there) != 1:
            return Draft(name, {}, "the notebook", from_notebook=True)
        try:
            values = read_dict(self.folder / there[0], there[0])
        except ParamsError as error:
            self.lines += error.lines
            return None
        self.files.append(self.folder / there[0])
        return Draft(name, values, there[0])

    def _good_name(self, name: str, place: str) -> bool:
        try:
            names.check_name("substep", name)
        except BadNameError as error:
            self.lines += [f"{self.shown}: {place}: {line}" for line in error.lines]
            return False
        return True

    def _checked(self, drafts: list[Draft | None]) -> list[Draft]:
        good = [draft for draft in drafts if draft and self._good_name(draft.scope, SUBSTEPS)]
        try:
            names.check_distinct("substep", [draft.scope for draft in good])
        except BadNameError as error:
            self.lines += [f"{self.shown}: {SUBSTEPS}: {line}" for line in error.lines]
        return good
