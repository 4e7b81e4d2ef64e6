"""A step looked over: every kind of mistake is found, and nothing is executed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from sinara.check import Finding, check_step
from tests.steps import cell, interface, notebook, parameters, write_step

OUT = {"outputs": [{"ENTITY_NAME": "table"}]}


def codes(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    """Return the severity and the code of each finding."""
    return [(finding.severity, finding.code) for finding in findings]


def step(tmp_path: Path, *cells: nbformat.NotebookNode, name: str = "load.ipynb", **lists) -> Path:
    """Write a step of one notebook."""
    return write_step(tmp_path / "pipe-load", {name: notebook(*cells, **(lists or OUT))})


def test_a_good_step_has_no_findings(tmp_path):
    assert check_step(step(tmp_path, cell("%pip list\nx = 1"))) == ()


def test_a_module_is_looked_over_like_a_notebook(tmp_path):
    module = (
        "from sinara.substep import *\n"
        "substep_params = {}\n"
        "substep = NotebookSubstep(get_pipeline_params(), get_step_params(), substep_params)\n"
        "substep.interface(inputs=[{STEP_NAME: 'load', ENTITY_NAME: 'table'}])\n"
    )
    folder = write_step(tmp_path / "pipe-load", {"load.ipynb": notebook(**OUT), "use.py": module})

    assert check_step(folder) == ()

    (folder / "use.py").write_text(module + "answer = input('?')\n")
    (finding,) = check_step(folder)
    assert (finding.code, finding.file, finding.cell, finding.line) == ("input", "use.py", None, 5)


@pytest.mark.parametrize(
    ("source", "severity", "code", "line"),
    [
        ("x = 1\nx = = 2", "error", "syntax", 2),
        ("print('a'", "error", "syntax", 1),
        ("pip install x", "warning", "bare-magic", 1),
        ("x = 1\nname = input('name? ')", "error", "input", 2),
    ],
)
def test_a_cell_that_a_run_cannot_follow_is_found_with_its_line(
    tmp_path, source, severity, code, line
):
    (finding,) = check_step(step(tmp_path, cell(source)))

    assert (finding.severity, finding.code) == (severity, code)
    assert (finding.file, finding.cell, finding.line) == ("load.ipynb", 3, line)


@pytest.mark.parametrize(
    "source",
    [
        "%%bash\nfor f in *; do echo $f; done",
        "!ls | input",
        "x = !ls",
        "df.input()",
        "%%time\nx = 1",
        "",
    ],
)
def test_what_ipython_understands_is_no_mistake(tmp_path, source):
    assert check_step(step(tmp_path, cell(source))) == ()


def test_a_file_that_is_not_there_is_found(tmp_path):
    folder = step(tmp_path)
    (folder / "load.ipynb").rename(folder / "laod.ipynb")

    (finding,) = check_step(folder)

    assert (finding.severity, finding.code) == ("error", "missing-file")
    assert "Did you mean 'laod.ipynb'?" in finding.message


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"cells": [{}]}', '{"nbformat": 3, "worksheets": []}', "\0"]
)
def test_a_file_that_is_no_notebook_is_found(tmp_path, content):
    folder = step(tmp_path)
    (folder / "load.ipynb").write_text(content)

    findings = check_step(folder)

    assert codes(findings) == [("error", "notebook")]
    assert "\n" not in findings[0].message


def test_parameter_files_that_are_wrong_are_found(tmp_path):
    folder = step(tmp_path)
    (folder / "params/step_params.json").write_text('{"pipeline_params": {}}')

    findings = check_step(folder)

    assert findings
    assert {(f.severity, f.code, f.file) for f in findings} == {
        ("error", "params", "params/step_params.json")
    }


def test_a_step_with_no_parameter_file_is_one_finding(tmp_path):
    findings = check_step(tmp_path)

    assert codes(findings) == [("error", "params")]


def test_settings_that_are_wrong_are_found(tmp_path):
    (tmp_path / "sinara.toml").write_text("colour = 1")

    assert codes(check_step(step(tmp_path))) == [("error", "settings")]


def test_an_env_that_is_not_known_is_found(tmp_path):
    folder = step(tmp_path)

    assert codes(check_step(folder, env_name="nowhere")) == [("error", "env")]
    assert check_step(folder, env_name="prod") == ()


def test_an_input_from_an_env_that_is_not_known_is_found(tmp_path):
    read = {"STEP_NAME": "x", "ENTITY_NAME": "y", "ENV_NAME": "prd"}

    (finding,) = check_step(step(tmp_path, inputs=[read]))

    assert finding.code == "env"
    assert "Did you mean 'prod'?" in finding.message


def test_values_that_the_notebook_does_not_take_are_found(tmp_path):
    made = notebook(**OUT)
    made.cells[0] = cell("lr: float = 0.1\nn: int = 1", "parameters")
    folder = write_step(
        tmp_path / "pipe-load",
        {"load.ipynb": made},
        substep_params={"load.ipynb": {"lr": "fast", "m": 1}},
    )

    findings = check_step(folder)

    assert codes(findings) == [("error", "parameters")] * 2
    assert {finding.cell for finding in findings} == {0}
    assert not any(finding.message.startswith("load.ipynb") for finding in findings)


def test_in_the_classic_form_a_difference_is_a_warning(tmp_path):
    folder = write_step(
        tmp_path / "pipe-load",
        {"load.ipynb": notebook(**OUT)},
        substep_params={"load.ipynb": {"m": 1}},
    )

    assert codes(check_step(folder)) == [("warning", "parameters")]


def test_overrides_are_looked_over_too(tmp_path):
    findings = check_step(step(tmp_path), overrides=["nonsense=1"])

    assert codes(findings) == [("error", "params")]


def test_two_cells_tagged_as_parameters_are_found(tmp_path):
    findings = check_step(step(tmp_path, parameters(a=1)))

    assert codes(findings) == [("error", "parameters")]


def test_a_notebook_without_a_parameters_cell_or_an_interface_is_found(tmp_path):
    made = notebook()
    made.cells = [cell("x = 1")]

    findings = check_step(write_step(tmp_path / "pipe-load", {"load.ipynb": made}))

    assert codes(findings) == [("warning", "no-parameters-cell"), ("warning", "no-interface")]


def test_an_interface_that_cannot_be_is_an_error(tmp_path):
    findings = check_step(step(tmp_path, outputs=[{"ENTITY_NAME": "a b"}, {"ENTITY_NAM": "c"}]))

    assert codes(findings) == [("error", "interface")] * 3
    assert {finding.cell for finding in findings} == {2}


def test_an_interface_that_only_a_run_can_tell_is_a_warning(tmp_path):
    made = notebook()
    made.cells[2] = cell(
        interface().source.replace("substep.interface(\n", "substep.interface(\n outputs=make(),"),
        "interface",
    )

    findings = check_step(write_step(tmp_path / "pipe-load", {"load.ipynb": made}))

    assert codes(findings) == [("warning", "unreadable-interface")]


def test_a_broken_interface_cell_is_told_once(tmp_path):
    made = notebook()
    made.cells[2] = cell("substep.interface(", "interface")

    findings = check_step(write_step(tmp_path / "pipe-load", {"load.ipynb": made}))

    assert codes(findings) == [("error", "syntax")]


def test_a_kernel_that_is_not_installed_is_found(tmp_path):
    made = notebook(**OUT)
    made.metadata["kernelspec"]["name"] = "cobol"

    (finding,) = check_step(write_step(tmp_path / "pipe-load", {"load.ipynb": made}))

    assert (finding.severity, finding.code) == ("error", "kernel")
    assert "'cobol'" in finding.message
    assert check_step(
        write_step(tmp_path / "pipe-other", {"load.ipynb": made},
        step_params={"kernel_name": "python3"})
    ) == ()  # fmt: skip


def test_outputs_in_the_notebook_are_a_warning_about_git(tmp_path):
    shown = cell("print(1)")
    shown.outputs = [nbformat.v4.new_output("stream", text="1\n")]

    (finding,) = check_step(step(tmp_path, shown))

    assert (finding.severity, finding.code, finding.cell) == ("warning", "saved-outputs", 3)
    assert "Git" in finding.message


@pytest.mark.parametrize(
    ("path", "found"),
    [("/data/raw", True), ("~/raw", True), ("C:\\raw", True), ("file:///raw", True),
    ("s3://b/raw", False), ("raw", False)],
)  # fmt: skip
def test_a_custom_input_on_this_machine_is_a_warning(tmp_path, path, found):
    findings = check_step(
        step(tmp_path, custom_inputs=[{"ENTITY_NAME": "raw", "ENTITY_PATH": path}])
    )

    assert codes(findings) == [("warning", "local-path")] * found


def reads(entity: str, **more: str) -> dict[str, list[dict[str, str]]]:
    """Return an interface that reads an entity of the step itself."""
    return {"inputs": [{"STEP_NAME": "load", "ENTITY_NAME": entity, **more}]}


def flow(tmp_path: Path, *interfaces: dict[str, list[dict[str, str]]]) -> tuple[Finding, ...]:
    """Look over a step whose notebooks declare these interfaces."""
    made = {f"n{place}.ipynb": notebook(**lists) for place, lists in enumerate(interfaces)}
    return check_step(write_step(tmp_path / "pipe-load", made))


def test_what_an_earlier_substep_writes_can_be_read(tmp_path):
    assert flow(tmp_path, OUT, reads("table")) == ()


def test_an_input_of_this_step_that_nobody_writes_is_an_error(tmp_path):
    (finding,) = flow(tmp_path, OUT, reads("tabel"))

    assert (finding.severity, finding.code, finding.file) == ("error", "own-input", "n1.ipynb")
    assert "'tabel'" in finding.message
    assert "table" in finding.message


def test_an_input_that_is_written_later_is_a_warning(tmp_path):
    (finding,) = flow(tmp_path, reads("table"), OUT)

    assert (finding.severity, finding.code) == ("warning", "own-input")
    assert "n1.ipynb" in finding.message


@pytest.mark.parametrize(
    "other",
    [
        {"ENV_NAME": "prod"},
        {"PIPELINE_NAME": "x"},
        {"ZONE_NAME": "x"},
        {"RUN_ID": "run-25-01-01-000000"},
    ],
)
def test_an_input_of_another_run_is_not_missed_here(tmp_path, other):
    assert flow(tmp_path, reads("x", **other)) == ()


def test_one_output_of_two_substeps_is_an_error(tmp_path):
    findings = flow(
        tmp_path, {"outputs": [{"ENTITY_NAME": "a.b"}]}, {"outputs": [{"ENTITY_NAME": "A_b"}]}
    )

    assert codes(findings) == [("error", "name-clash")]
    assert "'a.b', by n0.ipynb" in findings[0].message


def test_substeps_whose_reports_would_share_a_folder_are_an_error(tmp_path):
    folder = write_step(tmp_path / "pipe-load", {"a.b.ipynb": notebook(**OUT)})
    params = json.loads((folder / "params/step_params.json").read_text())
    params["substeps_params"].append({"substep_name": "a_b.ipynb", "substep_params": {}})
    (folder / "params/step_params.json").write_text(json.dumps(params))
    nbformat.write(notebook(), folder / "a_b.ipynb")

    findings = check_step(folder)

    assert [finding.severity for finding in findings] == ["error"]
    assert "share one folder" in findings[0].message


def test_looking_over_a_hostile_step_executes_none_of_it(tmp_path):
    canary = tmp_path / "canary"
    evil = f"open({str(canary)!r}, 'a').write('x')\n"
    made = notebook(cell(evil), cell(f"!touch {canary}"), cell("%run evil.py"), **OUT)
    made.metadata["kernelspec"]["name"] = "evil"
    made.cells.insert(0, cell("import evil"))
    folder = write_step(tmp_path / "pipe-load", {"load.ipynb": made, "evil.py": evil})
    for name in (
        "json.py",
        "sitecustomize.py",
        "conftest.py",
        "jupyter_config.py",
        "ipython_config.py",
        "nbformat.py",
    ):
        (folder / name).write_text(evil)
    (folder / "kernels/evil").mkdir(parents=True)
    (folder / "kernels/evil/kernel.json").write_text(json.dumps({"argv": ["touch", str(canary)]}))
    code = "import sys; from pathlib import Path; from sinara.check import check_step; print(len(check_step(Path('.'))))"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    said = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(said.stdout) >= 1
    assert not canary.exists()
    assert not list(folder.rglob("__pycache__"))


def test_a_table_for_a_substep_that_the_step_does_not_have_is_a_warning(tmp_path):
    folder = step(tmp_path)
    settings = folder / "sinara.toml"
    settings.write_text(
        "[substeps.'load.ipynb']\nretries = 1\n[substeps.'laod.ipynb']\nretries = 1\n"
        "[substeps.'load/x.ipynb']\nretries = 1\n[substeps.'load/load.ipynb']\nretries = 1\n"
    )

    findings = check_step(folder)

    assert codes(findings) == [("warning", "settings")] * 2
    assert '[substeps."laod.ipynb"] is for no substep of this step. Did you mean' in (
        findings[0].message
    )
    assert "Its substeps are load.ipynb." in findings[1].message


def test_a_file_above_the_step_may_speak_of_other_steps(tmp_path):
    folder = step(tmp_path)
    (tmp_path / "sinara.toml").write_text(
        "[substeps.'evaluate.ipynb']\nretries = 1\n[substeps.'train/x.ipynb']\nretries = 1\n"
        "[substeps.'laod.ipynb']\nretries = 1\n"
    )

    (finding,) = check_step(folder)

    assert "laod" in finding.message
