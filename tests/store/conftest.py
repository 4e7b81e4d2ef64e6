"""A store of one step, and a short way to write runs into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sinara.names import new_run_id
from sinara.store import Commit, StepStore, open_store
from tests.store.harness import story

Publish = Callable[..., Commit]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of an env that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def step(root: Path) -> StepStore:
    """The store of one step, as every other module opens it."""
    return open_store(str(root)).step(story.STEP)


@pytest.fixture
def publish(step: StepStore) -> Publish:
    """A function that publishes one run: entity name -> what its one parquet file's rows are."""

    def write(
        *entities: str, rows: int = 3, interactive: bool = False, trigger: str | None = None
    ) -> Commit:
        with step.claim(new_run_id(), trigger_key=trigger) as writer:
            for entity in entities:
                Path(writer.entity_url(entity)).write_bytes(story.parquet(rows))
                writer.seal(entity)
            return writer.commit(**story.ARGUMENTS, interactive=interactive)

    return write
