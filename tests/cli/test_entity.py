"""``sinara entity``: what was published."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from sinara.contract.check import check_data
from sinara.contract.files import open_table
from sinara.interface import make_interface
from sinara.names import new_run_id


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


def test_an_entity_that_a_run_does_not_hold_is_not_answered_with_itself(sinara, publish):
    publish("raw")

    answer = sinara("entity", "show", "raw", "--run", "run-26-01-01-000000-000000-00000000")

    assert answer.code == 2
    assert "Did you mean" not in answer.err


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


def test_learn_prints_a_contract_that_can_be_pasted_and_that_the_data_keeps(sinara, publish, store):
    run_id = publish("raw", rows=40)

    answer = sinara("entity", "learn", "load.raw")

    pasted = ast.literal_eval(f"{{{answer.out}}}")
    assert answer.code == 0
    assert pasted == {
        "contract": {
            "columns": {
                "x": {"type": "int64", "min": 0, "null_share": 0},
                "name": {"type": "string", "null_share": 0, "in": ["a"]},
            },
            "key": ["x"],
            "rows": {"min": 1, "change": 0.1},
        }
    }
    assert f"Learned from 40 rows of user.pipe.zone.load.raw, {run_id}." in answer.err
    declared = make_interface(outputs=[{"ENTITY_NAME": "raw", **pasted}])
    table = open_table(store.entity_url(run_id, "raw"), {})
    assert all(r.kept for r in check_data(declared.contract_of("raw"), table))


def test_learn_takes_an_older_run_and_answers_in_json(sinara, publish):
    old = publish("raw", rows=5)
    publish("raw", rows=400)

    answer = sinara("entity", "learn", "raw", "--run", old, "--json")

    assert json.loads(answer.out)["contract"]["key"] == ["x"]
    assert "in" not in json.loads(answer.out)["contract"]["columns"]["name"]


def test_learn_says_that_what_is_no_table_has_no_contract(sinara, store):
    writer = store.claim(new_run_id())
    Path(writer.entity_url("model")).write_bytes(b"pickled")
    writer.settle("model"), writer.seal("model")
    writer.commit(inputs={}, code={}, params_sha256="", substeps=[])

    answer = sinara("entity", "learn", "model")

    assert answer.code == 2
    assert "holds no parquet file, and a contract is about tables." in answer.err
    assert len(answer.err.splitlines()) == 1
