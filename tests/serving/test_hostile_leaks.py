"""What servers leave behind when they end in bad ways: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sinara.errors import ServiceError
from sinara.names import StepName
from sinara.serving import dev, keeper, server
from sinara.serving.http import Asked, fetch
from sinara.store import StepStore, open_store
from tests.serving.forged import publish, tar

SECONDS = 30.0


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go."""
    place = tmp_path / "t"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield place
    tempfile.tempdir = None


@pytest.fixture
def store(folder: Path) -> StepStore:
    """The store of the step whose folder is the current one."""
    root = folder.parent / "sinara_data" / "user"
    return open_store(str(root)).step(StepName("user", "demo", "zone", "pack"))


def until(fine: Callable[[], bool]) -> bool:
    """Wait until something holds; whether it came to hold."""
    end = time.monotonic() + SECONDS
    while not fine() and time.monotonic() < end:
        time.sleep(0.05)
    return fine()


def a_python(folder: Path, code: str) -> str:
    """A program in the place of the interpreter that serves: it runs some lines."""
    program = folder / "python"
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(0o755)
    return str(program)


def sinara(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "sinara", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_port_that_is_taken_leaves_no_folder(store, scratch):
    publish(store)
    with server.socket.create_server(("127.0.0.1", 0)) as taken:
        done = sinara("model", "serve", "service", "-p", str(taken.getsockname()[1]))

    assert done.returncode == 2
    assert "is taken" in done.stderr.splitlines()[-1]
    assert list(scratch.iterdir()) == []


def test_an_archive_that_is_hostile_leaves_no_folder(store, scratch):
    publish(store, archive=tar({"../x": b"evil"}))

    done = sinara("model", "serve", "service", "-p", "0")

    assert done.stderr.splitlines()[-1].startswith("sinara: Archive")
    assert list(scratch.iterdir()) == []


def test_a_service_that_ends_at_once_leaves_no_folder(scratch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    python = a_python(tmp_path, "print('a reason')")

    with pytest.raises(ServiceError, match=r"ended at once\. Its last lines:\na reason"):
        server.start(tmp_path, python=python, gone=(gone,))
    assert list(scratch.iterdir()) == []
    assert not gone.exists()


def test_folders_go_when_whoever_serves_is_killed(scratch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    python = a_python(tmp_path, "import time; time.sleep(600)")  # and never ready
    serve = (
        "import sys, pathlib as p; from sinara.serving import server;"
        f"server.start(p.Path(), python={python!r}, gone=(p.Path({str(gone)!r}),))"
    )
    process = subprocess.Popen([sys.executable, "-c", serve])
    try:
        assert until(lambda: any(scratch.iterdir()))
        time.sleep(0.5)  # the keeper has begun
    finally:
        process.kill()
        process.wait()

    assert until(lambda: not any(scratch.iterdir()) and not gone.exists())


def test_a_fork_of_whoever_serves_does_not_keep_the_service(scratch, tmp_path):
    python = a_python(tmp_path, "import time; time.sleep(600)")
    serve = (
        "import os, pathlib as p, time; from sinara.serving import server;"
        f"server.Server(p.Path(), 1, '127.0.0.1', None, {python!r}, ());"
        "print(os.fork(), flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", serve], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as said:
        forked = next(number for number in map(int, said) if number)
        time.sleep(1)  # the keeper has begun
        process.kill()
        process.wait()
        try:
            assert until(lambda: not any(scratch.iterdir()))
            assert Path("/proc", str(forked)).exists()
        finally:
            os.kill(forked, signal.SIGKILL)


def test_a_service_that_ignores_signals_and_leaves_its_session_ends(scratch, tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "GRACE", 0.5)
    noted = tmp_path / "pids"
    code = f"""
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
open({str(noted)!r}, "a").write(f"{{os.getpid()}}\\n")
time.sleep(600)"""
    running = server.Server(tmp_path, 1, "127.0.0.1", None, a_python(tmp_path, code), ())
    assert until(lambda: noted.exists() and noted.read_text().count("\n") == 2)
    running.stop()

    for pid in map(int, noted.read_text().split()):
        assert not Path("/proc", str(pid)).exists()
    assert list(scratch.iterdir()) == []


def test_a_service_gets_no_settings_of_this_user_s_bentoml(scratch, tmp_path, monkeypatch):
    monkeypatch.setenv("BENTOML_CONFIG", "/nowhere")
    monkeypatch.setenv("BENTOML_SERVE_PORT", "1")
    code = "import os; print(sorted(n for n in os.environ if n.startswith('BENTOML')))"

    with pytest.raises(ServiceError, match="'BENTOML_DO_NOT_TRACK', 'BENTOML_HOME'\\]"):
        server.start(tmp_path, python=a_python(tmp_path, code))


def test_a_log_is_kept_short(tmp_path):
    log = tmp_path / "log"
    with log.open("ab") as writing:
        writing.truncate(keeper.LONGEST_LOG)
        writing.write(b"before\n")
        writing.flush()
        keeper.shorten(str(log))
        writing.write(b"after\n")

    content = log.read_bytes()
    assert len(content) < keeper.LONGEST_LOG / 100
    assert content.endswith(b"before\nafter\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_leaves_no_folder(store, scratch, number, tmp_path):
    publish(store, archive=tar({f"{i}": b"x" for i in range(90_000)}))
    words = [sys.executable, "-m", "sinara", "model", "extract-artifacts", "service"]
    process = subprocess.Popen([*words, str(tmp_path / "out")], stderr=subprocess.PIPE, text=True)
    assert until(lambda: any(tmp_path.glob("*sinara*")) or any(tmp_path.glob(".out*")))
    process.send_signal(number)

    assert process.communicate(timeout=60)[1].strip() == "sinara: interrupted"
    assert process.returncode == 130
    assert list(scratch.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["steps", "t"]


def test_what_nohup_ignores_stays_ignored():
    code = (
        "import signal; from sinara.cli.signals import ended_by_signals as e;"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with e(): print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.stdout == "True\n", os.environ


SERVING = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(sys.argv[sys.argv.index("serve") + 1].encode())
time.sleep(1)  # as long as BentoML takes to listen
http.server.HTTPServer(("127.0.0.1", int(sys.argv[-1])), Handler).serve_forever()
"""


def test_two_that_start_on_one_port_at_once_answer_each_for_itself(scratch, tmp_path):
    with server.socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    python = a_python(tmp_path, SERVING)
    folders = [tmp_path / name for name in ("one", "two")]
    running: dict[Path, server.Server] = {}

    def start(folder: Path) -> None:
        running[folder] = dev._started(folder, port, None, folder)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            server.start, "__kwdefaults__", {**server.start.__kwdefaults__, "python": python}
        )
        threads = [threading.Thread(target=start, args=(folder,)) for folder in folders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
    try:
        answers = {
            folder: fetch(Asked(f"{one.url}/x"), 5, 1000).content for folder, one in running.items()
        }
    finally:
        for one in running.values():
            one.stop()

    assert answers == {folder: str(folder).encode() for folder in folders}
    assert port in {one.port for one in running.values()}
