"""``sinara entity``: what was published."""

from __future__ import annotations

import json


def test_list_shows_rows_and_the_newest_run_that_holds_each(sinara, publish):
    publish("raw", rows=1)
    newest = publish("raw", rows=3)

    (entity,) = json.loads(sinara("entity", "list", "--json").out)["entities"]

    assert (entity["entity"], entity["rows"], entity["run"]) == (
        "user.pipe.zone.load.raw",
        3,
        newest,
    )


def test_list_of_all_runs_shows_each(sinara, publish):
    publish("raw"), publish("raw")

    assert len(json.loads(sinara("entity", "list", "--json", "--all-runs").out)["entities"]) == 2


def test_show_tells_schema_and_place(sinara, publish):
    run_id = publish("raw")

    told = json.loads(sinara("entity", "show", "raw", "--json").out)["entity"]

    assert told["url"].endswith(f"{run_id}/raw")
    assert dict(map(tuple, told["columns"]))["x"] == "int64"


def test_show_takes_every_spelling_of_a_name(sinara, publish):
    publish("raw")

    for spelling in ("raw", "load.raw", "user.pipe.zone.load.raw"):
        assert sinara("entity", "show", spelling).code == 0


def test_head_prints_the_first_rows(sinara, publish):
    publish("raw", rows=100)

    assert json.loads(sinara("entity", "head", "raw", "-n", "2", "--json").out)["rows"] == [
        {"x": 0, "name": "a"},
        {"x": 1, "name": "a"},
    ]
    assert sinara("entity", "head", "raw").out.splitlines()[0].split() == ["x", "name"]


def test_an_unknown_entity_is_answered_with_the_nearest(sinara, publish):
    publish("raw")

    answer = sinara("entity", "show", "raww")

    assert answer.code == 2
    assert "Did you mean 'raw'?" in answer.err


def test_an_older_run_can_be_named(sinara, publish):
    first = publish("raw", rows=1)
    publish("raw", rows=3)

    assert (
        json.loads(sinara("entity", "show", "raw", "--run", first, "--json").out)["entity"]["rows"]
        == 1
    )


def test_verify_tells_one_entity(sinara, publish):
    publish("raw")

    assert sinara("entity", "verify", "raw").code == 0
