"""``sinara model``: served until it is ended, asked its samples, its files and packages."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinara.serving.server import is_ready
from tests.images.registries import Answer, Request, server
from tests.images.test_images_interrupt import below, wait
from tests.served import Served, clean_environ, forge_service, with_model
from tests.steps import sinara as sinara_there

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def serving(
    folder: Path, temporary: Path, *words: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve as a person would, in a shell of its own; give the address, and the process."""
    with (temporary.parent / f"{temporary.name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sinara", "model", "serve", *words, "--port", "0"],
            cwd=folder,
            env={**clean_environ(temporary), "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def url(made_served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the newest service, served."""
    with serving(made_served.pack, tmp_path_factory.mktemp("serve"), "service") as (address, _):
        yield address


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=20) as answer:
        return answer.read().decode()


def test_a_served_model_tells_its_health_its_metrics_and_what_can_be_asked(url: str):
    assert url.startswith("http://127.0.0.1:")
    assert get(f"{url}/readyz") == get(f"{url}/livez") == "\n"
    assert "bentoml_service_request_total" in get(f"{url}/metrics")
    assert "<html" in get(f"{url}/").lower()
    assert {"/predict", "/test_data", "/version"} <= set(
        json.loads(get(f"{url}/docs.json"))["paths"]
    )


def test_only_this_machine_can_ask_it(url: str):
    port = int(url.rpartition(":")[2])
    others = {i[4][0] for i in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}

    for address in others - {"127.0.0.1", "127.0.1.1"}:
        with socket.socket() as one:
            one.settimeout(2)
            assert one.connect_ex((address, port)) != 0


def test_a_url_is_asked_the_samples_that_it_has(served: Served, sinara, url: str):
    answer = sinara("model", "test", url)

    assert (answer.code, answer.err) == (0, "1 sample of 1 as predicted.\n")
    assert answer.out.startswith("/predict: as predicted (")


def test_a_url_that_answers_otherwise_is_1_with_the_place(served: Served, sinara, url: str):
    words = ("model", "test", url, "--samples", "service", "--run", served.first)

    answer, told = sinara(*words), json.loads(sinara(*words, "--json").out)

    assert answer.code == 1
    assert "/predict: answer[0] is 3.0, and 2.0 was predicted" in answer.out
    assert "0 samples of 1 as predicted." in answer.err
    assert told["samples"][0]["ok"] is False
    assert sinara(*words, "--tolerance", "0.5").code == 0


def test_the_samples_are_a_request_that_curl_can_send(served: Served, sinara, url: str):
    printed = sinara("model", "samples", "service").out

    asked = urllib.request.Request(
        f"{url}/predict", printed.encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=20) as answer:
        assert json.load(answer) == [3.0, 7.5]


def test_an_entity_is_served_for_the_test_and_nothing_is_left(
    served: Served, sinara, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)

    answer = sinara("model", "test", "service")

    assert answer.code == 0, answer.err
    assert "1 sample of 1 as predicted." in answer.err
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://example.org/x", "gopher://x/", "data://x"]
)
def test_only_http_is_asked(served: Served, sinara, target: str):
    answer = sinara("model", "test", target)

    assert answer.code == 2
    assert "Traceback" not in answer.err
    assert "root:" not in answer.out + answer.err


def test_a_redirect_to_a_file_is_not_followed(served: Served, sinara):
    with server(lambda _: Answer(302, headers={"Location": "file:///etc/passwd"})) as (host, _):
        answer = sinara("model", "test", f"http://{host}", "--samples", "service")

    assert answer.code == 1
    assert "root:" not in answer.out + answer.err


def test_an_address_where_nothing_listens_is_one_line(served: Served, sinara):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{one.getsockname()[1]}"
        answer = sinara("model", "test", address)

    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "Connection refused" in answer.err


def test_a_service_without_samples_says_how_to_name_them(served: Served, sinara):
    def nothing(request: Request) -> Answer:
        return Answer(404, b"Not Found")

    with server(nothing) as (host, _):
        answer = sinara("model", "test", f"http://{host}")

    assert answer.code == 2
    assert "--samples ENTITY" in answer.err


def test_samples_of_an_entity_are_its_own(served: Served, sinara):
    assert "--samples is for a URL" in sinara("model", "test", "service", "--samples", "x").err


# -- the end -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_no_process_and_no_folder_is_left(
    served: Served, tmp_path: Path, number: signal.Signals
):
    (tmp_path / "tmp").mkdir()
    with serving(served.pack, tmp_path / "tmp", "service") as (address, process):
        assert get(f"{address}/readyz") == "\n"
        assert below(tmp_path / "tmp")

        process.send_signal(number)
        process.wait(30)

    wait(lambda: not below(tmp_path / "tmp"))
    wait(lambda: not list((tmp_path / "tmp").glob("sinara-*")))
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert not is_ready(address)


def test_a_port_that_is_taken_is_one_line(served: Served):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = sinara_there(served.pack, "model", "serve", "service", "--port", str(port))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        f"sinara: Port {port} of 127.0.0.1 is taken. Take another, or 0 for any free one."
    )


def test_a_service_that_dies_at_its_start_shows_why(
    served: Served, sinara, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(served.folder, tmp_path / "p", symlinks=True)
    own = Served(tmp_path / "p", served.first, served.second, served.pair)
    forge_service(own, "bad", {"bento.tar": with_model(own, b"no pickle")})
    monkeypatch.chdir(own.pack)

    answer = sinara("model", "test", "bad.service")

    assert answer.code == 2
    assert "The service cannot start. Its last lines:" in answer.err
    assert "UnpicklingError" in answer.err


# -- files ---------------------------------------------------------------------------------


def test_packages_are_printed_as_pip_reads_them(served: Served, sinara):
    answer = sinara("model", "requirements", "service")

    assert all("==" in line for line in answer.out.splitlines())
    assert any(line.startswith("bentoml==") for line in answer.out.splitlines())


def test_the_files_of_an_entity_come_out_and_never_into_a_folder_in_use(
    served: Served, sinara, tmp_path: Path
):
    words = ("model", "extract-artifacts", "service", str(tmp_path / "files"))

    first, second = sinara(*words), sinara(*words)

    assert (first.code, first.out) == (0, f"{tmp_path}/files\n")
    assert (tmp_path / "files/src/model/model.pkl").is_file()
    assert (tmp_path / "files/save_info.txt").read_text().startswith("BENTO_SERVICE=user.pipe.")
    assert second.code == 2
    assert "Name an empty or a new folder" in second.err


def test_a_run_is_of_entities_not_of_images(served: Served, sinara, tmp_path: Path):
    words = ("model", "extract-artifacts", "oci-archive:x.tar", str(tmp_path), "--run", "x")

    assert "--run is for an entity" in sinara(*words).err


def test_what_is_served_is_verified_first(
    served: Served, sinara, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(served.folder, tmp_path / "p", symlinks=True)
    own = Served(tmp_path / "p", served.first, served.second, served.pair)
    archive = own.entity(own.second) / "bento.tar"
    archive.chmod(0o644)
    archive.write_bytes(archive.read_bytes()[:-1] + b"x")
    monkeypatch.chdir(own.pack)

    for command in ("serve", "test", "samples", "requirements"):
        answer = sinara("model", command, "service")

        assert answer.code == 3, command
        assert answer.err.count("\n") == 1
