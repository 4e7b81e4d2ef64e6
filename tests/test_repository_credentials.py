"""A token reaches git for one host, and is nowhere else."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinara.errors import RepositoryError, UsageError
from sinara.repository import Credentials, clone, connect, fetch, first_commit, push
from sinara.repository.askpass import answer
from sinara.repository.credentials import base_of, handing_over
from tests.githost import GitHost, serving

TOKEN = "canary-5c1d9a70e2b84f36"


@pytest.fixture
def githost(tmp_path: Path) -> Iterator[GitHost]:
    with serving(tmp_path / "githost", TOKEN) as host:
        yield host


@pytest.fixture
def step(tmp_path: Path, githost: GitHost) -> Path:
    """A step whose origin is on the host."""
    githost.make("team", "step")
    folder = tmp_path / "step"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    first_commit(folder, "first")
    connect(folder, "origin", f"{githost.url}/team/step.git")
    return folder


def credentials(githost: GitHost, token: str = TOKEN) -> Credentials:
    return Credentials(githost.url, "ann", token)


def test_credentials_do_not_show_the_token():
    held = Credentials("https://host.example", "ann", TOKEN)

    assert TOKEN not in repr(held) + str(held) + f"{held}"


@pytest.mark.parametrize("token", ["", "a\nb", "a\rb", "a\0b", "x" * 5000])
def test_a_token_that_cannot_be_one_is_refused(token):
    with pytest.raises(UsageError) as caught:
        Credentials("https://host.example", "ann", token)

    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Username for 'https://host.example': ", "ann"),
        ("Password for 'https://ann@host.example': ", TOKEN),
        ("Password for 'https://bob@host.example': ", TOKEN),
        ("Password for 'https://host.example': ", TOKEN),
        ("Password for 'http://ann@host.example': ", None),
        ("Password for 'https://ann@host.example:8443': ", None),
        ("Password for 'https://ann@host.example.evil': ", None),
        ("Password for 'https://evil.example': ", None),
        ("Password for 'https://host.example/@evil.example': ", None),
        ("Password for 'https://host.example/x': ", None),
        ("Password for 'https://a@host.example@evil.example': ", None),
        ("Password for 'https://host.example'@evil.example': ", None),
        ("Password for 'https://HOST.example': ", None),
        ("git@host.example's password: ", None),
        ("Enter passphrase for key '/home/ann/.ssh/id': ", None),
        ("", None),
        ("Password for 'https://host.example': \n", None),
    ],
)
def test_only_a_question_about_the_very_host_is_answered(question, said):
    reader, writer = os.pipe()
    os.write(writer, f"{TOKEN}\n".encode())
    os.close(writer)

    assert answer(question, "https://host.example", "ann", reader) == said

    os.close(reader)


def test_nobody_else_can_read_the_token_where_it_is_handed_over():
    with handing_over(Credentials("https://host.example", "ann", TOKEN)) as given:
        program = Path(given["env"]["GIT_ASKPASS"])
        assert program.parent.stat().st_mode & 0o077 == 0
        assert TOKEN not in program.read_text() + repr(given)
        assert all(not os.get_inheritable(fd) for fd in given["pass_fds"])

    assert not program.parent.exists()


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("https://host.example/a/b.git", "https://host.example"),
        ("https://HOST.example:443/a", "https://host.example"),
        ("http://127.0.0.1:80/", "http://127.0.0.1"),
        ("https://u:p@host.example:8443/a", "https://host.example:8443"),
        ("ssh://git@host.example/a", ""),
        ("/srv/a.git", ""),
        ("https://[::1]:8/a", "https://[::1]:8"),
        ("https://[::1/a", ""),
    ],
)
def test_scheme_and_host_are_as_git_writes_them(address, base):
    assert base_of(address) == base


def test_git_gets_the_token_and_pushes(githost, step, tmp_path):
    push(step, "origin", "main", credentials=credentials(githost))
    fetch(step, "origin", credentials=credentials(githost))
    clone(f"{githost.url}/team/step.git", tmp_path / "copy", credentials=credentials(githost))

    assert (tmp_path / "copy/a.txt").read_text() == "one\n"


@pytest.mark.parametrize("token", [None, "wrong"])
def test_without_the_token_nobody_comes_in_and_nobody_is_asked(githost, step, token):
    held = credentials(githost, token) if token else None

    with pytest.raises(RepositoryError, match="does not let you in") as caught:
        push(step, "origin", "main", credentials=held)

    assert len(str(caught.value).splitlines()) == 1
    assert "wrong" not in str(caught.value)


def test_a_large_push_is_chunked_and_arrives(githost, step):
    (step / "big.bin").write_bytes(os.urandom(3_000_000))
    subprocess.run(["git", "add", "-A"], cwd=step, check=True)
    subprocess.run(["git", "commit", "-qm", "big"], cwd=step, check=True)

    assert push(step, "origin", "main", credentials=credentials(githost))


def test_a_redirect_to_another_host_gets_nothing(githost, step, tmp_path):
    with serving(tmp_path / "elsewhere", "another") as thief:
        thief.make("team", "step")
        githost.redirect_git_to = thief.url

        with pytest.raises(RepositoryError):
            fetch(step, "origin", credentials=credentials(githost))

        assert thief.count > 0
        assert set(thief.credentials) == {""}


def test_a_rewritten_address_gets_nothing(githost, step, tmp_path):
    with serving(tmp_path / "elsewhere", TOKEN) as thief:
        thief.make("team", "step")
        rewrite = (f"url.{thief.url}/.insteadOf", f"{githost.url}/")
        subprocess.run(["git", "config", *rewrite], cwd=step, check=True)

        with pytest.raises(RepositoryError):
            push(step, "origin", "main", credentials=credentials(githost))

        assert set(thief.credentials) == {""}


def test_a_proxy_that_the_repository_names_is_not_used(githost, step, tmp_path):
    with serving(tmp_path / "elsewhere", TOKEN) as thief:
        subprocess.run(["git", "config", "http.proxy", thief.url], cwd=step, check=True)

        push(step, "origin", "main", credentials=credentials(githost))

        assert thief.count == 0


@pytest.mark.parametrize("where", ["--global", "--local"])
def test_no_credential_helper_sees_the_token(githost, step, tmp_path, where):
    seen, program = tmp_path / "seen", tmp_path / "helper.sh"
    program.write_text(f"#!/bin/sh\ncat >> '{seen}'\n")
    program.chmod(0o755)
    for name in ("credential.helper", f"credential.{githost.url}.helper"):
        subprocess.run(["git", "config", where, name, str(program)], cwd=step, check=True)

    push(step, "origin", "main", credentials=credentials(githost))

    assert not seen.exists()


def test_the_token_is_in_no_command_line_no_environment_and_no_file(githost, step, tmp_path):
    hits: list[str] = []
    going = threading.Event()

    def watch() -> None:
        mine = f"/proc/{os.getpid()}"
        while not going.wait(0.002):
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        data = (process / name).read_bytes()
                    except OSError:
                        continue
                    if TOKEN.encode() in data and str(process) != mine:
                        hits.append(f"{process}/{name}")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        push(step, "origin", "main", credentials=credentials(githost))
        clone(f"{githost.url}/team/step.git", tmp_path / "copy", credentials=credentials(githost))
        fetch(step, "origin", credentials=credentials(githost))
    finally:
        going.set()
        watcher.join()

    assert hits == []
    files = [p for top in (tmp_path, Path.home()) for p in top.rglob("*") if p.is_file()]
    assert [str(p) for p in files if TOKEN.encode() in p.read_bytes()] == []
