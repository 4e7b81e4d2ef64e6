"""From what an engine wrote to the form that is published: one folder of data files."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Sequence

from sinara.names import entity_folder
from sinara.store.parquet import looks_like_parquet, read_footers
from sinara.store.place import Place
from sinara.store.trees import Seen, Sorted, sort_out
from sinara.store.values import EntityInfo


def settle(
    place: Place, folder: str, entity: str, *, touch: bool, shared: Container[str] = ()
) -> Sorted | None:
    """Sort out an entity's folder: a lone file gets a folder, and litter goes.

    Args:
        place: The step.
        folder: The entity's folder, relative to the step's.
        entity: For errors.
        touch: Whether anything may be changed there.
        shared: Paths of published files, which may have a second name.

    Returns:
        What is there then, or None if there is no data.

    Raises:
        OutputError: If something there cannot be published.
    """
    backend = place.backend
    if touch:
        backend.readopt(folder)
    try:
        found = sort_out(entity, backend.scan(folder), shared)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not found.data:
        return None
    if touch and found.data[0].path == "":
        backend.adopt(folder, lone_name(place, folder))
        return sort_out(entity, backend.scan(folder))
    if touch and (found.litter or found.empty):
        backend.remove_litter(folder, found.litter, found.empty)
    return found


def describe(place: Place, run_id: str, entity: str, data: Sequence[Seen]) -> EntityInfo:
    """Return what an entity holds that is not sealed yet.

    Raises:
        OutputError: If a parquet file cannot be read.
    """
    folder = f"{run_id}/{entity_folder(entity)}"
    paths = [seen.path or lone_name(place, folder) for seen in data]
    lone = data[0].path == ""
    rows, columns = read_footers(
        entity,
        paths,
        lambda path: place.backend.open_data(folder if lone else f"{folder}/{path}"),
    )
    size = sum(seen.size for seen in data)
    url = place.entity_url(run_id, entity)
    return EntityInfo(entity, url, len(data), size, rows, columns)


def lone_name(place: Place, folder: str) -> str:
    """Return the name that a lone file gets in its folder."""
    with contextlib.suppress(FileNotFoundError):
        if looks_like_parquet(place.backend.open_data(folder)):
            return "part-00000.parquet"
    return "data"
