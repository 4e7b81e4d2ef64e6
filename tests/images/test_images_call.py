from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from sinara.errors import ImageError
from sinara.images.call import Done, ask, fit, follow


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_each_line_is_passed_on_and_the_last_are_kept():
    said: list[str] = []

    done = follow(
        python("import sys; print(*range(99), sep='\\n', flush=True); sys.exit('Error: no')"),
        said.append,
    )

    assert said == [*map(str, range(99)), "Error: no"]
    assert done.code == 1
    assert done.lines == tuple(said[-30:])
    assert done.reason == "Error: no"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[31mred\x1b[0m\n", "red"),
        ("\x1b]0;title\x07rest", "rest"),
        ("10%\r20%\r100%", "100%"),
        ("a\x00b\u202ec", "a b c"),
        ("from https://me:word@host/simple", "from https://host/simple"),
        ("x" * 5000, "x" * 2000),
    ],
)
def test_what_a_terminal_obeys_and_passwords_are_taken_out(line: str, shown: str):
    assert fit(line) == shown


def test_our_own_reason_comes_before_what_the_builder_says_later():
    done = Done(1, "", ("sinara: the base image has Python 3.9", "Error: exit status 1", ""))

    assert done.reason == "the base image has Python 3.9"


def test_a_call_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path):
    file = tmp_path / "pid"
    child = f"import subprocess, sys; p = subprocess.Popen(['sleep', '60']); open({str(file)!r}, 'w').write(str(p.pid)); p.wait()"

    for call in (lambda c: follow(c, print, seconds=1.5), lambda c: ask(c, seconds=1.5)):
        with pytest.raises(ImageError, match=r"took longer than 1.5 s"):
            call(python(child))
        pid, end = int(file.read_text()), time.monotonic() + 10
        while Path(f"/proc/{pid}").exists() and "Z" not in state(pid):
            assert time.monotonic() < end
            time.sleep(0.02)


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_a_pipe_that_something_holds_open_does_not_keep_the_call():
    child = (
        "import subprocess; subprocess.Popen(['sleep', '4'], start_new_session=True); print('done')"
    )

    done = follow(python(child), print)

    assert (done.code, done.lines) == (0, ("done",))


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(ImageError, match=r"nosuch-builder cannot be started: No such file"):
        ask(["nosuch-builder"])


def test_variables_are_laid_over_ours(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []

    follow(
        python("import os; print(os.environ['A'], 'PATH' in os.environ)"),
        said.append,
        env={"A": "b"},
    )

    assert said == ["b True"]
    assert "A" not in os.environ
