"""Contracts in a notebook: of inputs when they are chosen, of outputs when they are published."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sinara.contract import read_contract
from sinara.contract.check import check_data
from sinara.errors import ContractError, InterfaceError, OutputError
from sinara.names import new_run_id
from sinara.substep import CONTRACT, ENTITY_NAME, STEP_NAME, NotebookSubstep, contracts, interactive
from sinara.substep.contracts import rows_before

GOOD, BAD = pd.DataFrame({"a": [1, 2, 3]}), pd.DataFrame({"a": [1, 2, -3]})
PROMISE = {"columns": {"a": {"type": "int64", "min": 0}}, "key": ["a"]}


def end_cell() -> None:
    """Do what IPython's event does after a cell that succeeded."""
    for draft in interactive._drafts.values():
        draft.after_cell(True)


@pytest.fixture
def publish(step_store: Callable[..., Any]) -> Callable[..., str]:
    """A function that publishes a table as ``raw`` of the step ``load``."""

    def write(table: pd.DataFrame, *, by_hand: bool = False) -> str:
        about: dict[str, Any] = {"inputs": {}, "code": {}, "params_sha256": "", "substeps": []}
        with step_store("load").claim(new_run_id()) as writer:
            table.to_parquet(writer.entity_url("raw"))
            writer.seal("raw")
            return writer.commit(**about, interactive=by_hand).run_id

    return write


def read(promise: dict[str, Any]) -> NotebookSubstep:
    substep = NotebookSubstep()
    substep.interface(inputs=[{STEP_NAME: "load", ENTITY_NAME: "raw", CONTRACT: promise}])
    return substep


def write(promise: dict[str, Any] | None = PROMISE, name: str = "model") -> NotebookSubstep:
    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: name, "contract": promise}])
    return substep


# -- inputs ----------------------------------------------------------------------------------


def test_an_input_that_keeps_its_contract_is_read_and_the_driver_learns_what_was_found(
    job, publish
):
    publish(GOOD)
    this = job()

    substep = read(PROMISE)

    assert list(substep.read("raw")["a"]) == [1, 2, 3]
    results = this.handback.contracts["user.demo.zone.load.raw"]
    assert [(r["rule"], r["kept"]) for r in results] == [
        ("type", True),
        ("min", True),
        ("key", True),
    ]
    assert this.handback.interface["inputs"][0]["contract"] == PROMISE


def test_an_input_that_breaks_its_contract_ends_a_job_and_the_driver_learns_why(job, publish):
    run_id = publish(BAD)
    this = job()

    with pytest.raises(ContractError) as told:
        read(PROMISE)

    assert told.value.lines == (
        f"Input 'raw' from {run_id} breaks its contract: column a, min 0: found 1 row below it "
        "(row 2: a=-3)",
    )
    (broken,) = (r for r in this.handback.contracts["user.demo.zone.load.raw"] if not r["kept"])
    assert (broken["rule"], broken["sample"]) == ("min", ["row 2: a=-3"])


def test_by_hand_a_broken_input_is_told_and_can_be_looked_into(folder, publish, capsys):
    publish(BAD)

    substep = read(PROMISE)

    assert "breaks its contract: column a, min 0" in capsys.readouterr().out
    assert list(substep.read("raw")["a"]) == [1, 2, -3]


def test_what_was_checked_once_is_not_read_again(job, publish, monkeypatch):
    publish(GOOD)
    checks: list[object] = []

    def counted(*arguments: Any) -> Any:
        checks.append(arguments)
        return check_data(*arguments)

    monkeypatch.setattr("sinara.contract.check.check_data", counted)
    job(), read(PROMISE)
    first = len(checks)

    this = job()
    read(PROMISE)

    assert (first, len(checks)) == (1, 1)
    assert len(this.handback.contracts["user.demo.zone.load.raw"]) == 3
    read({**PROMISE, "other_columns": "refuse"})
    assert len(checks) == 2


def test_a_broken_contract_is_found_each_time_and_its_rows_are_not_kept(
    job, publish, private_machine
):
    publish(BAD)
    job()

    for _ in range(2):
        with pytest.raises(ContractError):
            read(PROMISE)

    assert not (private_machine / ".cache/sinara/contracts").exists()


def test_what_is_remembered_is_never_trusted_when_it_is_damaged(job, publish, private_machine):
    publish(GOOD)
    job(), read(PROMISE)
    (kept,) = (private_machine / ".cache/sinara/contracts").iterdir()

    for damaged in (b"", b"[{}]", b"7", b'[{"column": "a"}]'):
        kept.write_bytes(damaged)
        read(PROMISE)

        assert json.loads(kept.read_bytes())[0]["rule"] == "type"


def test_rows_are_compared_with_the_run_before_the_one_that_is_read(job, publish):
    publish(GOOD.head(1))
    first = publish(GOOD)
    publish(GOOD.head(2), by_hand=True)
    publish(GOOD.head(2))
    job()

    with pytest.raises(ContractError) as told:
        read({"rows": {"change": 0.1}})

    assert f"rows.change 10 %: found -33.33 %: 3 rows in {first}, 2 now" in str(told.value)


def test_the_first_run_of_a_step_is_compared_with_nothing(job, publish):
    publish(GOOD)
    job()

    read({"rows": {"change": 0}})


def test_rows_before_are_those_of_the_newest_run_that_no_person_published(step_store, publish):
    first = publish(GOOD)
    publish(GOOD.head(1), by_hand=True)

    assert rows_before(step_store("load"), "raw", None) == (3, first)
    assert rows_before(step_store("load"), "other", None) == (None, "")


def test_a_wrong_contract_is_refused_before_anything_is_read(job, publish):
    publish(GOOD)
    job()

    with pytest.raises(InterfaceError, match="contract: 'keys' is no rule"):
        read({"keys": ["a"]})


# -- outputs, by hand ------------------------------------------------------------------------


def rows_of(step_store: Callable[..., Any], name: str = "model") -> int | None:
    commit = step_store("train").latest([name])
    return None if commit is None else commit.entities[name].rows


def test_by_hand_what_breaks_its_contract_is_not_published(folder, step_store, capsys):
    write().write("model", BAD)

    end_cell()

    assert rows_of(step_store) is None
    assert "Nothing to publish" in capsys.readouterr().out


def test_by_hand_what_breaks_its_contract_leaves_the_last_snapshot(folder, step_store, capsys):
    substep = write()
    substep.write("model", GOOD.head(2))
    end_cell()
    substep.write("model", BAD)

    end_cell()

    assert rows_of(step_store) == 2
    said = capsys.readouterr().out.splitlines()[-1]
    assert "model as before: Output 'model' breaks its contract: column a, min 0" in said


def test_by_hand_an_edited_contract_counts_from_the_next_publish(folder, step_store):
    write().write("model", GOOD.head(2))
    end_cell()
    write().write("model", BAD)
    end_cell()

    write({"columns": {"a": {"min": -5}}}).publish()

    assert rows_of(step_store) == 3


def test_another_notebook_of_the_draft_does_not_publish_what_breaks_its_contract(
    folder, step_store
):
    write().write("model", BAD)
    end_cell()
    other = write(None, "log")
    other._work._draft._declared.pop("model")  # another kernel never heard of it
    other.write("log", GOOD)

    end_cell()

    assert (rows_of(step_store, "log"), rows_of(step_store, "model")) == (3, None)


# -- sealing ---------------------------------------------------------------------------------


def seal(step_store: Callable[..., Any], check: Callable[[Any], None]) -> Any:
    with step_store("load").claim(new_run_id()) as writer:
        GOOD.to_parquet(writer.entity_url("raw"))
        return writer.seal("raw", check=check)


def test_a_check_that_raises_stops_the_sealing(folder, step_store):
    def refuse(info: Any) -> None:
        raise ContractError(f"{info.rows} rows")

    with pytest.raises(ContractError, match="3 rows"):
        seal(step_store, refuse)


def test_what_a_check_looked_at_is_what_is_sealed(folder, step_store):
    def meddle(info: Any) -> None:
        (file,) = Path(info.url).iterdir()
        BAD.head(1).to_parquet(file)

    with pytest.raises(OutputError, match="still being written"):
        seal(step_store, meddle)


def test_a_contract_is_known_again_only_with_its_own_manifest(private_machine):
    contract, _ = read_contract(PROMISE)

    contracts.remember(contract, "a" * 64, ())

    assert contracts._known(contract, "a" * 64) == ()
    assert contracts._known(contract, "b" * 64) is None
    assert contracts._known(contract, "") is None
