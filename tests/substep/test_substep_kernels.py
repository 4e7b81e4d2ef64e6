"""Cells run by hand in real kernels, as JupyterLab runs them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from jupyter_client.manager import KernelManager

from sinara.errors import RunNotFoundError
from sinara.names import StepName
from sinara.store import open_store

PREP = """
from sinara.substep import get_pipeline_params, get_step_params, NotebookSubstep, ENTITY_NAME
pipeline_params, step_params = get_pipeline_params(), get_step_params()
substep = NotebookSubstep(pipeline_params, step_params, {})
substep.interface(outputs=[{ENTITY_NAME: "rows"}, {ENTITY_NAME: "labels"}])
import pandas as pd
outputs = substep.outputs()
"""
TRAIN = """
from sinara.substep import NotebookSubstep, STEP_NAME, ENTITY_NAME
substep = NotebookSubstep()
substep.interface(
    inputs=[{STEP_NAME: "prep", ENTITY_NAME: "rows"}, {STEP_NAME: "prep", ENTITY_NAME: "labels"}]
)
"""


class Kernel:
    """One kernel; ``run`` executes a cell and returns what it printed, or ``Error: …``."""

    def __init__(self, folder: Path, private: Path) -> None:
        self.manager = KernelManager(
            transport="ipc", ip=str(private / "k"), connection_file=str(private / "k.json")
        )
        self.manager.start_kernel(cwd=str(folder))
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str) -> str:
        printed: list[str] = []

        def on_output(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                printed.append(content["text"])
            elif message["msg_type"] == "error":
                printed.append(f"Error: {content['ename']}: {content['evalue']}")

        self.client.execute_interactive(code, output_hook=on_output, timeout=120)
        return "".join(printed)

    def answer_to(self, message: str) -> dict[str, Any]:
        """Wait for the answer to a cell that was sent with ``client.execute``."""
        while True:
            reply = self.client.get_shell_msg(timeout=120)
            if reply["parent_header"]["msg_id"] == message:
                return reply["content"]

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Kernel]]:
    """A function that starts a kernel in a folder."""
    kernels: list[Kernel] = []
    privates: list[str] = []

    def start(folder: Path) -> Kernel:
        privates.append(tempfile.mkdtemp(prefix="k"))  # short: a socket's path is limited
        kernels.append(Kernel(folder, Path(privates[-1])))
        return kernels[-1]

    yield start
    for started in kernels:
        started.stop()
    for private in privates:
        shutil.rmtree(private)


@pytest.fixture
def step(tmp_path: Path) -> Callable[[str], Path]:
    """A function that makes the folder of a step."""

    def make(name: str) -> Path:
        folder = tmp_path / f"demo-{name}"
        (folder / "params").mkdir(parents=True)
        params = {"pipeline_params": {"pipeline_name": "demo"}, "substeps_params": ["nb.ipynb"]}
        (folder / "params" / "step_params.json").write_text(json.dumps(params))
        return folder

    return make


def store_of(tmp_path: Path, step: str) -> Any:
    return open_store(str(tmp_path / "sinara_data/user")).step(
        StepName("user", "demo", "zone", step)
    )


def test_the_next_steps_notebook_reads_what_was_written_by_hand(kernel, step):
    folder = step("prep")
    prep = kernel(folder)

    assert prep.run(PREP) == ""
    first = prep.run("pd.DataFrame({'a': range(5)}).to_parquet(outputs.rows)")
    assert ": rows (5 rows)\n" in first
    second = prep.run("pd.DataFrame({'a': range(5)}).to_csv(f'{outputs.labels}/a.csv'); 1 / 0")
    assert "Error: ZeroDivisionError" in second
    assert "Not published: labels changed in a cell that failed." in second
    assert prep.run("40 + 2; None") == ""
    third = prep.run("pd.DataFrame({'a': range(5)}).to_csv(f'{outputs.labels}/a.csv')")
    assert ": labels (1 file), rows (5 rows)\n" in third

    train = kernel(step("train"))
    assert train.run(TRAIN) == ""
    assert train.run("print(len(substep.read('rows')))") == "5\n"
    assert "a.csv" in train.run(
        "import os; print(os.listdir(substep.inputs(step_name='prep').labels))"
    )

    prep.run("substep.write('rows', pd.DataFrame({'a': range(7)}))")
    again = train.run("print(len(substep.read('rows')))")
    assert again.startswith("Published again: user.demo.zone.prep.rows is now read from run-")
    assert again.endswith("\n7\n")
    assert train.run("print(len(substep.read('rows')))") == "7\n"
    assert [path.name for path in folder.iterdir()] == ["params"]


def test_two_notebooks_of_one_step_publish_one_draft(kernel, step, tmp_path):
    folder = step("prep")
    one, other = kernel(folder), kernel(folder)
    one.run(PREP)
    other.run(PREP)
    cell = "for n in range(10): substep.write('{}', pd.DataFrame({{'a': range(n + 1)}}))"

    for round_ in range(5):
        asked = [
            (which, which.client.execute(cell.format(name)))
            for which, name in ((one, "rows"), (other, "labels"))
        ]
        for which, message in asked:
            assert which.answer_to(message)["status"] == "ok", round_

    store = store_of(tmp_path, "prep")
    commit = store.latest(["rows", "labels"])
    assert {name: held.rows for name, held in commit.entities.items()} == {"labels": 10, "rows": 10}
    assert store.verify() == ()


def test_no_reader_ever_sees_half_of_a_snapshot(kernel, step, tmp_path):
    prep = kernel(step("prep"))
    prep.run(PREP)
    done = threading.Event()
    seen: list[tuple[int, int]] = []
    wrong: list[object] = []

    def watch() -> None:
        store = store_of(tmp_path, "prep")
        while not done.is_set():
            commit = store.latest(["rows", "labels"])
            if commit is None:
                continue
            with suppress(RunNotFoundError), store.pin(commit.run_id):
                urls = [store.open(commit, n, verify="full").url for n in ("rows", "labels")]
                rows, labels = (pd.read_parquet(url)["n"].tolist() for url in urls)
                if len(set(rows + labels)) != 1 or len(rows) != 1000:
                    wrong.append((rows, labels))
                seen.append((rows[0], labels[0]))

    reader = threading.Thread(target=watch)
    reader.start()
    for n in range(10):
        prep.run(
            f"frame = pd.DataFrame({{'n': [{n}] * 1000}})\n"
            "substep.write('rows', frame)\n"
            "frame.to_parquet(f'{outputs.labels}/part.parquet')"
        )
    done.set()
    reader.join()

    assert wrong == []
    assert seen == sorted(seen)
    assert len(set(seen)) > 1


def test_a_notebook_that_papermill_runs_without_a_driver_publishes_as_by_hand(step, tmp_path):
    import nbformat.v4 as nbf
    from nbclient import NotebookClient

    notebook = nbf.new_notebook(
        cells=[
            nbf.new_code_cell(PREP),
            nbf.new_code_cell("substep.write('rows', pd.DataFrame({'a': [1]}))"),
        ]
    )

    NotebookClient(notebook, resources={"metadata": {"path": str(step("prep"))}}).execute()

    assert store_of(tmp_path, "prep").latest().entities["rows"].rows == 1
    assert "Published run-" in str(notebook.cells[1].outputs)


def test_nothing_is_left_in_the_environment_of_the_kernel(kernel, step):
    prep = kernel(step("prep"))

    printed = prep.run(
        "import os; before = dict(os.environ)" + PREP + "print(dict(os.environ) == before)"
    )

    assert printed == "True\n"
    assert "SINARA_CONTEXT" not in os.environ
