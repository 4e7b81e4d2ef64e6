"""The three hosts: made once, found again, pushed to and cloned from for real."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sinara.errors import BadNameError, HostingError, MissingExtraError, UsageError
from sinara.hosting import Host, Remote, open_host
from sinara.repository import clone, connect, first_commit, push
from tests.githost import GitHost

KINDS = ["local", "github", "gitlab"]
VARIABLE = {"github": "SINARA_GITHUB_TOKEN", "gitlab": "SINARA_GITLAB_TOKEN"}


def opened(kind: str, githost: GitHost, organization: str | None = "team", token: str = "") -> Host:
    if kind == "local":
        return open_host("local", str(githost.root / (organization or githost.login)))
    environ = {VARIABLE[kind]: token or githost.token}
    return open_host(kind, organization, url=githost.url, environ=environ)


def step(folder: Path, text: str = "one\n") -> Path:
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text(text)
    first_commit(folder, "first")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_repository_is_made_once_and_found_again(githost, kind):
    host = opened(kind, githost)

    made, found = host.ensure("churn-prep"), host.ensure("churn-prep")

    assert (made.created, found.created) == (True, False)
    assert made.url == found.url
    assert githost.names("team") == ["churn-prep"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("organization", ["team", None])
def test_what_is_pushed_can_be_cloned(githost, kind, organization, tmp_path):
    host = opened(kind, githost, organization)
    folder = step(tmp_path / "work" / "churn-prep")

    remote = host.ensure("churn-prep")
    connect(folder, "origin", remote.url)
    push(folder, "origin", "main", credentials=host.credentials())
    clone(remote.url, tmp_path / "other", credentials=host.credentials())

    assert (tmp_path / "other" / "a.txt").read_text() == "one\n"
    assert githost.token not in remote.url


@pytest.mark.parametrize("kind", KINDS)
def test_all_repositories_of_a_prefix_are_listed_over_several_pages(githost, kind):
    host = opened(kind, githost)
    for name in ("churn-c", "churn-a", "churn-b", "other-a", "churn-d", "churn-e"):
        githost.make("team", name)

    names = host.repositories("churn-")

    assert names == ("churn-a", "churn-b", "churn-c", "churn-d", "churn-e")


@pytest.mark.parametrize("kind", KINDS)
def test_a_repository_that_is_not_there_is_none(githost, kind):
    assert opened(kind, githost).find("nothing") is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["", "-x", "../up", "a/b", "a b", "x.git", "a\nb", "$(x)"])
def test_a_name_that_cannot_be_used_is_refused_before_anybody_is_asked(githost, kind, name):
    host = opened(kind, githost)

    with pytest.raises(BadNameError):
        host.ensure(name)

    assert githost.count == 0


def test_a_subgroup_of_gitlab_is_a_group_of_its_own(githost):
    host = opened("gitlab", githost, "team/churn")

    remote = host.ensure("prep")

    assert remote == Remote("prep", f"{githost.url}/team/churn/prep.git", created=True)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_the_organization_of_nobody_in_particular_is_the_account_of_the_token(githost, kind):
    assert opened(kind, githost, None).organization == "ann"


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_repository_is_private_unless_it_is_not_to_be(githost, kind):
    host = opened(kind, githost)

    host.ensure("closed")
    host.ensure("open", private=False)

    answers = [seen.answer for seen in githost.requests if seen.method == "POST"]
    assert [answer["visibility"] for answer in answers] == ["private", "public"]


@pytest.mark.parametrize("kind", KINDS)
def test_several_threads_make_each_repository_once(githost, kind):
    host = opened(kind, githost)
    made: list[Remote] = []

    def work(number: int) -> None:
        made.append(host.ensure(f"churn-{number % 3}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(remote.created for remote in made) == 3
    assert githost.names("team") == ["churn-0", "churn-1", "churn-2"]


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_comes_second_finds_what_was_made_meanwhile(githost, kind, monkeypatch):
    host = opened(kind, githost)
    find, asked = type(host).find, []

    def late(self: Host, name: str) -> Remote | None:
        asked.append(name)
        if len(asked) == 1:  # it is not there; and then somebody makes it
            githost.make("team", name)
            return None
        return find(self, name)

    monkeypatch.setattr(type(host), "find", late)

    assert host.ensure("churn-prep").created is False


def answers(githost: GitHost, kind: str, status: int, answer: object = None, **headers: str) -> str:
    """Return the one line that a request to make a repository ends with."""
    host = opened(kind, githost)
    host.repositories()
    githost.fail_at(githost.count + 1, status, answer, **headers)
    with pytest.raises(HostingError) as caught:
        host.ensure("churn-prep")
    assert len(caught.value.lines) == 1
    assert "\n" not in str(caught.value)
    assert githost.token not in str(caught.value) + repr(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "does not take the token"),
        (403, "the token may not look for team/churn-prep; it needs the right"),
        (429, "takes no more requests for now"),
        (500, "is in trouble (HTTP 500)"),
        (503, "is in trouble (HTTP 503)"),
        (418, "refused to look for team/churn-prep (HTTP 418)"),
    ],
)
def test_a_refusal_is_one_line_that_says_what_to_do(githost, kind, status, words):
    assert words in answers(githost, kind, status)


def test_a_reached_limit_says_when_it_ends(githost):
    told = {"message": "API rate limit exceeded for user ID 1."}

    line = answers(
        githost, "github", 403, told, X_RateLimit_Remaining="0", X_RateLimit_Reset="1780000000"
    )

    assert "It takes the next one at 20:26:40 UTC" in line


@pytest.mark.parametrize("kind", ["github", "gitlab"])
@pytest.mark.parametrize("status", [200, 404])
def test_a_host_that_answers_something_else_is_told(githost, kind, status):
    host = opened(kind, githost)
    githost.before = lambda *_: (status, b"<html>hello</html>", {"Content-Type": "text/html"})

    with pytest.raises(HostingError, match=r"HTTP|answer|not found"):
        host.repositories()


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_wrong_token_names_the_variable(githost, kind):
    host = opened(kind, githost, token="wrong")

    with pytest.raises(HostingError, match=VARIABLE[kind]):
        host.repositories()


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_an_organization_that_the_token_does_not_see_is_named(githost, kind):
    with pytest.raises(HostingError, match=r"the token sees no (organisation|group) 'strangers'"):
        opened(kind, githost, "strangers").ensure("churn-prep")


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_host_that_is_down_is_told(githost, kind):
    host = open_host(
        kind, "team", url="http://127.0.0.1:9", environ={VARIABLE[kind]: githost.token}
    )

    with pytest.raises(HostingError, match="cannot be reached"):
        host.ensure("churn-prep")


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_host_that_does_not_answer_is_given_up(githost, kind, monkeypatch):
    monkeypatch.setattr(f"sinara.hosting.{kind}.TIMEOUT", 1)
    host = opened(kind, githost)
    githost.slow_at(1, 2.0)

    with pytest.raises(HostingError, match="did not answer"):
        host.repositories()


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_repository_that_was_renamed_is_not_taken_for_another(githost, kind):
    githost.make("team", "new")
    githost.renamed["team/old"] = "team/new"

    with pytest.raises(HostingError, match=r"(renamed|moved) to 'team/new'"):
        opened(kind, githost).ensure("old")


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_an_address_on_another_host_is_not_taken(githost, kind):
    githost.make("team", "churn-prep")
    host = opened(kind, githost)
    real, githost.url = githost.url, "http://127.0.0.2:1"

    with pytest.raises(HostingError, match="not on it"):
        host.find("churn-prep")

    githost.url = real


def test_a_folder_that_is_no_repository_is_not_taken_for_one(tmp_path):
    (tmp_path / "churn-prep.git").mkdir()

    with pytest.raises(HostingError, match="no bare repository"):
        open_host("local", str(tmp_path)).ensure("churn-prep")


@pytest.mark.parametrize(
    ("kind", "organization", "url", "words"),
    [
        ("githup", "team", None, "Did you mean 'github'"),
        ("local", None, None, "--organization"),
        ("github", "a b", None, "no organisation"),
        ("github", "../x", None, "no organisation"),
        ("gitlab", "a//b", None, "no group"),
        ("gitlab", "-x", None, "no group"),
        ("github", "team", "http://example.org", "http://"),
        ("github", "team", "ext::sh", "no address"),
        ("github", "team", "https://ann:word@example.org", "user name or a token"),
    ],
)
def test_what_cannot_be_is_refused(kind, organization, url, words):
    with pytest.raises(UsageError, match=words) as caught:
        open_host(kind, organization, url=url, environ={"GITHUB_TOKEN": "x", "GITLAB_TOKEN": "x"})

    assert "word@" not in str(caught.value)


@pytest.mark.parametrize(("kind", "module"), [("github", "github"), ("gitlab", "gitlab")])
def test_without_the_package_the_extra_is_named(kind, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingExtraError, match=rf"sinara\[{kind}\]"):
        open_host(kind, "team", environ={})


def test_importing_hosting_imports_no_client():
    code = "import sys, sinara.hosting; print({'github', 'gitlab', 'requests'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
