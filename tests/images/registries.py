"""Real registries for the tests: ``docker-registry serve`` on this machine, and one that misbehaves."""

from __future__ import annotations

import contextlib
import fcntl
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

USER, PASSWORD = "alice", "s3cret-word"
# bcrypt of PASSWORD, 2⁴ rounds: what the registry reads, and the standard library cannot make.
_HTPASSWD = "$2b$04$3q1rwu9Ql/y5cyvgyRwtS.qvAQGazBkQpSityxHUNMW21rbNJeCWi"
_START_SECONDS = 20
_OTHERS_SECONDS = 120  # that other workers may need it longer
INSTALL = "docker-registry is not installed: apt-get install -y docker-registry"


@dataclass(frozen=True)
class RunningRegistry:
    """A registry of its own folder and port."""

    host: str
    folder: Path

    def blobs(self) -> set[str]:
        """Return the digests of what it stores."""
        found = self.folder.glob("docker/registry/v2/blobs/sha256/*/*/data")
        return {f"sha256:{path.parent.name}" for path in found}


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def registry(folder: Path, *, login: bool = False) -> Iterator[RunningRegistry]:
    """Give a registry that stores into ``folder``; with ``login`` it wants USER and PASSWORD.

    Skips the test if ``docker-registry`` is not installed.
    """
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip(INSTALL)
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    if login:
        (folder / "htpasswd").write_text(f"{USER}:{_HTPASSWD}\n")
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", str(folder / "config.yml")], stdout=log, stderr=log
        )
    try:
        _wait(process, port, folder / "log")
        yield RunningRegistry(f"127.0.0.1:{port}", folder / "data")
    finally:
        process.kill()
        process.wait(10)


@contextlib.contextmanager
def shared_registry(parent: Path) -> Iterator[RunningRegistry]:
    """Give the registry that all workers of one test session share; who started it ends last."""
    told, users = parent / "registry.json", parent / "registry-users"
    mine = users / str(os.getpid())
    with contextlib.ExitStack() as stack:
        with _locked(parent / "registry-lock"):
            users.mkdir(exist_ok=True)
            owner = not told.exists()
            if owner:
                made = stack.enter_context(registry(parent / "registry"))
                told.write_text(json.dumps([made.host, str(made.folder)]))
            mine.touch()
        host, folder = json.loads(told.read_text())
        try:
            yield RunningRegistry(host, Path(folder))
        finally:
            mine.unlink()
            end = time.monotonic() + _OTHERS_SECONDS
            while owner and any(users.iterdir()) and time.monotonic() < end:
                time.sleep(0.1)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"docker-registry did not start: {log.read_text()}")


def tags(host: str, repository: str) -> list[str]:
    """Return the tags that a registry has of a repository."""
    with urllib.request.urlopen(f"http://{host}/v2/{repository}/tags/list", timeout=10) as answer:
        return list(json.load(answer)["tags"] or [])


@dataclass
class Answer:
    """What :func:`server` answers to one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before it


@dataclass(frozen=True)
class Request:
    """What :func:`server` was asked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@contextlib.contextmanager
def server(
    answer: Callable[[Request], Answer], tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[Request]]]:
    """Give the host of an HTTP server that answers as told, and the list of what it was asked."""
    asked: list[Request] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(
                self.command, self.path, dict(self.headers.items()), self.rfile.read(length)
            )
            asked.append(request)
            it = answer(request)
            time.sleep(it.delay)
            with contextlib.suppress(OSError):
                self.send_response(it.status)
                sent = {"Content-Length": str(len(it.body)), **it.headers}
                for name, value in sent.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(it.body)

        do_GET = do_HEAD = do_PUT = do_POST = _reply  # noqa: N815 (http.server's names)

        def log_message(self, *_: object) -> None:
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    if tls is not None:
        listening.socket = tls.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.server_address[1]}", asked
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join(10)
