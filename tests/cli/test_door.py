"""The command line as a door: help, errors, exit codes, output streams."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sinara import __version__, cli
from sinara.errors import SinaraError


def test_version_and_help_answer(sinara):
    assert sinara("--version").out.strip().endswith(__version__)
    assert "entity" in sinara("--help").out


@pytest.mark.parametrize("noun", ["step", "run", "entity", "doctor", "completion"])
def test_every_noun_has_help(sinara, noun):
    answer = sinara(noun, "--help")

    assert (answer.code, answer.err) == (0, "")


def test_help_imports_nothing_heavy():
    code = "import sys; from sinara.cli import main; main(['--help']); print([m for m in ('pandas', 'pyarrow', 'papermill', 'nbformat', 'pydantic', 'git', 'IPython') if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "typed", [["rnu"], ["run", "lisst"], ["--jsn"], ["entity", "head"], ["run", "list", "-n", "0"]]
)
def test_wrong_usage_is_answered_with_2_and_no_traceback(sinara, typed):
    answer = sinara(*typed)

    assert answer.code == 2
    assert answer.out == ""
    assert "Traceback" not in answer.err


def test_a_near_miss_is_suggested(sinara):
    assert "Did you mean 'entity'?" in sinara("entitiy").err


def test_an_expected_error_becomes_its_lines_and_its_exit_code(sinara, pipeline, monkeypatch):
    (pipeline / "sinara.toml").write_text("not toml at all")

    answer = sinara("run", "list")

    assert answer.code == 2
    assert answer.err.startswith("sinara: ")
    assert "sinara.toml" in answer.err


def test_a_bug_keeps_its_traceback(sinara, pipeline, monkeypatch):
    monkeypatch.setattr("sinara.cli.run.find_scope", lambda **chosen: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        sinara("run", "list")


def test_ctrl_c_is_130(sinara, pipeline, monkeypatch):
    def interrupt(**chosen):
        raise KeyboardInterrupt

    monkeypatch.setattr("sinara.cli.run.find_scope", interrupt)

    assert sinara("run", "list").code == 130


def test_every_error_class_has_an_exit_code_of_the_table():
    def tree(cls):
        return {cls}.union(*(tree(sub) for sub in cls.__subclasses__()))

    assert {cls.exit_code for cls in tree(SinaraError)} <= {1, 2, 3, 4, 5, 130}


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "sinara", "--version"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout.strip()) == (0, f"sinara, version {__version__}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(sinara, shell):
    assert "_SINARA_COMPLETE" in sinara("completion", shell).out


def test_doctor_says_what_is_there(sinara, pipeline):
    answer = sinara("doctor", "--json")

    checks = {check["what"]: check for check in json.loads(answer.out)["checks"]}
    assert checks["Python"]["ok"]
    assert checks["Jupyter kernels"]["ok"]
    assert str(pipeline) in checks["env user"]["found"]
    assert answer.code == 0
    assert cli.__doc__


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_answer_that_cannot_be_written_is_one_line():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sinara", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "the disk is full" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_failure():
    command = [sys.executable, "-m", "sinara", "doctor"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as going:
        going.stdout.close()

        assert going.stderr.read() == b""
        assert going.wait() == 0
