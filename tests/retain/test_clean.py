"""``sinara run clean``: what is needed stays, and everything is told before it is done."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sinara.errors import StoreError, UsageError
from sinara.names import new_run_id
from sinara.retain import parse_age, told_age
from tests.forge import forge, parquet, store_of

RAW = "user.pipe.zone.load.raw"


def aged(days: float) -> str:
    """A run id of so many days ago."""
    moment = datetime.now(UTC) - timedelta(days=days)
    return new_run_id(clock=lambda: moment)


def data(store, run):
    return Path(store.url, run).exists()


def evidence(store, run):
    return Path(store.url, "_runs", run).exists()


# -- told, then done -------------------------------------------------------------------------


def test_without_yes_nothing_is_deleted_and_everything_is_told(load, command):
    old, new = forge(load, {"raw": 9}), forge(load, {"raw": 3})
    before = sorted(Path(load.url).rglob("*"))

    answer = command("run", "clean", "--keep", "1")

    assert answer.code == 0
    rows = {line.split()[0]: line for line in answer.out.splitlines()[1:]}
    assert "goes" in rows[old]
    assert "not one of the newest 1" in rows[old]
    assert "the newest that holds raw" in rows[new]
    assert "1 run would go" in answer.err
    assert "add --yes" in answer.err
    assert sorted(Path(load.url).rglob("*")) == before


def test_with_yes_data_goes_and_the_log_and_the_record_keep_their_word(load, command):
    old, new = forge(load, {"raw": 9}), forge(load, {"raw": 3})

    answer = command("run", "clean", "--keep", "1", "--yes")

    assert answer.code == 0
    assert (data(load, old), data(load, new)) == (False, True)
    assert load.read_record(old).run_id == old
    assert [word.taken_back for word in load.words()] == [
        None,
        "sinara run clean: not one of the newest 1",
    ]
    assert load.verify() == ()
    assert "TAKEN BACK: sinara run clean" in command("why", "raw", "--run", old).out
    assert command("run", "clean", "--keep", "1", "--yes").err.startswith("0 runs deleted")


def test_json_says_what_was_done(load, command):
    old = forge(load, {"raw": 9})
    forge(load, {"raw": 3})

    told = json.loads(command("run", "clean", "--keep", "1", "--yes", "--json").out)["clean"]

    runs = {run["run_id"]: run for run in told["runs"]}
    assert told["dry_run"] is False
    assert (runs[old]["outcome"], runs[old]["bytes"]) == ("deleted", told["bytes"])
    assert told["bytes"] > 100


def test_both_limits_have_to_be_passed(load, clean):
    runs = [forge(load, {"raw": 3}, run_id=aged(days)) for days in (40, 39, 5, 4)]

    assert list(clean("--older-than", "30d").values()) == [
        "the newest that holds raw",
        "not older than 30 days",
        "goes",
        "goes",
    ]
    both = clean("--older-than", "30d", "--keep", "3")
    assert (both[runs[0]], both[runs[1]]) == ("goes", "one of the newest 3")


def test_no_limit_is_refused_in_one_line(load, command):
    answer = command("run", "clean", "--yes")

    assert (answer.code, len(answer.err.splitlines())) == (2, 1)


@pytest.mark.parametrize("age", ["30", "d", "30 years", "-3d", "1e3d", "٣d", ""])
def test_what_is_no_age_is_refused(load, command, age):
    assert command("run", "clean", "--older-than", age).code == 2
    with pytest.raises(UsageError):
        parse_age(age)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("30d", "30 days"),
        ("1D", "1 day"),
        ("12 h", "12 hours"),
        ("2w", "14 days"),
        ("0d", "0 hours"),
    ],
)
def test_ages_are_read_and_told(text, told):
    assert told_age(parse_age(text)) == told


# -- what stays ------------------------------------------------------------------------------


def test_the_newest_of_each_entity_stays_and_the_newest_that_prod_may_read(load, clean):
    other = forge(load, {"other": 1})
    old, job = forge(load, {"raw": 1}), forge(load, {"raw": 2})
    draft = load.claim(new_run_id(), draft=True)
    Path(draft.entity_url("raw")).write_bytes(parquet(2))
    by_hand = draft.snapshot(["raw"], inputs={}, code={}, params_sha256="", substeps=[]).run_id
    draft.release()

    told = clean("--keep", "0")

    assert told[other] == "the newest that holds other"
    assert told[job] == told[by_hand] == "the newest that holds raw"
    assert told[old] == "goes"


def test_what_a_live_run_has_pinned_stays(load, clean, command):
    old = forge(load, {"raw": 1})
    forge(load, {"raw": 2})

    with load.pin(old):
        assert clean("--keep", "0")[old] == "a live run reads it"
        command("run", "clean", "--keep", "0", "--yes")
        assert data(load, old)
    assert clean("--keep", "0")[old] == "goes"


def test_a_pin_of_a_process_that_died_keeps_nothing_and_telling_leaves_it(load, clean):
    old = forge(load, {"raw": 1})
    forge(load, {"raw": 2})
    code = (
        "import os, sys; from sinara.store import open_store; from sinara.names import StepName;"
        "open_store(sys.argv[1]).step(StepName('user','pipe','zone','load')).pin(sys.argv[2]); os._exit(9)"
    )
    root = load.url.removesuffix("/pipe/zone/load")
    subprocess.run([sys.executable, "-c", code, root, old], check=False)
    pins = list(Path(load.url, "_open").glob("pin.*"))
    assert len(pins) == 1

    assert clean("--keep", "0")[old] == "goes"
    assert list(Path(load.url, "_open").glob("pin.*")) == pins


def test_what_an_image_was_made_of_stays(load, clean):
    imaged, other = forge(load, {"raw": 1}), forge(load, {"raw": 1})
    forge(load, {"raw": 1})
    load.add_note(imaged, "image", {"image": f"host/x:{imaged}"})

    told = clean("--keep", "1")

    assert told[imaged] == "an image was made of it"
    assert told[other] == "goes"


def test_what_a_git_tag_names_stays(load, clean):
    noted, recorded = forge(load, {"raw": 1}), forge(load, {"raw": 1}, tag="run-1")
    forge(load, {"raw": 2})
    load.add_note(noted, "tag", {"tag": noted})

    told = clean("--keep", "0")

    assert told[noted] == told[recorded] == "a Git tag names it"


def test_what_a_later_published_run_took_over_stays(load, clean):
    first, failed = forge(load, {"raw": 1}), forge(load, {"raw": 1})
    by = forge(load, {"raw": 1}, adopted_from=first)
    forge(load, status="failed", adopted_from=failed)
    forge(load, {"raw": 2})

    told = clean("--keep", "0")

    assert told[first] == f"run {by} took over outputs of it"
    assert (told[failed], told[by]) == ("goes", "goes")


def test_what_a_run_that_stays_was_made_from_stays_over_steps(load, train, clean):
    raws = [forge(load, {"raw": 1}) for _ in range(4)]
    forge(train, {"model": 1}, inputs=[(RAW, raws[0])])
    kept = forge(train, {"model": 1}, inputs=[(RAW, raws[1])])

    told = clean("--keep", "0")

    assert told[raws[0]] == "goes"
    assert told[raws[1]] == f"run {kept} of train was made from it"
    assert told[raws[2]] == "goes"
    assert clean("--keep", "0", "--no-keep-lineage")[raws[1]] == "goes"


def test_lineage_is_followed_through_runs_that_stay_for_it(load, train, folder, clean):
    pack = store_of(folder, "pack")
    raw, _ = forge(load, {"raw": 1}), forge(load, {"raw": 1})
    model = forge(train, {"model": 1}, inputs=[(RAW, raw)])
    forge(train, {"model": 1})
    forge(pack, {"image": 1}, inputs=[("user.pipe.zone.train.model", model)])

    told = clean("--keep", "0")

    assert told[model].endswith("of pack was made from it")
    assert told[raw] == f"run {model} of train was made from it"


def test_runs_of_steps_that_are_not_cleaned_keep_their_inputs_in_any_env(load, folder, clean):
    raws = [forge(load, {"raw": 1}) for _ in range(3)]
    prod = store_of(folder, "report", env="prod", pipeline="other")
    by = [forge(prod, {"page": 1}, inputs=[(RAW, raws[0])]), forge(prod, {"page": 1})]

    assert (
        clean("--keep", "0", "--step", "load")[raws[0]] == f"run {by[0]} of report was made from it"
    )


def test_two_envs_with_one_root_are_one_place(load, train, folder, clean):
    (folder / "sinara.toml").write_text(
        '[envs.same]\nroot = "sinara_data/user"\n[envs.user]\nroot = "sinara_data/user"\n'
    )
    raw = forge(load, {"raw": 1})
    forge(load, {"raw": 1})
    forge(train, {"model": 1}, inputs=[("same.pipe.zone.load.raw", raw)])

    assert clean("--keep", "0")[raw].endswith("of train was made from it")
    (folder / "linked").symlink_to(folder / "sinara_data")
    (folder / "sinara.toml").write_text('[envs.same]\nroot = "linked/user"\n')
    assert clean("--keep", "0")[raw].endswith("of train was made from it")


def test_what_a_failed_run_that_may_be_resumed_was_made_from_stays(load, train, clean):
    raw = forge(load, {"raw": 1})
    forge(load, {"raw": 1})
    failed = forge(train, {"model": 1}, inputs=[(RAW, raw)], status="failed")

    told = clean("--keep", "0")

    assert told[raw] == f"run {failed} of train was made from it"


def test_a_run_that_goes_on_stays_with_all_that_it_read(load, train, clean):
    raw = forge(load, {"raw": 1})
    forge(load, {"raw": 1})
    run_id = aged(50)
    goes_on = train.claim(run_id)
    record = dataclasses.replace(
        load.read_record(raw), run_id=run_id, step_name="train", status="running", pid=os.getpid()
    )
    train.write_record(record)
    with load.pin(raw):
        told = clean("--keep", "0", "--older-than", "0d")
    goes_on.release()

    assert told[raw] == "a live run reads it"
    assert told[run_id] == "it goes on"


def test_a_record_that_cannot_be_read_keeps_its_run_and_those_before_it(load, clean):
    before, damaged, after = (forge(load, {"raw": 1}) for _ in range(3))
    forge(load, {"raw": 1})
    load.put_file(damaged, "record.json", b"{half")

    told = clean("--keep", "0")

    assert told[damaged] == "its record cannot be read"
    assert told[before].startswith("a later run, whose record cannot be read")
    assert told[after] == "goes"


# -- evidence of failed runs -----------------------------------------------------------------


def test_old_evidence_of_failed_runs_goes_and_that_of_published_ones_stays(load, clean, command):
    old = [
        forge(load, status="failed", run_id=aged(40)),
        forge(load, status="cancelled", run_id=aged(41)),
    ]
    young = forge(load, status="failed", run_id=aged(3))
    published = forge(load, {"raw": 1}, run_id=aged(50))
    forge(load, {"raw": 1})
    load.recover(full=True)  # their data is gone already, as after the next run
    for run in (*old, young):
        load.put_file(run, "reports_work_ipynb/report.ipynb", b"x" * 1000)

    told = clean("--older-than", "30d")
    command("run", "clean", "--older-than", "30d", "--yes")

    assert [told[run] for run in old] == ["goes", "goes"]
    assert told[young] == "not older than 30 days"
    assert [evidence(load, run) for run in old] == [False, False]
    assert evidence(load, young)
    assert evidence(load, published)
    assert not data(load, published)
    assert published not in clean("--older-than", "30d")  # it is taken back: nothing is left to do


def test_by_number_alone_no_evidence_goes(load, clean):
    failed = forge(load, status="failed", run_id=aged(400))
    load.recover(full=True)

    assert "--older-than" in clean("--keep", "0")[failed]


def test_evidence_of_a_run_that_may_be_resumed_stays(load, clean):
    failed = forge(load, {"raw": 1}, status="failed", run_id=aged(40))

    assert clean("--older-than", "30d")[failed] == "it can be resumed"


def test_evidence_of_a_run_that_a_later_one_went_on_with_stays(load, clean):
    failed = forge(load, status="failed", run_id=aged(40))
    load.recover(full=True)
    by = forge(load, {"raw": 1}, resumed_from=failed)

    assert clean("--older-than", "30d")[failed] == f"run {by} went on with it"


def test_a_record_that_cannot_be_read_stays_and_a_deletion_that_was_cut_off_goes_on(load, clean):
    broken, half = (forge(load, status="failed", run_id=aged(days)) for days in (40, 41))
    load.recover(full=True)
    load.put_file(broken, "record.json", b"{half")
    load.put_file(half, "log.jsonl", b"")
    Path(load.url, "_runs", half, "record.json").unlink()

    told = clean("--older-than", "30d")

    assert told[broken] == "its record cannot be read"
    assert told[half] == "goes"


def test_the_store_itself_refuses_evidence_of_what_is_published_or_goes_on(load):
    published = forge(load, {"raw": 1})
    run_id = new_run_id()
    with load.claim(run_id):
        load.write_record(
            dataclasses.replace(
                load.read_record(published), run_id=run_id, status="running", pid=os.getpid()
            )
        )
        for run in (published, run_id):
            with pytest.raises(StoreError, match="goes on, or is published"):
                load.discard_evidence(run)
            assert evidence(load, run)


# -- deletions that do not go smoothly -------------------------------------------------------


def test_a_run_that_another_clean_up_took_back_is_no_failure(load, command, monkeypatch):
    old = forge(load, {"raw": 1})
    forge(load, {"raw": 2})
    from sinara.store import StepStore

    real = StepStore.pinned
    calls = []

    def pinned(self):
        calls.append(1)
        if len(calls) == 2:  # between the verdict and the deletion
            self.tombstone(old, "by another")
        return real(self)

    monkeypatch.setattr(StepStore, "pinned", pinned)

    answer = command("run", "clean", "--keep", "0", "--yes")

    assert answer.code == 0
    assert "somebody else took it back" in answer.out


def test_a_run_that_was_pinned_after_the_verdict_stays(load, command, monkeypatch):
    old = forge(load, {"raw": 1})
    forge(load, {"raw": 2})
    from sinara.store import StepStore

    real = StepStore.pinned
    pins = []

    def pinned(self):
        found = real(self)
        if not pins:
            pins.append(self.pin(old))
        return found

    monkeypatch.setattr(StepStore, "pinned", pinned)

    answer = command("run", "clean", "--keep", "0", "--yes")
    pins[0].release()

    assert answer.code == 0
    assert data(load, old)
    assert "0 runs deleted" in answer.err


def test_a_run_that_ends_while_logs_are_read_keeps_what_it_read(load, train, command, monkeypatch):
    raw = forge(load, {"raw": 1})
    forge(load, {"raw": 1}), forge(train, {"model": 1})
    pin = load.pin(raw)
    from sinara.store import StepStore

    real = StepStore.words

    def words(self):
        found = list(real(self))
        if self.step.step == "load" and pin.place.backend.exists(pin.path):
            forge(train, {"model": 1}, inputs=[(RAW, raw)])  # it publishes, and lets go
            pin.release()
        return iter(found)

    monkeypatch.setattr(StepStore, "words", words)

    command("run", "clean", "--keep", "0", "--yes")

    assert data(load, raw)


def test_a_damaged_log_stops_everything_in_one_line(load, train, command):
    old = forge(load, {"raw": 1})
    forge(load, {"raw": 2}), forge(train, {"model": 1})
    file = Path(train.url, "_commits", f"{1:020d}.json")
    file.write_bytes(file.read_bytes()[:-9])

    answer = command("run", "clean", "--keep", "0", "--yes")

    assert (answer.code, len(answer.err.splitlines())) == (3, 1)
    assert data(load, old)


def test_only_the_steps_and_env_that_are_asked_for_are_cleaned(load, train, folder, command):
    for store in (load, train, store_of(folder, "load", env="prod")):
        forge(store, {"raw": 1}), forge(store, {"raw": 1})

    command("run", "clean", "--keep", "1", "--yes", "--step", "load", "--env", "prod")

    assert [
        len(list(s.commits())) for s in (load, train, store_of(folder, "load", env="prod"))
    ] == [2, 2, 1]


def test_volume_clean_takes_the_flag_of_the_original(load, command):
    old, new = forge(load, {"raw": 1}, run_id=aged(40)), forge(load, {"raw": 1})

    told = command("volume", "clean", "--days_keep", "30")
    assert data(load, old)
    done = command("volume", "clean", "--days_keep", "30", "--yes")

    assert "1 run would go" in told.err
    assert done.code == 0
    assert (data(load, old), data(load, new)) == (False, True)
    assert command("volume", "clean").code == 2


def test_runs_of_the_original_are_left_alone(load, folder, command):
    old = folder / "sinara_data/user/pipe/zone/load/run-20-01-01-000000/raw"
    old.mkdir(parents=True)
    (old / "_SUCCESS").touch()
    forge(load, {"raw": 1})

    assert command("run", "clean", "--older-than", "1d", "--yes").code == 0
    assert (old / "_SUCCESS").exists()


def test_where_there_is_nothing_it_is_said(folder, command):
    answer = command("run", "clean", "--keep", "1")

    assert answer.code == 0
    assert "No run in env 'user'" in answer.err
