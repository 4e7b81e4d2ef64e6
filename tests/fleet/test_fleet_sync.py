"""pull, push and checkout: each step for itself, nothing forced, nothing lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sinara.errors import BadNameError, UsageError
from sinara.fleet import arrive, checkout, choose, pull, push, steps_in
from sinara.fleet.together import results
from sinara.hosting import open_host
from tests.fleet.conftest import git, write_step


def outcomes(results):
    return {result.step: result.outcome for result in results}


def text(results, step: str) -> str:
    return next(result.text for result in results if result.step == step)


def test_steps_are_found_by_their_parameters_or_their_script(tmp_path):
    write_step(tmp_path / "churn-prep", "prep")
    (tmp_path / "churn-old").mkdir()
    (tmp_path / "churn-old/step.dev.py").write_text("")
    for other in ("docs", ".hidden/params"):
        (tmp_path / other).mkdir(parents=True)
    (tmp_path / ".hidden/params/step_params.json").write_text("{}")

    steps = steps_in(tmp_path)

    assert [(step.name, step.pipeline) for step in steps] == [("churn-old", ""), ("prep", "churn")]
    assert steps_in(tmp_path / "churn-prep") == steps


def test_a_folder_without_steps_is_told(tmp_path):
    with pytest.raises(UsageError, match="there is no step in this folder"):
        steps_in(tmp_path)


def test_steps_are_chosen_by_their_name_or_their_folder(pipeline):
    steps = steps_in(pipeline.folder)

    assert [s.name for s in choose(steps, ["train", "churn-eval"])] == ["eval", "train"]
    with pytest.raises(UsageError, match="Did you mean 'train'"):
        choose(steps, ["trian"])


def test_what_others_pushed_is_pulled(pipeline):
    commit = pipeline.others_commit("prep")

    done = pull(steps_in(pipeline.folder))

    assert outcomes(done) == {"eval": "unchanged", "prep": "done", "train": "unchanged"}
    assert git(pipeline.step("prep"), "rev-parse", "HEAD") == commit


def test_a_step_with_changes_is_left_alone_and_the_others_are_pulled(pipeline):
    pipeline.others_commit("prep")
    train = pipeline.others_commit("train")
    (pipeline.step("prep") / "a.txt").write_text("mine\n")
    before = git(pipeline.step("prep"), "rev-parse", "HEAD")

    done = pull(steps_in(pipeline.folder))

    assert outcomes(done)["prep"] == "failed"
    assert "1 changed file" in text(done, "prep")
    assert (pipeline.step("prep") / "a.txt").read_text() == "mine\n"
    assert git(pipeline.step("prep"), "rev-parse", "HEAD") == before
    assert git(pipeline.step("train"), "rev-parse", "HEAD") == train


def test_a_step_that_has_gone_another_way_is_left_alone(pipeline):
    pipeline.others_commit("prep")
    mine = pipeline.commit("prep")

    done = pull(steps_in(pipeline.folder))

    assert "main has 1 commit that origin/main lacks, and lacks 1 of its" in text(done, "prep")
    assert "git merge origin/main" in text(done, "prep")
    assert git(pipeline.step("prep"), "rev-parse", "HEAD") == mine


def test_a_remote_that_is_gone_is_that_steps_failure(pipeline):
    pipeline.remote("prep").rename(pipeline.bare / "gone.git")

    done = pull(steps_in(pipeline.folder))

    assert outcomes(done) == {"eval": "unchanged", "prep": "failed", "train": "unchanged"}
    assert str(pipeline.step("prep")) not in text(done, "prep")


def test_a_step_without_a_repository_is_named_and_the_one_around_is_not_taken(pipeline):
    git(pipeline.folder, "init", "--quiet")
    write_step(pipeline.folder / "churn-new", "new")

    done = pull(steps_in(pipeline.folder))

    assert text(done, "new").startswith("not a repository of its own")


def test_a_push_sends_commits_and_says_what_is_not_in_them(pipeline):
    commit = pipeline.commit("prep")
    (pipeline.step("prep") / "d.txt").write_text("later\n")

    done = push(steps_in(pipeline.folder))

    assert outcomes(done) == {"eval": "unchanged", "prep": "done", "train": "unchanged"}
    assert text(done, "prep") == "main is on origin; 1 changed file not in it"
    assert git(pipeline.remote("prep"), "rev-parse", "main") == commit


def test_a_push_is_never_forced(pipeline):
    theirs = pipeline.others_commit("prep")
    pipeline.commit("prep")

    done = push(steps_in(pipeline.folder))

    assert "Pull first" in text(done, "prep")
    assert git(pipeline.remote("prep"), "rev-parse", "main") == theirs


def test_a_new_branch_follows_its_remote_after_the_push(pipeline):
    steps = steps_in(pipeline.folder)
    checkout(steps, "feature/x", create=True)

    done = push(steps)

    assert set(outcomes(done).values()) == {"done"}
    upstream = git(pipeline.step("prep"), "rev-parse", "--abbrev-ref", "@{upstream}")
    assert upstream == "origin/feature/x"


@pytest.mark.parametrize("verb", [pull, push])
def test_a_commit_checked_out_by_itself_is_told(pipeline, verb):
    git(pipeline.step("prep"), "checkout", "--quiet", "--detach")

    assert "no branch is checked out" in text(verb(steps_in(pipeline.folder)), "prep")


def test_a_branch_that_one_step_lacks_is_checked_out_in_the_others(pipeline):
    for name in ("eval", "train"):
        pipeline.others_commit(name, branch="feature")
    steps = steps_in(pipeline.folder)
    pull(steps)

    done = checkout(steps, "feature")

    assert outcomes(done) == {"eval": "done", "prep": "failed", "train": "done"}
    assert "no branch 'feature'" in text(done, "prep")
    assert (pipeline.step("eval") / "c.txt").read_text() == "theirs\n"


def test_a_checkout_overwrites_no_change(pipeline):
    steps = steps_in(pipeline.folder)
    checkout(steps, "other", create=True)
    pipeline.commit("prep", "a.txt", "other\n")
    checkout(steps, "main")
    (pipeline.step("prep") / "a.txt").write_text("mine\n")
    (pipeline.step("eval") / "new.txt").write_text("mine\n")

    done = checkout(steps, "other")

    assert outcomes(done) == {"eval": "done", "prep": "failed", "train": "done"}
    assert "would be overwritten: a.txt" in text(done, "prep")
    assert (pipeline.step("prep") / "a.txt").read_text() == "mine\n"
    assert (pipeline.step("eval") / "new.txt").read_text() == "mine\n"


@pytest.mark.parametrize("branch", ["-x", "--orphan", "a b", "", "a..b"])
def test_what_is_no_branch_is_refused_before_anything_is_done(pipeline, branch):
    with pytest.raises(BadNameError):
        checkout(steps_in(pipeline.folder), branch, create=True)


def test_a_second_person_gets_the_pipeline_and_both_stay_together(pipeline, tmp_path):
    host = open_host("local", str(pipeline.bare))
    second = tmp_path / "second"

    came = arrive(second, "churn", host)
    again = arrive(second, "churn", host)
    theirs = pipeline.commit("prep")
    push(steps_in(pipeline.folder))
    pull(steps_in(second))

    assert set(outcomes(came).values()) == {"done"}
    assert again == ()
    assert git(second / "churn-prep", "rev-parse", "HEAD") == theirs


def test_only_what_is_missing_is_cloned(pipeline, tmp_path):
    host = open_host("local", str(pipeline.bare))
    pipeline.step("train").rename(tmp_path / "moved")

    came = arrive(pipeline.folder, "churn", host)

    assert [result.step for result in came] == ["churn-train"]


def test_a_step_of_a_pipeline_with_a_longer_name_is_not_taken(pipeline, tmp_path):
    git(
        tmp_path, "clone", "--quiet", "--bare", str(pipeline.step("prep")), "bare/churn-eu-prep.git"
    )
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "bare/churn-eu-prep.git", str(clone))
    params = clone / "params/step_params.json"
    params.write_text(params.read_text().replace(' : "churn"', ' : "churn-eu"'))
    git(clone, "commit", "--quiet", "-am", "eu")
    git(clone, "push", "--quiet")

    came = arrive(tmp_path / "second", "churn", open_host("local", str(pipeline.bare)))

    assert "pipeline churn-eu" in text(came, "churn-eu-prep")
    assert not (tmp_path / "second/churn-eu-prep").exists()


def test_a_pipeline_that_the_host_does_not_have_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"no repository whose name begins with 'churn-'\.$"):
        arrive(tmp_path / "second", "churn", open_host("local", str(tmp_path / "bare")))


def test_a_folder_that_cannot_be_written_is_that_steps_failure(pipeline, tmp_path):
    steps = steps_in(pipeline.folder)
    git(pipeline.step("prep"), "remote", "set-url", "origin", "/dev/null/x.git")

    assert outcomes(pull(steps))["prep"] == "failed"


def test_a_bug_keeps_its_traceback_and_the_others_are_done(pipeline):
    done: list[str] = []

    def work(step):
        done.append(step.name)
        if step.name == "eval":
            raise ZeroDivisionError
        return "done", ""

    with pytest.raises(ZeroDivisionError):
        results(steps_in(pipeline.folder), work)

    assert sorted(done) == ["eval", "prep", "train"]


def test_what_the_system_refuses_is_told_for_that_step(pipeline):
    def work(step):
        if step.name == "eval":
            raise PermissionError(13, "Permission denied", "/x")
        return "done", ""

    done = results(steps_in(pipeline.folder), work)

    assert text(done, "eval") == "/x: Permission denied"
    assert outcomes(done)["prep"] == "done"


HANGING = """
import sys
from pathlib import Path
from sinara.fleet import steps_in, transfer
from sinara.hosting import open_host
host = open_host("github", "team", url=sys.argv[2], environ={"GITHUB_TOKEN": "x"})
for result in transfer(steps_in(Path(sys.argv[1])), host):
    print(result.step, result.outcome)
"""


def test_ctrl_c_does_not_wait_for_an_api_that_hangs(pipeline, githost):
    asked, over = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        asked.set()
        over.wait(60)

    githost.before = hang
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING, str(pipeline.folder), githost.url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert asked.wait(20)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)
    over.set()

    assert out.splitlines() == ["eval stopped", "prep stopped", "train stopped"], err


INTERRUPTED = """
import sys
from pathlib import Path
from sinara.fleet import pull, steps_in
for result in pull(steps_in(Path(sys.argv[1]))):
    print(result.step, result.outcome)
"""


def test_ctrl_c_ends_it_and_says_what_was_done(pipeline, githost):
    githost.make("team", "churn-prep")
    git(pipeline.step("prep"), "remote", "set-url", "origin", f"{githost.url}/team/churn-prep.git")
    asked, over = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        asked.set()
        over.wait(30)

    githost.before = hang
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(pipeline.folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert asked.wait(20)
    time.sleep(0.5)  # the other two are quick

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)  # while the host still says nothing
    over.set()

    assert out.splitlines() == ["eval unchanged", "prep stopped", "train unchanged"], err


def test_a_merge_in_conflict_is_told_with_its_files_and_how_to_go_on(pipeline):
    pipeline.others_commit("prep", "same.txt")
    pipeline.commit("prep", "same.txt", "mine\n")
    git(pipeline.step("prep"), "fetch", "--quiet")
    subprocess.run(
        ["git", "merge", "--quiet", "origin/main"], cwd=pipeline.step("prep"), capture_output=True
    )

    done = pull(steps_in(pipeline.folder))

    assert outcomes(done) == {"eval": "unchanged", "prep": "failed", "train": "unchanged"}
    assert "a merge is under way, in conflict: same.txt" in text(done, "prep")


@pytest.mark.parametrize(
    ("words", "told"), [("no tests, no push", "no tests, no push"), ("", "nothing")]
)
def test_a_hook_that_refuses_a_push_is_told_with_its_words(pipeline, words, told):
    pipeline.commit("prep")
    hook = pipeline.step("prep") / ".git/hooks/pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{f'echo {words} >&2' if words else ''}\nexit 1\n")
    hook.chmod(0o755)

    said = text(push(steps_in(pipeline.folder)), "prep")

    assert "hook" in said
    assert told in said
