"""``python step.dev.py`` and ``python step.prod.py`` with real kernels and real repositories."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from sinara.repository import first_commit
from tests.steps import cell, interface, notebook, parameters, run_script, write_step

WRITE = """\
import pandas as pd
outputs = substep.outputs()
pd.DataFrame({"x": range(10)}).to_parquet(outputs.raw)
substep.add_metric("rows", 10)"""
READ = """\
import pandas as pd
inputs = substep.inputs(step_name="load")
df = pd.read_parquet(inputs.raw)
df["y"] = df["x"] * 2
df.to_parquet(f"{substep.outputs().clean}/part-0.parquet")
len(df)"""
RAW = {"outputs": [{"ENTITY_NAME": "raw"}]}
CLEAN = {
    "inputs": [{"STEP_NAME": "load", "ENTITY_NAME": "raw"}],
    "outputs": [{"ENTITY_NAME": "clean"}],
}


def runs(root: Path, step: str) -> list[Path]:
    """The data folders of a step's runs, oldest first."""
    folder = root / "sinara_data" / "user" / "pipe" / "zone" / step
    return sorted(folder.glob("run-*"))


def records(root: Path, step: str, env: str = "user") -> list[dict]:
    folder = root / "sinara_data" / env / "pipe" / "zone" / step / "_runs"
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*/record.json"))]


@pytest.fixture
def load(tmp_path: Path) -> Path:
    """A step that writes ``raw``."""
    return write_step(tmp_path / "pipe-load", {"load.ipynb": notebook(cell(WRITE), **RAW)})


def test_a_step_runs_and_the_next_one_finds_what_it_wrote(load, tmp_path):
    prep = write_step(tmp_path / "pipe-prep", {"prep.ipynb": notebook(cell(READ), **CLEAN)})

    first, second = run_script(load), run_script(prep)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    (raw,), (clean,) = runs(tmp_path, "load"), runs(tmp_path, "prep")
    assert pd.read_parquet(clean / "clean")["y"].tolist() == [2 * x for x in range(10)]
    assert (raw / "raw" / "_SUCCESS").is_file()
    for name in (
        "report.ipynb",
        "report.html",
        "business_report.html",
        "runinfo.json",
        "metrics.json",
        "_SUCCESS",
    ):
        assert (raw / "reports_load_ipynb" / name).is_file(), name
    assert json.loads((raw / "reports_load_ipynb" / "metrics.json").read_text())["rows"] == 10
    (record,) = records(tmp_path, "prep")
    assert record["status"] == "succeeded"
    assert record["substeps"][0]["inputs"][0]["run_id"] == raw.name


def test_a_report_leads_to_the_run_page_from_wherever_it_is_kept(load, tmp_path):
    run_script(load)

    (run,) = runs(tmp_path, "load")
    page = run.parent / "_runs" / run.name / "index.html"
    for folder in (run, page.parent):
        report = folder / "reports_load_ipynb" / "report.html"
        links = re.findall(r'<a href="([^"#]*index\.html)">', report.read_text())
        assert [(report.parent / link).resolve() for link in links] == [page]


def test_a_failed_cell_fails_the_run_with_its_report_and_nothing_published(load, tmp_path):
    run_script(load)
    before = sorted(
        (p, p.read_bytes()) for p in runs(tmp_path, "load")[0].rglob("*") if p.is_file()
    )
    broken = notebook(cell(WRITE), cell("1 / 0"), cell("print('never')"), **RAW)
    nbformat.write(broken, load / "load.ipynb")

    done = run_script(load)

    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    record = records(tmp_path, "load")[-1]
    failure = record["substeps"][0]["failure"]
    assert (record["status"], record["published"], failure["cell"], failure["ename"]) == (
        "failed",
        False,
        5,
        "ZeroDivisionError",
    )
    assert [c["status"] for c in record["substeps"][0]["cells"]][-2:] == ["failed", "not run"]
    evidence = tmp_path / "sinara_data/user/pipe/zone/load/_runs" / record["run_id"]
    assert "ZeroDivisionError" in (evidence / "index.html").read_text()
    assert "ZeroDivisionError" in (evidence / "reports_load_ipynb/report.html").read_text()
    after = sorted((p, p.read_bytes()) for p in runs(tmp_path, "load")[0].rglob("*") if p.is_file())
    assert after == before


def test_a_declared_output_that_nobody_wrote_fails_the_run(tmp_path):
    step = write_step(tmp_path / "pipe-load", {"load.ipynb": notebook(cell("1"), **RAW)})

    done = run_script(step)

    assert done.returncode == 1
    assert "Output 'raw' of load.ipynb was declared, but not written" in done.stderr


def test_a_missing_input_is_one_line_and_no_kernel_starts(tmp_path):
    step = write_step(tmp_path / "pipe-prep", {"prep.ipynb": notebook(cell(READ), **CLEAN)})

    done = run_script(step)

    assert done.returncode == 1
    assert "Entity 'raw' cannot be read: step 'load' has no published run" in done.stderr
    assert "Traceback" not in done.stderr
    (record,) = records(tmp_path, "prep")
    assert (record["status"], record["substeps"][0]["status"]) == ("failed", "skipped")


def test_a_broken_parameter_file_is_told_in_lines_with_exit_code_2(load):
    (load / "params" / "step_params.json").write_text('{"pipeline_params": {')

    done = run_script(load)

    assert done.returncode == 2
    assert done.stderr.startswith("sinara: ")
    assert "Traceback" not in done.stderr


def test_a_later_substep_reads_what_an_earlier_one_wrote_in_the_same_run(tmp_path):
    again = {
        "inputs": [{"STEP_NAME": "load", "ENTITY_NAME": "raw"}],
        "outputs": [{"ENTITY_NAME": "sum"}],
    }
    read = 'import pandas as pd\ndf = pd.read_parquet(substep.inputs(step_name="load").raw)\n'
    read += 'pd.DataFrame({"n": [len(df)]}).to_parquet(substep.outputs().sum)'
    step = write_step(
        tmp_path / "pipe-load",
        {"a.ipynb": notebook(cell(WRITE), **RAW), "b.ipynb": notebook(cell(read), **again)},
    )

    for _ in range(2):
        done = run_script(step)
        assert done.returncode == 0, done.stderr

    for record in records(tmp_path, "load"):
        assert record["substeps"][1]["inputs"][0]["run_id"] == record["run_id"]


def test_prod_runs_what_is_committed_and_tags_it(tmp_path):
    step = write_step(
        tmp_path / "pipe-load", {"load.ipynb": notebook(cell(WRITE), **RAW)}, env=None
    )
    first_commit(step, "first")
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "-q", "--bare", bare], check=True)
    subprocess.run(["git", "remote", "add", "elsewhere", bare], cwd=step, check=True)

    done = run_script(step, "step.prod.py")

    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path, "load", "prod")
    tags = subprocess.run(
        ["git", "tag"], cwd=bare, check=True, capture_output=True, text=True
    ).stdout.split()
    assert tags == [record["run_id"]] == [record["tag"]]


def test_prod_refuses_changed_files_by_name_and_destroys_nothing(tmp_path):
    step = write_step(tmp_path / "pipe-load", {"load.ipynb": notebook(cell(WRITE), **RAW)})
    first_commit(step, "first")
    (step / "load.ipynb").write_text((step / "load.ipynb").read_text() + "\n")
    (step / "helper.py").write_text("x = 1\n")

    done = run_script(step, "step.prod.py")

    assert done.returncode == 2
    assert "helper.py" in done.stderr
    assert "load.ipynb" in done.stderr
    assert (step / "helper.py").read_text() == "x = 1\n"
    assert not (tmp_path / "sinara_data").exists()


def test_prod_can_run_the_commit_beside_the_changes(tmp_path):
    (tmp_path / "sinara.toml").write_text('dirty = "worktree"\n')
    step = write_step(tmp_path / "pipe-load", {"load.ipynb": notebook(cell(WRITE), **RAW)})
    first_commit(step, "first")
    (step / "load.ipynb").write_text("this is not even a notebook")

    done = run_script(step, "step.prod.py")

    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path, "load", "prod")
    assert (record["status"], record["code"]["dirty"]) == ("succeeded", [])


def test_a_failed_prod_run_is_not_tagged(tmp_path):
    step = write_step(tmp_path / "pipe-load", {"load.ipynb": notebook(cell("1/0"), **RAW)})
    first_commit(step, "first")

    done = run_script(step, "step.prod.py")

    assert done.returncode == 1
    assert subprocess.run(["git", "tag"], cwd=step, check=True, capture_output=True).stdout == b""


def test_design_mode_stops_after_the_interface_with_254(load, tmp_path):
    done = run_script(load, DESIGN_MODE="TRUE")

    assert done.returncode == 254, done.stderr
    assert records(tmp_path, "load")[0]["status"] == "stopped"


def test_the_older_form_of_a_step_runs_unchanged(tmp_path):
    """All three dictionaries in a cell tagged ``params``, ``default_param_values``, plain names in the file."""
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {
        "name": "python3",
        "language": "python",
        "display_name": "Python 3",
    }
    made.cells = [
        cell("%load_ext autoreload\n%autoreload 2"),
        cell(
            'pipeline_params = {"env_name": "user"}\nstep_params = {}\nsubstep_params = {"n": 3}',
            "params",
        ),
        cell(
            "from sinara.substep import NotebookSubstep, default_param_values, ENTITY_NAME\n"
            "substep = NotebookSubstep(pipeline_params, step_params, substep_params,\n"
            '                          **default_param_values("params/step_params.json"))\n'
            "substep.interface(outputs=[{ENTITY_NAME: 'raw'}], tmp_outputs=[{ENTITY_NAME: 'cache'}])"
        ),
        cell(
            "import pandas as pd, os\n"
            "df = pd.DataFrame({'x': range(substep_params['n'])})\n"
            "os.makedirs(substep.outputs().raw, exist_ok=True)\n"
            "df.to_parquet(os.path.join(substep.outputs().raw, 'part.parquet'))\n"
            "open(substep.tmp_outputs().cache + '/note', 'w').write('x')"
        ),
    ]
    step = write_step(tmp_path / "pipe-load", {"load.ipynb": made})
    (step / "sinara").mkdir()  # the original's submodule, not checked out
    params = json.loads((step / "params/step_params.json").read_text())
    params["substeps_params"] = ["load.ipynb"]
    (step / "params/step_params.json").write_text(json.dumps(params))
    (step / "load.params.json").write_text(json.dumps({"n": 7}))

    done = run_script(step)

    assert done.returncode == 0, done.stderr
    (run,) = runs(tmp_path, "load")
    assert len(pd.read_parquet(run / "raw")) == 7


def test_a_run_id_that_the_notebook_fixes_is_the_one_that_is_published(tmp_path):
    fixed = "run-24-01-01-000000"
    made = notebook(cell(WRITE), **RAW)
    made.cells.insert(0, cell(f'import os\nos.environ["DSML_CURR_RUN_ID"] = "{fixed}"'))
    step = write_step(tmp_path / "pipe-load", {"load.ipynb": made})

    done = run_script(step)

    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(tmp_path / "sinara_data/user/pipe/zone/load" / fixed / "raw")) == 10


def test_a_run_id_from_outside_is_the_run_s_own(load, tmp_path):
    fixed = "run-24-01-01-000000"

    done = run_script(load, DSML_CURR_RUN_ID_FROM_PLINE=fixed)
    again = run_script(load, DSML_CURR_RUN_ID_FROM_PLINE=fixed)

    assert done.returncode == 0, done.stderr
    assert [run.name for run in runs(tmp_path, "load")] == [fixed]
    assert again.returncode == 2
    assert fixed in again.stderr


def test_a_module_substep_has_the_same_context_record_and_report(tmp_path):
    source = (
        "from sinara.substep import NotebookSubstep, get_substep_params, ENTITY_NAME\n"
        "import pandas as pd\n"
        "substep = NotebookSubstep()\n"
        "substep.interface(outputs=[{ENTITY_NAME: 'raw'}])\n"
        "pd.DataFrame({'x': range(get_substep_params()['n'])}).to_parquet(substep.outputs().raw)\n"
        "substep.add_metric('n', 4)\nprint('hello from a module')\n"
    )
    step = write_step(
        tmp_path / "pipe-load", {"load.py": source}, substep_params={"load.py": {"n": 4}}
    )

    done = run_script(step)

    assert done.returncode == 0, done.stderr
    (run,) = runs(tmp_path, "load")
    assert len(pd.read_parquet(run / "raw")) == 4
    assert "hello from a module" in (run / "reports_load_py" / "report.html").read_text()
    assert records(tmp_path, "load")[0]["substeps"][0]["metrics"]["n"] == 4


def test_parameters_of_the_file_reach_the_notebook(tmp_path):
    made = notebook(
        cell("assert substep_params == {'lr': 0.5, 'names': ['é', '\"', \"'\"]}, substep_params")
    )
    made.cells[0] = parameters(lr=0.1, names=[])
    step = write_step(
        tmp_path / "pipe-load",
        {"load.ipynb": made},
        substep_params={"load.ipynb": {"lr": 0.5, "names": ["é", '"', "'"]}},
    )

    done = run_script(step)

    assert done.returncode == 0, done.stderr


def test_a_secret_reaches_the_cell_and_nothing_that_is_kept(tmp_path):
    canary = "s3cr3t-c4n4ry-0815"
    made = notebook(
        cell(
            "import os\ntoken = substep_params['token'].reveal()\nassert len(token) == 18\nprint('token', token)"
        )
    )
    made.cells[0] = parameters(token=None)
    step = write_step(
        tmp_path / "pipe-load",
        {"load.ipynb": made},
        substep_params={"load.ipynb": {"token": {"$env": "A_TOKEN"}}},
    )

    done = run_script(step, A_TOKEN=canary)

    assert done.returncode == 0, done.stderr
    assert canary not in done.stdout + done.stderr
    kept = [p for p in tmp_path.rglob("*") if p.is_file() and canary.encode() in p.read_bytes()]
    assert kept == []


def test_inputs_pinned_by_run_id_and_by_another_zone_are_read(tmp_path, load):
    run_script(load)
    first = runs(tmp_path, "load")[0].name
    run_script(load)
    pinned = {"inputs": [{"STEP_NAME": "load", "ENTITY_NAME": "raw", "RUN_ID": first}]}
    step = write_step(
        tmp_path / "pipe-prep",
        {
            "prep.ipynb": notebook(
                cell(f'assert "{first}" in substep.inputs(step_name="load", run_id="{first}").raw'),
                **pinned,
            )
        },
    )

    done = run_script(step)

    assert done.returncode == 0, done.stderr


def test_an_interface_that_only_a_run_can_tell_is_remembered_by_the_next_one(tmp_path):
    made = notebook(cell(WRITE))
    made.cells[2] = cell(
        "from sinara.substep import NotebookSubstep, ENTITY_NAME\n"
        "substep = NotebookSubstep(pipeline_params, step_params, substep_params)\n"
        "substep.interface(outputs=[{ENTITY_NAME: open('name.txt').read()}])"
    )
    step = write_step(tmp_path / "pipe-load", {"load.ipynb": made})
    (step / "name.txt").write_text("raw")

    first, second = run_script(step), run_script(step)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "load.ipynb, cell 3, line 3" in first.stderr
    assert "load.ipynb, cell 3, line 3" not in second.stderr


def test_a_run_of_the_original_that_is_named_is_read_in_dev_and_refused_in_prod(tmp_path):
    run_id = "run-24-01-01-000000"
    for env in ("user", "prod"):
        entity = tmp_path / "sinara_data" / env / "pipe" / "zone" / "load" / run_id / "raw"
        entity.mkdir(parents=True)
        pd.DataFrame({"x": [1, 2]}).to_parquet(entity / "part-0.parquet")
        (entity / "_SUCCESS").touch()
    pinned = {"inputs": [{"STEP_NAME": "load", "ENTITY_NAME": "raw", "RUN_ID": run_id}]}
    read = cell(
        'import pandas as pd\nassert len(pd.read_parquet(substep.inputs(step_name="load").raw)) == 2'
    )
    step = write_step(tmp_path / "pipe-prep", {"prep.ipynb": notebook(read, **pinned)}, env=None)
    first_commit(step, "first")

    done, refused = run_script(step), run_script(step, "step.prod.py")

    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path, "prep")
    assert record["substeps"][0]["inputs"][0]["note"] == "unverified"
    assert refused.returncode == 1
    assert f"no published run {run_id}" in refused.stderr
    assert records(tmp_path, "prep", "prod")[0]["substeps"][0]["status"] == "skipped"


def test_a_named_run_that_is_not_there_fails_a_strict_step_and_is_marked_in_another(tmp_path):
    pinned = {
        "inputs": [{"STEP_NAME": "ext", "ENTITY_NAME": "raw", "RUN_ID": "run-24-01-01-000000"}]
    }
    made = {"prep.ipynb": notebook(cell("1"), **pinned)}
    step = write_step(tmp_path / "pipe-prep", made)
    strict = write_step(tmp_path / "pipe-strict", made, step_params={"strict_params": True})

    done, refused = run_script(step), run_script(strict)

    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path, "prep")
    assert [e["note"] for e in record["substeps"][0]["inputs"]] == ["not found"]
    assert refused.returncode == 1
    assert "no published run run-24-01-01-000000" in refused.stderr


def test_interface_helper_is_what_it_says():
    assert (
        "{STEP_NAME: 'a', ENTITY_NAME: 'b'}"
        in interface(inputs=[{"STEP_NAME": "a", "ENTITY_NAME": "b"}]).source
    )


def test_a_script_that_leaves_with_an_exit_code_of_its_own_publishes_nothing(load, tmp_path):
    script = (load / "step.dev.py").read_text()
    (load / "step.dev.py").write_text(
        script.replace("        notebook.run()", "        notebook.run()\n        exit(7)")
    )

    done = run_script(load)

    assert done.returncode == 1
    assert "The script ended with exit code 7." in done.stderr
    assert [r["published"] for r in records(tmp_path, "load")] == [False]


def test_a_script_that_forgets_to_save_is_told_and_its_run_has_ended(load, tmp_path):
    (load / "step.dev.py").write_text(
        "from sinara.step import Step\nfor notebook in Step().notebooks: notebook.run()\n"
    )

    done = run_script(load)

    assert "The script ended without sr.save() or step.handle_exit()." in done.stderr
    assert [r["status"] for r in records(tmp_path, "load")] == ["failed"]


def test_a_script_runs_its_own_step_even_in_the_folder_of_another(load, tmp_path):
    other = write_step(tmp_path / "pipe-other", {"load.ipynb": notebook(cell(WRITE), **RAW)})

    done = run_script(other, "../pipe-load/step.dev.py")

    assert done.returncode == 0, done.stderr
    assert (len(runs(tmp_path, "load")), len(runs(tmp_path, "other"))) == (1, 0)


def test_without_any_stream_a_step_runs_all_the_same(load, tmp_path):
    done = subprocess.run(
        ["sh", "-c", '"$1" step.dev.py <&- >&- 2>&-', "sh", sys.executable], cwd=load, check=False
    )

    assert done.returncode == 0
    assert [r["status"] for r in records(tmp_path, "load")] == ["succeeded"]


def test_a_secret_in_a_metric_is_masked_everywhere(tmp_path):
    made = notebook(cell("substep.add_metric(token.reveal(), {'deep': [token.reveal()]})"))
    made.cells[0] = cell("from sinara.secret import Secret\ntoken: Secret", "parameters")
    made.cells[2].source = made.cells[2].source.replace("substep_params)", "{})")
    values = {"a.ipynb": {"token": {"$env": "HUB_TOKEN"}}}
    step = write_step(tmp_path / "pipe-a", {"a.ipynb": made}, substep_params=values)

    done = run_script(step, HUB_TOKEN="CANARY-9f31")

    assert done.returncode == 0, done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"CANARY-9f31" in path.read_bytes()] == []


def test_half_a_character_in_a_parameter_arrives(tmp_path):
    half = {"half": "\ud800"}
    check = notebook(cell("assert step_params['half'] == '\\ud800'"))
    step = write_step(tmp_path / "pipe-a", {"a.ipynb": check}, step_params=half)

    done = run_script(step)

    assert done.returncode == 0, done.stderr


def test_a_substep_whose_output_is_missing_is_never_called_succeeded(tmp_path):
    step = write_step(tmp_path / "pipe-a", {"a.ipynb": notebook(**RAW)})

    done = run_script(step)

    assert done.returncode == 1
    assert "a.ipynb failed after" in done.stderr
    assert "succeeded" not in done.stderr


@pytest.mark.parametrize(("value", "shown"), [(True, True), (False, False), (None, True)])
def test_verbose_output_says_whether_cells_are_shown(tmp_path, value, shown):
    made = notebook(cell("print('from a cell')"))
    step = write_step(
        tmp_path / "pipe-load",
        {"load.ipynb": made},
        step_params={} if value is None else {"verbose_output": value},
    )

    done = run_script(step)

    assert done.returncode == 0, done.stderr
    assert ("from a cell" in done.stderr) is shown
