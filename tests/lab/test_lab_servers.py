"""Named servers: made, started, stopped, removed, twice each, and killed in between."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sinara.errors import BadNameError, UsageError
from sinara.lab import servers
from sinara.lab.start import check_port
from sinara.store.world import process_started
from tests.steps import sinara

pytest.importorskip("jupyterlab", reason="needs: pip install 'sinara[lab]'")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_a_server_has_its_folders_and_stands_still_until_it_is_started(home):
    made = servers.create_server("mine", work=home / "here")

    assert (made.work, made.running) == (str(home / "here"), False)
    assert Path(made.data).is_dir()
    assert servers.list_servers() == (made,)
    assert stat.S_IMODE((home / "state/sinara/servers/mine").stat().st_mode) == 0o700


def test_what_there_is_already_or_is_not_there_is_told(home):
    servers.create_server("mine")

    with pytest.raises(UsageError, match="already"):
        servers.create_server("mine")
    with pytest.raises(UsageError, match="Did you mean 'mine'"):
        servers.get_server("mime")
    assert servers.stop_server("mine") is False


@pytest.mark.parametrize("name", ["../x", "a b", "", "-x", "a/b"])
def test_bad_names_are_refused(home, name):
    with pytest.raises(BadNameError):
        servers.create_server(name)


def test_a_strangers_process_is_neither_shown_as_running_nor_ended(home):
    servers.create_server("mine")
    mark = {"pid": os.getpid(), "started": "long ago", "url": "http://127.0.0.1:1/"}
    (home / "state/sinara/servers/mine/running.json").write_text(json.dumps(mark))

    assert servers.get_server("mine").running is False
    assert servers.stop_server("mine") is False


def test_removing_keeps_the_folders_unless_they_are_asked_for(home):
    kept = servers.create_server("mine")
    servers.remove_server("mine")
    assert Path(kept.data).is_dir()

    gone = servers.create_server("mine")
    servers.remove_server("mine", with_data=True)
    assert not Path(gone.data).exists()
    assert servers.list_servers() == ()


@pytest.mark.parametrize(
    "broken", ["[", '{"name": "mine"}', '{"data": 1, "work": "", "tmp": null}', "\0"]
)
def test_a_broken_file_of_a_server_hides_no_other_and_it_can_be_made_anew(home, broken):
    whole = servers.create_server("other")
    made = servers.create_server("mine")
    place = home / "state/sinara/servers"
    (place / "mine/server.json").write_text(broken)
    (place / "other/running.json").write_text(broken)

    assert servers.list_servers() == (whole,)
    with pytest.raises(UsageError, match="There is no server 'mine'"):
        servers.get_server("mine")
    assert servers.create_server("mine") == made


@pytest.mark.parametrize("data", ["x/..", "way/home", "link", "others", "others/data"])
def test_what_holds_more_than_the_server_is_not_removed_however_it_is_written(home, data):
    for folder in ("x", "others/data", "elsewhere"):
        (home / folder).mkdir(parents=True)
    (home / "kept").write_text("mine")
    (home / "elsewhere/kept").write_text("mine")
    (home / "way").mkdir()
    (home / "way/home").symlink_to(home)
    (home / "link").symlink_to("elsewhere")
    servers.create_server("other", data=home / "others/data")
    servers.create_server("mine", data=home / data)

    with pytest.raises(UsageError, match="is not removed"):
        servers.remove_server("mine", with_data=True)

    assert (home / "kept").read_text() == (home / "elsewhere/kept").read_text() == "mine"
    assert [server.name for server in servers.list_servers()] == ["mine", "other"]


def test_a_server_whose_work_folder_is_gone_is_not_started_and_says_so(home):
    Path(servers.create_server("mine").work).rmdir()

    with pytest.raises(UsageError, match="work folder of the server 'mine' is not there"):
        servers.start_server("mine")


def test_a_busy_port_is_told():
    import socket

    busy = socket.create_server(("127.0.0.1", 0))
    with busy, pytest.raises(UsageError, match="Choose another: --port"):
        check_port(busy.getsockname()[1])
    with pytest.raises(UsageError, match="from 0 to 65535"):
        check_port(70_000)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_server_is_started_once_answers_to_its_token_and_ends(home):
    folder = home / "anywhere"
    folder.mkdir()
    environ = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    assert sinara(folder, "server", "create", "mine", **environ).returncode == 0

    first = sinara(folder, "server", "start", "mine", **environ)
    again = sinara(folder, "server", "start", "mine", **environ)

    assert first.returncode == 0, first.stderr
    assert again.stdout == first.stdout
    url, _, token = first.stdout.strip().partition("lab?token=")
    with urllib.request.urlopen(f"{url}api/status?token={token}", timeout=10) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}api/contents", timeout=10)
    caught.value.close()
    pid = servers.get_server("mine").pid
    assert token not in Path(f"/proc/{pid}/cmdline").read_text()
    assert stat.S_IMODE((home / "state/sinara/servers/mine/token").stat().st_mode) == 0o600
    environment = Path(f"/proc/{pid}/environ").read_text()
    assert f"SINARA_ENV_USER={home}/sinara/mine/data/user" in environment
    refused = sinara(folder, "server", "remove", "mine", **environ)
    assert "Stop it first" in refused.stderr

    assert sinara(folder, "server", "stop", "mine", **environ).returncode == 0
    assert process_started(pid) is None
    assert "stopped" in sinara(folder, "server", "list", **environ).stdout


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_server_that_was_killed_is_shown_as_stopped_and_starts_again(home):
    servers.create_server("mine")
    pid = servers.start_server("mine").pid
    os.kill(pid, signal.SIGKILL)
    servers._ours.pop(pid).wait()

    assert servers.get_server("mine").running is False
    assert servers.start_server("mine").running
    assert servers.stop_server("mine") is True


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_browser_is_started_without_the_token_and_ctrl_c_ends_all_processes(tmp_path):
    import subprocess
    import sys

    (tmp_path / "p").mkdir()
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}.new; mv {seen}.new {seen}\n')
    browser.chmod(0o700)
    command = [sys.executable, "-m", "sinara", "lab", str(tmp_path / "p")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "BROWSER": str(browser)},
    )  # fmt: skip
    url = process.stdout.readline().strip()
    assert "token=" in url
    while not seen.exists() and process.poll() is None:
        time.sleep(0.05)
    page = Path(seen.read_text().strip().removeprefix("file://"))
    assert "token" not in str(page)
    assert url in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 0
    until = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{child}").exists() for child in children)
