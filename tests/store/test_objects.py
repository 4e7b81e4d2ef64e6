"""The same store on an object store: a real S3 server of moto, and memory."""

from __future__ import annotations

import logging
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from sinara.errors import CorruptError, MissingExtraError, OutputError, SettingsError, StoreError
from sinara.names import new_run_id
from sinara.store import AlreadyPublishedError, LostClaimError, open_store
from sinara.store.blobs import FsspecBlobs
from sinara.store.world import Process, World
from tests.store.harness import simulation, story

REGION = "us-east-1"


@pytest.fixture(scope="module")
def server():
    """The address of an S3 server with one bucket."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{address}/bucket", method="PUT")).close()
    yield address
    running.stop()


@pytest.fixture(params=["s3", "memory"])
def place(request, monkeypatch):
    """A root and its options; each test has a folder of its own."""
    if request.param == "memory":
        return f"memory://{new_run_id()}/data", {}
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    options = {
        "key": "key",
        "secret": "secret",
        "endpoint_url": request.getfixturevalue("server"),
        "client_kwargs": {"region_name": REGION},
    }
    return f"s3://bucket/{new_run_id()}/data", options


@pytest.fixture
def step(place):
    root, options = place
    return open_store(root, storage_options=options).step(story.STEP)


def frame(rows: int = 3) -> pd.DataFrame:
    return pd.DataFrame({"number": range(rows)})


def publish(step, place, *entities, rows=3, trigger=None):
    """Publish a run as pandas and the driver do."""
    writer = step.claim(new_run_id(), trigger_key=trigger)
    for entity in entities:
        url = f"{writer.entity_url(entity)}/part-0.parquet"
        frame(rows).to_parquet(url, storage_options=place[1] or None)
        writer.seal(entity)
    return writer.commit(**story.ARGUMENTS)


def put(place, url: str, data: bytes | None) -> None:
    """Put an object behind the store's back; None deletes it."""
    blobs = FsspecBlobs(url.rpartition("/")[0], place[1])
    name = url.rpartition("/")[2]
    if data is None:
        blobs.delete([name])
    else:
        blobs.put(name, data)


def test_a_run_is_published_and_read(step, place):
    first = publish(step, place, "train", "test")
    second = publish(step, place, "train", rows=5)

    assert step.latest(["train"]) == second
    assert step.latest(["test"]) == first == step.commit(first.run_id)
    info = step.open(second, "train", verify="full")
    assert (info.rows, info.files) == (5, 1)
    assert pd.read_parquet(info.url, storage_options=place[1] or None).shape == (5, 1)
    assert step.verify() == ()
    assert not step.recover(full=True)


def test_an_output_is_emptied_and_its_neighbours_stay(step, place):
    writer = step.claim(new_run_id())
    for entity in ("data", "data2", "dat"):
        put(place, f"{writer.entity_url(entity)}/part-0.csv", b"1")
    put(place, f"{writer.entity_url('data')}/year=1/part-0.csv", b"1")

    writer.discard("data")
    writer.discard("data")

    assert [writer.settle(entity) is None for entity in ("data", "data2", "dat")] == [
        True,
        False,
        False,
    ]


def test_a_lone_object_becomes_a_folder_and_litter_goes(step, place):
    writer = step.claim(new_run_id())
    frame().to_parquet(writer.entity_url("lone"), storage_options=place[1] or None)
    frame().to_parquet(f"{writer.entity_url('many')}/a.parquet", storage_options=place[1] or None)
    put(place, f"{writer.entity_url('many')}/_SUCCESS", b"spark")
    put(place, f"{writer.entity_url('many')}/.a.parquet.crc", b"crc")

    assert writer.settle("lone").url == writer.entity_url("lone")
    assert writer.settle("many").files == 1
    assert writer.settle("nothing") is None
    for entity in ("lone", "many"):
        writer.seal(entity)
    commit = writer.commit(**story.ARGUMENTS)
    assert step.open(commit, "lone", verify="full").rows == 3
    assert step.verify() == ()


def test_a_damaged_parquet_object_fails_the_run(step, place):
    writer = step.claim(new_run_id())
    put(place, f"{writer.entity_url('data')}/a.parquet", b"PAR1 half")

    with pytest.raises(OutputError, match=r"a\.parquet' is no readable parquet file"):
        writer.seal("data")


def test_an_object_that_changes_after_it_was_hashed_fails_the_run(step, place):
    writer = step.claim(new_run_id())
    put(place, f"{writer.entity_url('data')}/a.bin", b"one")
    writer.seal("data")
    put(place, f"{writer.entity_url('data')}/a.bin", b"two")

    with pytest.raises(OutputError, match="is still being written"):
        writer.commit(**story.ARGUMENTS)


@pytest.mark.parametrize("data", [b"other", None])
def test_a_published_object_that_changed_is_found(step, place, data):
    commit = publish(step, place, "data")
    put(place, f"{step.entity_url(commit.run_id, 'data')}/part-0.parquet", data)

    assert step.verify()
    with pytest.raises(CorruptError):
        step.open(commit, "data")


def test_a_trigger_is_published_once(step, place):
    winner = publish(step, place, "data", trigger="monday")

    with pytest.raises(AlreadyPublishedError, match=winner.run_id):
        publish(step, place, "data", trigger="monday")


def test_a_run_id_can_be_claimed_once(step):
    name = new_run_id()
    step.claim(name)

    with pytest.raises(StoreError, match="exists already"):
        step.claim(name)


def test_a_dead_run_is_collected_and_can_never_be_published(place):
    root, options = place
    dead = World(process=lambda: Process("host", "before", 1, "1.1"))
    theirs = open_store(root, storage_options=options, world=dead).step(story.STEP)
    writer = theirs.claim(new_run_id())
    put(place, f"{writer.entity_url('data')}/a.bin", b"one")
    writer.seal("data")
    theirs.write_record(story.record(writer.run_id))
    now = World(process=lambda: Process("host", "after", 1, "1.1"))
    ours = open_store(root, storage_options=options, world=now).step(story.STEP)

    done = ours.recover()

    assert (done.collected, done.lost) == ((writer.run_id,), (writer.run_id,))
    with pytest.raises(LostClaimError):
        writer.commit(**story.ARGUMENTS)
    assert ours.latest() is None
    assert not ours.recover(full=True)
    assert ours.verify() == ()


def test_a_living_run_is_left_alone(step, place):
    writer = step.claim(new_run_id())
    put(place, f"{writer.entity_url('data')}/a.bin", b"one")

    assert not step.recover(full=True)

    writer.seal("data")
    assert writer.commit(**story.ARGUMENTS)


def test_a_draft_is_published_by_snapshots(step, place):
    with step.claim(new_run_id(), draft=True) as draft:
        for rows in (1, 2):
            frame(rows).to_parquet(draft.entity_url("data"), storage_options=place[1] or None)
            commit = draft.snapshot(["data"], **story.ARGUMENTS)

    with step.claim(draft.run_id, draft=True) as again:
        assert again.snapshot(["data"], **story.ARGUMENTS).entities == commit.entities
    assert step.open(commit, "data", verify="full").rows == 2
    assert step.latest(interactive=False) is None
    assert step.verify() == ()


def test_evidence_is_kept(step):
    name = new_run_id()
    step.write_record(story.record(name, "failed"))
    step.put_file(name, "reports/report.html", b"<p>")
    step.add_note(name, "tag", {"tag": name})

    assert step.read_record(name).status == "failed"
    assert step.list_files(name) == ("notes/0001-tag.json", "record.json", "reports/report.html")
    assert step.notes(name)[0].body == {"tag": name}
    assert step.run_ids() == (name,)
    assert step.record_folder(name) is None


def test_a_run_can_be_taken_back(step, place):
    commit = publish(step, place, "data")

    assert step.tombstone(commit.run_id, "wrong")

    assert step.latest() is None
    assert step.verify() == ()


def test_steps_are_listed(step, place):
    publish(step, place, "data")
    root, options = place

    assert list(open_store(root, storage_options=options).steps()) == [("pipe", "zone", "step")]


def test_a_put_if_absent_is_refused_by_the_server_itself(server, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    options = {"key": "k", "secret": "s", "endpoint_url": server}
    blobs = FsspecBlobs(f"s3://bucket/{new_run_id()}", options)

    assert blobs.create("x", b"first")
    assert not blobs.create("x", b"second")
    assert blobs.get("x") == b"first"


def test_a_store_that_cannot_put_if_absent_is_refused():
    class Overwriting(simulation.SimBlobs):
        def _create(self, key, data):
            self.objects[key] = data
            return True

    bucket = simulation.Bucket(0, Overwriting)
    bucket.blobs.faults = 0.0
    bucket.probed.clear()

    with pytest.raises(StoreError, match="cannot put an object only if it is absent"):
        bucket.step(1).claim(new_run_id())


def test_an_error_of_the_network_is_one_line(monkeypatch):
    monkeypatch.setattr("sinara.store.objects._TRIES", 1)
    options = {
        "key": "k",
        "secret": "s",
        "endpoint_url": "http://127.0.0.1:9",
        "config_kwargs": {"retries": {"max_attempts": 1}, "connect_timeout": 1},
    }
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    step = open_store("s3://bucket/x", storage_options=options).step(story.STEP)

    with pytest.raises(StoreError, match="Cannot read the log of s3://bucket/x") as refused:
        step.latest()

    assert len(refused.value.lines) == 1


@pytest.mark.parametrize(
    ("root", "error"), [("nothing://x", SettingsError), ("hdfs+x://y", SettingsError)]
)
def test_a_root_of_an_unknown_kind_is_one_line(root, error):
    with pytest.raises(error, match="cannot be used"):
        open_store(root).step(story.STEP).latest()


def test_a_driver_that_is_not_installed_is_named(monkeypatch):
    def no_driver(*_, **__):
        raise ImportError("install s3fs")

    monkeypatch.setattr("fsspec.core.url_to_fs", no_driver)

    with pytest.raises(MissingExtraError, match=r"sinara\[s3\]"):
        open_store("s3://bucket/x").step(story.STEP).latest()


def test_a_file_is_uploaded_into_an_entity(step, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    writer = step.claim(new_run_id())
    writer.add_files("reports", {"picture.png": Path(picture), "a.html": b"<p>"})

    assert writer.seal("reports").bytes == 6
