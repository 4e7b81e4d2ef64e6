"""update and transfer: a new name, a new origin, a new host."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from sinara.errors import BadNameError, ParamsError, UsageError
from sinara.fleet import pull, push, rename, set_origins, steps_in, transfer
from sinara.fleet.rename import pipeline_name, renamed
from sinara.hosting import open_host
from sinara.repository import remotes
from tests.fleet.conftest import git
from tests.fleet.test_fleet_sync import outcomes, text


def test_a_new_name_changes_one_value_and_not_a_space_beside_it(pipeline):
    file = pipeline.step("prep") / "params/step_params.json"
    before = file.read_text()

    done = rename(steps_in(pipeline.folder), "loyalty")

    assert set(outcomes(done).values()) == {"done"}
    assert file.read_text() == before.replace(' : "churn"', ' : "loyalty"')
    subject = git(pipeline.step("prep"), "log", "-1", "--format=%s")
    assert subject == "Rename pipeline churn to loyalty"
    assert git(pipeline.step("prep"), "status", "--porcelain") == ""
    assert {step.pipeline for step in steps_in(pipeline.folder)} == {"loyalty"}


def test_a_second_time_changes_nothing(pipeline):
    rename(steps_in(pipeline.folder), "loyalty")
    commit = git(pipeline.step("prep"), "rev-parse", "HEAD")

    done = rename(steps_in(pipeline.folder), "loyalty")

    assert set(outcomes(done).values()) == {"unchanged"}
    assert git(pipeline.step("prep"), "rev-parse", "HEAD") == commit


def test_every_parameter_file_with_the_name_is_changed(pipeline):
    params = pipeline.step("prep") / "params"
    (params / "pipeline_params.yaml").write_text("pipeline_params:\n  pipeline_name: churn # x\n")
    (params / "prod.json").write_text('{"pipeline_params": {"pipeline_name": "churn"}}\n')
    (params / "other.json").write_text('{"pipeline_params": {"pipeline_name": "other"}}\n')
    (params / "list.json").write_text("[1]\n")
    pipeline.commit("prep")

    done = rename(steps_in(pipeline.folder), "loyalty")

    assert outcomes(done)["prep"] == "done"
    assert "pipeline_name: loyalty # x" in (params / "pipeline_params.yaml").read_text()
    assert json.loads((params / "prod.json").read_text())["pipeline_params"] == {
        "pipeline_name": "loyalty"
    }
    assert '"other"' in (params / "other.json").read_text()


def test_a_step_with_changes_is_refused_and_kept(pipeline, tree):
    (pipeline.step("prep") / "a.txt").write_text("mine\n")
    before = tree(pipeline.step("prep") / "params")

    done = rename(steps_in(pipeline.folder), "loyalty")

    assert outcomes(done) == {"eval": "done", "prep": "failed", "train": "done"}
    assert tree(pipeline.step("prep") / "params") == before


def test_a_commit_that_fails_leaves_the_files_as_they_were(pipeline, tree, monkeypatch):
    git(pipeline.step("prep"), "config", "user.useConfigOnly", "true")
    (pipeline.step("prep") / ".git/index.lock").write_text("")
    before = tree(pipeline.step("prep") / "params")

    done = rename(steps_in(pipeline.folder), "loyalty")

    assert outcomes(done)["prep"] == "failed"
    assert tree(pipeline.step("prep") / "params") == before


def test_a_new_name_is_not_written_through_a_link_that_a_repository_holds(pipeline, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    link = pipeline.step("prep") / "params/.step_params.json.new"
    link.symlink_to(tmp_path / "mine.txt")
    pipeline.commit("prep")

    rename(steps_in(pipeline.folder), "q")

    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_step_without_a_repository_is_not_renamed(pipeline, tree):
    (pipeline.step("prep") / ".git").rename(pipeline.folder / "moved")
    before = tree(pipeline.step("prep"))

    done = rename(steps_in(pipeline.folder), "loyalty")

    assert "not a repository" in text(done, "prep")
    assert tree(pipeline.step("prep")) == before


@pytest.mark.parametrize("name", ["-x", "../x", "a b", "", 'a"b', "a\nb"])
def test_a_name_that_cannot_be_used_changes_nothing(pipeline, name, tree):
    before = tree(pipeline.folder)

    with pytest.raises(BadNameError):
        rename(steps_in(pipeline.folder), name)

    assert tree(pipeline.folder) == before


@pytest.mark.parametrize(
    ("suffix", "before", "after"),
    [
        ("json", '{"pipeline_params":{"pipeline_name":"a"}}', '{"pipeline_params":{"pipeline_name":"b"}}'),
        ("json", '{\r\n"pipeline_params": {"pipeline_name"\t:\r\n"a"}}\r\n',
                 '{\r\n"pipeline_params": {"pipeline_name"\t:\r\n"b"}}\r\n'),
        ("json", '{"x": {"pipeline_name": "a"}, "pipeline_params": {"pipeline_name": "a"}}',
                 '{"x": {"pipeline_name": "a"}, "pipeline_params": {"pipeline_name": "b"}}'),
        ("json", '{"n": "\\"pipeline_name\\": \\"a\\"", "pipeline_params": {"pipeline_name": "\\u0061"}}',
                 '{"n": "\\"pipeline_name\\": \\"a\\"", "pipeline_params": {"pipeline_name": "b"}}'),
        ("yaml", "# pipeline_name: a\npipeline_params:\n  pipeline_name: 'a'   # ours\n",
                 "# pipeline_name: a\npipeline_params:\n  pipeline_name: 'b'   # ours\n"),
        ("yaml", 'pipeline_params: {pipeline_name: "a", x: 1}\n', 'pipeline_params: {pipeline_name: "b", x: 1}\n'),
        ("yml", "pipeline_params:\n  pipeline_name: a", "pipeline_params:\n  pipeline_name: b"),
    ],
)  # fmt: skip
def test_only_the_value_changes(tmp_path, suffix, before, after):
    path = tmp_path / f"step_params.{suffix}"
    path.write_bytes(before.encode())

    assert renamed(path, "b") == after


@pytest.mark.parametrize("name", ["null", "12", "1e3", "true"])
def test_a_name_that_yaml_would_take_for_something_else_is_quoted(tmp_path, name):
    path = tmp_path / "step_params.yaml"
    path.write_text("pipeline_params:\n  pipeline_name: a\n")

    path.write_text(renamed(path, name))

    assert pipeline_name(path) == name


def test_a_file_that_cannot_be_changed_in_one_place_is_told(tmp_path):
    path = tmp_path / "step_params.json"
    path.write_text('{"pipeline_params": {"pipeline\\u005fname": "a"}}')

    with pytest.raises(ParamsError, match="by hand"):
        renamed(path, "b")


def test_a_new_origin_keeps_the_names_of_the_repositories(pipeline):
    done = set_origins(steps_in(pipeline.folder), origin="git@host.example:team")
    again = set_origins(steps_in(pipeline.folder), origin="git@host.example:team/{repository}.git")

    assert set(outcomes(done).values()) == {"done"}
    assert set(outcomes(again).values()) == {"unchanged"}
    assert remotes(pipeline.step("prep"))["origin"] == "git@host.example:team/churn-prep.git"


@pytest.mark.parametrize("origin", ["ext::sh -c x", "-x", "http://host.example", "../x", ""])
def test_an_origin_of_another_kind_is_refused(pipeline, origin):
    with pytest.raises(UsageError):
        set_origins(steps_in(pipeline.folder), origin=origin)

    assert remotes(pipeline.step("prep"))["origin"] == str(pipeline.remote("prep"))


def test_a_host_that_lacks_a_repository_is_named_for_that_step(pipeline, tmp_path):
    host = open_host("local", str(tmp_path / "new"))
    host.ensure("churn-prep")

    done = set_origins(steps_in(pipeline.folder), host=host)

    assert outcomes(done) == {"eval": "failed", "prep": "done", "train": "failed"}
    assert "sinara pipeline transfer" in text(done, "eval")


def test_everything_moves_and_the_old_one_stays(pipeline, tmp_path):
    theirs = pipeline.others_commit("prep", branch="only-there")
    newer = pipeline.others_commit("prep")
    git(pipeline.step("prep"), "tag", "-a", "run-1", "-m", "url")
    git(pipeline.step("prep"), "branch", "only-here")
    (pipeline.step("prep") / "d.txt").write_text("not committed\n")
    old = str(pipeline.remote("prep"))

    done = transfer(steps_in(pipeline.folder), open_host("local", str(tmp_path / "new")))

    new = tmp_path / "new/churn-prep.git"
    assert set(outcomes(done).values()) == {"done"}
    assert git(new, "rev-parse", "only-there", "main").split() == [theirs, newer]
    assert git(new, "branch", "--format=%(refname:short)").split() == [
        "main", "only-here", "only-there",
    ]  # fmt: skip
    assert git(new, "tag") == "run-1"
    assert git(new, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert remotes(pipeline.step("prep")) == {"origin": str(new), "previous": old}
    assert git(pipeline.step("prep"), "rev-parse", "origin/main") == newer
    assert git(Path(old), "rev-parse", "only-there") == theirs
    assert (pipeline.step("prep") / "d.txt").exists()
    assert "1 changed file not in it" in text(done, "prep")


def test_a_second_transfer_changes_nothing_and_sends_what_is_new(pipeline, tmp_path):
    host = open_host("local", str(tmp_path / "new"))
    transfer(steps_in(pipeline.folder), host)
    commit = pipeline.commit("prep")

    done = transfer(steps_in(pipeline.folder), host)

    assert outcomes(done) == {"eval": "unchanged", "prep": "done", "train": "unchanged"}
    assert git(tmp_path / "new/churn-prep.git", "rev-parse", "main") == commit
    assert remotes(pipeline.step("prep"))["previous"] == str(pipeline.remote("prep"))


def test_a_second_transfer_of_a_branch_that_is_behind_finds_all_of_it_there(pipeline, tmp_path):
    newer = pipeline.others_commit("prep")  # was never pulled: only the remotes have it
    host = open_host("local", str(tmp_path / "new"))
    transfer(steps_in(pipeline.folder), host)

    done = transfer(steps_in(pipeline.folder), host)

    assert set(outcomes(done).values()) == {"unchanged"}
    assert git(tmp_path / "new/churn-prep.git", "rev-parse", "main") == newer


def test_a_second_transfer_brings_back_no_branch_that_was_removed_there(pipeline, tmp_path):
    pipeline.others_commit("prep", branch="old")
    host = open_host("local", str(tmp_path / "new"))
    transfer(steps_in(pipeline.folder), host)
    new = tmp_path / "new/churn-prep.git"
    git(new, "branch", "-D", "old")

    transfer(steps_in(pipeline.folder), host)

    assert git(new, "branch", "--format=%(refname:short)") == "main"


def test_a_transfer_that_broke_off_goes_on(pipeline, githost):
    host = open_host("github", "team", url=githost.url, environ={"GITHUB_TOKEN": githost.token})
    githost.fail_at(9, 503)
    first = transfer(steps_in(pipeline.folder), host)
    githost.before = None

    second = transfer(steps_in(pipeline.folder), host)

    assert "failed" in outcomes(first).values()
    assert "failed" not in outcomes(second).values()
    assert githost.names("team") == ["churn-eval", "churn-prep", "churn-train"]
    for name in ("eval", "prep", "train"):
        assert set(remotes(pipeline.step(name))) == {"origin", "previous"}
        assert remotes(pipeline.step(name))["origin"].startswith(githost.url)


def test_an_old_origin_that_is_gone_is_no_obstacle(pipeline, tmp_path):
    theirs = pipeline.others_commit("prep", branch="only-there")
    pull(steps_in(pipeline.folder))
    pipeline.remote("prep").rename(tmp_path / "gone")

    done = transfer(steps_in(pipeline.folder), open_host("local", str(tmp_path / "new")))

    assert outcomes(done)["prep"] == "done"
    assert git(tmp_path / "new/churn-prep.git", "rev-parse", "only-there") == theirs
    assert "cannot be reached: only what is here" in text(done, "prep")


def test_branches_that_have_parted_are_not_moved(pipeline, tmp_path):
    pipeline.others_commit("prep")
    pipeline.commit("prep")

    done = transfer(steps_in(pipeline.folder), open_host("local", str(tmp_path / "new")))

    assert "merge them first" in text(done, "prep")
    assert remotes(pipeline.step("prep")) == {"origin": str(pipeline.remote("prep"))}


def test_another_repository_of_that_name_is_not_touched(pipeline, tmp_path):
    host = open_host("local", str(tmp_path / "new"))
    other = pipeline.folder.parent / "other"
    git(tmp_path, "init", "-q", "--initial-branch=main", str(other))
    git(other, "commit", "-q", "--allow-empty", "-m", "theirs")
    git(other, "push", "-q", host.ensure("churn-prep").url, "main")
    git(pipeline.step("prep"), "branch", "more")

    done = transfer(steps_in(pipeline.folder), host)

    new = tmp_path / "new/churn-prep.git"
    assert outcomes(done) == {"eval": "done", "prep": "failed", "train": "done"}
    assert "is it another repository?" in text(done, "prep")
    assert git(new, "branch", "--format=%(refname:short)") == "main"
    assert remotes(pipeline.step("prep")) == {"origin": str(pipeline.remote("prep"))}


def test_repositories_can_be_called_after_a_new_pipeline(pipeline, tmp_path):
    host = open_host("local", str(tmp_path / "new"))

    transfer(steps_in(pipeline.folder), host, name="loyalty")

    assert host.repositories() == ("loyalty-eval", "loyalty-prep", "loyalty-train")


def test_a_token_in_an_old_origin_goes_no_further(pipeline, tmp_path):
    url = "https://ann:canary-in-url@host.invalid/churn-prep.git"
    git(pipeline.step("prep"), "remote", "set-url", "origin", url)

    transfer(steps_in(pipeline.folder), open_host("local", str(tmp_path / "new")))

    assert remotes(pipeline.step("prep"))["previous"] == "https://host.invalid/churn-prep.git"
    assert "canary-in-url" not in (pipeline.step("prep") / ".git/config").read_text()


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_the_token_leaves_no_trace(pipeline, githost, kind, tmp_path, monkeypatch, caplog, capfd):
    caplog.set_level(0)
    monkeypatch.setenv("GIT_TRACE_SETUP", "0")
    variable = {"github": "GITHUB", "gitlab": "GITLAB"}[kind]
    secret = githost.token.encode()
    hits: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.003):
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    if secret in line.read_bytes():
                        hits.append(str(line))
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        environ = {f"SINARA_{variable}_TOKEN": githost.token}
        host = open_host(kind, "team", url=githost.url, environ=environ)
        told = [transfer(steps_in(pipeline.folder), host)]
        monkeypatch.setenv(f"SINARA_{variable}_TOKEN", githost.token)
        monkeypatch.setenv(f"SINARA_{variable}_URL", githost.url)
        pipeline.commit("prep")
        told.append(push(steps_in(pipeline.folder)))
        githost.before = lambda *_: (403, {"message": f"no, not with {githost.token[:6]}"}, {})
        pipeline.commit("train")
        told.append(push(steps_in(pipeline.folder)))
        told.append(transfer(steps_in(pipeline.folder), host))
    finally:
        over.set()
        watcher.join()

    assert [set(outcomes(done).values()) for done in told] == [
        {"done"}, {"done", "unchanged"}, {"failed"}, {"failed"},
    ]  # fmt: skip
    assert hits == []
    assert githost.token not in repr(told) + caplog.text + "".join(capfd.readouterr()) + repr(host)
    files = [p for top in (tmp_path, Path.home()) for p in top.rglob("*") if p.is_file()]
    assert [str(p) for p in files if secret in p.read_bytes()] == []
    assert os.environ.get("GIT_ASKPASS") is None
