"""Readers see the newest run by the order of the log, whole and checked."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sinara.errors import CorruptError, EntityNotFoundError, RunNotFoundError, StoreError
from sinara.names import StepName, new_run_id
from sinara.store import open_store
from tests.store.harness import story


def damage(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def add_beside(path: Path) -> None:
    path.with_name("new.parquet").write_bytes(b"x")


def files(step, commit, entity="data") -> list[Path]:
    return sorted(Path(step.entity_url(commit.run_id, entity)).glob("*.parquet"))


def test_an_empty_store_has_no_latest_and_makes_nothing(step, root):
    assert step.latest() is None
    assert step.run_ids() == ()
    assert step.verify() == ()
    assert not root.exists()


def test_latest_is_the_last_that_was_published(step, publish):
    publish("data")
    last = publish("data")

    assert step.latest() == last


def test_order_is_that_of_the_log_and_not_of_the_clock(root):
    clock = [datetime(2025, 6, 1, tzinfo=UTC)]
    step = open_store(str(root), clock=lambda: clock[0]).step(story.STEP)
    for moment in (timedelta(0), timedelta(days=-1), timedelta(days=27000), timedelta(hours=-1)):
        clock[0] += moment
        name = new_run_id(lambda: clock[0])
        step.claim(name).commit(**story.ARGUMENTS)

        assert step.latest().run_id == name
    assert [commit.sequence for commit in step.commits()] == [4, 3, 2, 1]


def test_latest_walks_back_to_the_newest_run_that_holds_all_entities(step, publish):
    both = publish("train", "test")
    train = publish("train")

    assert step.latest(["train"]) == train
    assert step.latest(["train", "test"]) == both
    assert step.latest(["train", "other"]) is None


def test_interactive_runs_are_left_out_on_request(step, publish):
    published = publish("data")
    by_hand = publish("data", interactive=True)

    assert step.latest(["data"]) == by_hand
    assert step.latest(["data"], interactive=False) == published


def test_an_unknown_entity_is_answered_with_what_is_there(step, publish):
    commit = publish("train_set")

    with pytest.raises(EntityNotFoundError, match="Did you mean 'train_set'"):
        step.open(commit, "train_sat")


def test_open_tells_what_the_entity_holds(step, publish):
    info = step.open(publish("data", rows=7), "data")

    assert (info.rows, info.files, info.columns) == (7, 1, (("number", "int64"),))
    assert info.url == step.entity_url(step.latest().run_id, "data")
    assert len(info.manifest) == 64


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        pytest.param(lambda file: file.unlink(), "is missing", id="removed"),
        pytest.param(lambda file: damage(file, b"x"), "bytes; .* were published", id="cut"),
        pytest.param(lambda file: add_beside(file), "was added", id="added"),
        pytest.param(
            lambda file: damage(file.with_name("_SUCCESS"), b"x"), "is not the", id="mark"
        ),
    ],
)
@pytest.mark.parametrize("how", ["sizes", "cached", "full"])
def test_open_refuses_an_entity_that_changed(step, publish, break_it, said, how):
    commit = publish("data")
    (file,) = files(step, commit)
    file.parent.chmod(0o755)
    break_it(file)

    with pytest.raises(CorruptError, match=said):
        step.open(commit, "data", verify=how)


def test_a_changed_byte_is_found_when_it_is_hashed(step, publish):
    commit = publish("data")
    (file,) = files(step, commit)
    data = file.read_bytes()
    damage(file, data[:50] + bytes([data[50] ^ 1]) + data[51:])

    assert step.open(commit, "data", verify="sizes").rows == 3
    for how in ("full", "cached"):
        with pytest.raises(CorruptError, match="differs from its digest"):
            step.open(commit, "data", verify=how)


def test_what_was_hashed_is_not_hashed_again_until_it_changes(root, step, publish, monkeypatch):
    commit = publish("data")
    step.open(commit, "data")
    hashed = []
    backend = step._place.backend
    original = backend.digest

    def digest(folder, paths, *, sync):
        hashed.append(folder)
        return original(folder, paths, sync=sync)

    monkeypatch.setattr(backend, "digest", digest)

    step.open(commit, "data")
    assert hashed == []
    os.utime(files(step, commit)[0])
    step.open(commit, "data")
    step.open(commit, "data")
    assert len(hashed) == 1


def test_a_cache_that_cannot_be_written_changes_nothing(step, publish, private_machine):
    private_machine.joinpath(".cache").write_text("no folder")
    commit = publish("data")

    assert step.open(commit, "data", verify="cached").rows == 3


def test_a_manifest_of_another_entity_is_refused(step, publish):
    commit = publish("one", "two", rows=3)
    manifests = Path(step.url) / commit.run_id / "_manifests"
    manifests.chmod(0o755)
    damage(manifests / "one.json", (manifests / "two.json").read_bytes())

    with pytest.raises(CorruptError, match="is not the manifest that was published"):
        step.open(commit, "one", verify="sizes")


def test_a_damaged_newest_entry_is_an_error_and_not_an_older_run(step, publish, root):
    publish("data")
    publish("data")
    entry = Path(step.url) / "_commits" / f"{2:020d}.json"
    damage(entry, entry.read_bytes().replace(b'"data"', b'"date"'))

    with pytest.raises(CorruptError, match="differs from its digest"):
        open_store(str(root)).step(story.STEP).latest()


def test_a_run_that_was_taken_back_is_gone_for_readers_and_its_evidence_is_not(step, publish):
    old, new = publish("data"), publish("data")
    step.put_file(new.run_id, "index.html", b"page")

    assert step.tombstone(new.run_id, "wrong labels")

    assert step.latest() == old
    with pytest.raises(RunNotFoundError):
        step.commit(new.run_id)
    assert not (Path(step.url) / new.run_id).exists()
    assert step.get_file(new.run_id, "index.html") == b"page"
    assert step.verify() == ()


def test_taking_back_twice_is_an_error(step, publish):
    commit = publish("data")
    step.tombstone(commit.run_id, "x")

    with pytest.raises(RunNotFoundError, match="is not published"):
        step.tombstone(commit.run_id, "x")


def test_a_pinned_run_is_taken_back_but_its_data_stays_until_the_pin_goes(step, publish):
    commit = publish("data")
    folder = Path(step.url) / commit.run_id
    with step.pin(commit.run_id):
        assert not step.tombstone(commit.run_id, "x")
        assert step.latest() is None
        assert not step.recover().collected
        assert folder.exists()
        with pytest.raises(RunNotFoundError):
            step.commit(commit.run_id)

    assert step.recover().collected == (commit.run_id,)
    assert not folder.exists()


def test_a_run_that_was_taken_back_cannot_be_pinned(step, publish):
    commit = publish("data")
    step.tombstone(commit.run_id, "x")

    with pytest.raises(RunNotFoundError, match="was taken back"):
        step.pin(commit.run_id)


# -- runs of the original --------------------------------------------------------------------


def legacy(step, name: str, *entities: str) -> None:
    for entity in entities:
        folder = Path(step.entity_url(name, entity))
        folder.mkdir(parents=True)
        (folder / "part-0.parquet").write_bytes(story.parquet(2))
        (folder / "_SUCCESS").touch()


def test_runs_of_the_original_are_read_on_request_only(step):
    legacy(step, "run-24-01-01-000000", "data")

    assert step.latest(["data"]) is None
    with pytest.raises(RunNotFoundError):
        step.commit("run-24-01-01-000000")

    commit = step.latest(["data"], legacy=True)
    info = step.open(commit, "data")
    assert (commit.legacy, commit.sequence, info.note, info.rows) == (True, 0, "unverified", 2)
    assert step.commit("run-24-01-01-000000", legacy=True).run_id == commit.run_id


def test_runs_of_the_original_are_ordered_by_run_id_and_older_than_every_commit(step, publish):
    for name in ("run-24-03-01-000000", "run-24-05-01-000000", "run-24-04-01-000000"):
        legacy(step, name, "data", "eval.x")
    assert step.latest(["data", "eval.x"], legacy=True).run_id == "run-24-05-01-000000"

    commit = publish("data")

    assert step.latest(["data"], legacy=True) == commit
    assert step.latest(["eval.x"], legacy=True).run_id == "run-24-05-01-000000"


def test_a_run_of_the_original_without_its_mark_is_passed_over(step):
    legacy(step, "run-24-01-01-000000", "data")
    legacy(step, "run-24-02-01-000000", "data")
    (Path(step.entity_url("run-24-02-01-000000", "data")) / "_SUCCESS").unlink()

    assert step.latest(["data"], legacy=True).run_id == "run-24-01-01-000000"


def test_a_claimed_run_is_never_taken_for_one_of_the_original(step):
    writer = step.claim(new_run_id())
    folder = Path(writer.entity_url("data"))
    folder.mkdir()
    (folder / "_SUCCESS").touch()

    assert step.latest(["data"], legacy=True) is None


def test_recovery_never_touches_runs_of_the_original(step):
    legacy(step, "run-24-01-01-000000", "data")

    assert not step.recover(full=True)
    assert step.latest(["data"], legacy=True)


# -- stores ----------------------------------------------------------------------------------


def test_steps_lists_what_left_something(root, publish):
    publish("data")
    (root / "other").mkdir()
    (root / "pipe" / "zone" / "empty").mkdir()
    (root / "pipe" / "zone" / ".hidden").mkdir()

    assert list(open_store(str(root)).steps()) == [("pipe", "zone", "step")]


def test_a_file_url_is_a_path(root, publish):
    commit = publish("data")

    assert open_store(f"file://{root}").step(story.STEP).latest() == commit


def test_a_root_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    step = open_store(str(tmp_path / "file")).step(StepName("user", "p", "z", "s"))

    with pytest.raises(StoreError, match="Cannot begin run") as refused:
        step.claim(new_run_id())

    assert len(refused.value.lines) == 1
