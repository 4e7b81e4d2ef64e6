"""What cells print: kept within limits, without secrets, in the right place."""

from __future__ import annotations

import json
import subprocess
import sys

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.kernels.outputs import Budget, CellOutputs, Displays
from sinara.kernels.redact import MASK, Redactor
from sinara.kernels.streams import StreamText
from sinara.kernels.wire import Message
from tests.kernels.kernel_runs import statuses, texts


@pytest.fixture
def cell():
    """A function that makes the outputs of a cell; what they emit is in ``.emitted``."""

    def make(limit=1000, notebook=10_000, secrets=(), displays=None):
        emitted = []
        outputs = CellOutputs(
            Budget(limit, notebook),
            Redactor(secrets),
            displays or Displays(),
            lambda *told: emitted.append(told),
        )
        outputs.emitted = emitted
        return outputs

    return make


def stream(text, name="stdout"):
    return Message("stream", "", {"name": name, "text": text})


def display(text, name=None, kind="display_data"):
    transient = {"display_id": name} if name else {}
    return Message(kind, "", {"data": {"text/plain": text}, "metadata": {}, "transient": transient})


def shown(outputs):
    return [
        output.get("text") or output.get("data", {}).get("text/plain") or output.get("ename")
        for output in outputs.as_list()
    ]


def test_neighbouring_pieces_of_a_stream_become_one_output(cell):
    outputs = cell()
    for text, name in (("a", "stdout"), ("b\n", "stdout"), ("c", "stderr"), ("d", "stdout")):
        outputs.take(stream(text, name))

    assert shown(outputs) == ["ab\n", "c", "d"]


@pytest.mark.parametrize(
    ("pieces", "kept"),
    [
        (["10%\r", "20%\r", "100%\n"], "100%\n"),
        (["10%", "\r20%", "\r30%"], "30%"),
        (["a\r\nb\r\n"], "a\nb\n"),
        (["a\r", "\nb"], "a\nb"),
        (["one\n10%\r", "20%\rdone\ntwo\n"], "one\ndone\ntwo\n"),
        (["abc\b\b", "X"], "aX"),
        (["\r"], "\r"),
    ],
)
def test_a_progress_bar_keeps_its_last_state(pieces, kept):
    text = StreamText()
    for piece in pieces:
        text.add(piece)

    assert str(text) == kept


@given(st.lists(st.text(alphabet="ab\n\r", max_size=8), max_size=8))
def test_pieces_give_what_the_whole_gives(pieces):
    one, many = StreamText(), StreamText()
    one.add("".join(pieces))
    for piece in pieces:
        many.add(piece)

    assert str(one) == str(many)
    assert many.size == len(str(many).encode())


def test_a_cell_keeps_its_beginning_and_says_that_it_was_cut(cell):
    outputs = cell(limit=1000)
    for _ in range(100):
        outputs.take(stream("x" * 50))
    outputs.take(Message("error", "", {"ename": "E", "evalue": "v", "traceback": ["t"]}))

    kept = shown(outputs)
    assert len(kept[0]) == 800
    assert kept[1] == "\n… output cut after 1 kB; the full text was dropped\n"
    assert kept[2:] == ["E"]
    assert sum(len(text) for _, text in outputs.emitted) < 1000


def test_limits_count_bytes(cell):
    outputs = cell(limit=1000)
    outputs.take(stream("é✓" * 1000))

    assert len(shown(outputs)[0].encode()) <= 800


def test_the_notebook_has_a_limit_of_its_own(cell):
    outputs = cell(limit=5000, notebook=1000)
    outputs.take(stream("x" * 2000))

    assert (
        shown(outputs)[1]
        == "\n… output cut after 1 kB for the whole notebook; the full text was dropped\n"
    )


def test_a_figure_that_is_too_large_is_left_out_whole(cell):
    outputs = cell()
    outputs.take(display("x" * 2000))

    assert [output["output_type"] for output in outputs.as_list()] == ["stream"]


def test_clearing_gives_the_room_back(cell):
    outputs = cell()
    for _ in range(10):
        outputs.take(stream("x" * 700))
        outputs.take(Message("clear_output", "", {"wait": True}))
    outputs.take(stream("last"))

    assert shown(outputs) == ["last"]


def test_clear_output_waits_for_the_next_output_if_told_to(cell):
    outputs = cell()
    outputs.take(stream("a"))
    outputs.take(Message("clear_output", "", {"wait": True}))
    assert shown(outputs) == ["a"]
    outputs.take(stream("b"))
    assert shown(outputs) == ["b"]
    outputs.take(Message("clear_output", "", {"wait": False}))
    assert shown(outputs) == []


def test_a_display_is_updated_where_it_was_shown_also_from_another_cell(cell):
    displays = Displays()
    first, second = cell(displays=displays), cell(displays=displays)
    first.take(display("1", "bar"))
    second.take(display("2", "bar", kind="update_display_data"))

    assert shown(first) == ["2"]
    assert shown(second) == []


def test_a_display_that_grows_beyond_the_limit_stays_as_it_was(cell):
    outputs = cell()
    outputs.take(display("small", "bar"))
    outputs.take(display("x" * 5000, "bar", kind="update_display_data"))

    assert shown(outputs)[0] == "small"
    assert "output cut" in shown(outputs)[1]


def test_strange_text_can_be_written(cell):
    outputs = cell()
    outputs.take(stream("a\ud800b"))
    outputs.take(display("\udcff\x00"))

    json.dumps(outputs.as_list(), ensure_ascii=False).encode()
    assert shown(outputs) == ["a?b", "?\x00"]


@given(
    st.text(min_size=1, max_size=6),
    st.text(max_size=10),
    st.text(max_size=10),
    st.lists(st.integers(0, 30)),
)
def test_a_secret_never_comes_through_however_it_is_cut(secret, before, after, cuts):
    text = before + secret + after
    redactor = Redactor([secret])
    said, tail, at = "", "", 0
    for cut in [*sorted(cuts), len(text)]:
        clean, tail = redactor.split(tail + text[at:cut])
        said, at = said + clean, max(at, cut)
    said += redactor.text(tail)

    assert said == redactor.text(text)
    assert secret in MASK or secret not in said.replace(MASK, "\0")


def test_secrets_are_taken_out_of_everything(run):
    secret = "p\"4ss'wörd\\n&<x>"
    env = {**run.env, "KEY": secret}
    cells = (
        "import os, sys\nkey = os.environ['KEY']",
        "print(key[:5], end='', flush=True)\nimport time; time.sleep(0.4)\nprint(key[5:])",
        "print(key, file=sys.stderr); print(repr(key)); key",
        "import json\nprint(json.dumps([key]))\nfrom IPython.display import HTML, JSON, display\n"
        "display(JSON({key: [key]}), HTML(f'<b>{key}</b>'))",
        "os.write(1, key.encode())",
        "raise ValueError(key)",
    )
    done = run(*cells, env=env, redact=(secret,))

    everything = (
        run.output.read_text() + json.dumps(done.notebook) + repr(done.failure) + repr(run.events)
    )
    assert done.failure.evalue == MASK
    assert texts(done, 1) == f"{MASK}\n"
    for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]):
        assert form not in everything
        assert json.dumps(form)[1:-1] not in everything


def test_outputs_of_every_kind_are_kept(run):
    done = run(
        "from IPython.display import display, clear_output, Markdown\nimport sys",
        "print('gone'); clear_output(); print('kept')",
        "shown = display('first', display_id=True)",
        "shown.update('second')",
        "display(Markdown('**x**')); sys.stderr.write('e'); 5",
    )

    assert texts(done, 1) == "kept\n"
    assert done.notebook.cells[2].outputs[0].data["text/plain"] == "'second'"
    kinds = [output.output_type for output in done.notebook.cells[4].outputs]
    assert kinds == ["display_data", "stream", "execute_result"]
    nbformat.validate(done.notebook)


def test_a_flood_of_lines_is_cut_and_marked(run):
    done = run("for i in range(300_000): print(i)", "print('on')", max_cell_output=200_000)

    assert done.status == "succeeded"
    assert "output cut after 200 kB" in texts(done, 0)
    assert len(texts(done, 0)) < 210_000
    assert len(run.streamed()) < 210_000
    assert texts(done, 1) == "on\n"


MEMORY = """\
import os, resource, sys
from pathlib import Path
import nbformat
from sinara.execute import ExecuteOptions, execute_notebook
folder = Path(sys.argv[1])
def run(code):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    return execute_notebook(nb, folder / "out.ipynb", ExecuteOptions(folder / "rt", folder, dict(os.environ)))
run("1")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
done = run(sys.argv[2])
print(done.status, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_one_line_of_a_hundred_megabytes_is_cut_in_bounded_memory(run, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path), "print('x' * 100_000_000)"],
        env=run.env, capture_output=True, text=True, check=True,
    )  # fmt: skip

    status, grown = ran.stdout.split()
    assert status == "succeeded"
    assert int(grown) < 200
    assert run.output.stat().st_size < 10_100_000
    assert "output cut after 10 MB" in run.output.read_text()[-3000:]


def test_what_a_child_writes_does_not_reach_the_drivers_own_stdout(run, tmp_path):
    flood = (
        "import os, subprocess\nfor i in range(2000): os.write(1, b'y' * 1000 + b'\\n')\n"
        "subprocess.run(['sh', '-c', 'echo from a child; echo to stderr >&2'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path), flood],
        env=run.env,
        capture_output=True,
        text=True,
        check=True,
    )

    assert len(ran.stdout) < 100
    assert ran.stderr == ""
    written = run.output.read_text()
    assert "from a child" in written
    assert "to stderr" in written


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.stdout.buffer.write(bytes(range(256)))",
        "print('\\ud800')",
        "import os; os.write(1, bytes(range(256)))",
        "from IPython.display import display; display({'image/png': b'\\xff\\xfe'}, raw=True)",
        "from IPython.display import display; display({'application/json': {'x': float('nan')}}, raw=True)",
        "print('\\x00\\x1b[31mred\\x1b[0m\\u202e')",
    ],
)
def test_no_output_is_too_strange_to_be_written(run, code):
    run(code, "print('on')")

    nbformat.validate(nbformat.read(run.output, as_version=4))
    json.loads(run.output.read_text(), parse_constant=lambda name: pytest.fail(name))


def test_a_closed_stdout_does_not_hang_the_run(run):
    done = run("import sys; sys.stdout.close()", "1", run_timeout=30)

    assert done.failure is None or done.failure.kind in {"cell", "kernel died"}


def test_many_displays_are_not_lost(run):
    done = run("from IPython.display import display\nfor i in range(3000): display(i)")

    outputs = done.notebook.cells[0].outputs
    assert [output.data["text/plain"] for output in outputs] == [
        str(number) for number in range(3000)
    ]


def test_an_error_of_a_thread_or_magic_is_told(run):
    done = run("%run /nonexistent/file.py")

    assert statuses(done) == ["failed"]
    assert done.failure.message
