"""``sinara run``: every run is told truly."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd

from sinara.names import new_run_id
from sinara.store.world import World


def test_list_shows_every_run_newest_first(sinara, publish):
    first, second = publish("raw"), publish("raw", status="failed")

    answer = sinara("run", "list", "--json")

    runs = json.loads(answer.out)["runs"]
    assert [(r["run_id"], r["status"]) for r in runs] == [(second, "failed"), (first, "succeeded")]
    assert second in sinara("run", "list").out


def test_list_filters_by_status_and_number(sinara, publish):
    for status in ("succeeded", "failed", "succeeded"):
        publish("raw", status=status)

    assert len(json.loads(sinara("run", "list", "--json", "--status", "failed").out)["runs"]) == 1
    assert len(json.loads(sinara("run", "list", "--json", "-n", "2").out)["runs"]) == 2


def test_list_of_nothing_is_empty(sinara, pipeline):
    assert json.loads(sinara("run", "list", "--json").out)["runs"] == []


def test_show_finds_the_last_run_and_one_by_the_beginning_of_its_id(sinara, publish):
    first, second = publish("raw"), publish("raw")

    assert json.loads(sinara("run", "show", "--json").out)["run"]["run_id"] == second
    assert first in sinara("run", "show", first[:-3]).out


def test_a_run_that_has_no_record_yet_is_not_the_last_one(sinara, publish, store):
    first = publish("raw")
    store.record_folder(new_run_id())

    assert json.loads(sinara("run", "show", "--json").out)["run"]["run_id"] == first
    assert "does not go on: it succeeded" in sinara("run", "stop").err


def test_a_run_that_died_before_its_record_is_told_as_that(sinara, publish, store):
    first, second = publish("raw"), new_run_id()
    store.record_folder(second)

    answer = sinara("run", "list")

    assert first in answer.out
    assert answer.err.strip() == (
        f"sinara: Run {second} has no record in {store.url}/_runs: it has only just begun, or it died "
        "before it could write one."
    )


def test_what_a_cell_raised_does_nothing_to_the_terminal(sinara, publish, store):
    run_id = publish("raw", status="failed")
    record = store.read_record(run_id)
    failure = replace(record.substeps[0].failure, traceback=("a\x1b]0;pwned\x07", "\u202eb\nc\td"))
    store.write_record(replace(record, substeps=(replace(record.substeps[0], failure=failure),)))

    told = sinara("run", "log", "--traceback").out

    assert told == "a\\x1b]0;pwned\\x07\n\\u202eb\nc\td\n"


def test_a_run_that_goes_on_is_shown_with_its_time_so_far(sinara, publish, store):
    run_id = publish("raw", status="failed")
    begun = datetime.now(UTC) - timedelta(seconds=70)
    record = replace(store.read_record(run_id), status="running", started=begun.isoformat())
    me = World().process()
    record = replace(record, host=me.host, boot_id=me.boot, pid=me.pid, process_started=me.started)
    store.write_record(record)

    [line] = sinara("run", "list").out.splitlines()[1:]

    assert line.split()[2] == "running"
    assert 70 <= float(line.split()[3]) < 300
    store.write_record(replace(record, status="failed"))


def test_a_beginning_that_fits_two_runs_is_refused(sinara, publish):
    publish("raw"), publish("raw")

    answer = sinara("run", "show", "run-")

    assert answer.code == 2
    assert "fits 2 runs" in answer.err


def test_an_unknown_run_is_one_line(sinara, publish):
    answer = sinara("run", "show", "run-nothing")

    assert (answer.code, len(answer.err.splitlines())) == (2, 1)


def test_log_shows_events_and_passes_over_a_half_line(sinara, publish):
    publish("raw")

    assert len(json.loads(sinara("run", "log", "--json").out)["events"]) == 1
    assert "10:00:00.000" in sinara("run", "log").out


def test_log_shows_the_traceback_of_the_cell_that_failed(sinara, publish):
    publish("raw", status="failed")

    assert sinara("run", "log", "--traceback").out.splitlines() == ["a", "b"]


def test_verify_is_silent_on_intact_data_and_ends_with_3_on_a_flipped_bit(sinara, publish, store):
    run_id = publish("raw")
    assert sinara("run", "verify").code == 0
    (part,) = [
        p
        for p in (store.record_folder(run_id).parents[1] / run_id / "raw").iterdir()
        if p.name != "_SUCCESS"
    ]
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.chmod(0o644)
    part.write_bytes(data)

    answer = sinara("run", "verify", run_id)

    assert answer.code == 3
    assert part.name in answer.out


def test_recover_tells_what_it_did(sinara, publish, store):
    publish("raw")

    answer = sinara("run", "recover", "--json")

    assert json.loads(answer.out)["recovered"][0]["step"] == "load"


def snapshot(store):
    """Publish by hand, as a notebook does; return the run id."""
    draft = store.claim(new_run_id(), draft=True)
    pd.DataFrame({"x": [1, 2]}).to_parquet(draft.entity_url("raw"))
    commit = draft.snapshot(
        ["raw"],
        inputs={"user.pipe.zone.ext.day": {"run_id": "run-25-01-01-000000"}},
        code={},
        params_sha256="",
        substeps=[],
    )
    draft.release()
    return commit.run_id


def test_what_was_published_by_hand_is_listed_and_marked(sinara, publish, store):
    run_id, by_hand = publish("raw"), snapshot(store)

    runs = json.loads(sinara("run", "list", "--json").out)["runs"]

    assert [(r["run_id"], r["interactive"]) for r in runs] == [(by_hand, True), (run_id, False)]
    (line,) = [x for x in sinara("run", "list").out.splitlines() if x.startswith(by_hand)]
    assert "(interactive)" in line


def test_what_was_published_by_hand_is_shown_with_what_it_read_and_holds(sinara, store):
    by_hand = snapshot(store)

    answer = sinara("run", "show")

    assert answer.code == 0
    assert "succeeded (interactive)" in answer.out
    rows = [line.split() for line in answer.out.splitlines()]
    assert ["in", "user.pipe.zone.ext.day", "-", "-", "run-25-01-01-000000"] in rows
    assert ["out", "user.pipe.zone.load.raw", "2"] in [row[:3] for row in rows]
    assert by_hand not in store.run_ids()  # to look at it leaves nothing behind


def test_the_last_log_is_that_of_a_run_and_a_snapshot_has_none(sinara, publish, store):
    publish("raw")
    by_hand = snapshot(store)

    assert "10:00:00.000" in sinara("run", "log").out
    answer = sinara("run", "log", by_hand)
    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert "by hand" in answer.err


def test_a_run_of_another_env_is_found_by_its_id_and_the_last_one_is_hinted_at(
    sinara, publish, pipeline
):
    run_id = publish("raw")
    params = pipeline / "pipe-load" / "params"
    (params / "pipeline_params.json").write_text(
        '{"pipeline_params": {"env_name": "prod", "pipeline_name": "pipe", "zone_name": "zone"}}'
    )

    assert run_id in sinara("run", "show", run_id).out
    answer = sinara("run", "show")
    assert answer.code == 2
    assert "Add --env user." in answer.err


def test_in_the_folder_that_holds_the_steps_all_of_them_are_found(
    sinara, publish, pipeline, monkeypatch
):
    run_id = publish("raw")
    monkeypatch.chdir(pipeline)

    assert run_id in sinara("run", "list").out
    assert run_id in sinara("entity", "list").out


def test_where_nothing_is_found_the_place_is_told(sinara, pipeline):
    for noun in ("run", "entity"):
        answer = sinara(noun, "list")

        assert answer.code == 0
        assert str(pipeline / "sinara_data" / "user") in answer.err
