"""Which run saves a service, and what of it is told on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sinara.errors import RunNotFoundError, StoreError, UsageError
from sinara.record import CodeRecord
from sinara.serving.make import Maker
from sinara.serving.values import InputRun, Origin

if TYPE_CHECKING:
    from sinara.substep import NotebookSubstep
    from sinara.substep.work import Work


def find_maker(substep: NotebookSubstep | None, path: str) -> Maker:
    """Return which run saves a service at ``path``.

    Args:
        substep: Which saves it; the newest of this process by default.
        path: The URL of one of its outputs.

    Raises:
        UsageError: If there is no substep, or the path is none of its outputs.
    """
    from sinara import __version__
    from sinara.substep import NotebookSubstep

    substep = substep or NotebookSubstep.current
    if substep is None:
        raise UsageError(
            "There is no substep yet. Make one first: substep = NotebookSubstep(), then "
            "substep.interface(outputs=[{ENTITY_NAME: 'bento_service'}])."
        )
    work: Work = substep.work
    entity = _entity_at(work, path)
    code, user, started = _record(work)
    origin = Origin(
        entity=work.addresses.full_name(entity),
        run_id=work.context.run_id,
        substep=work.context.substep_name,
        commit=code.commit,
        branch=code.branch,
        remote=_public(code.origin),
        dirty=code.dirty,
        user=user,
        sinara=__version__,
        inputs=tuple(InputRun(i.full_name, i.run_id, i.manifest) for i in work.inputs),
    )
    return Maker(origin, Path(work.context.step_folder), started)


def _public(remote: str | None) -> str | None:
    """Return the address of a remote; a path on this machine means nothing anywhere else."""
    address = remote or ""
    scheme, colon, _ = address.partition("://")
    if colon:
        return None if scheme == "file" else remote
    host, colon, _ = address.partition(":")
    return remote if colon and "/" not in host else None


def _entity_at(work: Work, path: str) -> str:
    """Return which of the substep's outputs lies at a path."""
    places = {
        **{url: name for name, url in work.output_urls().items()},
        **{url: name for name, url in work.custom_paths("custom_outputs").items()},
        **{url: name for name, url in work.tmp_urls(work.declared.tmp_outputs).items()},
        **{url: name for name, url in work.tmp_urls(work.declared.tmp_entities).items()},
    }
    entity = places.get(path)
    if entity is None:
        there = ", ".join(sorted(set(places.values()))) or "none"
        raise UsageError(
            f"{path} is no output of this substep; there is {there}. Give "
            "path=substep.outputs().NAME, after substep.interface(outputs=…)."
        )
    return entity


def _record(work: Work) -> tuple[CodeRecord, str, datetime]:
    """Return the code, the user and the begin of the run; by hand, of the moment."""
    if work.in_job:
        try:
            store = work.reader.step_store(work.addresses.step)
            record = store.read_record(work.context.run_id)
            return record.code, record.user, datetime.fromisoformat(record.started)
        except (RunNotFoundError, StoreError, ValueError):
            pass  # a notebook that fixed its own run id has no record yet
    from sinara.repository import read_code

    code = read_code(Path(work.context.step_folder))
    return code, work.settings.user, datetime.now(UTC).replace(microsecond=0)
