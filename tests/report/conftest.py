"""A browser for the tests that need one, and a port that notices every call."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium."""
    if not CHROMIUM.exists():
        pytest.skip("needs Chromium: apt-get install -y chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), headless=True, args=SWITCHES
        )
        yield browser
        browser.close()


@dataclass
class Port:
    """A port of this machine that counts who calls."""

    number: int
    calls: list[bytes] = field(default_factory=list)


@pytest.fixture
def port() -> Iterator[Port]:
    """A port that pages must not call."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        counted = Port(server.getsockname()[1])
        ended = threading.Event()
        thread = threading.Thread(target=_listen, args=(server, counted, ended))
        thread.start()
        yield counted
        ended.set()
        thread.join()


def _listen(server: socket.socket, counted: Port, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            connection, _ = server.accept()
        except TimeoutError:
            continue
        with connection:
            connection.settimeout(0.2)
            try:
                counted.calls.append(connection.recv(200) or b"connected")
            except TimeoutError:
                counted.calls.append(b"connected")


@dataclass
class Visit:
    """What happened while a page was open."""

    page: Any
    folder: Path
    alarms: list[str] = field(default_factory=list)

    def show(self, html: str, name: str = "page.html", anchor: str = "") -> Visit:
        """Open a page in the same tab; alarms of the one before are forgotten."""
        file = self.folder / name
        file.write_text(html, encoding="utf-8")
        self.alarms.clear()
        self.page.goto(file.as_uri() + anchor)
        self.page.wait_for_load_state("load")
        return self

    def close(self) -> None:
        """Close the page and all that belongs to it."""
        self.page.context.close()


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    """A function that opens a page from ``file://`` and keeps an eye on it."""
    contexts = []

    def open_page(html: str, name: str = "page.html", anchor: str = "", **options: Any) -> Visit:
        context = chromium.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        seen = Visit(page, tmp_path)
        page.on(
            "dialog",
            lambda dialog: (seen.alarms.append(f"dialog {dialog.message}"), dialog.dismiss()),
        )
        page.on("console", lambda line: seen.alarms.append(f"console {line.text}"))
        page.on("pageerror", lambda error: seen.alarms.append(f"error {error}"))
        page.on("popup", lambda popup: seen.alarms.append(f"popup {popup.url}"))
        page.on("download", lambda download: seen.alarms.append(f"download {download.url}"))
        page.on("request", lambda request: _note_request(seen, request.url))
        return seen.show(html, name, anchor)

    yield open_page
    for context in contexts:
        context.close()


def _note_request(seen: Visit, url: str) -> None:
    if not url.startswith(("data:image/", "about:srcdoc", seen.folder.as_uri())):
        seen.alarms.append(f"request {url}")
