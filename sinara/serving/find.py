"""Which entity is meant, and whether what lies there is what was published."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from sinara.errors import BadNameError, RunNotFoundError, ServiceError
from sinara.names import StepName, entity_folder, parse_entity_url
from sinara.serving.entity import OLD_ARCHIVE, is_old_entity, open_service
from sinara.serving.values import SERVICE, SavedService
from sinara.settings import Settings
from sinara.store import StepStore, open_store


def published_service(store: StepStore, run_id: str, entity: str, folder: Path) -> SavedService:
    """Return the service in a published entity, after checking every byte of it.

    Args:
        store: Of the step.
        run_id: The run.
        entity: The entity's name.
        folder: For copies, if the store is on another machine.

    Raises:
        RunNotFoundError: If the run is not published.
        EntityNotFoundError: If it does not hold the entity.
        CorruptError: If it is not what was published.
        ServiceError: If it holds no service.
    """
    try:
        commit = store.commit(run_id)
    except RunNotFoundError:
        _refuse_old(store, run_id, entity, folder)
        raise
    info = store.open(commit, entity)
    return open_service(info.url, folder, info.manifest or "")


def _refuse_old(store: StepStore, run_id: str, entity: str, folder: Path) -> None:
    """Say what to do with a service that 4-DS Sinara left, which no log covers."""
    url = store.entity_url(run_id, entity)
    if is_old_entity(url):
        open_service(url, folder)


def holds_service(store: StepStore, run_id: str) -> list[str]:
    """Return the entities of a published run that hold a service, by name; nothing is verified."""
    from sinara.fs import SinaraFileSystem

    files = SinaraFileSystem.FileSystem()
    found = []
    for name in store.commit(run_id, legacy=True).entities:
        url = store.entity_url(run_id, name)
        if files.exists(f"{url}/{SERVICE}") or files.exists(f"{url}/{OLD_ARCHIVE}"):
            found.append(name)
    return sorted(found)


def service_at(
    settings: Settings, url: str, folder: Path, own: Collection[str] = ()
) -> SavedService:
    """Return the service at a URL; one that lies in an env has to be published there.

    What lies in an env and is in no log was put there by nobody knows whom, and a service is code.

    Args:
        settings: Where the envs are.
        url: Of an entity, or any folder.
        folder: For copies.
        own: URLs that are this run's own outputs, which nobody has published yet.

    Raises:
        ServiceError: If it is in no log, or holds no service.
        CorruptError: If it is not what was published.
    """
    url = url.removeprefix("file://").rstrip("/")
    if url in own:
        return open_service(url, folder)
    found = _in_env(settings, url)
    if found is None:
        return open_service(url, folder)
    store, run_id, entity = found
    try:
        return published_service(store, run_id, entity, folder)
    except RunNotFoundError as error:
        raise ServiceError(f"{url} cannot be loaded: {error}") from error


def _in_env(settings: Settings, url: str) -> tuple[StepStore, str, str] | None:
    """Return step, run and entity of a URL inside an env; None if it lies elsewhere."""
    spellings = [url] if "://" in url else [os.path.abspath(url), os.path.realpath(url)]  # noqa: PTH100
    for env in settings.envs.values():
        roots = {env.root} if "://" in env.root else {env.root, os.path.realpath(env.root)}
        for spelling in spellings:
            for root in roots:
                if spelling.startswith(root.rstrip("/") + "/"):
                    try:
                        address = parse_entity_url(spelling)
                    except BadNameError as error:
                        raise ServiceError(f"{url} lies in env {env.name}: {error}") from error
                    step = StepName(env.name, address.pipeline, address.zone, address.step)
                    store = open_store(env.root, storage_options=env.storage_options).step(step)
                    return store, address.run_id, _named(store, address.run_id, address.folder)
    return None


def _named(store: StepStore, run_id: str, folder: str) -> str:
    """Return the name of the entity in a folder: dots in it are written as ``_``."""
    try:
        commit = store.commit(run_id, legacy=True)
    except RunNotFoundError:
        return folder
    return next((name for name in commit.entities if entity_folder(name) == folder), folder)
