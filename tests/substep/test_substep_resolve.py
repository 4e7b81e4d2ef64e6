"""Which run an input is read from."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pandas as pd
import pytest

from sinara.errors import CorruptError, EntityNotFoundError, UsageError
from sinara.store import layout
from sinara.substep import ENTITY_NAME, ENV_NAME, RUN_ID, STEP_NAME, ZONE_NAME, NotebookSubstep
from sinara.substep.resolve import Reader

ROWS = {STEP_NAME: "prep", ENTITY_NAME: "rows"}
LABELS = {STEP_NAME: "prep", ENTITY_NAME: "labels"}


def read(*inputs, **where):
    substep = NotebookSubstep()
    substep.interface(inputs=inputs)
    return substep.inputs(step_name="prep", **where)


def run_of(url):
    return Path(url).parent.name


def test_the_newest_run_is_read(job, publish):
    publish("prep", "rows")
    newest = publish("prep", "rows")
    job()

    url = read(ROWS).rows

    assert run_of(url) == newest.run_id
    assert pd.read_parquet(url)["run"].tolist() == [newest.run_id]


def test_newest_is_the_order_of_publishing_not_of_names(job, publish):
    publish("prep", "rows", run_id="run-25-01-02-000000")
    publish("prep", "rows", run_id="run-25-01-01-000000")
    job()

    assert run_of(read(ROWS).rows) == "run-25-01-01-000000"


def test_all_entities_of_one_step_come_from_one_run(job, publish):
    whole = publish("prep", "rows", "labels")
    publish("prep", "rows")
    job()

    inputs = read(ROWS, LABELS)

    assert {run_of(inputs.rows), run_of(inputs.labels)} == {whole.run_id}


def test_a_declared_run_id_is_read(job, publish):
    wanted = publish("prep", "rows")
    publish("prep", "rows")
    job()

    assert run_of(read({**ROWS, RUN_ID: wanted.run_id}).rows) == wanted.run_id


def test_a_declared_run_id_that_was_never_published_is_named(job):
    job(step_params={"strict_params": True})

    with pytest.raises(EntityNotFoundError, match="no published run run-25-01-01-000000"):
        read({**ROWS, RUN_ID: "run-25-01-01-000000"})


def test_where_nobody_is_strict_it_is_marked_and_in_prod_it_is_an_error(job, capsys):
    wanted = {**ROWS, RUN_ID: "run-25-01-01-000000"}
    job()
    substep = NotebookSubstep()
    substep.interface(inputs=[wanted])
    substep.print_interface_info()

    url = substep.inputs(step_name="prep").rows
    assert url.endswith("/user/demo/zone/prep/run-25-01-01-000000/rows")
    assert f"{url}  (not found)" in capsys.readouterr().out

    job(env_name="prod")
    with pytest.raises(EntityNotFoundError, match="no published run run-25-01-01-000000"):
        read(wanted)


def test_the_drivers_pin_holds_even_if_a_newer_run_was_published(job, publish):
    pinned = publish("prep", "rows")
    publish("prep", "rows")
    job(pins={"user/demo/zone/prep": pinned.run_id})

    assert run_of(read(ROWS).rows) == pinned.run_id


def test_a_pinned_run_without_the_entity_is_an_error_not_another_run(job, publish):
    pinned = publish("prep", "labels")
    publish("prep", "rows")
    job(pins={"user/demo/zone/prep": pinned.run_id})

    with pytest.raises(EntityNotFoundError, match="holds no entity 'rows'; it holds labels"):
        read(ROWS)


def test_what_an_earlier_substep_resolved_holds_for_later_ones(job, publish):
    first = publish("prep", "rows")
    run = job()
    read(ROWS)
    publish("prep", "rows")

    assert run_of(read(ROWS).rows) == first.run_id
    assert json.loads(Path(run.context.pins_file).read_text()) == {
        "user/demo/zone/prep": first.run_id
    }


def test_of_substeps_that_resolve_at_once_the_first_one_wins(job, publish):
    publish("prep", "rows")
    job()
    found: list[str] = []

    def resolve():
        found.append(run_of(read(ROWS).rows))

    threads = [threading.Thread(target=resolve) for _ in range(4)]
    for number, thread in enumerate(threads):
        thread.start()
        if number == 1:
            publish("prep", "rows")
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert len(set(found)) == 1


def test_a_later_substep_sees_what_an_earlier_one_wrote_in_the_same_run(job, publish, data):
    earlier = publish("train", "model", "state")
    own = f"{data}/user/demo/zone/train/run-25-01-01-000000/model"
    job(produced={"model": own}, pins={"user/demo/zone/train": earlier.run_id})
    substep = NotebookSubstep()

    substep.interface(
        inputs=[{STEP_NAME: "train", ENTITY_NAME: name} for name in ("model", "state")]
    )

    inputs = substep.inputs(step_name="train")
    assert inputs.model == own
    assert run_of(inputs.state) == earlier.run_id


def test_a_step_that_never_ran_and_an_entity_it_never_wrote_are_two_lines(job, publish):
    publish("prep", "rows")
    job()

    with pytest.raises(EntityNotFoundError) as raised:
        read({STEP_NAME: "prep", ENTITY_NAME: "rowz"}, {STEP_NAME: "load", ENTITY_NAME: "raw"})

    assert raised.value.lines == (
        "Step 'prep' wrote no entity 'rowz'; it wrote rows. Did you mean 'rows'?",
        "Entity 'raw' cannot be read: step 'load' has no published run. "
        "Run that step first, in its folder.",
    )


def test_damage_is_found_before_anything_is_read(job, publish, data):
    commit = publish("prep", "rows")
    file = data / "user/demo/zone/prep" / commit.run_id / "rows" / "part-00000.parquet"
    file.chmod(0o600)
    content = bytearray(file.read_bytes())
    content[10] ^= 1
    file.write_bytes(content)
    job()

    with pytest.raises(CorruptError, match="differs from its digest"):
        read(ROWS)


@pytest.mark.parametrize("own", ["user", "prod"])
def test_prod_passes_over_runs_published_by_hand(job, publish, own):
    real = publish("prep", "rows", env="prod")
    publish("prep", "rows", env="prod", by_hand=True)
    job(env_name=own)

    assert run_of(read({**ROWS, ENV_NAME: "prod"}).rows) == real.run_id


def test_a_run_in_prod_passes_over_runs_published_by_hand_elsewhere(job, publish):
    real = publish("prep", "rows", env="test")
    by_hand = publish("prep", "rows", env="test", by_hand=True)
    job(env_name="prod")

    assert run_of(read({**ROWS, ENV_NAME: "test"}).rows) == real.run_id
    with pytest.raises(EntityNotFoundError, match="published by hand from a notebook"):
        read({**ROWS, ENV_NAME: "test", RUN_ID: by_hand.run_id})


def write_as_the_original_did(data, env, run_id, entity):
    folder = data / env / "demo/zone/prep" / run_id / entity
    folder.mkdir(parents=True)
    pd.DataFrame({"a": [1]}).to_parquet(folder / "part-0.parquet")
    (folder / "_SUCCESS").touch()


def test_a_run_of_the_original_is_read_with_a_mark(job, data, capsys):
    write_as_the_original_did(data, "user", "run-24-01-01-000000", "rows")
    job()
    substep = NotebookSubstep()

    substep.interface(inputs=[ROWS])
    substep.print_interface_info()

    assert run_of(substep.inputs(step_name="prep").rows) == "run-24-01-01-000000"
    assert "(unverified (written by the original))" in capsys.readouterr().out


def test_prod_reads_a_run_of_the_original_only_if_it_is_told_to(job, data, monkeypatch):
    write_as_the_original_did(data, "prod", "run-24-01-01-000000", "rows")
    job(env_name="prod")

    with pytest.raises(EntityNotFoundError, match="has no published run"):
        read(ROWS)
    with pytest.raises(EntityNotFoundError, match="legacy_in_prod = true"):
        read({**ROWS, RUN_ID: "run-24-01-01-000000"})
    monkeypatch.setenv("SINARA_LEGACY_IN_PROD", "true")

    assert run_of(read(ROWS).rows) == "run-24-01-01-000000"


def test_of_two_zones_the_own_one_is_meant(job, publish):
    own = publish("prep", "rows")
    other = publish("prep", "rows", zone="monthly")
    job()
    both = [ROWS, {**ROWS, ZONE_NAME: "monthly"}]

    assert run_of(read(*both).rows) == own.run_id
    assert run_of(read(*both, zone_name="monthly").rows) == other.run_id


def test_of_two_other_zones_one_has_to_be_named(job, publish):
    publish("prep", "rows", zone="daily")
    publish("prep", "rows", zone="monthly")
    job()

    with pytest.raises(UsageError, match="Two inputs 'rows' come from a step 'prep'"):
        read({**ROWS, ZONE_NAME: "daily"}, {**ROWS, ZONE_NAME: "monthly"})


def test_an_input_may_be_looked_for_in_another_zone_than_it_was_declared_for(job, publish):
    publish("prep", "rows")
    other = publish("prep", "rows", zone="monthly")
    job()

    assert run_of(read(ROWS, zone_name="monthly").rows) == other.run_id


def test_a_step_that_no_input_comes_from_gives_no_entities(job):
    job()

    assert list(read()) == []


def test_what_is_read_by_hand_stays_though_newer_snapshots_replace_it(job, publish, step_store):
    snapshot = publish("prep", "rows", by_hand=True)
    job()
    url = read(ROWS).rows

    step_store("prep").tombstone(snapshot.run_id, "superseded by a newer snapshot")

    assert len(pd.read_parquet(url)) == 1


def test_a_store_in_which_nothing_can_be_noted_is_read_all_the_same(job, publish, data):
    """An input may lie on a file system that is mounted read-only."""
    commit = publish("prep", "rows")
    notes = data / "user/demo/zone/prep/_open"
    shutil.rmtree(notes)
    notes.touch()
    job()

    assert run_of(read(ROWS).rows) == commit.run_id


def test_a_run_that_is_taken_back_at_the_last_moment_is_passed_over(
    job, publish, step_store, monkeypatch
):
    earlier = publish("prep", "rows")
    publish("prep", "rows", by_hand=True)
    choose = Reader._choose
    chosen: list[str] = []

    def choose_and_lose(self, *arguments):
        commit = choose(self, *arguments)
        if not chosen:
            step_store("prep").tombstone(commit.run_id, "superseded by a newer snapshot")
        chosen.append(commit.run_id)
        return commit

    monkeypatch.setattr(Reader, "_choose", choose_and_lose)
    job(pins_file="")

    assert run_of(read(ROWS).rows) == earlier.run_id
    assert len(chosen) == 2


def test_a_pinned_run_that_was_taken_back_is_an_error(job, publish, step_store):
    pinned = publish("prep", "rows")
    publish("prep", "rows")
    step_store("prep").tombstone(pinned.run_id, "not wanted")
    job(pins={"user/demo/zone/prep": pinned.run_id})

    with pytest.raises(EntityNotFoundError, match=pinned.run_id):
        read(ROWS)


def test_a_run_whose_deletion_was_cut_off_is_not_waited_for(job, publish, data):
    commit = publish("prep", "rows")
    (data / "user/demo/zone/prep" / layout.open_delete(commit.run_id)).touch()
    job()

    with pytest.raises(EntityNotFoundError, match="was taken back"):
        read(ROWS)


def test_declaring_again_lets_go_of_what_was_read_before(job, publish, data):
    publish("prep", "rows")
    job()
    substep = NotebookSubstep()
    marks = data / "user/demo/zone/prep/_open"
    substep.interface(inputs=[ROWS])
    assert len(list(marks.glob("pin.*"))) == 1

    substep.interface()

    assert list(marks.glob("pin.*")) == []
