"""The log's last word on single runs, found without a mark."""

from __future__ import annotations

import pytest

from sinara.errors import BadNameError, CorruptError
from sinara.names import new_run_id
from tests.store.harness import story


def test_a_run_is_found_whether_published_or_taken_back(step, publish):
    first, second = publish("a").run_id, publish("a").run_id
    step.tombstone(first, "wrong")

    word = step.search()

    assert (word(first).commit.run_id, word(first).taken_back) == (first, "wrong")
    assert (word(second).commit.run_id, word(second).taken_back) == (second, None)
    assert word(new_run_id()) is None


def test_words_are_one_a_run_newest_first(step, publish):
    runs = [publish("a").run_id for _ in range(3)]
    step.tombstone(runs[1], "wrong")

    words = list(step.words())

    assert [word.commit.run_id for word in words] == runs[::-1]
    assert [word.taken_back for word in words] == [None, "wrong", None]


def test_a_mark_leads_to_the_commit_and_is_gone_with_the_data(step, publish):
    run = publish("a").run_id

    assert step.marked(run).run_id == run
    step.tombstone(run, "wrong")
    assert step.marked(run) is None


def test_a_run_that_another_one_only_names_is_not_found(step):
    named = new_run_id()
    with step.claim(new_run_id()) as writer:
        writer.commit(
            inputs={"a.b.c.d.e": {"run_id": named}}, code={}, params_sha256="", substeps=[]
        )

    assert step.search()(named) is None


def test_a_damaged_entry_of_the_run_is_told_and_of_others_passed_over(step, publish, root):
    first, second = publish("a").run_id, publish("a").run_id
    (file,) = (path for path in root.glob("**/_commits/*1.json"))
    file.write_bytes(file.read_bytes().replace(b'"rows":3', b'"rows":4'))

    step = story.open_step(root)  # another process, which has read nothing yet

    assert step.search()(second).commit.run_id == second
    with pytest.raises(CorruptError, match="differs from its digest"):
        step.search()(first)


def test_what_is_no_run_id_is_refused(step):
    with pytest.raises(BadNameError):
        step.search()("../x")


def test_folders_are_those_of_runs_newest_first(step, publish):
    runs = [publish("a").run_id for _ in range(2)]

    assert step.folders() == tuple(runs[::-1])
