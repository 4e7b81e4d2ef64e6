"""``sinara pipeline create``: what is asked, what is refused, and a host that wants a token."""

from __future__ import annotations

import io
import json
import os
import pty
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sinara import names
from sinara.errors import BadNameError
from sinara.manifest import schema
from tests.githost import serving
from tests.test_names import PAYLOADS

COMMAND = [sys.executable, "-m", "sinara", "pipeline", "create"]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def answers(monkeypatch):
    """A function that puts lines onto the standard input of this process."""
    return lambda raw: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("--name p --steps a --step-count 2", "--steps and --step-count"),
        ("--name p --steps a --step-name-template x", "needs --step-count"),
        ("--name p --steps a --no-push --host github", "--host and --no-push"),
        ("--name p --steps a --no-push --organization x", "--organization and --no-push"),
        ("--name p --steps a --host-url https://git.example.org", "--host-url is for github"),
        ("--name p --steps a --public", "--public is for github"),
        ("--manifest m.yaml --steps a", "--steps and --manifest"),
        ("--manifest m.yaml --step-count 2", "--step-count and --manifest"),
        ("--name p --step-count 0", "--step-count"),
        ("--name= --steps a", "pipeline name '' cannot be used"),
        ("--name p --steps=", "step name '' cannot be used"),
    ],
)
def test_what_would_do_nothing_is_refused(sinara, here, answers, given, told):
    answers(b"other\nb\n")

    said = sinara("pipeline", "create", *given.split())

    assert said.code == 2
    assert told in said.err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("option", ["--token", "--git_token", "--git_password", "--password"])
def test_a_token_among_the_arguments_is_refused_under_any_name_and_not_repeated(
    sinara, here, option
):
    for given in ([option, "s3cr3t"], [f"{option}=s3cr3t"]):
        said = sinara("pipeline", "create", "--name", "p", "--steps", "a", *given)

        assert said.code == 2
        assert "SINARA_GITHUB_TOKEN" in said.err
        assert "s3cr3t" not in said.out + said.err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("raw", [b"\xff\xfe\n", b"\0\n", b"x" * 200_000, b"\r\n", b"a\x1b[2Jb\n"])
def test_whatever_bytes_come_as_an_answer_one_line_says_what_is_wrong(sinara, here, answers, raw):
    answers(raw)

    said = sinara("pipeline", "create")

    assert said.code == 2
    assert said.err.startswith("sinara: ")
    assert said.err.count("\n") == 1
    assert said.err.rstrip("\n").isprintable()


def test_a_number_of_steps_is_an_answer_as_it_was_for_the_original(sinara, here, answers):
    answers(b"shop\n3\n\n\n")

    said = sinara("pipeline", "create", "--dry-run", "--json")

    assert said.code == 0
    assert [step["step"] for step in json.loads(said.out)["steps"]] == ["step1", "step2", "step3"]


@pytest.mark.parametrize("number", ["0", "00", "1001", "9" * 5000])
def test_a_number_that_no_pipeline_has_of_steps_is_no_name_of_one(sinara, here, answers, number):
    answers(f"shop\n{number}\n\n\n".encode())

    said = sinara("pipeline", "create")

    assert said.code == 2
    assert "is no number of steps: give 1 to 1000, or names." in said.err
    assert list(here.iterdir()) == []


def test_a_mark_at_the_begin_of_the_input_is_no_part_of_the_name(sinara, here, answers):
    answers("\ufeffshop\na\n".encode())

    said = sinara("pipeline", "create", "--dry-run", "--json")

    assert said.code == 0, said.err


def test_without_any_input_stream_it_works_from_its_arguments(here):
    done = subprocess.run(
        ["bash", "-c", '"$0" -m sinara pipeline create --name p --steps a <&-', sys.executable],
        cwd=here, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_no_hostile_name_makes_anything(sinara, here):
    def bad(name: str) -> bool:
        try:
            names.check_name("step", name)
        except BadNameError:
            return True
        return False

    for payload in filter(bad, PAYLOADS):
        parts = [part.strip() for part in payload.replace(" ", ",").split(",")]
        listed = [payload] if any(map(bad, filter(None, parts))) else []
        document = {"pipeline_name": "p", "steps": [{"step_name": payload}]}
        (here / "m.json").write_text(json.dumps(document))
        for given in (
            [f"--name={payload}", "--steps=a"],
            *[["--name=p", f"--steps=ok,{name}"] for name in listed],
            ["--name=p", "--steps=a", f"--zone={payload}"],
            ["--manifest=m.json"],
        ):
            said = sinara("pipeline", "create", *given)

            assert said.code == 2, (payload, given)
        (here / "m.json").unlink()
        assert list(here.iterdir()) == [], payload


def test_a_folder_of_that_name_that_holds_something_else_is_refused_unless_it_is_named(
    sinara, here
):
    (here / "p").mkdir()
    (here / "p/notes.txt").write_text("mine")

    refused = sinara("pipeline", "create", "--name", "p", "--steps", "a", "--no-push")
    named = sinara("pipeline", "create", "--name", "p", "--steps", "a", "--no-push", "-C", "p")

    assert refused.code == 2
    assert "something else is there already (notes.txt)" in refused.err
    assert named.code == 0
    assert (here / "p/notes.txt").read_text() == "mine"


def test_a_second_time_it_says_that_nothing_was_changed(sinara, here):
    sinara("pipeline", "create", "--name", "p", "--steps", "a")

    again = sinara("pipeline", "create", "--name", "p", "--steps", "a")
    other = sinara("pipeline", "create", "--name", "p", "--steps", "a", "--organization", "x")

    assert (again.code, other.code) == (0, 0)
    assert "nothing was changed" in again.err
    assert "was left as it is: nothing was pushed" in other.err
    assert not (here / "x").exists()


@pytest.mark.parametrize("found", [True, False])
def test_where_the_shell_does_not_find_sinara_it_says_how_it_would(
    sinara, here, monkeypatch, found
):
    there = (lambda name: f"/bin/{name}") if found else {"git": "/bin/git"}.get
    monkeypatch.setattr("shutil.which", there)

    told = sinara("pipeline", "create", "--name", "p", "--steps", "a", "--no-push").err

    activate = f". {Path(sys.executable).parent / 'activate'} && "
    assert f"  {'' if found else activate}cd {here / 'p'} && sinara pipeline run\n" in told


def test_in_a_manifest_the_folder_of_the_repositories_counts_from_the_manifest(sinara, here):
    (here / "deep").mkdir()
    (here / "deep/m.yaml").write_text("pipeline_name: p\norganization: bare\nsteps: [a]\n")

    said = sinara("pipeline", "create", "-m", "deep/m.yaml")

    assert said.code == 0, said.err
    assert (here / "deep/bare/p-a.git/HEAD").is_file()


def test_a_name_given_beside_a_manifest_is_checked_with_its_flow(sinara, here):
    (here / "m.yaml").write_text(
        "pipeline_name: a\nsteps:\n- step_name: s\n  substeps:\n  - substep_name: n\n"
        "    inputs: [{step_name: gone, entity_name: e, pipeline_name: b}]\n"
    )

    assert sinara("pipeline", "create", "-m", "m.yaml", "--dry-run").code == 0
    said = sinara("pipeline", "create", "-m", "m.yaml", "--name", "b")

    assert said.code == 2
    assert "steps[0].substeps[0].inputs[0]: there is no step 'gone'" in said.err
    assert [p.name for p in here.iterdir()] == ["m.yaml"]


def test_the_schema_is_printed_as_it_lies_in_the_package(sinara):
    assert sinara("pipeline", "schema").out == schema()


@pytest.mark.slow
def test_on_a_terminal_it_asks_shows_defaults_and_asks_again(here):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        COMMAND, cwd=here, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    os.close(theirs)
    os.write(ours, b"not good!\nshop\nload,train\ngitlub\nlocal\n\n")

    out, err = process.communicate(timeout=60)
    os.close(ours)

    assert process.returncode == 0, err
    assert err.count("Name of the pipeline") == 2
    assert "pipeline name 'not good!' cannot be used" in err
    assert "Host (local, github, gitlab) [local]" in err
    assert "'gitlub' is no host" in err
    assert out.count("made") == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_token_reaches_the_host_and_nothing_else(here, tmp_path, kind):
    canary = f"canary-{secrets.token_hex(12)}"
    seen: set[str] = set()
    done_watching = threading.Event()

    def watch() -> None:
        while not done_watching.wait(0.005):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes().decode("utf-8", "replace"))
                except OSError:
                    continue

    with serving(tmp_path / "githost", canary) as host:
        given = [
            *COMMAND,
            "--name",
            "p",
            "--steps",
            "a,b",
            "--host",
            kind,
            "--organization",
            "team",
        ]
        given += ["--host-url", host.url, "--json"]
        environ = {**os.environ, f"SINARA_{kind.upper()}_TOKEN": canary}
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            first, again = (
                subprocess.run(
                    given, cwd=here, env=environ, capture_output=True, text=True, check=False,
                    timeout=120,
                )
                for _ in range(2)
            )  # fmt: skip
        finally:
            done_watching.set()
            watcher.join()

        assert first.returncode == 0, first.stderr
        assert [s["outcome"] for s in json.loads(first.stdout)["steps"]] == ["made", "made"]
        assert [s["outcome"] for s in json.loads(again.stdout)["steps"]] == ["there already"] * 2
        assert host.names("team") == ["p-a", "p-b"]
        made = [r.body for r in host.requests if r.method == "POST" and r.status == 201]
        assert len(made) == 2
        assert all(body.get("private") or body.get("visibility") == "private" for body in made)
        assert host.credentials
    said = first.stdout + first.stderr + again.stdout + again.stderr
    assert canary not in said
    assert len(seen) > 5
    assert not [line for line in seen if canary in line]
    holding = [
        p for root in (here, Path(os.environ["HOME"])) for p in root.rglob("*")
        if p.is_file() and canary.encode() in p.read_bytes()
    ]  # fmt: skip
    assert holding == []


@pytest.mark.slow
def test_a_host_that_fails_for_one_step_is_named_and_the_next_run_finishes_it(here, tmp_path):
    canary = f"canary-{secrets.token_hex(12)}"
    with serving(tmp_path / "githost", canary) as host:
        given = [*COMMAND, "--name", "p", "--steps", "a,b", "--host", "github"]
        given += ["--organization", "team", "--host-url", host.url, "--json"]
        environ = {**os.environ, "GITHUB_TOKEN": canary}

        asked = iter(range(9))

        def refuse_the_second(_number, method, path):
            making = method == "POST" and path.endswith("/repos")
            if making and next(asked) == 1:
                return 403, {"message": "no more repositories"}, {}
            return None

        host.before = refuse_the_second
        first = subprocess.run(
            given, cwd=here, env=environ, capture_output=True, text=True, check=False, timeout=120
        )
        host.before = None
        again = subprocess.run(
            given, cwd=here, env=environ, capture_output=True, text=True, check=False, timeout=120
        )

    outcomes = [s["outcome"] for s in json.loads(first.stdout)["steps"]]
    assert first.returncode == 1, first.stderr
    assert sorted(outcomes) == ["failed", "made"]
    assert canary not in first.stdout + first.stderr
    finished = [s["outcome"] for s in json.loads(again.stdout)["steps"]]
    assert again.returncode == 0, again.stderr
    assert sorted(finished) == ["finished", "there already"]


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_without_a_token_nothing_is_made_and_the_variable_is_named(sinara, here, kind):
    said = sinara("pipeline", "create", "--name", "p", "--steps", "a", "--host", kind)

    assert said.code == 2
    assert f"SINARA_{kind.upper()}_TOKEN" in said.err
    assert list(here.iterdir()) == []


@pytest.mark.slow
def test_a_second_command_at_one_folder_says_that_it_waits(here):
    from sinara.scaffold.beside import alone_in

    (here / "p").mkdir()
    with alone_in(here / "p"):
        process = subprocess.Popen(
            [*COMMAND, "--name", "p", "--steps", "a"],
            cwd=here, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        line = process.stderr.readline()
        time.sleep(0.3)
        assert process.poll() is None
    out, _ = process.communicate(timeout=60)

    assert "another command is at work here; waiting for it" in line
    assert "made" in out
