"""Which entity of which run is meant: by its name, ``step.entity``, full name, or folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from sinara import names
from sinara.errors import (
    BadNameError,
    EntityNotFoundError,
    RunNotFoundError,
    UsageError,
    suggest,
)
from sinara.lineage.values import Key
from sinara.names import StepName
from sinara.settings import EnvSettings, Settings
from sinara.store import StepStore, Word, open_store

_NEWEST = 20  # runs of a step that are looked at before its whole log is read


def find_entity(
    settings: Settings, steps: Iterable[StepStore], asked: str, run: str | None = None
) -> Key:
    """Return the full name and the run of the entity that a person asks for.

    Args:
        settings: Where the envs are.
        steps: Where a name is looked for. A full name and a path say it themselves.
        asked: ``predictions``, ``model_eval.predictions``, ``user.digits.zone.model_eval.predictions``,
            or the path or URL of its folder, or of a file in it.
        run: An id, or the beginning of one; the newest run that holds the entity, if not given.

    Raises:
        EntityNotFoundError: If there is none.
        RunNotFoundError: If no such run is there.
        UsageError: If several are meant, or a path is in no env.
    """  # noqa: E501
    if "/" in asked:
        return _by_path(settings, asked, run)
    step = _full(settings, asked)
    if step is not None:
        store = _open(settings.env(step.env), step)
        return _in_step(store, asked.split(".", 4)[4], run)
    return _by_name(list(steps), asked, run)


# -- a full name ---------------------------------------------------------------------------


def _full(settings: Settings, asked: str) -> StepName | None:
    """Return the step of a full name; None if it is none."""
    try:
        step, _ = names.parse_full_name(asked)
    except BadNameError:
        return None
    return step if step.env in settings.envs else None


def _open(env: EnvSettings, step: StepName) -> StepStore:
    return open_store(env.root, storage_options=env.storage_options).step(step)


# -- a path --------------------------------------------------------------------------------


def _by_path(settings: Settings, asked: str, run: str | None) -> Key:
    for env in settings.envs.values():
        for given in _spellings(asked):
            root = env.root.rstrip("/") + "/"
            parts = given.removeprefix(root).split("/")
            if given.startswith(root) and len(parts) >= 5:
                return _at(env, parts, run)
    roots = ", ".join(f"{env.name}: {env.root}" for env in settings.envs.values())
    raise UsageError(
        f"{asked} is no folder of an entity: it has to be PIPELINE/ZONE/STEP/RUN/ENTITY below the "
        f"root of an env ({roots})."
    )


def _spellings(asked: str) -> Iterator[str]:
    yield asked.removeprefix("file://")
    if "://" not in asked:
        yield str(Path(asked).absolute())
        yield str(Path(asked).resolve())


def _at(env: EnvSettings, parts: Sequence[str], run: str | None) -> Key:
    step = StepName(env.name, *parts[:3])
    run_id, folder = names.check_run_id(parts[3]), parts[4]
    if run is not None and not run_id.startswith(run):
        raise UsageError(f"The path is of run {run_id}, and --run says {run}. Leave one out.")
    store = _open(env, step)
    for entity in _entities_of(store, run_id):
        if names.entity_folder(entity) == folder:
            return names.full_name(step, entity), run_id
    raise EntityNotFoundError(
        f"Run {run_id} of step '{step.step}' holds no entity in a folder '{folder}'. "
        "See what there is: sinara entity list --all-runs"
    )


# -- a name --------------------------------------------------------------------------------


def _by_name(steps: Sequence[StepStore], asked: str, run: str | None) -> Key:
    holding = _holding(steps, asked, run, _NEWEST) or _holding(steps, asked, run, None)
    if len(holding) > 1:
        told = ", ".join(sorted(store.step.dotted for store, _ in holding))
        raise UsageError(
            f"'{asked}' is an entity of {len(holding)} steps: {told}. "
            "Write it as step.entity, or give the full name."
        )
    if not holding:
        raise _unknown(steps, asked, run)
    return _in_step(*holding[0], run)


def _holding(
    steps: Sequence[StepStore], asked: str, run: str | None, most: int | None
) -> list[tuple[StepStore, str]]:
    """Return the steps that hold what is asked for, each with the entity's name there.

    Args:
        steps: Where to look.
        asked: ``entity`` or ``step.entity``.
        run: The beginning of a run's id.
        most: How many runs of each step to look at, the newest first.
    """
    found = []
    for store in steps:
        wanted = {asked} | {asked.removeprefix(f"{store.step.step}.")}
        if run is None:
            runs = islice(store.words(), most)
            held = [name for word in runs for name in word.commit.entities if name in wanted]
        else:
            held = [
                n
                for run_id in _fitting(store, run)
                for n in _entities_of(store, run_id)
                if n in wanted
            ]
        if (
            not held and run is None and most is None
        ):  # no log knows it: the original may have left it
            held = [name for name in wanted if store.latest([name], legacy=True)]
        if held:
            found.append((store, held[0]))
    return found


def _in_step(store: StepStore, entity: str, run: str | None) -> Key:
    """Return an entity of a step: of the run asked for, or of the newest that holds it."""
    full = names.full_name(store.step, entity)
    if run is not None:
        return full, _whole(store, run)
    commit = store.latest([entity], legacy=True)
    if commit is not None:
        return full, commit.run_id
    taken_back = (word.commit for word in store.words() if entity in word.commit.entities)
    newest = next(taken_back, None)
    if newest is None:
        there = next((word.commit.entities for word in store.words()), {})
        raise EntityNotFoundError.for_entity(entity, store.step.step, there)
    return full, newest.run_id


def _whole(store: StepStore, run: str) -> str:
    fits = _fitting(store, run)
    if len(fits) > 1:
        raise UsageError(
            f"'{run}' fits {len(fits)} runs: {', '.join(fits[:5])}. Give more of the id."
        )
    if not fits:
        raise RunNotFoundError(
            f"Step '{store.step.step}' has no run '{run}'. See what there is: sinara run list"
        )
    return fits[0]


def _fitting(store: StepStore, run: str) -> list[str]:
    """Return the run of that id, or else those whose ids begin so."""
    ids = sorted({*store.run_ids(), *store.folders()}, reverse=True)
    fits = [run] if run in ids else [run_id for run_id in ids if run_id.startswith(run)]
    if fits:
        return fits
    try:  # a run of which nothing is left but what the log says
        return [run] if store.search()(run) is not None else []
    except BadNameError:  # no whole id
        return []


def _entities_of(store: StepStore, run_id: str) -> list[str]:
    """Return the entities of a run: what the log says, else its record, else its folders."""
    word = store.search()(run_id) if (commit := store.marked(run_id)) is None else Word(commit)
    if word is not None:
        return list(word.commit.entities)
    try:
        record = store.read_record(run_id)
    except RunNotFoundError:
        return list(store.commit(run_id, legacy=True).entities)
    return [e.name for s in record.substeps for e in s.outputs if e.kind == "outputs"]


def _unknown(steps: Sequence[StepStore], asked: str, run: str | None) -> EntityNotFoundError:
    known: dict[str, None] = {}
    for store in steps:
        for word in islice(store.words(), _NEWEST):
            for name in word.commit.entities:
                if not name.startswith("reports."):
                    known[f"{store.step.step}.{name}"] = None
                    known[name] = None
    there = [name for name in known if "." in name]
    hint = (asked not in known and suggest(asked, list(known))) or (
        f"There is {', '.join(there[:20])}." if there else "Nothing is published yet."
    )
    where = f" in a run '{run}'" if run else ""
    return EntityNotFoundError(f"No entity '{asked}'{where}. {hint}")
