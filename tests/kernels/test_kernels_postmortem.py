"""What is kept of a failed cell before its kernel ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinara.postmortem import Frame, Variables, read
from sinara.postmortem.values import MOST_BYTES, MOST_FRAMES

CANARY = "canary-5b2f8a6e"


@pytest.fixture
def keep(run, tmp_path):
    """Run cells and return what was kept of their failure."""
    file = tmp_path / "failure.json"

    def run_and_read(*cells: str, **more) -> Variables | None:
        run(*cells, failure_file=file, **more)
        assert run.leftovers == []
        if not file.exists():
            return None
        assert CANARY not in file.read_text()
        return read(file.read_bytes())

    return run_and_read


def values(frame: Frame) -> dict[str, str]:
    return {variable.name: variable.value or variable.note for variable in frame.variables}


def test_the_variables_of_nested_functions_are_kept(keep):
    kept = keep(
        "def outer(n):\n    half = n / 2\n    def inner(m):\n        return m / zero\n"
        "    return inner(half)",
        "zero, unused = 0, 1\nouter(n=4)",
    )

    assert [(f.file, f.line, f.function) for f in kept.frames] == [
        ("Cell In [2]", 2, "<module>"),
        ("Cell In [1]", 5, "outer"),
        ("Cell In [1]", 4, "inner"),
    ]
    assert [values(frame) for frame in kept.frames] == [
        {"zero": "0", "unused": "1"},
        {"n": "4", "half": "2.0", "inner": "<function outer.<locals>.inner>"},
        {"m": "2.0"},
    ]
    assert kept.frames[1].source == "return inner(half)"


def test_of_a_cell_only_what_it_uses_is_kept(keep):
    kept = keep("import math\na = b = c = 1\ndef f(): pass", "a + b\nmath.sqrt(-1)\nf()")

    assert values(kept.frames[0]) == {"a": "1", "b": "1"}


def test_a_table_is_told_by_its_shape_and_columns(keep):
    kept = keep("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})\ndf.c")

    table = kept.frames[0].variables[0]
    assert (table.name, table.shape, table.columns[0]) == ("df", (2, 2), ("a", "int64"))
    assert len(kept.frames) > 1  # those inside of pandas


def test_nothing_is_kept_of_what_succeeds(keep):
    assert keep("a = 1") is None


HOSTILE = {
    "raises": ("raise ValueError", "its repr raised ValueError"),
    "exits": ("raise SystemExit", "its repr raised SystemExit"),
    "hangs": ("while True: pass", "its repr took longer than 0.5 s"),
    "swallows": (
        "while True:\n            try:\n                while True: pass\n"
        "            except Exception: pass",
        "its repr took longer than 0.5 s",
    ),
    "recurses": ("return repr(self)", "its repr raised RecursionError"),
    "is no text": ("return 7", "its repr raised TypeError"),
    "is huge": ("return 'x' * 50_000_000", "xxx"),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_repr_spoils_nothing(keep, how):
    body, told = HOSTILE[how]

    kept = keep(f"class Odd:\n    def __repr__(self):\n        {body}", "odd, a = Odd(), 1\n1/0")

    assert values(kept.frames[0])["odd"].startswith(told)
    assert values(kept.frames[0])["a"] == "1"


@pytest.mark.slow
def test_a_repr_that_nothing_can_stop_leaves_the_frames_inside_of_it(keep):
    kept = keep(
        "class Odd:\n    def __repr__(self): return str(sum(range(10**13)))",
        "def f(n):\n    return n / 0\nodd = Odd()\nf(1)",
    )

    assert [values(frame) for frame in kept.frames] == [{"n": "1"}]


def test_a_repr_that_kills_the_kernel_does_not_change_the_cause(run, keep):
    done = run("import os\nclass Odd:\n    def __repr__(self): os._exit(9)", "odd = Odd()\n1/0",
               failure_file=run.folder / "f.json")  # fmt: skip

    assert done.failure.ename == "ZeroDivisionError"
    assert read((run.folder / "f.json").read_bytes()).message


def test_a_deep_traceback_keeps_its_ends(keep):
    kept = keep("def f(n):\n    return f(n - 1) if n else 1 / 0", "f(100)")

    assert len(kept.frames) == MOST_FRAMES
    assert kept.frames[0].function == "<module>"
    assert values(kept.frames[-1]) == {"n": "0"}
    assert kept.left_out == 102 - MOST_FRAMES


def test_what_is_kept_has_an_upper_size(keep, tmp_path):
    names = ", ".join(f"v{n}" for n in range(40))
    kept = keep(
        f"def f(n):\n    {names} = ['é\"' * 200] * 40\n    return f(n - 1) if n else 1 / 0", "f(30)"
    )

    assert (tmp_path / "failure.json").stat().st_size < 2 * MOST_BYTES
    assert all(len(frame.variables) <= 30 for frame in kept.frames)
    assert kept.frames[-1].left_out > 0


def test_secrets_are_in_no_value(keep):
    kept = keep(
        "import os",
        f"word = {CANARY[:3]!r} + {CANARY[3:]!r}\n"
        "api_token = word + 'x'\nheaders = {'Authorization': f'Bearer {word}'}\n"
        "long = 'x' * 295 + word\nnested = [{'a': 'y' * 75 + word}]\ncopied = dict(os.environ)\n1/0",
        redact=(CANARY,),
        env={**__import__("os").environ, "PLAIN": "plain-value-17"},
    )

    told = values(kept.frames[0])
    assert told["word"] == "'****'"
    assert told["api_token"] == "masked"
    assert "can" not in told["long"] + told["nested"]
    assert "plain-value-17" not in told["copied"]


def test_after_a_time_limit_the_variables_are_kept(keep):
    kept = keep(
        "import time\ndef f(n):\n    while True: time.sleep(0.01)", "f(7)", cell_timeout=0.5
    )

    assert values(kept.frames[1]) == {"n": "7"}


def test_of_a_dead_kernel_it_is_said_that_nothing_is_left(keep):
    kept = keep("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")

    assert kept == Variables("The kernel's process had ended: its variables are gone with it.")


def test_an_early_exit_keeps_its_variables(keep):
    kept = keep("import sys\ndef f(n):\n    sys.exit(n)", "f(3)", "after = 1")

    assert values(kept.frames[1]) == {"n": "3"}


def test_the_traceback_of_an_earlier_cell_is_not_taken_for_this_one(keep):
    kept = keep("a = 1\n1/0", "b = (", tags={0: ["raises-exception"]})

    assert kept.frames == ()
    assert "no line of the cell" in kept.message


def test_a_kernel_without_sinara_fails_as_it_always_did(run, tmp_path):
    file = tmp_path / "failure.json"
    done = run("import sys\nsys.modules['sinara.postmortem'] = None", "1/0", failure_file=file)

    assert done.failure.ename == "ZeroDivisionError"
    assert read(file.read_bytes()).message
    assert Path(run.output).exists()
