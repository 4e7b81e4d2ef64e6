"""What is done between the cells of a notebook: checkpoints are saved, and put back in a resume.

The kernel pickles the variables; all else is done here. See :mod:`sinara.runner.points` for what
a checkpoint consists of.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sinara.context import Handback, read_handback
from sinara.errors import SinaraError, StoreError
from sinara.kernels.failures import Ended
from sinara.kernels.options import Aside
from sinara.kernels.redact import Redactor
from sinara.reading import CellSource
from sinara.reading.again import Known, pieces, runs_whole
from sinara.reading.checkpoints import CheckpointCell, counted, find_checkpoints
from sinara.record import Failure
from sinara.runner.events import Listener, RunEvent
from sinara.runner.madeof import MadeOf
from sinara.runner.points import CHECKPOINT_NAME, CheckpointPlace, Point
from sinara.runner.trees import copy_tree, digest, remove, write_whole

KEPT_CHECKPOINTS = 3  # of one substep, the newest
SECONDS = 600.0  # for the kernel to write or read the variables
NOT_RESTORED = "restore"  # kind of the failure of a notebook whose checkpoint cannot be put back
_VARIABLES, _SHOWN = "variables.pickle", "shown.json"


class Checkpoints:
    """What is done between the cells of one notebook: see :class:`sinara.kernels.options.Between`.

    Attributes:
        warnings: Checkpoints that could not be saved, and why.
    """

    def __init__(
        self,
        place: CheckpointPlace,
        cells: Sequence[CellSource],
        made: MadeOf,
        listener: Listener,
        restore: Point | None = None,
    ) -> None:
        """Prepare for one execution.

        Args:
            place: Where to.
            cells: Of the notebook, its parameters filled in.
            made: What the substep is made of.
            listener: Is told what was saved.
            restore: The checkpoint to go on from, of this run's own; ``None`` to begin.
        """
        self.warnings: list[str] = []
        self._place = place
        self._cells = {cell.index: cell for cell in cells if cell.cell_type == "code"}
        self._ordinals = {cell.index: n for n, cell in enumerate(counted(cells), start=1)}
        self._checkpoints = {point.index: point for point in find_checkpoints(cells)}
        self._made = made
        self._listener = listener
        self._redactor = Redactor(place.secrets)
        self._restore = restore
        self._until = _index_of(restore, self._ordinals)
        self._shown = _read_shown(restore)
        self._known = Known()

    # -- Between -------------------------------------------------------------------------

    def instead(self, index: int, aside: Aside) -> list[Any] | None:
        """Run again what has to of a cell above the checkpoint, and put its variables back there.

        Returns:
            What the cell showed when it ran; ``None`` if it is to run now.
        """
        if index > self._until or index not in self._cells:
            return None
        cell = self._cells[index]
        again = [(piece.line, piece.source) for piece in pieces(cell, self._known)]
        if runs_whole(cell):
            return None
        if again:
            self._demand("rerun", {"pieces": again}, aside, f"cell {index + 1}, ")
        if index == self._until:
            self._put_back(aside)
        at = self._ordinals.get(index, 0) - 1
        return list(self._shown[at]) if 0 <= at < len(self._shown) else []

    def after(self, index: int, aside: Aside, cells: Sequence[Any]) -> None:
        """Save the checkpoint of a cell that has one."""
        if index == self._until:  # a checkpoint in a cell that runs again as a whole
            self._put_back(aside)
            return
        point = self._checkpoints.get(index)
        if point is None or point.problem:
            return
        try:
            self._save(point, aside, [cells[at].get("outputs", []) for at in self._ordinals])
        except (SinaraError, OSError, ValueError) as error:
            why = self._redactor.text(" ".join(str(error).split()))
            text = f"The checkpoint in cell {index + 1} was not saved: {why}"
            self.warnings.append(text)
            self._listener(RunEvent("warning", self._place.context.substep_name, text=text))

    # -- saving --------------------------------------------------------------------------

    def _save(self, point: CheckpointCell, aside: Aside, shown: list[Any]) -> None:
        place = self._place
        part = place.folder / ".part"
        remove(part)
        part.mkdir(parents=True)
        try:
            (part / _SHOWN).write_text(json.dumps(shown[: self._ordinals[point.index]]))
            self._fill(part, point, aside)
            final = place.folder / f"{self._ordinals[point.index]:04d}"
            remove(final)
            place.disk.sync_folder(str(part))
            place.disk.rename(str(part), str(final))
            place.disk.sync_folder(str(place.folder))
        finally:
            remove(part)
        for old in sorted(place.folder.glob("[0-9]*"), reverse=True)[KEPT_CHECKPOINTS:]:
            shutil.rmtree(old, ignore_errors=True)
        size = sum(p.stat().st_size for p in final.rglob("*") if p.is_file())
        told = f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
        text = f"saved {', '.join(point.names)} ({told})"
        self._listener(RunEvent("checkpoint", place.context.substep_name, point.index, text=text))

    def _fill(self, part: Path, point: CheckpointCell, aside: Aside) -> None:
        order = {
            "folder": str(part),
            "names": point.names,
            "secrets": self._place.references,
        }
        answer = self._ask("save", order, aside)
        if answer["problem"]:
            raise StoreError(answer["problem"])
        files = {_SHOWN: digest(part / _SHOWN), _VARIABLES: digest(part / _VARIABLES, self._look)}
        for name in files:
            with (part / name).open("rb") as file:
                self._place.disk.sync_fd(file.name, file.fileno())
        files |= self._copy_outputs(part)
        body = {
            "files": files,
            "types": answer["types"],
            "versions": answer["versions"],
            "run_id": self._place.context.run_id,
        }
        write_whole(part / CHECKPOINT_NAME, self._made.encode(**body), self._place.disk)

    def _look(self, data: bytes) -> None:
        if any(secret.encode("utf-8", "surrogatepass") in data for secret in self._place.secrets
               if len(secret) > 3):  # fmt: skip
            raise StoreError("a variable holds a secret")

    def _copy_outputs(self, part: Path) -> dict[str, str]:
        """Copy what the run's own entities hold by now."""
        files: dict[str, str] = {}
        for kind, source in _own_entities(self._place, self._handback()):
            if source.exists():
                target = part / kind / source.name
                target.parent.mkdir(exist_ok=True)
                inner = f"{kind}/{source.name}"
                for path, value in copy_tree(source, target, self._place.disk).items():
                    files[f"{inner}/{path}" if path else inner] = value
        return files

    def _handback(self) -> Handback:
        handback = read_handback(Path(self._place.context.handback_file))
        if handback.run_id not in ("", self._place.context.run_id):
            raise StoreError("the notebook fixes a run id of its own")
        return handback

    # -- putting back --------------------------------------------------------------------

    def _put_back(self, aside: Aside) -> None:
        if self._restore is None:
            return
        place, point = self._place, self._restore
        try:
            for kind, target in _own_entities(place, self._handback()):
                source = point.folder / kind / target.name
                remove(target)
                if source.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    copy_tree(source, target, place.disk)
        except (SinaraError, OSError) as error:
            raise _not_restored(str(error)) from None
        order = {"folder": str(point.folder), "versions": point.body["versions"]}
        self._demand("restore", order, aside, "")

    def _demand(self, what: str, order: dict[str, Any], aside: Aside, where: str) -> None:
        problem = self._ask(what, order, aside)["problem"]
        if problem:
            raise _not_restored(self._redactor.text(where + problem))

    def _ask(self, what: str, order: dict[str, Any], aside: Aside) -> dict[str, Any]:
        """Have the kernel do something, and return its answer."""
        context = self._place.context
        answer = self._place.runtime / "aside.json"
        answer.unlink(missing_ok=True)
        told = {
            "answer": str(answer),
            "run_id": context.run_id,
            "work": context.work_path,
            "step_folder": context.step_folder,
        }
        text = json.dumps({**order, **told})
        module = '__import__("importlib").import_module("sinara.substep.checkpoint")'
        ended = aside(f"{module}.{what}({text!r})", SECONDS)
        try:
            found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
            return found
        except (OSError, ValueError):
            why = "sinara is not installed for it" if ended else "it gave no answer in time"
            return {"problem": f"the kernel could not do it: {why}"}


def _index_of(point: Point | None, ordinals: dict[int, int]) -> int:
    """Return the index of the cell that a checkpoint was saved after; -1 for no checkpoint."""
    if point is None:
        return -1
    return next(index for index, ordinal in ordinals.items() if ordinal == point.ordinal)


def _read_shown(point: Point | None) -> list[Any]:
    if point is None:
        return []
    shown: list[Any] = json.loads((point.folder / _SHOWN).read_text(encoding="utf-8"))
    return shown


def _not_restored(why: str) -> Ended:
    return Ended("failed", Failure(kind=NOT_RESTORED, message=why), cell_failed=False)


def _own_entities(place: CheckpointPlace, handback: Handback) -> list[tuple[str, Path]]:
    """Return the declared outputs and temporary entities of this run, with where they lie."""
    outputs = [("outputs", Path(url)) for url in handback.outputs.values()]
    tmp = [("tmp", Path(url)) for url in handback.tmp.values()]
    return [
        *((kind, path) for kind, path in outputs if path.parent == place.run),
        *((kind, path) for kind, path in tmp if path.parent == place.tmp),
    ]


def clear_outputs(place: CheckpointPlace) -> None:
    """Remove what an attempt wrote to the run's own entities, before the next one begins."""
    handback = Path(place.context.handback_file)
    for _, path in _own_entities(place, read_handback(handback)):
        remove(path)
    handback.unlink(missing_ok=True)
