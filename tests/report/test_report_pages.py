"""The three pages: what a reader finds on them, in every state of a run."""

from __future__ import annotations

import ast
import base64
import hashlib
import re
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import run as run_process

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinara.contract import RuleResult
from sinara.record import AttemptRecord, CellRecord, CodeRecord, EntityRecord, Failure
from sinara.report import business_page, run_page, substep_page, warm
from sinara.report.words import duration, moment, number, one_line, size, value_text
from tests.report import pages

FAILURE = Failure(
    "cell", "KeyError: 'city'", 2, 3, "KeyError", "'city'", ("Traceback", "KeyError: 'city'")
)
NOTEBOOK = pages.notebook(
    pages.markdown("# Title\n\n## Part"),
    pages.code("substep_params = {'lr': 1}", tags=["parameters"]),
    pages.code("a\nb\nc", pages.raised("KeyError", "'city'")),
    pages.code("print('never')", count=None),
    pages.code("secret_code()", pages.stream("for the boss"), tags=["business_report"]),
)


def entity(name, columns=2, kind="outputs", **more):
    named = tuple((f"column_{i}", "int64") for i in range(columns))
    full = f"user.digits.zone.prep.{name}"
    return EntityRecord(
        name,
        full,
        f"/data/{name}",
        "run-26-11-20-000000",
        kind,
        "a.ipynb",
        2,
        1_500_000,
        1797,
        named,
        **more,
    )


def failed_run():
    good = pages.substep(
        "load.ipynb", outputs=(entity("raw"),), report="reports_load_ipynb/report.html"
    )
    bad = pages.substep(
        status="failed",
        params={"lr": 0.1, "token": {"$env": "TOKEN"}},
        metrics={"accuracy": 0.97222},
        inputs=(entity("train_set", kind="inputs"),),
        failure=FAILURE,
        cells=(CellRecord(1, "done", 0.2), CellRecord(2, "failed", 0.1), CellRecord(3, "not run")),
        warnings=("parameter 'lr': 0.1 is given, 0.01 is the default",),
        report="reports_train_ipynb/report.html",
        business_report="reports_train_ipynb/business_report.html",
    )
    late = pages.substep("late.ipynb", "skipped", started=None)
    return pages.run(
        good,
        bad,
        late,
        status="failed",
        code=CodeRecord("b6d7" * 10, "main", "https://example.org/x", ("a.py",)),
        versions={"python": "3.11.7"},
        pipeline_params={"env_name": "user"},
    )


def text_of(page):
    body = page[page.index("<main>") :]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_a_run_page_names_the_failed_cell_its_line_and_its_cause_and_leads_there():
    page = run_page(failed_run())

    assert "train.ipynb failed in cell 3, line 3" in page
    assert "KeyError: &#x27;city&#x27;" in page
    assert '<a class="button" href="reports_train_ipynb/report.html#cell-2">' in page


def test_a_run_page_joins_what_its_substeps_did():
    text = text_of(run_page(failed_run(), log_tail=["05:00 started"]))

    for words in (
        "accuracy", "0.97222", "user.digits.zone.prep.raw", "/data/raw", "1,797",
        "1.5 MB", "2 columns",
        "column_1 int64", "run-26-11-20-000000", "lr 0.1", "$env", "b6d7b6d7b6", "changed files",
        "python 3.11.7", "parameter &#x27;lr&#x27;", "05:00 started", "late.ipynb",
    ):  # fmt: skip
        assert words in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("running", "It was running when this page was written."),
        ("lost", "Its process is gone and left no word"),
        ("cancelled", "It was stopped from outside before its end."),
        ("stopped", "Design mode: the interface was read"),
        ("failed", "Nothing of it is published"),
    ],
)
def test_a_run_page_tells_the_state_truly(status, words):
    page = run_page(pages.run(pages.substep(status="running"), status=status))

    assert f'<span class="pill s-{status}">{status}</span>' in page
    assert words in page


def test_a_run_that_succeeded_and_is_published_is_not_talked_about():
    page = run_page(pages.run(pages.substep(), published=True))

    assert "Nothing of it is published" not in page
    assert "lead" not in page[page.index("<main>") :]


def test_a_run_by_hand_says_who_reads_it():
    assert "prod does not read its entities" in run_page(pages.run(interactive=True))


def test_a_message_is_shown_where_no_substep_tells_more():
    assert "No disk space" in run_page(pages.run(status="failed", message="No disk space"))


def test_how_a_kernel_died_stands_on_both_pages():
    died = Failure(
        "kernel died", "Killed, most likely out of memory.", 1, signal=9, peak_memory=7 * 10**9
    )
    substep = pages.substep(status="failed", failure=died, report="reports_train_ipynb/report.html")

    for page in (run_page(pages.run(substep)), substep_page(pages.run(substep), substep, NOTEBOOK)):
        text = text_of(page)
        assert "Killed, most likely out of memory." in text
        assert "Cause kernel died Signal 9 Peak memory 7.0 GB" in text


def test_a_failure_with_no_cell_leads_to_the_report():
    failure = Failure("outputs", "Entity 'model' was not written.", exit_code=1)
    page = run_page(
        pages.run(pages.substep(status="failed", failure=failure, report="r/report.html"))
    )

    assert '<a class="button" href="r/report.html">Open the report</a>' in page
    assert "Exit code" in page


def test_a_long_traceback_keeps_both_ends():
    lines = tuple(f"line {i}" for i in range(500))
    page = run_page(pages.run(pages.substep(failure=Failure("cell", "x", traceback=lines))))

    assert "line 0\n" in page
    assert "line 499</pre>" in page
    assert "… 470 lines …" in page


def test_a_run_page_of_a_huge_run_stays_within_100_kb():
    params = {f"p{i}": "x" * 5000 for i in range(50)}
    substeps = [
        pages.substep(
            f"s{i}.ipynb",
            params=params,
            outputs=tuple(entity(f"e{j}", 300) for j in range(20)),
            failure=FAILURE if i == 7 else None,
        )
        for i in range(60)
    ]

    page = run_page(pages.run(*substeps, pipeline_params=params), log_tail=["y" * 1000] * 5000)

    assert len(page.encode()) <= 100_000
    assert "s7.ipynb failed in cell 3" in page
    assert "more are in record.json" in page


def test_a_usual_run_page_is_small_and_runs_no_script():
    page = run_page(failed_run())

    assert len(page.encode()) < 40_000
    assert "<script" not in page
    assert "script-src 'none'" in page


def test_a_substep_page_shows_every_cell_and_leads_to_the_failed_one():
    record = failed_run()
    page = substep_page(record, record.substeps[1], NOTEBOOK)

    assert [f'id="cell-{i}"' in page for i in range(5)] == [True] * 5
    assert '<a class="button" href="#cell-2">Go to the failed cell</a>' in page
    assert '<section class="cell code is-failed" id="cell-2">' in page
    assert '<section class="cell code is-not-run" id="cell-3">' in page
    assert '<a href="../index.html">' in page
    assert '<a href="#cell-0">Part</a>' in page


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("pending", "It has not run yet."),
        ("skipped", "It did not run: what came before it failed."),
        ("running", "It was running when this page was written."),
        ("stopped", "it was read, not run"),
        ("failed", "There is no executed notebook to show."),
    ],
)
def test_a_substep_that_left_no_notebook_says_why(status, words):
    substep = pages.substep(status=status)

    assert words in substep_page(pages.run(substep), substep, None)


def test_a_business_report_has_the_tagged_outputs_and_no_code():
    record = failed_run()
    page = business_page(pages.run(), pages.substep(), NOTEBOOK)

    assert "for the boss" in page
    assert "secret_code" not in page
    assert "never" not in text_of(page)
    assert "KeyError" not in business_page(record, pages.substep(), NOTEBOOK)


def test_a_business_report_sums_up_its_run():
    substep = pages.substep(
        inputs=(entity("train_set", kind="inputs"),), outputs=(entity("model"),)
    )

    text = text_of(business_page(pages.run(substep), substep, NOTEBOOK))

    for words in (
        "Pipeline digits", "Step train", f"Run {pages.RUN_ID}", "Started 2026-11-21 05:00:00 UTC",
        "Took 1.0 s", "Inputs user.digits.zone.prep.train_set",
        "Outputs user.digits.zone.prep.model",
    ):  # fmt: skip
        assert words in text


def test_a_business_report_of_a_failed_run_says_that_it_is_not_complete():
    failure = replace(FAILURE, cell=1)
    substep = pages.substep(status="failed", failure=failure)
    cells = (
        pages.markdown("*text*"),
        pages.code("a", pages.raised("KeyError", "x")),
        pages.code("b", count=None),
    )
    tagged = [{**cell, "metadata": {"tags": ["business_report"]}} for cell in cells]

    text = text_of(business_page(pages.run(substep), substep, pages.notebook(*tagged)))

    assert "This report is not complete: train.ipynb failed. KeyError: &#x27;city&#x27;" in text
    assert "This cell failed: KeyError: x" in text
    assert "This part is missing: its cell did not run." in text


def test_a_business_report_says_where_the_kernel_died():
    substep = pages.substep(status="failed", failure=Failure("kernel died", "Out of memory.", 0))
    notebook = pages.notebook(pages.code("a", tags=["business_report"]))

    page = business_page(pages.run(substep), substep, notebook)

    assert '<p class="alert">This cell failed. Out of memory.</p>' in page


def test_a_business_report_with_no_tagged_cell_says_what_to_do():
    page = business_page(pages.run(), pages.substep(), pages.notebook(pages.code("a")))

    assert "tag the cells whose outputs belong here" in page


def test_the_style_and_the_scripts_are_pinned_by_their_hashes():
    frames = substep_page(
        pages.run(),
        pages.substep(),
        pages.notebook(pages.code("", pages.shown({"text/html": "<b>a</b>"}))),
    )
    plain = run_page(failed_run())

    for page, tag in ((frames, "script"), (plain, "style")):
        (inline,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
        assert f"{tag}-src" in policy
        assert f"'sha256-{digest}'" in policy
        assert policy.startswith("default-src 'none'; ")
        assert "script-src 'unsafe" not in policy


def test_no_page_names_an_outside_address():
    record = failed_run()
    notebook = pages.notebook(
        *NOTEBOOK["cells"], pages.code("", pages.shown({"text/html": "<table>"}))
    )

    for page in (run_page(record), substep_page(record, record.substeps[1], notebook)):
        assert set(re.findall(r"(?:src|href)=\S*?//[^\s>]*", page)) == set()
        assert "cdn" not in page.lower()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CELL = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown", "raw"]) | JSON},
    optional={
        "source": JSON,
        "metadata": JSON | st.fixed_dictionaries({"tags": JSON, "sinara": JSON, "jupyter": JSON}),
        "execution_count": JSON,
        "attachments": JSON,
        "outputs": st.lists(
            st.fixed_dictionaries(
                {"output_type": st.sampled_from(["stream", "error", "display_data"]) | JSON},
                optional={
                    "data": st.dictionaries(st.sampled_from(pages.MIME_TYPES), JSON) | JSON,
                    "metadata": JSON,
                    "text": JSON,
                    "traceback": JSON,
                },
            ),
            max_size=3,
        )
        | JSON,
    },
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(CELL, max_size=3), JSON)
def test_any_notebook_gives_a_page(cells, metadata):
    notebook = {"cells": cells, "metadata": metadata}

    page = substep_page(pages.run(), pages.substep(), notebook)

    page.encode("utf-8")
    assert page.endswith("</html>\n")
    assert "This page cannot be built" not in page
    assert business_page(pages.run(), pages.substep(), notebook).endswith("</html>\n")


def test_a_page_that_cannot_be_built_says_why_and_keeps_the_status():
    class Broken(dict):
        def get(self, *_):
            raise RuntimeError("no <cells>")

    page = substep_page(pages.run(status="failed"), pages.substep(status="failed"), Broken())

    assert "This page cannot be built: RuntimeError: no &lt;cells&gt;" in page
    assert '<span class="pill s-failed">failed</span>' in page
    assert pages.RUN_ID in page


def test_a_record_that_is_none_gives_a_page_as_well():
    assert "This page cannot be built" in run_page(None)


def test_a_cell_that_cannot_be_shown_does_not_take_the_others_along():
    class Broken:
        def __str__(self):
            raise RuntimeError("no text")

    notebook = pages.notebook(
        pages.code("a", {"output_type": "stream", "text": [Broken()]}),
        pages.code("b", pages.stream("shown")),
    )

    page = substep_page(pages.run(), pages.substep(), notebook)

    assert "Cell 1 cannot be shown: RuntimeError: no text. It is in report.ipynb." in page
    assert "shown</pre>" in page


def test_reports_import_nbconvert_only_for_a_cell_that_needs_it():
    """A no-op substep must not wait for it: that is half a second of every run."""
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.report import pages\n"
        "from sinara.report import *\n"
        "nb = pages.notebook(pages.code('print(1)', pages.stream('1')))\n"
        "substep_page(pages.run(), pages.substep(), nb); run_page(pages.run())\n"
        "print('nbconvert' in sys.modules)\n"
        "warm()\n"
        "print('nbconvert' in sys.modules)"
    )
    folder = Path(__file__).parents[2]

    done = run_process(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )

    assert ast.literal_eval(done.stdout.replace("\n", ",")) == (False, True)


def test_warming_twice_is_fine():
    warm()
    warm()


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (duration(0.0004), "0 ms"),
        (duration(0.85), "850 ms"),
        (duration(59.94), "59.9 s"),
        (duration(59.96), "1 min 00 s"),
        (duration(7800), "2 h 10 min"),
        (duration(float("nan")), "\N{EN DASH}"),
        (duration("x"), "\N{EN DASH}"),
        (size(None), "\N{EN DASH}"),
        (size(999), "999 B"),
        (size(1_437_000), "1.4 MB"),
        (size(250_000), "250 kB"),
        (size(5 * 10**15), "5,000.0 TB"),
        (number(1797), "1,797"),
        (number(None), "\N{EN DASH}"),
        (one_line("a\n b" + "c" * 10, 6), "a bcc…"),
        (value_text("x", 10), "x"),
        (value_text([1, "a"], 10), '[1, "a"]'),
        (value_text("x" * 20, 10), "x" * 10 + "… (20 characters)"),
    ],
)
def test_figures_are_written_as_people_read_them(shown, words):
    assert shown == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-21T08:00:00+03:00", ">2026-11-21 05:00:00 UTC<"),
        ("2026-11-21T08:00:00", ">2026-11-21 08:00:00<"),
        ("soon", ">soon<"),
        (None, ">\N{EN DASH}<"),
    ],
)
def test_moments_are_in_utc(text, words):
    assert words in moment(text)


def test_an_error_whose_own_text_cannot_be_had_is_named_by_its_type():
    class SilentError(Exception):
        def __str__(self):
            raise RuntimeError

    class Broken(dict):
        def get(self, *_):
            raise SilentError

    page = substep_page(pages.run(), pages.substep(), Broken())

    assert "This page cannot be built: SilentError." in page


def test_a_record_whose_fields_cannot_be_read_gives_a_page():
    class Broken:
        def __getattr__(self, name):
            raise RuntimeError(name)

    assert "This page cannot be built: RuntimeError" in run_page(Broken())


def test_a_run_of_a_thousand_substeps_has_a_page_with_the_one_that_failed():
    outputs = tuple(entity("long_name_" * 9 + str(i)) for i in range(30))
    substeps = [
        pages.substep("long_name_" * 30 + f"{i}.ipynb", outputs=outputs) for i in range(1000)
    ]
    substeps[900] = pages.substep("the_one.ipynb", "failed", failure=FAILURE)

    page = run_page(pages.run(*substeps))

    assert len(page.encode()) <= 100_000
    assert "960 more are in record.json" in page
    assert "the_one.ipynb failed in cell 3" in page


def tried(*attempts):
    return pages.substep(attempts=attempts, report="reports_train_ipynb/report.html")


def test_every_attempt_is_shown_with_its_cause_and_its_notebook():
    dead = Failure("kernel died", "killed by <SIGKILL>", peak_memory=153_000_000)
    folder = "reports_train_ipynb"
    substep = tried(
        AttemptRecord(
            1, "failed", None, 2.7, dead, f"{folder}/report.attempt-1.ipynb", 153_000_000, 2.0
        ),
        AttemptRecord(2, "succeeded", None, 1.7, notebook=f"{folder}/report.ipynb"),
    )
    record = pages.run(substep)

    whole, own = run_page(record), substep_page(record, substep, NOTEBOOK)

    for page in (whole, own):
        text = text_of(page)
        assert "killed by &lt;SIGKILL&gt; The next one began 2.0 s later." in text
        assert "153 MB" in text
    assert f'href="{folder}/report.attempt-1.ipynb"' in whole
    assert 'href="report.attempt-1.ipynb"' in own
    assert "Attempts 2" in text_of(own)


def test_an_attempt_that_was_not_followed_by_another_says_why():
    note = "It was not tried again: nobody knows."
    substep = tried(AttemptRecord(1, "failed", failure=FAILURE, note=note))

    assert note in text_of(substep_page(pages.run(substep), substep, NOTEBOOK))


def test_a_substep_that_went_well_at_once_has_no_table_of_attempts():
    substep = tried(AttemptRecord(1, "succeeded"))

    assert "Attempt" not in text_of(substep_page(pages.run(substep), substep, NOTEBOOK))


def test_a_substep_page_has_a_table_of_each_contract_with_broken_rules_first():
    rules = (
        RuleResult("a", "type", "int64", "int64", kept=True),
        RuleResult("a", "min", "0", "1 row below it", False, ("row 3: a=<b>-1</b>",)),
    )
    substep = pages.substep(outputs=(entity("raw", contract=rules), entity("plain")))

    page = substep_page(pages.run(substep), substep, NOTEBOOK)

    assert "1 of 2 rules broken" in page
    assert "Output user.digits.zone.prep.raw" in page
    assert page.index("1 row below it") < page.index(">kept<")
    assert "row 3: a=&lt;b&gt;-1&lt;/b&gt;" in page
    assert "Output user.digits.zone.prep.plain" not in page
