"""Contracts on both sides of the store: real steps, real kernels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.steps import cell, notebook, run_script, sinara, write_step

pytestmark = pytest.mark.slow
PROMISE = {
    "columns": {
        "id": "int64",
        "amount": {"type": "double", "min": 0, "null_share": 0.1},
        "note": {},
    },
    "key": ["id"],
    "rows": {"min": 1, "change": 0.5},
}
WRITE = """\
import pandas as pd
from sinara.substep import get_step_params
rows = get_step_params()["rows"]
least = get_step_params()["least"]
table = pd.DataFrame({"id": range(rows), "amount": [float(least), *[1.0] * (rows - 1)],
                      "note": [NOTE] * rows})
substep.write("raw", table)
"""
READ = 'substep.write("clean", substep.read("raw"))'


def load(tmp_path: Path, promise: dict = PROMISE, **params) -> Path:
    made = notebook(
        cell("NOTE = ''\n" + WRITE), outputs=[{"ENTITY_NAME": "raw", "contract": promise}]
    )
    values = {"rows": 10, "least": 0, **params}
    return write_step(tmp_path / "pipe-load", {"load.ipynb": made}, step_params=values)


def set_params(step: Path, **params) -> None:
    path = step / "params" / "step_params.json"
    values = json.loads(path.read_text())
    values["step_params"].update(params)
    path.write_text(json.dumps(values))


def zone(tmp_path: Path) -> Path:
    return tmp_path / "sinara_data/user/pipe/zone"


def newest_record(tmp_path: Path, step: str = "load") -> dict:
    folder = max((zone(tmp_path) / step / "_runs").iterdir(), key=lambda path: path.name)
    return json.loads((folder / "record.json").read_text())


def published(step: Path) -> list[tuple[str, int]]:
    listed = json.loads(sinara(step, "entity", "list", "--json").stdout)["entities"]
    return [(entity["run"], entity["rows"]) for entity in listed]


def test_data_that_breaks_its_contract_is_not_published_and_the_earlier_run_stays_the_newest(
    tmp_path,
):
    step = load(tmp_path)
    first = run_script(step)
    before = published(step)
    set_params(step, least=-5)

    second = run_script(step)

    assert (first.returncode, second.returncode) == (0, 1), first.stderr + second.stderr
    assert published(step) == before
    assert before[0][1] == 10
    record = newest_record(tmp_path)
    (substep,) = record["substeps"]
    assert (record["status"], record["published"]) == ("failed", False)
    assert substep["failure"]["kind"] == "contract"
    line = (
        "Output 'raw' breaks its contract: column amount, min 0: found 1 row below it "
        "(row 0: id=0, amount=-5.0, note='')"
    )
    assert substep["failure"]["message"] == line
    broken = [rule for rule in substep["outputs"][0]["contract"] if not rule["kept"]]
    assert [(r["column"], r["rule"], r["sample"]) for r in broken] == [
        ("amount", "min", ["row 0: id=0, amount=-5.0, note=''"])
    ]
    assert substep["interface"]["outputs"][0]["contract"] == PROMISE
    terminal = " ".join(second.stderr.split())
    assert "column amount, min 0: found 1 row below it" in terminal
    assert "row 0: id=0, amount=-5.0" in terminal
    report = Path(record["url"]).parent / "_runs" / record["run_id"] / substep["report"]
    page = report.read_text()
    assert "1 row below it" in page
    assert "row 0: id=0, amount=-5.0" in page


def test_a_run_that_drops_most_of_its_rows_is_not_published(tmp_path):
    step = load(tmp_path)
    first = run_script(step)
    set_params(step, rows=4)

    second = run_script(step)

    assert (first.returncode, second.returncode) == (0, 1)
    record = newest_record(tmp_path)
    run = published(step)[0][0]
    assert f"rows.change 50 %: found -60 %: 10 rows in {run}, 4 now" in record["message"]


def test_a_secret_in_a_row_that_breaks_a_contract_is_shown_nowhere(tmp_path):
    made = notebook(
        cell("NOTE = token.reveal()\n" + WRITE),
        outputs=[{"ENTITY_NAME": "raw", "contract": PROMISE}],
    )
    made.cells[0] = cell("from sinara.secret import Secret\ntoken: Secret", "parameters")
    made.cells[2].source = made.cells[2].source.replace("substep_params)", "{})")
    step = write_step(
        tmp_path / "pipe-load",
        {"load.ipynb": made},
        step_params={"rows": 10, "least": -5},
        substep_params={"load.ipynb": {"token": {"$env": "THE_TOKEN"}}},
    )

    done = run_script(step, THE_TOKEN="correct-horse-battery")

    assert done.returncode == 1
    record = newest_record(tmp_path)
    assert "amount=-5.0, note='****'" in record["message"]
    evidence = zone(tmp_path) / "load" / "_runs" / record["run_id"]
    texts = [done.stdout, done.stderr, *(p.read_text() for p in evidence.rglob("*") if p.is_file())]
    assert not any("correct-horse" in text for text in texts)


def test_an_input_is_checked_where_it_is_read_and_only_once(tmp_path, private_machine):
    made = load(tmp_path)
    assert run_script(made).returncode == 0
    promise = {"columns": {"amount": {"in": [0.0, 1.0]}}, "rows": {"min": 10}}
    reads = {"STEP_NAME": "load", "ENTITY_NAME": "raw", "contract": promise}
    lists = {"inputs": [reads], "outputs": [{"ENTITY_NAME": "clean"}]}
    step = write_step(tmp_path / "pipe-clean", {"clean.ipynb": notebook(cell(READ), **lists)})

    first = run_script(step)
    kept = list((private_machine / ".cache/sinara/contracts").iterdir())
    again = run_script(step)

    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    (entity,) = newest_record(tmp_path, "clean")["substeps"][0]["inputs"]
    assert [(rule["rule"], rule["kept"]) for rule in entity["contract"]] == [
        ("type", True),
        ("in", True),
        ("rows.min", True),
    ]
    assert list((private_machine / ".cache/sinara/contracts").iterdir()) == kept
    assert len(kept) == 1


def test_an_input_that_breaks_its_contract_fails_in_the_interface_cell(tmp_path):
    assert run_script(load(tmp_path)).returncode == 0
    promise = {"columns": {"amount": {"max": 0.5}}, "key": ["id"]}
    reads = {"STEP_NAME": "load", "ENTITY_NAME": "raw", "contract": promise}
    lists = {"inputs": [reads], "outputs": [{"ENTITY_NAME": "clean"}]}
    step = write_step(tmp_path / "pipe-clean", {"clean.ipynb": notebook(cell(READ), **lists)})

    done = run_script(step)

    assert done.returncode == 1
    record = newest_record(tmp_path, "clean")
    (substep,) = record["substeps"]
    assert (substep["failure"]["kind"], substep["failure"]["ename"]) == (
        "contract",
        "ContractError",
    )
    assert substep["failure"]["cell"] is not None
    assert "breaks its contract: column amount, max 0.5: found 9 rows above it" in record["message"]
    (entity,) = substep["inputs"]
    assert [rule["rule"] for rule in entity["contract"] if not rule["kept"]] == ["max"]
