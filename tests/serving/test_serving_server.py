"""Services served by a process of their own, asked, and ended with all that they started."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sinara import bentoml as ours
from sinara.errors import ServiceError, UsageError
from sinara.serving import server as servers
from sinara.serving.ask import ask, difference, replay, samples_from
from sinara.serving.values import Sample, Samples
from tests.images.registries import Answer, Request, server
from tests.images.test_images_interrupt import below, wait

# -- the keeper ----------------------------------------------------------------------------

STUBBORN = """
import os, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if len(sys.argv) > 2:
    subprocess.Popen([sys.executable, *sys.argv[:2]], start_new_session=True)
open(os.path.join(sys.argv[1], str(os.getpid())), "w").close()
time.sleep(120)
"""


def keeper(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start a process that keeps another, with a folder that is to be removed."""
    (folder / "gone").mkdir()
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "sinara.serving.keeper", str(folder / "gone"), "--", *words],
        stdin=subprocess.PIPE,
        env={**os.environ, "A_MARK": str(folder)},
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("way", ["lifeline", signal.SIGTERM, signal.SIGINT])
def test_what_ignores_signals_and_leaves_its_session_is_ended_too(tmp_path: Path, way):
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    (tmp_path / "up").mkdir()
    words = [sys.executable, str(tmp_path / "stubborn.py"), str(tmp_path / "up"), "twice"]
    process = keeper(tmp_path, *words)
    wait(lambda: len(list((tmp_path / "up").iterdir())) == 2)

    if way == "lifeline":
        process.stdin.close()
    else:
        process.send_signal(way)
    process.wait(60)

    assert below(tmp_path) == []
    assert not (tmp_path / "gone").exists()
    process.stdin.close()


def test_a_command_that_ends_gives_its_exit_code(tmp_path: Path):
    process = keeper(tmp_path, sys.executable, "-c", "raise SystemExit(7)")

    assert process.wait(60) == 7
    assert not (tmp_path / "gone").exists()
    process.stdin.close()


# -- asking --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        (1.0, 1.0 + 1e-9, ""),
        (1, 1.0, ""),
        (0.0, 1e-10, ""),
        (1.0, 1.1, "answer is 1.1, and 1.0 was predicted"),
        ([1, [2, 3]], [1, [2, 4]], "answer[1][1] is 4, and 3 was predicted"),
        ([1, 2], [1], "answer has 1 items, and 2 were predicted"),
        ({"a": 1}, {"a": 2}, "answer.a is 2, and 1 was predicted"),
        ({"a": 1}, {"b": 1}, "answer has the keys 'b', and 'a' were predicted"),
        (True, 1, "answer is 1, and True was predicted"),
        (None, 0, "answer is 0, and None was predicted"),
        ("1", 1, "answer is 1, and '1' was predicted"),
        ([], {}, "answer is of type dict, and of type list was predicted"),
    ],
)
def test_the_first_difference_is_told_with_its_place(expected, found, told):
    assert difference(expected, found, 1e-6) == told


def test_a_number_that_is_none_is_no_other_number():
    assert difference(1.0, math.nan, 1e-6)
    assert difference(1.0, math.inf, 1e-6)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Answer(500, b"it broke\n\x1b[2J"), "/predict answers 500: "),
        (Answer(404), "/predict answers 404"),
        (Answer(200, b"<html>"), "/predict answers no JSON: "),
        (Answer(200, b"[" * 100_000), "/predict answers no JSON: "),
        (Answer(200, b"\xff\xfe"), "/predict answers no JSON: "),
        (Answer(200, b"1", delay=3), "/predict did not answer within 0.5 s"),
        (Answer(302, headers={"Location": "file:///etc/passwd"}), "/predict answers 302"),
    ],
)
def test_what_is_no_answer_is_one_line(reply: Answer, says: str):
    with server(lambda _: reply) as (host, _), pytest.raises(ServiceError) as caught:
        ask(f"http://{host}", "predict", {}, seconds=0.5)

    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_each_sample_is_asked_though_another_one_fails():
    def answer(request: Request) -> Answer:
        wrong = json.loads(request.body)["x"] == 1
        return Answer(500) if wrong else Answer(200, b"[1]")

    asked = Samples(tuple(Sample("predict", {"x": x}, [1]) for x in range(3)))
    with server(answer) as (host, _):
        outcomes = list(replay(f"http://{host}", asked))

    assert [bool(one.differs) for one in outcomes] == [False, True, False]


@pytest.mark.parametrize("told", [b'{"a": 1}', b'[{"route": 1}]', b'"x"', b"null"])
def test_samples_that_are_none_are_refused(told: bytes):
    with (
        server(lambda _: Answer(200, told)) as (host, _),
        pytest.raises(ServiceError, match="--samples ENTITY"),
    ):
        samples_from(f"http://{host}")


@pytest.mark.parametrize("status", [503, 404])
def test_what_is_not_ready_is_not(status: int):
    with server(lambda _: Answer(status)) as (host, _):
        assert not servers.is_ready(f"http://{host}")


# -- a service -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_service_that_never_becomes_ready_shows_its_log(tmp_path: Path):
    bento = tmp_path / "bento"
    bento.mkdir()
    (bento / "python").write_text("#!/bin/sh\necho I am not ready yet\nexec sleep 60\n")
    (bento / "python").chmod(0o755)

    with pytest.raises(ServiceError, match=r"not ready after 1 s\. Its last lines:\nI am not"):
        servers.start(bento, seconds=1, python=str(bento / "python"))

    assert bento.is_dir()


def test_a_service_that_ends_at_once_shows_what_it_wrote(tmp_path: Path):
    """Its folder is gone by then, and the log was in there."""
    with pytest.raises(ServiceError, match=r"ended at once\. Its last lines:\nError: "):
        servers.start(tmp_path)

    assert tmp_path.is_dir()


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "$(id)"])
@pytest.mark.parametrize("port", [0, 13999])
def test_an_address_of_another_machine_is_refused(tmp_path: Path, host: str, port: int):
    with pytest.raises(UsageError, match="is no address"):
        servers.start(tmp_path, host=host, port=port)


@pytest.mark.slow
def test_a_service_of_the_notebook_is_served_till_it_is_stopped(classifier, flowers, tmp_path):
    service = ours.make_service(classifier, flowers[0].head(2))
    url = ours.start_dev_bentoservice(service, port=0)
    try:
        assert ask(url, "predict", {"rows": flowers[0].head(1).to_dict("records")}) == [0]
        again = ours.start_dev_bentoservice(service, port=0)
        assert not servers.is_ready(url)
        assert servers.is_ready(again)
    finally:
        ours.stop_dev_bentoservice(service)

    assert not servers.is_ready(again)
    ours.stop_dev_bentoservice(service)


KERNEL = """
import sys, time
import numpy as np
from sklearn.dummy import DummyRegressor
from sinara import bentoml as ours
rows = np.array([[1.0], [2.0]])
model = DummyRegressor().fit(rows, [3.0, 3.0])
print(ours.start_dev_bentoservice(ours.make_service(model, rows), port=0), flush=True)
time.sleep(120)
"""


@pytest.mark.slow
def test_a_kernel_that_is_killed_leaves_no_service(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", KERNEL],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    url = ""
    while not url.startswith("http://"):
        url = process.stdout.readline().split()[-1]
    assert servers.is_ready(url)

    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)

    wait(lambda: not below(tmp_path))
    assert not servers.is_ready(url)
    left = [path.name for path in tmp_path.glob("sinara-serve-*")]
    assert left == []
