"""The page of a pipeline run in a real browser: it follows the run, and stays as its report."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sinara import pipeline
from sinara.graph import History
from sinara.pipeline.page import build
from sinara.record import PipelineRecord, StepState, SubstepState
from tests.pipeline.pipelines import edit, write_pipeline
from tests.report.conftest import chromium, visit  # noqa: F401 - fixtures
from tests.report.xss_payloads import PAYLOADS

pytestmark = pytest.mark.slow


@pytest.fixture
def tab(chromium):  # noqa: F811
    """A tab that keeps what the page complains of."""
    context = chromium.new_context(viewport={"width": 1300, "height": 900})
    page = context.new_page()
    page.alarms = []
    page.on("console", lambda line: page.alarms.append(line.text))
    page.on("pageerror", lambda error: page.alarms.append(str(error)))
    page.on("request", lambda one: one.url.startswith("file:") or page.alarms.append(one.url))
    yield page
    context.close()


def test_the_page_follows_a_run_and_is_its_report_at_the_end(tmp_path, tab):
    folder = write_pipeline(
        tmp_path / "work",
        ("load", "prep"),
        prep="import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.05)",
    )
    going = subprocess.Popen(
        [sys.executable, "-m", "sinara", "pipeline", "run"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while not list(folder.glob("sinara_data/user/pipe/_runs/*/index.html")):
            assert time.monotonic() < end
            time.sleep(0.05)
        [page] = folder.glob("sinara_data/user/pipe/_runs/*/index.html")
        tab.goto(page.as_uri())
        row = tab.locator(".run-steps tr", has_text="prep.ipynb")
        row.locator(".s-running").first.wait_for(timeout=60_000)
        tab.locator("summary", has_text="Log").click()
        tab.wait_for_event("load", timeout=30_000)
        assert tab.locator("details", has_text="its end").get_attribute("open") is not None
        (folder / "pipe-prep" / "go").write_text("")
        row.locator(".s-succeeded").first.wait_for(timeout=60_000)
        tab.locator(".top .pill.s-succeeded").wait_for(timeout=60_000)
    finally:
        going.wait(60)

    assert tab.alarms == []
    assert tab.locator(".graph svg").count() == 1
    link = tab.locator("table.run-steps a", has_text="prep").get_attribute("href")
    assert (page.parent / link).resolve().is_file()
    tab.goto((page.parent / link).resolve().as_uri())
    assert "prep" in tab.title()


def test_many_failures_leave_the_graph_in_sight_and_a_lone_substep_shares_its_steps_row(
    tmp_path, tab
):
    one, two = SubstepState("a.ipynb"), SubstepState("b.ipynb")
    names = ("x", "user", "pipe", "zone")
    failed = [
        StepState(f"s{n}", *names, status="failed", message="no", substeps=(one,))
        for n in range(10)
    ]
    pair = StepState("pair", *names, substeps=(one, two))
    record = PipelineRecord(
        "pl-1", "user", "pipe", "failed", "2026-11-26T10:00:00.000+00:00", steps=(*failed, pair)
    )
    (tmp_path / "index.html").write_text(build(record, None, History({}, {}, {}, ()), [], tmp_path))

    tab.goto((tmp_path / "index.html").as_uri())

    assert tab.locator(".failure:visible").count() == 3
    assert tab.locator(".run-steps tbody tr").count() == 10 + 3
    tab.locator("summary", has_text="7 more failed").click()
    assert tab.locator(".failure:visible").count() == 10
    assert tab.alarms == []


def test_a_page_that_nobody_writes_any_more_says_so(tmp_path, tab):
    record = PipelineRecord("pl-1", "user", "pipe", "running", "2026-11-26T10:00:00.000+00:00")
    text = build(record, None, History({}, {}, {}, ()), [], tmp_path)
    written = text.partition('data-written="')[2].partition('"')[0]
    (tmp_path / "index.html").write_text(text.replace(written, str(int(written) - 600)))

    tab.goto((tmp_path / "index.html").as_uri())

    assert "the run may be dead" in tab.locator("#quiet").inner_text()
    assert tab.alarms == []


def test_hostile_texts_stay_texts(tmp_path, visit):  # noqa: F811
    seen = visit("")
    for word in PAYLOADS[::12]:
        name = word[:60]
        step = StepState(
            name, "/x", "user", name, name, status="failed", message=word,
            substeps=(SubstepState(name, "failed", (word,), metrics={name: word}),),
        )  # fmt: skip
        record = PipelineRecord(
            "pl-1", name, name, "failed", "2026-11-26T10:00:00.000+00:00",
            message=word, user=word, steps=(step,), warnings=(word,),
        )  # fmt: skip

        seen.show(build(record, None, History({}, {}, {}, ()), [word], tmp_path))

        assert seen.alarms == [], word


def test_two_hundred_substeps_fit_into_a_megabyte(tmp_path):
    steps = tuple(
        StepState(
            f"step_{n}", f"/x/{n}", "user", "pipe", "zone", (f"step_{n - 1}",), "running", f"run-{n}",
            "2026-11-26T10:00:00.000+00:00", 1.5, "",
            None, tuple(SubstepState(f"part_{k}.ipynb", "succeeded", ("cell 5 is new or changed",),
                                     metrics={"accuracy": 0.93}) for k in range(4)),
        )
        for n in range(50)
    )  # fmt: skip
    record = PipelineRecord(
        "pl-1", "user", "pipe", "running", "2026-11-26T10:00:00.000+00:00", steps=steps
    )

    text = build(record, None, History({}, {}, {}, ()), ["a line"] * 200, tmp_path)

    assert len(text.encode()) < 600_000


def test_the_page_of_a_sweep_has_a_row_for_each_point(tmp_path, tab):
    folder = write_pipeline(
        tmp_path / "work", ("load",), load="substep.add_metric('score', step_params['level'] * 0.1)"
    )
    record = pipeline.run(
        folder, points=tuple((f"load.level={n}",) for n in (1, 2, 3)), best="load.score"
    )
    page: Path = folder / f"sinara_data/user/pipe/_runs/{record.run_id}/index.html"

    tab.goto(page.as_uri())

    assert tab.locator("tr.best td").first.inner_text() == "3"
    assert tab.locator(".plots circle").count() == 3
    assert tab.alarms == []
    assert json.loads(page.with_name("record.json").read_text())["best"] == "load.score"


def test_what_did_not_run_says_why_on_the_page(ran, tab):
    edit(ran, "left", "1 / 0")
    record = pipeline.run(ran)

    tab.goto((ran / f"sinara_data/user/pipe/_runs/{record.run_id}/index.html").as_uri())

    assert "not run: left did not succeed" in tab.locator("table.run-steps").inner_text()
    assert "ZeroDivisionError" in tab.locator("section.failure").inner_text()
    assert f"--resume {record.run_id}" in tab.locator("main").inner_text()
