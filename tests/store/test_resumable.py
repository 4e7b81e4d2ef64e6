"""Unpublished data of runs that are over: found, held, given up."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sinara import names
from sinara.errors import RunNotFoundError, StoreError
from sinara.names import StepName
from sinara.record import RunRecord, SubstepRecord
from sinara.runner import keep as keeping
from sinara.runner.keep import Keep
from sinara.store import RunWriter, StepStore, open_store

STEP = StepName("user", "pipe", "zone", "load")
NOTHING = {"inputs": {}, "code": {}, "params_sha256": "", "substeps": ()}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StepStore:
    monkeypatch.setattr(keeping, "_FREE_BYTES", 0)  # whatever the disk of this machine has
    return open_store(str(tmp_path / "store"), durability="fast").step(STEP)


def begin(store: StepStore, *, days: float = 0) -> RunWriter:
    clock = datetime.now(UTC) - timedelta(days=days)
    run_id = names.new_run_id(lambda: clock, os.urandom)
    return store.claim(run_id)


def write(writer: RunWriter, entity: str = "raw", text: str = "x") -> Path:
    folder = Path(writer.entity_url(entity))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.txt").write_text(text)
    return folder / "a.txt"


def died(store: StepStore, *, checkpoint: bool = True, days: float = 0) -> str:
    """A run that let go of its claim without publishing."""
    writer = begin(store, days=days)
    write(writer)
    if checkpoint:
        point = Path(writer.url, "_checkpoints", "reports_a_ipynb", "0003")
        point.mkdir(parents=True)
        (point / "checkpoint.json").touch()
    writer.release()
    return writer.run_id


def publish(store: StepStore) -> str:
    with begin(store) as writer:
        write(writer)
        writer.seal("raw")
        writer.commit(**NOTHING)
    return writer.run_id


def test_runs_that_go_on_drafts_and_published_ones_are_not_unpublished(store):
    publish(store)
    old = died(store)
    going = begin(store)
    draft = store.claim(names.new_run_id(), draft=True)

    found = store.unpublished()

    assert found == (old,)
    going.release()
    draft.release()


def test_a_held_run_is_not_collected(store):
    old = died(store)

    with_hold, again = store.hold(old), store.hold(old)
    store.recover(keep=lambda run_id: False)
    assert Path(store.url, old, "raw", "a.txt").is_file()
    with_hold.release()
    again.release()
    store.recover()

    assert not Path(store.url, old).exists()
    with pytest.raises(RunNotFoundError, match="not kept any more"):
        store.hold(old)


def test_a_run_that_goes_on_or_was_published_cannot_be_held(store):
    going, published = begin(store), publish(store)

    with pytest.raises(StoreError, match="still goes on"):
        store.hold(going.run_id)
    with pytest.raises(RunNotFoundError, match="nothing to resume"):
        store.hold(published)

    going.release()


def test_what_was_sealed_is_known_until_it_changes(store):
    with begin(store) as writer:
        file = write(writer)
        assert writer.sealed("raw") is None

        info = writer.seal("raw")

        assert writer.sealed("raw") == info
        file.write_text("longer than it was")
        assert writer.sealed("raw") is None


def test_a_discarded_entity_is_not_published(store):
    with begin(store) as writer:
        write(writer, "raw")
        write(writer, "other")
        writer.seal("raw")
        writer.seal("other")

        writer.take_out("raw")
        commit = writer.commit(**NOTHING)

    assert list(commit.entities) == ["other"]
    assert store.verify() == ()


def test_checkpoints_go_when_the_run_is_published(store):
    with begin(store) as writer:
        write(writer)
        Path(writer.url, "_checkpoints", "x").mkdir(parents=True)
        writer.seal("raw")
        writer.commit(**NOTHING)

    assert not Path(writer.url, "_checkpoints").exists()
    assert store.verify() == ()


def test_the_newest_three_runs_that_can_be_resumed_are_kept(store):
    dead = [died(store) for _ in range(4)]
    worthless = died(store, checkpoint=False)

    done = store.recover(keep=Keep(store))

    assert set(done.collected) == {dead[0], worthless}
    assert store.unpublished() == tuple(reversed(dead[1:]))


def test_a_run_with_a_substep_that_succeeded_is_kept(store):
    old = died(store, checkpoint=False)
    substeps = (SubstepRecord("a.ipynb", "succeeded"), SubstepRecord("b.ipynb", "failed"))
    record = RunRecord(old, "user", "pipe", "zone", "load", "failed", "", substeps=substeps)
    store.write_record(record)

    assert not store.recover(keep=Keep(store)).collected


def test_nothing_is_kept_once_a_newer_run_is_published(store):
    old = died(store)
    publish(store)

    assert store.recover(keep=Keep(store)).collected == (old,)


def test_nothing_is_kept_for_more_than_two_weeks(store):
    old, young = died(store, days=15), died(store, days=13)

    assert store.recover(keep=Keep(store)).collected == (old,)
    assert store.unpublished() == (young,)


def test_what_is_about_to_be_resumed_is_kept_in_any_case(store):
    old = died(store, days=15)
    publish(store)

    assert not store.recover(keep=Keep(store, old)).collected


def test_nothing_is_kept_on_a_full_disk(store, monkeypatch):
    old = died(store)
    monkeypatch.setattr(keeping, "_is_full", lambda folder: True)

    assert store.recover(keep=Keep(store)).collected == (old,)
