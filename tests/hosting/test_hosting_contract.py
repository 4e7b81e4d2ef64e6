"""What sinara asks of the APIs, and what our host on this machine answers, as they are published.

GitHub: its own OpenAPI description, in the npm package ``@octokit/openapi`` (MIT); fetched once
into a folder for temporary files. GitLab publishes its description with the server's source; what
sinara uses of it is written down here, from docs.gitlab.com/api/projects, /api/groups, /api/users.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sinara.errors import HostingError
from sinara.hosting import open_host
from tests.githost import GitHost, Seen

VERSION = "23.0.2"
PACKAGE = f"@octokit/openapi@{VERSION}"
CACHE = Path(tempfile.gettempdir()) / f"sinara-octokit-openapi-{VERSION}-{os.getuid()}"
FILES = ("api.github.com.json", "ghes-3.19.json")


def described(name: str) -> Any:
    """Return one of GitHub's descriptions, or skip where it cannot be had."""
    place = CACHE / name
    if not place.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip(
                f"npm is not installed (Debian: apt-get install npm), for: npm pack {PACKAGE}"
            )
        with tempfile.TemporaryDirectory() as scratch:
            done = subprocess.run(
                [npm, "pack", "--silent", PACKAGE], cwd=scratch, capture_output=True, text=True
            )
            packed = list(Path(scratch).glob("*.tgz"))
            if done.returncode != 0 or not packed:
                pytest.skip(f"it cannot be had: npm pack {PACKAGE}")
            with tarfile.open(packed[0]) as archive:
                for wanted in FILES:
                    archive.extract(f"package/generated/{wanted}", scratch, filter="data")
            CACHE.mkdir(exist_ok=True)
            for wanted in FILES:
                aside = CACHE / f".{wanted}.{os.getpid()}"
                shutil.copy(Path(scratch) / "package/generated" / wanted, aside)
                aside.replace(CACHE / wanted)
    return json.loads(place.read_text("utf-8"))


def schema_of(document: Any, value: Any, above: tuple[str, ...] = ()) -> Any:
    """Return a schema of OpenAPI 3.0 as JSON Schema: references resolved, ``nullable`` as null."""
    if isinstance(value, list):
        return [schema_of(document, item, above) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str):
        if reference in above:
            return {}
        found = document
        for word in reference.removeprefix("#/").split("/"):
            found = found[word]
        return schema_of(document, found, (*above, reference))
    made = {key: schema_of(document, item, above) for key, item in value.items()}
    if made.pop("nullable", False) is True:
        return {"anyOf": [made, {"type": "null"}]}
    return made


def operation(document: Any, seen: Seen) -> Any:
    """Return the description of one request."""
    for path, methods in document["paths"].items():
        pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))
        if re.fullmatch(pattern, seen.path) and seen.method.lower() in methods:
            return methods[seen.method.lower()]
    raise AssertionError(f"GitHub has no {seen.method} {seen.path}")


def content(document: Any, part: Any) -> Any:
    part = schema_of(document, part)
    return part["content"]["application/json"]["schema"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_what_github_is_asked_and_answers_is_as_it_is_published(githost, name):
    document = described(name)
    ask_everything("github", "team", githost)

    assert githost.unknown == []
    assert {(s.method, s.path) for s in githost.requests} >= {
        ("GET", "/user"), ("GET", "/orgs/team"), ("GET", "/orgs/team/repos"), ("GET", "/user/repos"),
        ("POST", "/orgs/team/repos"), ("POST", "/user/repos"), ("GET", "/repos/team/churn-prep"),
    }  # fmt: skip
    for seen in githost.requests:
        found = operation(document, seen)
        if seen.body is not None:
            wanted = content(document, found["requestBody"])
            jsonschema.validate(seen.body, wanted)
            assert set(seen.body) <= set(wanted["properties"]), "nothing that GitHub does not know"
        answers = found["responses"]
        if str(seen.status) in answers:
            jsonschema.validate(seen.answer, content(document, answers[str(seen.status)]))
        else:
            assert (seen.method, seen.status) == ("GET", 404)


TEXT, NUMBER = {"type": "string", "minLength": 1}, {"type": "integer"}


def shape(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": sorted(properties), "properties": properties}


VISIBILITY = {"enum": ["private", "internal", "public"]}
PROJECT = shape(
    id=NUMBER, name=TEXT, path=TEXT, path_with_namespace=TEXT, visibility=VISIBILITY,
    http_url_to_repo=TEXT, ssh_url_to_repo=TEXT, web_url=TEXT,
    default_branch={"type": ["string", "null"]},
    namespace=shape(id=NUMBER, name=TEXT, path=TEXT, kind=TEXT, full_path=TEXT),
)  # fmt: skip
SIMPLE = {**PROJECT, "required": sorted({*PROJECT["required"]} - {"visibility", "namespace"})}
NEW_PROJECT = {
    "type": "object",
    "anyOf": [{"required": ["name"]}, {"required": ["path"]}],
    "properties": {
        "name": TEXT,
        "path": {"type": "string", "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"},
        "namespace_id": NUMBER,
        "description": {"type": "string"},
        "visibility": VISIBILITY,
    },
    "additionalProperties": False,
}
MESSAGE = {"type": "object", "required": ["message"]}
GITLAB = {
    ("GET", r"/user", 200): shape(id=NUMBER, username=TEXT, name=TEXT, state=TEXT),
    ("GET", r"/groups/[^/]+", 200): shape(
        id=NUMBER, name=TEXT, path=TEXT, full_path=TEXT, full_name=TEXT, visibility=VISIBILITY
    ),
    ("GET", r"/groups/[^/]+/projects", 200): {"type": "array", "items": SIMPLE},
    ("GET", r"/projects", 200): {"type": "array", "items": SIMPLE},
    ("GET", r"/projects/[^/]+", 200): PROJECT,
    ("GET", r"/(projects|groups)/[^/]+", 404): MESSAGE,
    ("POST", r"/projects", 201): PROJECT,
    ("POST", r"/projects", 400): MESSAGE,
}


def test_what_gitlab_is_asked_and_answers_is_as_it_is_documented(githost):
    ask_everything("gitlab", "team/churn", githost)

    assert githost.unknown == []
    used = set()
    for seen in githost.requests:
        (key,) = [
            key for key in GITLAB
            if key[0] == seen.method and re.fullmatch(key[1], seen.path) and key[2] == seen.status
        ]  # fmt: skip
        used.add(key)
        jsonschema.validate(seen.answer, GITLAB[key])
        if seen.body is not None:
            jsonschema.validate(seen.body, NEW_PROJECT)
    assert used == set(GITLAB)


def ask_everything(kind: str, organization: str, githost: GitHost) -> None:
    """Let sinara make every kind of request that it makes."""
    environ = {"GITHUB_TOKEN": githost.token, "GITLAB_TOKEN": githost.token}
    for owner in (organization, None):
        host = open_host(kind, owner, url=githost.url, environ=environ)
        for name in ("churn-prep", "churn-train", "churn-eval"):
            host.ensure(name, description="Step prep of pipeline churn")
        host.ensure("churn-prep")
        host.ensure("open", private=False)
        assert len(host.repositories()) == 4
    host = open_host(kind, organization, url=githost.url, environ=environ)
    host.organization  # noqa: B018
    _taken_meanwhile(host, githost, organization)
    with pytest.raises(HostingError):
        open_host(kind, "strangers", url=githost.url, environ=environ).ensure("churn-prep")


def _taken_meanwhile(host: Any, githost: GitHost, organization: str) -> None:
    """Somebody makes the repository between our look and our request."""
    host.repositories()
    look = githost.count + 1

    def make(number: int, _method: str, _path: str) -> Any:
        if number == look + 1:
            githost.make(organization, "late")
        return None

    githost.before = make
    assert host.ensure("late").created is False
    githost.before = None
