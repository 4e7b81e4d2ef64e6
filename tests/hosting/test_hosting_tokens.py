"""Where a token comes from, and whom it is shown."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sinara.errors import HostingError, UsageError
from sinara.hosting import credentials_for, host_of, open_host
from sinara.hosting.places import Place

TOKENS = {
    "github": ["SINARA_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"],
    "gitlab": ["SINARA_GITLAB_TOKEN", "GITLAB_TOKEN"],
}
URL = "http://127.0.0.1:9"


def helper(tmp_path: Path, text: str, name: str = "credential.helper") -> None:
    program = tmp_path / "helper.sh"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    subprocess.run(["git", "config", "--global", name, str(program)], check=True)


@pytest.mark.parametrize(
    ("kind", "variable"), [(kind, name) for kind, names in TOKENS.items() for name in names]
)
def test_a_variable_gives_the_token_and_the_first_one_wins(kind, variable):
    later = TOKENS[kind][TOKENS[kind].index(variable) + 1 :]
    environ = {variable: "right", **dict.fromkeys(later, "other")}

    held = open_host(kind, "team", url=URL, environ=environ).credentials()

    assert (held.token, held.url) == ("right", URL)
    assert "right" not in repr(held)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_without_a_variable_gits_helper_is_asked_for_that_host(kind, tmp_path):
    helper(tmp_path, 'cat > "$HOME/asked"; echo username=ann; echo password=from-helper')

    held = open_host(kind, "team", url=URL, environ={}).credentials()

    assert (held.username, held.token) == ("ann", "from-helper")
    assert "host=127.0.0.1:9" in (Path.home() / "asked").read_text()


@pytest.mark.parametrize("answer", ["", "echo quit=1", "echo username=ann", "exit 3"])
def test_a_helper_that_knows_nothing_is_no_answer_and_nobody_is_asked(tmp_path, answer):
    helper(tmp_path, f"cat > /dev/null; {answer}")
    subprocess.run(["git", "config", "--global", "core.askPass", "/bin/echo"], check=True)

    with pytest.raises(HostingError, match=r"no token for http://127\.0\.0\.1:9.*GITHUB_TOKEN"):
        open_host("github", "team", url=URL, environ={})


def test_a_helper_of_the_repository_around_is_not_asked(tmp_path, monkeypatch):
    canary = tmp_path / "canary"
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    own = ["config", "credential.helper", f"!touch '{canary}'; cat >/dev/null"]
    subprocess.run(["git", *own], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(HostingError):
        open_host("github", "team", url=URL, environ={})

    assert not canary.exists()


def test_somebody_who_can_answer_is_asked_last():
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return " typed \n"

    held = open_host("github", "team", url=URL, environ={}, ask=ask).credentials()

    assert held.token == "typed"
    assert asked == ["Token for http://127.0.0.1:9: "]


def test_nothing_typed_is_no_token():
    with pytest.raises(HostingError, match="SINARA_GITLAB_TOKEN"):
        open_host("gitlab", "team", url=URL, environ={}, ask=lambda _: "")


def test_a_token_with_a_line_end_is_refused_without_showing_it():
    with pytest.raises(UsageError) as caught:
        open_host("github", "team", url=URL, environ={"GITHUB_TOKEN": "se\ncret"})

    assert "cret" not in str(caught.value).replace("secret", "")


@pytest.mark.parametrize(
    ("address", "environ", "token"),
    [
        ("https://github.com/a/b.git", {"GITHUB_TOKEN": "t"}, "t"),
        ("https://github.com/a/b.git", {"GITLAB_TOKEN": "t"}, None),
        ("https://gitlab.com/a/b.git", {"GITLAB_TOKEN": "t"}, "t"),
        ("https://evil.example/a/b.git", {"GITHUB_TOKEN": "t", "GITLAB_TOKEN": "t"}, None),
        ("https://github.com.evil.example/a.git", {"GITHUB_TOKEN": "t"}, None),
        ("http://github.com/a.git", {"GITHUB_TOKEN": "t"}, None),
        ("https://own.example/a.git", {"GITHUB_TOKEN": "t", "SINARA_GITHUB_URL": "https://own.example"}, "t"),
        ("https://own.example/a.git", {"GITLAB_TOKEN": "t", "SINARA_GITLAB_URL": "https://own.example/x"}, "t"),
        ("git@github.com:a/b.git", {"GITHUB_TOKEN": "t"}, None),
        ("/srv/git/a.git", {"GITHUB_TOKEN": "t"}, None),
    ],
)  # fmt: skip
def test_a_token_of_the_environment_is_for_one_host_only(address, environ, token):
    held = credentials_for(address, environ)

    assert (held.token if held else None) == token


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("https://github.com/team/a.git", Place("github", "https://github.com", "team", "a")),
        ("git@github.com:team/a.git", Place("github", "https://github.com", "team", "a")),
        ("ssh://git@gitlab.com:22/t/u/a.git", Place("gitlab", "https://gitlab.com", "t/u", "a")),
        ("https://own.example:8443/t/a", Place("", "https://own.example:8443", "t", "a")),
        ("https://ann:word@own.example/t/a", Place("", "https://own.example", "t", "a")),
        ("/srv/git/a.git", Place("local", "", "/srv/git", "a")),
        ("file:///srv/git%20x/a.git/", Place("local", "", "/srv/git x", "a")),
        ("/a.git", Place("local", "", "/", "a")),
    ],
)
def test_an_address_says_whose_repository_it_is(address, place):
    assert host_of(address) == place


def test_what_is_no_address_has_no_place():
    with pytest.raises(UsageError):
        host_of("ext::sh -c x")
