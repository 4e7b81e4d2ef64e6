"""Records, files and notes of runs: written whole, kept for ever, found again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sinara.errors import BadNameError, RunNotFoundError, StoreError
from sinara.names import new_run_id
from tests.store.harness import story


@pytest.fixture
def name() -> str:
    return new_run_id()


def test_a_record_is_read_as_it_was_written(step, name):
    record = story.record(name, "failed")

    step.write_record(record)

    assert step.read_record(name) == record


def test_a_run_without_a_record_is_said_to_have_none(step, name):
    with pytest.raises(RunNotFoundError, match=name):
        step.read_record(name)


def test_files_are_listed_by_their_paths(step, name):
    step.put_file(name, "index.html", b"1")
    step.put_file(name, "reports_a_ipynb/report.html", b"2")
    step.put_file(name, "index.html", b"3")

    assert step.list_files(name) == ("index.html", "reports_a_ipynb/report.html")
    assert step.get_file(name, "index.html") == b"3"
    assert step.list_files(new_run_id()) == ()


@pytest.mark.parametrize("path", ["", "../x", "/etc/passwd", "a/../../x", "a\0b", "a\\b"])
def test_a_file_cannot_lie_outside_of_its_run(step, name, path):
    with pytest.raises(StoreError):
        step.put_file(name, path, b"x")
    with pytest.raises(StoreError):
        step.get_file(name, path)


@pytest.mark.parametrize("bad", ["..", "run-25-01-01-000000/..", "", "a*"])
def test_a_run_id_that_is_none_is_refused_everywhere(step, bad):
    for call in (
        lambda: step.get_file(bad, "x"),
        lambda: step.put_file(bad, "x", b""),
        lambda: step.list_files(bad),
        lambda: step.read_record(bad),
        lambda: step.record_folder(bad),
        lambda: step.notes(bad),
        lambda: step.add_note(bad, "tag", {}),
        lambda: step.claim(bad),
        lambda: step.claim(bad, draft=True),
        lambda: step.commit(bad),
        lambda: step.verify(bad),
        lambda: step.tombstone(bad, "x"),
        lambda: step.pin(bad),
        lambda: step.entity_url(bad, "data"),
    ):
        with pytest.raises(BadNameError):
            call()


def test_runs_with_evidence_are_listed_newest_first(step):
    names = [new_run_id() for _ in range(3)]
    for name in (names[1], names[0], names[2]):
        step.write_record(story.record(name, "failed"))

    assert step.run_ids() == tuple(reversed(names))


def test_the_record_folder_is_where_the_files_are(step, name):
    folder = step.record_folder(name)
    (folder / "log.jsonl").write_text("{}")

    assert step.get_file(name, "log.jsonl") == b"{}"
    assert folder == Path(step.url) / "_runs" / name


def test_notes_are_appended_in_order(step, name):
    step.add_note(name, "tag", {"tag": name})
    step.add_note(name, "image", {"digest": "sha256:1"})

    notes = step.notes(name)

    assert [(note.number, note.what) for note in notes] == [(1, "tag"), (2, "image")]
    assert notes[1].body == {"digest": "sha256:1"}


def test_notes_added_at_once_are_all_kept(step, name):
    step.record_folder(name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: step.add_note(name, "tag", {"n": number}), range(24)))

    assert sorted(note.body["n"] for note in step.notes(name)) == list(range(24))


@pytest.mark.parametrize("what", ["", "../x", "a/b", "a b", ".x"])
def test_a_note_has_a_plain_name(step, name, what):
    with pytest.raises(StoreError):
        step.add_note(name, what, {})


def test_a_damaged_note_is_one_line(step, name):
    step.add_note(name, "tag", {})
    (Path(step.url) / "_runs" / name / "notes" / "0001-tag.json").write_bytes(b"{")

    with pytest.raises(StoreError, match=r"0001-tag\.json is no note"):
        step.notes(name)
