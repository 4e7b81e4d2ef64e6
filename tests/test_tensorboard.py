"""Folders for TensorBoard, and the events that earlier runs published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sinara.errors import BadNameError
from sinara.names import StepName, new_run_id
from sinara.store import open_store
from sinara.substep import NotebookSubstep
from sinara.tensorboard import base_folder


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step's folder; it is the current one."""
    folder = tmp_path / "steps" / "demo-train"
    (folder / "params").mkdir(parents=True)
    params = {
        "pipeline_params": {"pipeline_name": "demo"},
        "step_params": {},
        "substeps_params": ["fit.ipynb"],
    }
    (folder / "params" / "step_params.json").write_text(json.dumps(params))
    monkeypatch.chdir(folder)
    return folder


def publish_events(step: Path, content: bytes, *, env: str = "user", by_hand: bool = False) -> str:
    store = open_store(str(step.parent / "sinara_data" / env))
    with store.step(StepName(env, "demo", "zone", "train")).claim(new_run_id()) as writer:
        writer.add_files("tensorboard", {"fit/events.out.1": content, "fit/other.txt": b"x"})
        writer.seal("tensorboard")
        about = {"inputs": {}, "code": {}, "params_sha256": "", "substeps": []}
        return writer.commit(**about, interactive=by_hand).run_id


def test_a_run_writes_beside_the_events_of_earlier_runs(step, capsys):
    earlier = publish_events(step, b"events")
    substep = NotebookSubstep()

    base, writer = substep.prepare_tensorbord_logs("fit")

    assert writer == f"{base}/{substep.run_id}" == substep.tensorboard_log_dir("fit")
    assert Path(base, earlier, "events.out.1").read_bytes() == b"events"
    assert [path.name for path in Path(base, earlier).iterdir()] == ["events.out.1"]
    assert capsys.readouterr().out == f"Tensorboard log dir: {base}\nLog writer dir: {writer}\n"


def test_the_step_folder_stays_as_it_was(step):
    NotebookSubstep().prepare_tensorbord_logs("fit")

    assert [path.name for path in step.iterdir()] == ["params"]


def test_earlier_events_are_left_where_they_are_on_request(step):
    publish_events(step, b"events")

    base, _ = NotebookSubstep().prepare_tensorbord_logs("fit", copy_prev_logs=False)

    assert list(Path(base).iterdir()) == []


def test_what_was_copied_before_is_not_copied_again(step):
    earlier = publish_events(step, b"events")
    substep = NotebookSubstep()
    base, _ = substep.prepare_tensorbord_logs("fit")
    copy = Path(base, earlier, "events.out.1")
    copy.write_bytes(b"looked at")

    substep.prepare_tensorbord_logs("fit")

    assert copy.read_bytes() == b"looked at"


def test_prod_events_leave_out_what_was_published_by_hand(step):
    real = publish_events(step, b"events", env="prod")
    publish_events(step, b"events", env="prod", by_hand=True)

    base, _ = NotebookSubstep().prepare_tensorbord_logs("fit", prev_logs_env="prod")

    assert [path.name for path in Path(base).iterdir()] == [real]


def test_logs_of_several_experiments_lie_side_by_side(tmp_path):
    assert base_folder(tmp_path, "a/b").relative_to(base_folder(tmp_path, "")) == Path("a/b")


@pytest.mark.parametrize("name", ["/etc", "../x", "a/../../x", ".hidden", "a\\..\\b"])
def test_a_log_name_cannot_lead_out(tmp_path, name):
    with pytest.raises(BadNameError, match="log name"):
        base_folder(tmp_path, name)
