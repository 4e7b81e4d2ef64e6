"""Logins are found where docker and podman keep them, and show nowhere."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sinara.errors import RegistryError
from sinara.images.credentials import find_login

SECRET = "p:w0rd-nobody-sees"
AUTH = base64.b64encode(f"alice:{SECRET}".encode()).decode()


def write(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", **more}


def helper(tmp_path: Path, name: str, script: str) -> None:
    path = tmp_path / "bin" / f"docker-credential-{name}"
    write(path, f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("DOCKER_CONFIG", "a/config.json"),
        ("REGISTRY_AUTH_FILE", "auth.json"),
        ("XDG_RUNTIME_DIR", "run/containers/auth.json"),
        ("", "home/.config/containers/auth.json"),
        ("", "home/.docker/config.json"),
    ],
)
def test_a_login_is_found_in_each_place(tmp_path: Path, variable: str, path: str):
    write(tmp_path / path, {"auths": {"host:5000": {"auth": AUTH}}})
    value = {
        "DOCKER_CONFIG": tmp_path / "a",
        "REGISTRY_AUTH_FILE": tmp_path / path,
        "XDG_RUNTIME_DIR": tmp_path / "run",
    }.get(variable, "")

    env = environ(tmp_path, **({variable: str(value)} if variable else {}))
    found = find_login("host:5000", "a/b", env)

    assert found is not None
    assert (found.user, found.password.reveal(), found.is_token) == ("alice", SECRET, False)
    assert find_login("other:5000", "a/b", env) is None
    assert SECRET not in repr(found) + str(found)


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("https://host.org/v1/", "host.org"),
        ("https://host.org", "host.org"),
        ("host.org/team", "host.org"),
        ("https://index.docker.io/v1/", "docker.io"),
    ],
)
def test_a_login_is_found_under_each_spelling(tmp_path: Path, key: str, registry: str):
    write(tmp_path / "home/.docker/config.json", {"auths": {key: {"auth": AUTH}}})

    assert find_login(registry, "team/name", environ(tmp_path)) is not None


def test_the_login_of_a_part_of_a_registry_comes_first(tmp_path: Path):
    narrow = base64.b64encode(b"bob:x").decode()
    logins = {"host.org": {"auth": AUTH}, "host.org/team": {"auth": narrow}}
    write(tmp_path / "home/.docker/config.json", {"auths": logins})

    users = [
        found.user
        for repository in ("team/name", "other/name")
        if (found := find_login("host.org", repository, environ(tmp_path)))
    ]

    assert users == ["bob", "alice"]


def test_an_identity_token_is_no_password(tmp_path: Path):
    entry = {"auth": base64.b64encode(b"alice:").decode(), "identitytoken": SECRET}
    write(tmp_path / "home/.docker/config.json", {"auths": {"host.org": entry}})

    found = find_login("host.org", "", environ(tmp_path))

    assert found is not None
    assert found.is_token
    assert found.password.reveal() == SECRET


@pytest.mark.parametrize(
    "config", [{"credHelpers": {"host.org": "mine"}}, {"credsStore": "mine", "auths": {}}]
)
def test_a_helper_is_asked_for_the_host(tmp_path: Path, config: dict[str, object]):
    write(tmp_path / "home/.docker/config.json", config)
    answer = json.dumps({"Username": "alice", "Secret": SECRET})
    helper(
        tmp_path, "mine", f"read host || :; echo \"$1 $host\" > '{tmp_path}/asked'; echo '{answer}'"
    )

    found = find_login("host.org", "", environ(tmp_path))

    assert found is not None
    assert found.password.reveal() == SECRET
    assert (tmp_path / "asked").read_text() == "get host.org\n"


def test_a_helper_that_knows_nothing_is_no_error(tmp_path: Path):
    write(tmp_path / "home/.docker/config.json", {"credsStore": "mine"})
    helper(tmp_path, "mine", "echo credentials not found; exit 1")

    assert find_login("host.org", "", environ(tmp_path)) is None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ('{"auths": {"host.org": {"auth": "' + SECRET, "no JSON"),
        ({"auths": {"host.org": {"auth": f"%{SECRET}"}}}, "damaged"),
        ({"credsStore": "x; touch /tmp/y"}, "cannot be one"),
        ({"credsStore": "absent"}, "docker-credential-absent cannot be started"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_broken_is_one_line_without_the_secret(tmp_path: Path, document: object, said: str):
    write(tmp_path / "home/.docker/config.json", document)

    with pytest.raises(RegistryError, match=said) as refused:
        find_login("host.org", "", environ(tmp_path))

    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
