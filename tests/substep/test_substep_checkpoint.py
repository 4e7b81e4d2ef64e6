"""What the kernel does at a checkpoint, in an IPython shell in this process."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sinara.secret import Secret
from sinara.substep import NotebookSubstep, checkpoint

RUN, OTHER = "run-26-11-21-050000-000123-9f86d081", "run-26-11-22-050000-000123-0e0e0e0e"
CANARY = "s3cr3t-c4n4ry"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shell as a kernel has it, whose notebook is ``__main__``."""
    from IPython.core.interactiveshell import InteractiveShell

    made = InteractiveShell.instance()
    made.history_manager.enabled = False
    monkeypatch.setitem(sys.modules, "__main__", made.user_module)
    monkeypatch.setattr(NotebookSubstep, "current", None)
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.fixture
def ask(shell: Any, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Ask the kernel's side for something, as the driver does, and return its answer."""

    def call(what: str, run_id: str = RUN, **order: Any) -> dict[str, Any]:
        told = {
            "folder": str(tmp_path),
            "answer": str(tmp_path / "answer.json"),
            "run_id": run_id,
            "work": f"/tmp/work-of-{run_id}",
            "step_folder": str(Path.cwd()),
            "secrets": [],
            "versions": {},
            **order,
        }
        getattr(checkpoint, what)(json.dumps(told))
        answer: dict[str, Any] = json.loads((tmp_path / "answer.json").read_text())
        return answer

    return call


def test_variables_come_back_as_they_were(shell, ask):
    shell.run_cell("class A:\n    pass\na = A(); a.x = [1]; b = a.x; c = {'d': 2.5}", silent=True)
    saved = ask("save", names=["a", "b", "c"])
    for name in "abc":
        del shell.user_ns[name]

    restored = ask("restore")

    assert (saved["problem"], restored["problem"]) == ("", "")
    assert saved["types"] == {"a": "A", "b": "list", "c": "dict"}
    assert shell.user_ns["c"] == {"d": 2.5}
    assert shell.user_ns["a"].x is shell.user_ns["b"]  # what is shared stays shared


def test_texts_of_the_run_point_to_the_run_that_restores_them(shell, ask):
    shell.user_ns["x"] = {
        "url": f"/data/{RUN}/model",
        f"file:///data/{RUN}/a/{RUN}": Path(f"/data/{RUN}/b"),
        "id": RUN,
        "work": f"/tmp/work-of-{RUN}/part",
        "other": "/data/elsewhere",
    }
    ask("save", names=["x"])

    ask("restore", run_id=OTHER)

    assert shell.user_ns["x"] == {
        "url": f"/data/{OTHER}/model",
        f"file:///data/{OTHER}/a/{OTHER}": Path(f"/data/{OTHER}/b"),
        "id": OTHER,
        "work": f"/tmp/work-of-{OTHER}/part",
        "other": "/data/elsewhere",
    }


@pytest.mark.parametrize(
    "value",
    [
        np.array([f"/data/{RUN}/a"]),
        f"/data/{RUN}/a".encode(),
    ],
    ids=["array", "bytes"],
)
def test_a_path_that_cannot_be_changed_is_refused(shell, ask, tmp_path, value):
    shell.user_ns["table"] = value

    answer = ask("save", names=["table"])

    assert answer["problem"].startswith("'table' (")
    assert "a path of this run" in answer["problem"]
    assert not (tmp_path / checkpoint.VARIABLES).exists()


@pytest.mark.parametrize(
    "value",
    [
        CANARY,
        Secret(CANARY),
        {"a": [f"Bearer {CANARY}"]},
        {CANARY: 1},
        CANARY.encode(),
        b"x" * (1 << 16) + CANARY.encode(),
        np.array(["ab", CANARY]),
        np.frombuffer(b"y" * 100_000 + CANARY.encode(), dtype="u1"),
    ],
    ids=["text", "Secret", "inside", "key", "bytes", "long bytes", "array", "buffer"],
)
def test_a_secret_is_refused_and_never_written(shell, ask, tmp_path, monkeypatch, value):
    monkeypatch.setenv("A_TOKEN", CANARY)
    shell.user_ns["x"] = value

    answer = ask("save", names=["x"], secrets=[{"$env": "A_TOKEN"}])

    assert answer["problem"].startswith("'x' (")
    for path in tmp_path.rglob("*"):
        assert CANARY.encode() not in path.read_bytes()
        assert CANARY not in path.name


def test_what_cannot_be_pickled_is_named_with_the_reason(shell, ask, tmp_path):
    shell.user_ns |= {"good": 1, "bad": (i for i in range(3))}

    answer = ask("save", names=["good", "bad"])

    assert answer["problem"].startswith("'bad' (generator): TypeError: cannot pickle")
    assert not (tmp_path / checkpoint.VARIABLES).exists()


def test_a_name_that_is_not_there_is_named(ask):
    assert ask("save", names=["nothing"])["problem"] == "'nothing' is not defined"


def test_random_numbers_go_on_where_they_were(shell, ask):
    shell.user_ns["x"] = 1
    random.seed(3)
    np.random.seed(3)
    ask("save", names=["x"])
    expected = random.random(), np.random.rand()
    random.seed(4)
    np.random.seed(4)

    ask("restore")

    assert (random.random(), np.random.rand()) == expected


def test_a_definition_that_needs_a_variable_waits_for_it(shell, ask):
    shell.user_ns["n"] = 5
    ask("save", names=["n"])
    del shell.user_ns["n"]

    again = ask("rerun", pieces=[[1, "import math"], [4, "def f(x=n): return x, math.pi"]])
    ask("restore")

    assert again["problem"] == ""
    assert shell.user_ns["f"]()[0] == 5


def test_a_statement_that_fails_is_told_with_its_line(ask):
    answer = ask("rerun", pieces=[[7, "import no_such_module_at_all"]])

    assert answer["problem"].startswith("line 7: ModuleNotFoundError")


def test_another_version_is_told(shell, ask):
    shell.user_ns["x"] = 1
    ask("save", names=["x"])

    answer = ask("restore", versions={"python": "3.11", "numpy": "0.1"})

    assert answer["problem"].startswith("numpy was 0.1, and is ") or answer["problem"].startswith(
        "python was 3.11"
    )


def test_the_working_folder_comes_back(shell, ask, tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    shell.user_ns["x"] = 1
    ask("save", names=["x"], step_folder=str(tmp_path))
    monkeypatch.chdir(tmp_path)

    ask("restore", step_folder=str(tmp_path))

    assert Path.cwd() == tmp_path / "inner"
