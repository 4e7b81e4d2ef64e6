"""A substep whose entities lie on an object store, served by a real S3 server."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pandas as pd
import pytest

from sinara.errors import EntityNotFoundError, UsageError
from sinara.substep import ENTITY_NAME, STEP_NAME, NotebookSubstep, get_tmp_work_path, interactive

TABLE = pd.DataFrame({"a": [1, 2, 3]})


def end_cell() -> None:
    for draft in interactive._drafts.values():
        draft.after_cell(succeeded=True)


def test_a_job_writes_where_the_root_is(on_s3, job):
    job()
    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: "model"}])

    url = substep.write("model", TABLE)

    assert url == substep.outputs().model
    assert url.startswith("s3://bucket/user/demo/zone/train/run-")
    assert len(pd.read_parquet(url, storage_options=on_s3)) == 3
    assert not Path("s3:").exists()


def test_what_is_written_by_hand_is_published_and_read(on_s3, capsys):
    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: "rows"}])
    for rows in (1, 3):
        substep.write("rows", TABLE.head(rows))
        end_cell()
    end_cell()

    later = NotebookSubstep()
    later.interface(inputs=[{STEP_NAME: "train", ENTITY_NAME: "rows"}])

    assert later.read("rows")["a"].tolist() == [1, 2, 3]
    assert later.read("rows", as_="batches").read_all().num_rows == 3
    assert capsys.readouterr().out.count("Published run-") == 2


def test_temporary_entities_are_looked_for_there(on_s3, job):
    job()
    with pytest.raises(EntityNotFoundError, match="Temporary entity 'cache'"):
        NotebookSubstep().interface(tmp_inputs=[{ENTITY_NAME: "cache"}])
    earlier = NotebookSubstep()
    earlier.interface(tmp_outputs=[{ENTITY_NAME: "cache"}])
    files = fsspec.filesystem("s3", **on_s3)
    files.pipe(f"{earlier.tmp_outputs().cache}/f", b"kept")
    job()
    substep = NotebookSubstep()

    substep.interface(tmp_inputs=[{ENTITY_NAME: "cache"}])

    assert files.cat(f"{substep.tmp_inputs().cache}/f") == b"kept"


def test_there_is_no_scratch_folder_without_a_local_disk(on_s3):
    with pytest.raises(UsageError, match="is no local disk"):
        get_tmp_work_path()


def test_published_events_are_copied_from_there(on_s3, job):
    job()
    substep = NotebookSubstep()
    store = substep._work.reader.step_store(substep._work.addresses.step)
    with store.claim(substep.run_id) as writer:
        writer.add_files("tensorboard", {"fit/events.out.1": b"events"})
        writer.seal("tensorboard")
        writer.commit(inputs={}, code={}, params_sha256="", substeps=[])

    base, _ = substep.prepare_tensorbord_logs("fit")

    assert Path(base, substep.run_id, "events.out.1").read_bytes() == b"events"
