"""What a substep declares, as places on this machine: to judge what it touched, or to refuse it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from sinara import names
from sinara.audit.inside import Rules
from sinara.audit.places import Places, absolute
from sinara.context import Handback, RunContext
from sinara.interface import CustomRef, Interface
from sinara.runner.inputs import producer
from sinara.runner.prepare import PreparedStep, PreparedSubstep
from sinara.store.layout import CLAIM, COMMIT, COMMITS, MANIFESTS, OPEN, SNAPSHOT


def places_of(
    prepared: PreparedStep,
    substep: PreparedSubstep,
    context: RunContext,
    interface: Interface,
    handback: Handback,
) -> Places:
    """Return what a substep has declared, once it is over and has said which inputs it got."""
    step = str(prepared.folder)
    run_ids = {context.run_id, handback.run_id or context.run_id}
    run = [names.run_url(prepared.env.root, prepared.params.step, one) for one in run_ids]
    file = prepared.settings.file
    return Places(
        step,
        read=_local((*handback.inputs.values(), *_custom(interface.custom_inputs, step))),
        write=_local(
            (
                *run,
                *handback.outputs.values(),
                *handback.tmp.values(),
                *_custom(interface.custom_outputs, step),
                *_of_the_run(prepared, context),
            )
        ),
        roots=_local(env.root for env in prepared.settings.envs.values()),
        own=tuple(str(path) for path in (substep.path, file) if path is not None),
    )


def rules_of(prepared: PreparedStep, substep: PreparedSubstep, context: RunContext) -> Rules:
    """Return what a substep with ``strict_files`` may touch; its own folders are made.

    Raises:
        OSError: If a folder cannot be made.
    """
    declared, step = substep.interface or Interface(), str(prepared.folder)
    outputs = [Path(path) for path in _custom(declared.custom_outputs, step)]
    for path in outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
    own = prepared.params.step
    write = [
        names.run_url(prepared.env.root, own, context.run_id),
        *_of_the_run(prepared, context),
        *(str(path if path.exists() else path.parent) for path in outputs),
        str(_cache()),
        context.pins_file,
    ]
    read = [step, *_custom(declared.custom_inputs, step), *_secret_files(prepared, substep)]
    read += [str(prepared.settings.file or "")]
    steps = {own: {context.run_id}}
    for ref in declared.inputs:
        run_id = ref.run_id or context.pins.get(producer(ref, own).key, "")
        steps.setdefault(producer(ref, own), set()).add(run_id)
        root = prepared.settings.env(producer(ref, own).env).root
        if run_id:
            read.append(names.entity_url(root, producer(ref, own), run_id, ref.entity_name))
        else:  # chosen when it is asked for
            read.append(f"{root}/{producer(ref, own).path}")
    for one, run_ids in steps.items():
        books = f"{prepared.settings.env(one.env).root}/{one.path}"
        write.append(f"{books}/{OPEN}")
        read += [f"{books}/{COMMITS}", *_books_of_runs(books, run_ids)]
    for folder in _local((f"{prepared.env.tmp_root}/{own.path}",)):
        Path(folder).mkdir(parents=True, exist_ok=True)
    roots = (prepared.settings.env(one.env).root for one in steps)
    return Rules(_local(read), _local(write), _local(roots))


def private_tmp(context: RunContext) -> Path:
    """Return the folder for temporary files of a substep with ``strict_files``, made."""
    path = Path(context.handback_file).parent / "tmp"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _of_the_run(prepared: PreparedStep, context: RunContext) -> tuple[str, ...]:
    """Return the folders for temporary things: of the substep, of the run, of the step's env."""
    runtime = str(Path(context.handback_file).parent)
    tmp = f"{prepared.env.tmp_root}/{prepared.params.step.path}"
    return runtime, context.work_path, tmp


def _books_of_runs(books: str, run_ids: Iterable[str]) -> list[str]:
    parts = (CLAIM, COMMIT, MANIFESTS, SNAPSHOT)
    return [f"{books}/{run_id}/{part}" for run_id in run_ids if run_id for part in parts]


def _custom(references: Iterable[CustomRef], step: str) -> list[str]:
    return [path for ref in references if (path := absolute(ref.path, step))]


def _secret_files(prepared: PreparedStep, substep: PreparedSubstep) -> list[str]:
    references = {**prepared.params.secrets, **substep.checked.secrets}.values()
    files = (getattr(reference, "file", None) for reference in references)
    return [absolute(file, str(prepared.folder)) for file in files if file]


def _cache() -> Path:
    """Return where this user's digests are remembered."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "sinara")


def _local(urls: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(url for url in urls if url and "://" not in url))
