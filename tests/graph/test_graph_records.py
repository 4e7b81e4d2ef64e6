"""What runs left about the nodes and edges of a graph."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sinara.graph import read_graph, read_history
from sinara.graph.records import fell
from sinara.record import EntityRecord, RunRecord, SubstepRecord
from sinara.store import open_store
from tests.steps import notebook, sinara, write_step

STEP = "user.p.zone.load"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pipeline of two steps, whose second reads from the first."""
    write_step(
        tmp_path / "p-load", {"a.ipynb": notebook(outputs=[{"ENTITY_NAME": "raw"}])},
        pipeline="p", step_params={"step_name": "load"},
    )  # fmt: skip
    write_step(
        tmp_path / "p-prep", {"b.ipynb": notebook(inputs=[{"STEP_NAME": "load", "ENTITY_NAME": "raw"}])},
        pipeline="p", step_params={"step_name": "prep"},
    )  # fmt: skip
    return tmp_path


@pytest.fixture
def leave(folder: Path):
    """A function that leaves the record of a run of ``load`` in the store."""

    def write(
        number: int,
        rows: int | None,
        *,
        status: str = "succeeded",
        published: bool = True,
        report: str | None = None,
        **more,
    ) -> str:
        from sinara.names import StepName

        run_id = f"run-26-01-0{number}-000000"
        entity = EntityRecord(
            "raw", f"{STEP}.raw", "", run_id, "outputs", "a.ipynb", bytes=10, rows=rows
        )
        substep = SubstepRecord(
            "a.ipynb",
            status,
            "2026-01-01T00:00:00+00:00",
            2.5,
            outputs=(entity,),
            report=report,
        )
        record = RunRecord(
            run_id, "user", "p", "zone", "load", status, "2026-01-01T00:00:00+00:00", seconds=3.5,
            published=published, substeps=(substep,), **more,
        )  # fmt: skip
        root = os.environ.get("SINARA_ENV_USER", str(folder / "sinara_data" / "user"))
        store = open_store(root).step(StepName("user", "p", "zone", "load"))
        store.write_record(record)
        return run_id

    return write


def history(folder: Path):
    return read_history(read_graph(folder))


def test_without_a_run_there_is_no_history(folder):
    found = history(folder)

    assert (found.steps, found.substeps, found.edges, found.problems) == ({}, {}, {}, ())


def test_the_last_run_is_told_of_step_and_substep(folder, leave):
    leave(1, 100)
    last = leave(2, 100)

    found = history(folder)

    assert (found.steps[STEP].run_id, found.steps[STEP].status) == (last, "succeeded")
    assert found.substeps[f"{STEP}/a.ipynb"].seconds == 2.5
    assert "user.p.zone.prep" not in found.steps


def test_rows_are_compared_with_the_run_before(folder, leave):
    leave(1, 100)
    last = leave(2, 80)

    edge = history(folder).edges[f"{STEP}/a.ipynb", f"{STEP}.raw"]

    assert (edge.run_id, edge.rows, edge.rows_before, edge.fell) == (last, 80, 100, True)


def test_how_much_rows_may_fall_is_a_setting(folder, leave):
    (folder / "sinara.toml").write_text("row_drop = 0.25\n")
    leave(1, 100)
    leave(2, 80)

    assert not history(folder).edges[f"{STEP}/a.ipynb", f"{STEP}.raw"].fell


def test_what_a_failed_run_left_does_not_flow_along_an_edge(folder, leave):
    good = leave(1, 100)
    leave(2, 3, status="failed", published=False)

    found = history(folder)

    assert found.steps[STEP].status == "failed"
    assert found.edges[f"{STEP}/a.ipynb", f"{STEP}.raw"].run_id == good


def test_a_run_whose_process_is_gone_is_lost_and_not_running(folder, leave):
    leave(
        1,
        1,
        status="running",
        published=False,
        pid=2**22 - 1,
        process_started="long ago",
        host="",
        boot_id="",
    )

    found = history(folder)

    assert found.steps[STEP].status == "lost"
    assert found.substeps[f"{STEP}/a.ipynb"].status == "lost"
    shown = sinara(folder / "p-load", "run", "list")
    assert "lost" in shown.stdout
    assert "running" not in shown.stdout


def test_a_record_that_cannot_be_read_is_told_and_hides_no_other(folder, leave):
    good = leave(1, 100)
    bad = leave(2, 100)
    (record,) = Path(os.environ.get("SINARA_ENV_USER", folder / "sinara_data/user")).glob(
        f"**/{bad}/record.json"
    )
    record.write_text("{")

    found = history(folder)

    assert found.steps[STEP].run_id == good
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    "outside", ["/etc/passwd", "../../../../../../../p-load/params/step_params.json"]
)
def test_a_record_that_names_a_report_elsewhere_leads_nowhere(folder, leave, outside):
    run_id = leave(1, 5, report=outside)
    record = folder / "sinara_data/user/p/zone/load/_runs" / run_id / "record.json"
    assert outside in record.read_text()

    assert history(folder).substeps[f"{STEP}/a.ipynb"].report is None


def test_an_env_that_is_not_known_leaves_the_others(folder, leave):
    leave(1, 100)
    script = folder / "p-prep/step.dev.py"
    script.write_text(script.read_text().replace('"user"', '"stage"'))

    found = history(folder)

    assert STEP in found.steps
    assert found.problems[0].startswith("p-prep: env 'stage' is not known")


@pytest.mark.parametrize(
    ("rows", "before", "share", "told"),
    [(90, 100, 0.1, False), (89, 100, 0.1, True), (0, 0, 0.1, False), (99, 100, 0.0, True),
     (0, 100, 1.0, False), (None, 100, 0.1, False), (5, None, 0.1, False), (200, 100, 0.1, False)],
)  # fmt: skip
def test_when_rows_fell(rows, before, share, told):
    assert fell(rows, before, share) is told


@pytest.mark.slow
def test_reads_and_writes_of_real_runs_are_on_the_edges(folder):
    import nbformat

    from tests.steps import cell, run_script

    book = notebook(
        cell(
            "import pandas as pd\npd.DataFrame({'x': range(7)}).to_parquet(substep.outputs().raw)"
        ),
        outputs=[{"ENTITY_NAME": "raw"}],
    )
    nbformat.write(book, folder / "p-load/a.ipynb")
    for step in ("p-load", "p-prep"):
        done = run_script(folder / step)
        assert done.returncode == 0, done.stderr

    found = history(folder)

    read = found.edges[f"{STEP}.raw", "user.p.zone.prep/b.ipynb"]
    assert (read.rows, read.columns) == (7, (("x", "int64"),))
    assert read.run_id == found.steps[STEP].run_id
    assert Path(found.substeps[f"{STEP}/a.ipynb"].report).is_file()
    assert Path(found.steps[STEP].report).name == "index.html"
