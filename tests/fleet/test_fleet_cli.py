"""The commands: a table or JSON, exit codes, one line for each mistake."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from sinara.cli.fleet import commands
from sinara.errors import SinaraError
from tests.fleet.conftest import git

group = click.Group("pipeline", commands={command.name: command for command in commands})


def call(*arguments: str):
    """Run a command as the root does: what it returns is the exit code."""
    return CliRunner().invoke(group, list(arguments), standalone_mode=False)


@pytest.fixture
def here(pipeline, monkeypatch):
    monkeypatch.chdir(pipeline.folder)
    return pipeline


def test_the_six_verbs_are_there_with_help():
    assert [c.name for c in commands] == [
        "pull",
        "push",
        "status",
        "checkout",
        "update",
        "transfer",
    ]
    for command in commands:
        assert "--json" in CliRunner().invoke(group, [command.name, "--help"]).output


def test_status_is_a_table_and_ends_with_0(here):
    here.commit("prep")
    (here.step("prep") / "x.txt").write_text("")
    (here.step("eval") / ".git").rename(here.folder / "moved")

    done = call("status")

    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0][:4] == ["step", "branch", "remote", "changed"]
    assert rows[1][:5] == ["eval", "not", "a", "repository", "of"]
    assert rows[2][:5] == ["prep", "main", "1", "ahead", "1"]
    assert rows[3][:5] == ["train", "main", "up", "to", "date"]
    assert "eval: not a repository of its own: git init" in done.stderr
    assert done.return_value == 0


def test_status_as_json_names_the_files(here):
    (here.step("prep") / "x.txt").write_text("")

    done = call("status", "--json", "--step", "prep")

    (step,) = json.loads(done.stdout)["steps"]
    assert (step["step"], step["branch"], step["dirty"]) == ("prep", "main", ["x.txt"])
    assert step["last_run"]["run_id"] == ""


@pytest.mark.parametrize("verb", [["pull"], ["push"], ["checkout", "main"]])
def test_a_failure_in_one_step_leaves_the_others_done_and_ends_with_1(here, verb):
    (here.step("prep") / ".git").rename(here.folder / "moved")

    done = call(*verb)

    assert done.return_value == 1
    assert done.stderr == "sinara: 1 of 3 failed: prep. The others are done.\n"
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        ["eval", "unchanged"], ["prep", "failed"], ["train", "unchanged"],
    ]  # fmt: skip


def test_nothing_to_do_ends_with_0(here):
    assert call("pull").return_value == 0
    assert call("push", "--json").return_value == 0


def test_only_the_chosen_steps_are_asked(here):
    done = call("checkout", "feature", "--create", "--step", "prep", "--step", "train")

    assert done.return_value == 0
    assert git(here.step("prep"), "branch", "--show-current") == "feature"
    assert git(here.step("eval"), "branch", "--show-current") == "main"


def test_a_second_person_clones_with_one_command(here, tmp_path):
    where = ["--host", "local", "--organization", str(here.bare)]

    first = call("pull", "-C", str(tmp_path / "second"), "--name", "churn", *where)
    second = call("pull", "-C", str(tmp_path / "second"), "--name", "churn", *where, "--json")

    assert (first.return_value, second.return_value) == (0, 0)
    assert (tmp_path / "second/churn-prep/a.txt").read_text() == "one\n"
    assert [each["outcome"] for each in json.loads(second.stdout)["pull"]] == ["unchanged"] * 3


def test_transfer_then_update_then_the_name(here, tmp_path):
    new = str(tmp_path / "new")

    moved = call("transfer", "--host", "local", "--organization", new)
    back = call("update", "--origin", str(here.bare))
    named = call("update", "--new-name", "loyalty", "--host", "local", "--organization", new)

    assert (moved.return_value, back.return_value, named.return_value) == (0, 0, 0)
    assert len(named.stdout.splitlines()) == 1 + 3 + 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pull", "--name", "churn"], "give both"),
        (["pull", "--host", "local"], "give both"),
        (["transfer"], "--host"),
        (["transfer", "--host", "local"], "--organization"),
        (["transfer", "--host", "github"], "SINARA_GITHUB_TOKEN"),
        (["transfer", "--host", "gitlab"], "SINARA_GITLAB_TOKEN"),
        (["update"], "Say what to update"),
        (["update", "--origin", "/x", "--host", "local"], "not both"),
        (["update", "--new-name", "-x"], "pipeline name"),
        (["update", "--origin", "ext::x"], "no address"),
        (["checkout", "a..b"], "branch name"),
        (["checkout", "--", "-x"], "branch name"),
        (["status", "--step", "prap"], "Did you mean 'prep'"),
        (["status", "-C", "/nowhere"], "cannot be read"),
    ],
)
def test_a_mistake_is_one_line(here, arguments, words, tree):
    before = tree(here.folder)

    done = call(*arguments)

    assert isinstance(done.exception, SinaraError)
    assert len(done.exception.lines) == 1
    assert words in str(done.exception)
    assert done.exception.exit_code == 2
    assert tree(here.folder) == before


def test_loading_the_commands_imports_neither_git_nor_a_host():
    import subprocess
    import sys

    code = (
        "import sys, sinara.cli.fleet\n"
        "print({'git', 'github', 'gitlab', 'sinara.fleet', 'sinara.store.step'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
