"""The notebook file: whole at any moment, whatever is in it, and not written too often."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.kernels.writer import AtomicWriter, notebook_bytes, write_atomically
from tests.kernels.kernel_runs import notebook


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class SlowWriter(AtomicWriter):
    """Takes three seconds of its clock for each write."""

    def put(self, notebook, *, final):
        super().put(notebook, final=final)
        self._clock.now += 3.0


def test_what_is_written_is_what_nbformat_reads(tmp_path):
    nb = notebook("x = 'é✓'\nprint(x)", "# md text")
    nb.cells[0].outputs = [
        nbformat.v4.new_output("stream", text="a\nb\n" * 40_000),
        nbformat.v4.new_output(
            "display_data", {"text/plain": "p\nq", "application/json": {"k": ["l\nm"]}}
        ),
    ]

    AtomicWriter(tmp_path / "out.ipynb").write(nb, final=True)

    assert nbformat.read(tmp_path / "out.ipynb", as_version=4) == nb
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]


def test_short_text_is_split_into_lines_for_the_sake_of_diffs():
    written = json.loads(notebook_bytes(notebook("a\nb\n")))

    assert written["cells"][0]["source"] == ["a\n", "b\n"]


@given(
    st.dictionaries(
        st.text(), st.one_of(st.floats(), st.text(), st.binary(), st.integers(), st.none())
    )
)
def test_any_metadata_becomes_json_that_any_reader_takes(value):
    nb = notebook("1")
    nb.metadata["odd"] = {**value, "surrogate": "\ud800"}

    json.loads(notebook_bytes(nb), parse_constant=lambda name: pytest.fail(name))


def test_a_write_is_due_at_once_and_then_after_two_seconds(tmp_path):
    clock = Clock()
    writer = AtomicWriter(tmp_path / "out.ipynb", clock)

    assert writer.due()
    writer.write(notebook("1"))
    assert not writer.due()
    clock.now += 1.9
    assert not writer.due()
    clock.now += 0.2
    assert writer.due()


def test_a_slow_write_makes_the_next_one_wait(tmp_path):
    clock = Clock()
    writer = SlowWriter(tmp_path / "out.ipynb", clock)

    writer.write(notebook("1"))

    clock.now += 59
    assert not writer.due()
    clock.now += 2
    assert writer.due()


def test_a_write_that_fails_names_the_file_and_leaves_the_old_one(tmp_path):
    path = tmp_path / "out.ipynb"
    path.write_text("old")
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom sinara.kernels.writer import write_atomically\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_atomically(Path(sys.argv[1]), b'x' * 5000, sync=True)"
    )

    ended = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)

    assert "File too large" in ended.stderr
    assert str(path) in ended.stderr
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.ipynb"]


WRITES = """\
import sys
from pathlib import Path
from sinara.kernels.writer import write_atomically
path = Path(sys.argv[1])
print("ready", flush=True)
for number in range(10_000_000):
    write_atomically(path, b'{"n": "' + b"%d" % (number % 10) * 20_000 + b'"}', sync=False)
"""


def test_a_reader_finds_a_whole_file_after_any_kill(tmp_path):
    path = tmp_path / "out.ipynb"
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)

    for attempt in range(12):
        writer = subprocess.Popen([sys.executable, "-c", WRITES, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(chance.random() * 0.05)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        if path.exists():
            text = json.loads(path.read_bytes())["n"]
            assert len(set(text)) == 1, (seed, attempt)
            assert len(text) == 20_000, (seed, attempt)


def test_the_notebook_can_be_read_while_it_runs(run, tmp_path):
    seen = []

    def look(event):
        if event.kind == "stream":
            seen.append(nbformat.read(run.output, as_version=4))

    run("print(1)", "import time; time.sleep(2.2)", "print(2)", "print(3)", on_event=look)

    assert len(seen) == 3
    assert [cell.metadata.papermill.status for cell in seen[0].cells] == ["pending"] * 4
    assert seen[2].cells[0].outputs[0].text == "1\n"


def test_a_long_cell_shows_what_it_has_printed_so_far(run):
    kept = []

    def look(event):
        if event.kind == "cell_end":
            kept.append(run.output.read_text())

    run(
        "import time\nprint('early', flush=True)\nfor _ in range(25): time.sleep(0.1)\nprint('end')",
        on_event=look,
    )

    assert "early" in kept[0]


def test_the_temporary_name_is_beside_the_file(tmp_path):
    write_atomically(tmp_path / "a.ipynb", b"{}", sync=True)

    assert (tmp_path / "a.ipynb").read_bytes() == b"{}"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ipynb"]
