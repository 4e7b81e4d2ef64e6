"""``sinara why`` on runs that ran: everything that made an entity is told, back to the raw data."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_the_tree_leads_back_to_the_raw_data(ran, command, monkeypatch):
    monkeypatch.chdir(ran / "pipe-train")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ran / "pipe-load", capture_output=True, text=True
    ).stdout.strip()

    answer = command("why", "model")

    assert (answer.code, answer.err) == (0, "")
    first, *lines = answer.out.splitlines()
    assert first.startswith("user.pipe.zone.train.model  run-")
    assert first.endswith("  1 rows")
    assert any(line.endswith("train.ipynb of user.pipe.zone.train") for line in lines)
    assert "rate=0.5" in answer.out
    assert "day=7" in answer.out
    assert f"code     {head}" in answer.out
    assert "with changes in notes.txt" in answer.out
    assert f"{ran}/day.csv  (raw data 'day')" in answer.out
    assert "in no Git commit" in answer.out  # train is in no repository


def test_what_comes_up_twice_is_told_once(ran, command, monkeypatch):
    monkeypatch.chdir(ran / "pipe-train")

    lines = command("why", "model").out.splitlines()

    assert sum("split.ipynb of" in line for line in lines) == 1
    assert sum("load.ipynb of" in line for line in lines) == 1
    assert sum("made with load.left, told above" in line for line in lines) == 1


def test_json_has_every_entity_and_every_maker_once(ran, command, monkeypatch):
    monkeypatch.chdir(ran)

    told = json.loads(command("why", "train.model", "--json").out)["lineage"]

    entities = {entity["id"]: entity for entity in told["entities"]}
    makers = {maker["id"]: maker for maker in told["made_by"]}
    assert [e["entity"].split(".", 3)[3] for e in told["entities"]] == [
        *("train.model", "load.left", "load.right", "load.raw")
    ]
    assert [maker["substep"] for maker in told["made_by"]] == [
        *("train.ipynb", "split.ipynb", "load.ipynb")
    ]
    train = makers[entities[told["root"]]["made_by"]]
    assert all(key in entities for key in train["inputs"])
    assert makers[told["made_by"][2]["id"]]["custom_inputs"] == [
        {"name": "day", "path": str(ran / "day.csv")}
    ]
    assert makers[told["made_by"][2]["id"]]["params"] == {"day": 7}


@pytest.mark.parametrize("spelling", ["model", "train.model", "user.pipe.zone.train.model"])
def test_an_entity_is_found_by_every_name_it_has(ran, command, monkeypatch, spelling):
    monkeypatch.chdir(ran)

    answer = command("why", spelling)

    assert answer.out.startswith("user.pipe.zone.train.model  run-")


def test_an_entity_is_found_by_its_folder_and_by_a_file_in_it(ran, command, monkeypatch):
    monkeypatch.chdir(ran)
    (folder,) = Path(ran / "sinara_data/user/pipe/zone/train").glob("run-*/model")
    file = next(path for path in folder.iterdir() if path.suffix == ".parquet")

    for path in (folder, file, folder.relative_to(ran), f"file://{folder}"):
        assert command("why", str(path)).out.startswith("user.pipe.zone.train.model  run-")


def test_in_the_folder_of_another_step_an_entity_is_found_all_the_same(ran, command, monkeypatch):
    monkeypatch.chdir(ran / "pipe-load")

    assert command("why", "train.model").out.startswith("user.pipe.zone.train.model  run-")


def test_asking_leaves_nothing_behind(ran, command, monkeypatch):
    monkeypatch.chdir(ran)
    before = sorted(ran.rglob("*"))

    command("why", "model")

    assert sorted(ran.rglob("*")) == before


def test_a_report_comes_from_the_substep_that_it_is_of(ran, command, monkeypatch):
    monkeypatch.chdir(ran / "pipe-load")

    lines = command("why", "reports.split.ipynb").out.splitlines()

    assert lines[1].endswith("made by  split.ipynb of user.pipe.zone.load")
    assert not any("not known" in line for line in lines)
