"""What was checked is what is published."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from sinara.contract import RuleResult
from sinara.errors import OutputError
from sinara.names import StepName, new_run_id
from sinara.record import EntityRecord, RunRecord, SubstepRecord
from sinara.runner import publish
from sinara.store import open_store

KEPT = (RuleResult("a", "min", "0", "smallest 1", kept=True),)


def write(url: str, least: int) -> None:
    Path(url).mkdir(exist_ok=True)
    pd.DataFrame({"a": [least]}).to_parquet(f"{url}/part.parquet")


@pytest.mark.parametrize("sealed_again", [False, True])
@pytest.mark.parametrize("contract", [KEPT, ()])
def test_an_output_that_changed_after_its_contract_was_checked_is_not_published(
    tmp_path, contract, sealed_again
):
    step = open_store(str(tmp_path)).step(StepName("user", "p", "z", "load"))
    with step.claim(new_run_id()) as writer:
        url = writer.entity_url("raw")
        write(url, 1)
        digest = writer.seal("raw").manifest
        entity = EntityRecord(
            "raw", "user.p.z.load.raw", url, writer.run_id, "outputs", "a.ipynb",
            manifest=digest, contract=contract,
        )  # fmt: skip
        record = RunRecord(
            writer.run_id, "user", "p", "z", "load", "running", "2026-01-01T00:00:00+00:00",
            substeps=(SubstepRecord("a.ipynb", "succeeded", outputs=(entity,)),),
        )  # fmt: skip
        assert publish.seal(record, writer.run_id, writer) == publish.seal(
            publish.seal(record, writer.run_id, writer), writer.run_id, writer
        )
        write(url, -5)
        if sealed_again:  # by a later substep that writes to it, too, and promises nothing
            writer.seal("raw")

        if contract:
            with pytest.raises(OutputError, match="changed after its contract was checked"):
                publish.seal(record, writer.run_id, writer)
        else:
            (substep,) = publish.seal(record, writer.run_id, writer).substeps
            assert substep.outputs[0].manifest != digest
