"""A Git host on this machine: real git over HTTP, and as much of two APIs as sinara calls.

One threaded server on 127.0.0.1. Git itself is served by ``git http-backend``, so that clone,
fetch and push are real; making a repository through either API makes a bare one. Every request
needs the token, but for the first one of git, which is asked for it.

What the APIs take and answer is checked against their published descriptions in
``tests/hosting/test_hosting_contract.py``.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PAGE = 2  # repositories in a page of a listing: small, so that two pages are common


@dataclass
class Seen:
    """One request that the API answered."""

    method: str
    path: str  # without the prefix of an Enterprise host
    body: Any
    status: int
    answer: Any


@dataclass
class GitHost:
    """The host: where its repositories are, who may come in, and what it was asked."""

    root: Path
    token: str
    login: str = "ann"
    groups: tuple[str, ...] = ("team", "team/churn")
    url: str = ""
    requests: list[Seen] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)  # every Authorization that came
    renamed: dict[str, str] = field(default_factory=dict)
    redirect_git_to: str = ""
    before: Callable[[int, str, str], tuple[int, Any, dict[str, str]] | None] | None = None
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self, owner: str, name: str) -> Path:
        """Make a bare repository, as a request to the API does."""
        place = self.root / owner / f"{name}.git"
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(place)], check=True
        )
        return place

    def names(self, owner: str) -> list[str]:
        """Return the names of the repositories of one owner."""
        return sorted(p.stem for p in (self.root / owner).glob("*.git"))

    def fail_at(self, number: int, status: int, answer: Any = None, **headers: str) -> None:
        """Answer the request of that number, from 1, with a failure instead."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.before = lambda n, _m, _p: (
            (status, answer or {"message": "told to fail"}, told) if n == number else None
        )

    def slow_at(self, number: int, seconds: float) -> None:
        """Let the request of that number wait."""

        def wait(n: int, _method: str, _path: str) -> None:
            if n == number:
                time.sleep(seconds)

        self.before = wait


@contextmanager
def serving(root: Path, token: str, **more: Any) -> Iterator[GitHost]:
    """Give a host that serves until the block ends."""
    host = GitHost(root, token, **more)
    root.mkdir(parents=True, exist_ok=True)
    server = _Server(("127.0.0.1", 0), _handler(host))
    host.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the test."""


def _handler(host: GitHost) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # one request, one connection: nothing stays open

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.serve()

        def do_POST(self) -> None:
            self.serve()

        def serve(self) -> None:
            path = urlsplit(self.path).path
            body = self.read()
            with host.lock:
                host.count += 1
                number = host.count
                host.credentials.append(self.headers.get("Authorization", ""))
            told = host.before(number, self.command, path) if host.before else None
            if told:
                self.answer(*told)
            elif ".git/" in path:
                self.git(path, body)
            else:
                self.api(path, body)

        def read(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                parts = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def git(self, path: str, body: bytes) -> None:
            if host.redirect_git_to:
                self.answer(302, {}, {"Location": host.redirect_git_to + self.path})
                return
            sent = self.headers.get("Authorization", "")
            kind, _, encoded = sent.partition(" ")
            known = base64.b64decode(encoded).decode() if kind == "Basic" else ""
            user, _, word = known.partition(":")
            if word != host.token or not user:
                self.answer(401, {}, {"WWW-Authenticate": 'Basic realm="githost"'})
                return
            environ = {
                "PATH": "/usr/bin:/bin",
                "GIT_PROJECT_ROOT": str(host.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                "HOME": str(host.root),
                "PATH_INFO": unquote(path),
                "REQUEST_METHOD": self.command,
                "QUERY_STRING": urlsplit(self.path).query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_USER": user,
                "REMOTE_ADDR": "127.0.0.1",
            }
            done = subprocess.run(
                ["git", "http-backend"], input=body, env=environ, capture_output=True
            )
            head, _, rest = done.stdout.partition(b"\r\n\r\n")
            lines = [line.partition(": ")[::2] for line in head.decode().split("\r\n")]
            headers = dict(lines)
            status = int(headers.pop("Status", "200 OK").split()[0])
            self.answer(status, rest, headers)

        def api(self, path: str, body: bytes) -> None:
            sent = self.headers.get("Authorization", "")
            given = sent.partition(" ")[2] or self.headers.get("Private-Token", "")
            query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            data = json.loads(body) if body else None
            if given != host.token:
                status, answer, headers = 401, {"message": "401 Unauthorized"}, {}
            elif path.startswith("/api/v4/"):
                path = path.removeprefix("/api/v4")
                status, answer, headers = _gitlab(host, self.command, path, query, data)
            else:
                path = path.removeprefix("/api/v3")
                status, answer, headers = _github(host, self.command, path, query, data)
            if status == 404 and answer == {}:
                host.unknown.append(f"{self.command} {path}")
            with host.lock:
                host.requests.append(Seen(self.command, path, data, status, answer))
            self.answer(status, answer, headers)

    return Handler


_Answer = tuple[int, Any, dict[str, str]]
_MISSING = {"message": "Not Found", "documentation_url": "", "status": "404"}


def _github(host: GitHost, method: str, path: str, query: dict[str, str], body: Any) -> _Answer:
    words = path.strip("/").split("/")
    match [method, *words]:
        case ["GET", "user"]:
            return 200, github_user(host), {}
        case ["GET", "orgs", group]:
            known = group in host.groups
            return (200, github_organization(host, group), {}) if known else (404, _MISSING, {})
        case ["GET", "user", "repos"]:
            return _github_page(host, host.login, path, query)
        case ["GET", "orgs", group, "repos"]:
            return _github_page(host, group, path, query)
        case ["GET", "repos", owner, name]:
            new = host.renamed.get(f"{owner}/{name}")
            if new:
                url = f"{host.url}/api/v3/repos/{new}"
                return 301, {"message": "Moved Permanently", "url": url}, {"Location": url}
            known = name in host.names(owner)
            return (200, github_repository(host, owner, name), {}) if known else (404, _MISSING, {})
        case ["POST", "user", "repos"]:
            return _github_make(host, host.login, body)
        case ["POST", "orgs", group, "repos"]:
            return _github_make(host, group, body)
    return 404, {}, {}


def _github_make(host: GitHost, owner: str, body: Any) -> _Answer:
    name = body["name"]
    if name in host.names(owner):
        told = {"resource": "Repository", "code": "custom", "field": "name"}
        told["message"] = "name already exists on this account"
        answer = {"message": "Repository creation failed.", "errors": [told]}
        return 422, {**answer, "documentation_url": ""}, {}
    host.make(owner, name)
    return 201, github_repository(host, owner, name, private=body.get("private", False)), {}


def _github_page(host: GitHost, owner: str, path: str, query: dict[str, str]) -> _Answer:
    names, page = host.names(owner), int(query.get("page", "1"))
    shown = names[(page - 1) * PAGE : page * PAGE]
    headers = {}
    if len(names) > page * PAGE:
        headers["Link"] = f'<{host.url}/api/v3{path}?page={page + 1}>; rel="next"'
    return 200, [github_repository(host, owner, name) for name in shown], headers


def _gitlab(host: GitHost, method: str, path: str, query: dict[str, str], body: Any) -> _Answer:
    words = [unquote(word) for word in path.strip("/").split("/")]
    match [method, *words]:
        case ["GET", "user"]:
            return 200, {"id": 1, "username": host.login, "name": "Ann", "state": "active"}, {}
        case ["GET", "groups", group]:
            if group not in host.groups:
                return 404, {"message": "404 Group Not Found"}, {}
            return 200, gitlab_group(host, group), {}
        case ["GET", "groups", number, "projects"]:
            return _gitlab_page(host, host.groups[int(number) - 100], path, query)
        case ["GET", "projects"]:
            return _gitlab_page(host, host.login, path, query)
        case ["GET", "projects", whole]:
            owner, _, name = host.renamed.get(whole, whole).rpartition("/")
            if name not in host.names(owner):
                return 404, {"message": "404 Project Not Found"}, {}
            return 200, gitlab_project(host, owner, name), {}
        case ["POST", "projects"]:
            return _gitlab_make(host, body)
    return 404, {}, {}


def _gitlab_make(host: GitHost, body: Any) -> _Answer:
    namespace = body.get("namespace_id")
    owner = host.login if namespace is None else host.groups[namespace - 100]
    if body["path"] in host.names(owner):
        taken = ["has already been taken"]
        return 400, {"message": {"project_namespace.name": taken, "name": taken, "path": taken}}, {}
    host.make(owner, body["path"])
    return 201, gitlab_project(host, owner, body["path"], body.get("visibility", "private")), {}


def _gitlab_page(host: GitHost, owner: str, path: str, query: dict[str, str]) -> _Answer:
    names, page = host.names(owner), int(query.get("page", "1"))
    shown = names[(page - 1) * PAGE : page * PAGE]
    headers = {"X-Page": str(page), "X-Per-Page": str(PAGE), "X-Total": str(len(names))}
    if len(names) > page * PAGE:
        headers["X-Next-Page"] = str(page + 1)
        headers["Link"] = f'<{host.url}/api/v4{path}?page={page + 1}>; rel="next"'
    projects = [gitlab_project(host, owner, name) for name in shown]
    if page == 1:  # one that is shared with this group, or owned in another one
        projects.append(gitlab_project(host, "strangers", "churn-shared"))
    if query.get("simple", "").lower() == "true":
        projects = [{k: v for k, v in p.items() if k not in _NOT_SIMPLE} for p in projects]
    return 200, projects, headers


_NOT_SIMPLE = ("visibility", "namespace")  # left out where "simple" is asked for


def gitlab_group(host: GitHost, group: str) -> dict[str, Any]:
    """Return a group as GET /groups/:id does, the attributes that identify it."""
    return {
        "id": 100 + host.groups.index(group),
        "name": group.rpartition("/")[2],
        "path": group.rpartition("/")[2],
        "full_path": group,
        "full_name": group.replace("/", " / "),
        "visibility": "private",
        "web_url": f"{host.url}/groups/{group}",
    }


def gitlab_project(
    host: GitHost, owner: str, name: str, visibility: str = "private"
) -> dict[str, Any]:
    """Return a project as GET /projects/:id does, the attributes that identify it."""
    whole = f"{owner}/{name}"
    return {
        "id": 1 + sum(whole.encode()),
        "name": name,
        "path": name,
        "path_with_namespace": whole,
        "default_branch": "main",
        "visibility": visibility,
        "ssh_url_to_repo": f"git@127.0.0.1:{whole}.git",
        "http_url_to_repo": f"{host.url}/{whole}.git",
        "web_url": f"{host.url}/{whole}",
        "namespace": {"id": 1, "name": owner, "path": owner, "kind": "group", "full_path": owner},
    }


def _links(base: str, names: str) -> dict[str, str]:
    return {f"{name}_url": f"{base}/{re.sub('_', '-', name)}" for name in names.split()}


_USER_LINKS = (
    "followers following gists starred subscriptions organizations repos events received_events"
)


def github_user(host: GitHost, login: str = "") -> dict[str, Any]:
    """Return a user as GET /user does."""
    login = login or host.login
    api = f"{host.url}/api/v3/users/{login}"
    return {
        "login": login,
        "id": 1,
        "node_id": "MDQ6VXNlcjE=",
        "avatar_url": f"{host.url}/a.png",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{host.url}/{login}",
        **_links(api, _USER_LINKS),
        "type": "User",
        "site_admin": False,
        "name": "Ann",
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "public_repos": 1,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }


def github_organization(host: GitHost, login: str) -> dict[str, Any]:
    """Return an organisation as GET /orgs/{org} does."""
    api = f"{host.url}/api/v3/orgs/{login}"
    return {
        "login": login,
        "id": 2,
        "node_id": "MDEyOk9yZ2FuaXphdGlvbjI=",
        "url": api,
        **_links(api, "repos events hooks issues members public_members"),
        "avatar_url": f"{host.url}/o.png",
        "description": None,
        "has_organization_projects": True,
        "has_repository_projects": True,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "html_url": f"{host.url}/{login}",
        "type": "Organization",
        "archived_at": None,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }


_SIMPLE = ("login", "id", "node_id", "gravatar_id", "url", "type", "site_admin")
_REPOSITORY_LINKS = (
    "archive assignees blobs branches collaborators comments commits compare contents "
    "contributors deployments downloads events forks git_commits git_refs git_tags hooks "
    "issue_comment issue_events issues keys labels languages merges milestones notifications "
    "pulls releases stargazers statuses subscribers subscription tags teams trees"
)


def github_repository(host: GitHost, owner: str, name: str, private: bool = True) -> dict[str, Any]:
    """Return a repository as GET /repos/{owner}/{repo} does."""
    api = f"{host.url}/api/v3/repos/{owner}/{name}"
    simple = {
        key: value
        for key, value in github_user(host, owner).items()
        if key.endswith("_url") or key in _SIMPLE
    }
    return {
        "id": 1 + sum(f"{owner}/{name}".encode()),
        "node_id": "MDEwOlJlcG9zaXRvcnkx",
        "name": name,
        "full_name": f"{owner}/{name}",
        "owner": simple,
        "private": private,
        "html_url": f"{host.url}/{owner}/{name}",
        "description": None,
        "fork": False,
        "url": api,
        **_links(api, _REPOSITORY_LINKS),
        "clone_url": f"{host.url}/{owner}/{name}.git",
        "git_url": f"git://127.0.0.1/{owner}/{name}.git",
        "ssh_url": f"git@127.0.0.1:{owner}/{name}.git",
        "svn_url": f"{host.url}/{owner}/{name}",
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "forks_count": 0,
        "forks": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "watchers": 0,
        "size": 0,
        "default_branch": "main",
        "open_issues_count": 0,
        "open_issues": 0,
        "topics": [],
        "has_issues": True,
        "has_projects": True,
        "has_wiki": True,
        "has_pages": False,
        "has_downloads": True,
        "has_discussions": False,
        "archived": False,
        "disabled": False,
        "license": None,
        "visibility": "private" if private else "public",
        "pushed_at": "2026-01-01T00:00:00Z",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "network_count": 0,
        "subscribers_count": 0,
    }
