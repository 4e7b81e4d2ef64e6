"""Services that answer slowly, wrongly, or from elsewhere; and a proxy that must not be asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from sinara.errors import ServiceError
from sinara.serving.ask import ask, difference, replay
from sinara.serving.http import Asked, fetch
from sinara.serving.server import is_ready
from sinara.serving.values import Sample, Samples

Answering = Callable[[bytes], str]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A function that starts a server which answers all with the same bytes; its URL."""
    listening: list[socket.socket] = []

    def start(answer: bytes, *, forever: bytes = b"") -> str:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def serve() -> None:
            while True:
                try:
                    one, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=_answer, args=(one, answer, forever), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in listening:
        server.close()


def _answer(one: socket.socket, answer: bytes, forever: bytes) -> None:
    stop = threading.Event()
    with one:
        try:
            one.recv(65_536)
            one.sendall(answer)
            while forever and not stop.wait(0.05):
                one.sendall(forever)
        except OSError:
            return


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_service_of_this_machine_is_asked_through_no_proxy(monkeypatch, answering, name):
    monkeypatch.setenv(name, answering(ok(b'"the proxy"')))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    url = answering(ok(b'"the service"'))

    assert ask(url, "predict", {}) == "the service"
    assert is_ready(url)


def test_another_machine_s_is_asked_through_the_proxy(monkeypatch, answering):
    monkeypatch.setenv("http_proxy", answering(ok(b'"the proxy"')))

    assert ask("http://models.example:3000", "predict", {}) == "the proxy"


def test_an_answer_without_end_ends(answering):
    slow = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", forever=b" ")
    never = answering(b"HTTP/1.1 200 OK\r\n", forever=b"x: y\r\n")

    with pytest.raises(ServiceError, match=r"/predict did not answer within 0.5 s"):
        ask(slow, "predict", {}, seconds=0.5)
    with pytest.raises(TimeoutError):
        fetch(Asked(f"{never}/readyz"), 0.5, 10)


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
)
def test_what_speaks_no_http_is_told_in_one_line(answering, answer):
    url = answering(answer)

    assert not is_ready(url)
    with pytest.raises(ServiceError, match="cannot be asked"):
        ask(url, "predict", {})


def test_a_service_cannot_send_us_to_another_address(answering):
    secret = answering(ok(b'"a secret of this network"'))
    url = answering(
        b"HTTP/1.1 302 Found\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n" % secret.encode()
    )

    assert not is_ready(url)
    with pytest.raises(ServiceError, match="/predict answers 302"):
        ask(url, "predict", {})


@pytest.mark.parametrize("route", ["a b\r\nHost: x", "ä", "\x00"])
def test_a_route_that_is_no_address_is_told_in_one_line(answering, route):
    with pytest.raises(ServiceError) as told:
        ask(answering(ok(b"1")), route, {})

    assert "\n" not in str(told.value)


def test_numbers_beyond_all_bounds_differ(answering):
    huge = 10**400

    assert difference(1.0, huge, 1e-6) == "answer is of type int, and 1.0 was predicted"
    assert difference(huge, huge, 1e-6) == ""
    assert len(difference({"a": 1}, {str(i): 1 for i in range(10_000)}, 1e-6)) < 500


def test_answers_nested_too_deep_differ(answering):
    deep = 700
    nested = json.loads("[" * deep + "]" * deep)
    samples = Samples((Sample("predict", {}, nested),))

    [outcome] = replay(answering(ok(json.dumps(nested).encode())), samples)

    assert outcome.differs == "answer is nested too deep to be compared"


@pytest.mark.parametrize("tolerance", [float("inf"), float("nan"), -1.0])
def test_a_tolerance_that_lets_everything_pass_is_refused(answering, tolerance):
    samples = Samples((Sample("predict", {}, 1),), tolerance)

    with pytest.raises(ServiceError, match="compares nothing"):
        list(replay(answering(ok(b"2")), samples))
