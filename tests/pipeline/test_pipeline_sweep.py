"""Sweeps: shared steps run once, points are compared, and nobody reads one by default."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from sinara import pipeline
from sinara.errors import ParamsError, UsageError
from sinara.pipeline.sweep import grid, read_points, results
from tests.pipeline.pipelines import write_pipeline

SCORE = "substep.add_metric('score', 1 - (step_params['level'] - 2) ** 2 / 10)"


@pytest.mark.parametrize(
    ("axes", "points"),
    [
        (["a.x=1,2"], [("a.x=1",), ("a.x=2",)]),
        (["a.x=1,2", "b.y=u"], [("a.x=1", "b.y=u"), ("a.x=2", "b.y=u")]),
        (["a.x=[1, 2]"], [("a.x=1",), ("a.x=2",)]),
        (["a.x=[1,2],[3]"], [("a.x=[1,2]",), ("a.x=[3]",)]),
        (["a.x=[[1,2],[3]]"], [("a.x=[1, 2]",), ("a.x=[3]",)]),
        (["a.x='p,q',r"], [("a.x='p,q'",), ("a.x=r",)]),
        (['a.x=["p", true, 1.5]'], [("a.x=p",), ("a.x=true",), ("a.x=1.5",)]),
    ],
)
def test_a_grid_is_every_combination(axes, points):
    assert grid(axes) == tuple(points)


@pytest.mark.parametrize("axes", [["a.x"], ["=1"], ["a.x="], ["a.x=1", "a.x=2"], ["a.x=,"]])
def test_an_axis_without_values_or_twice_is_refused(axes):
    with pytest.raises(UsageError, match="--grid"):
        grid(axes)


def test_a_grid_that_is_too_large_is_refused():
    many = ",".join(map(str, range(200)))

    with pytest.raises(UsageError, match="more than 10,000 points"):
        grid([f"a.x={many}", f"a.y={many}"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("points.json", '{"points": [{"a.x": 1, "b.y": "u"}, {"a.x": 2.5}]}'),
        ("points.yaml", "points:\n- {a.x: 1, b.y: u}\n- {a.x: 2.5}\n"),
    ],
)
def test_points_come_from_a_file(tmp_path, name, text):
    (tmp_path / name).write_text(text)

    assert read_points(tmp_path / name) == (("a.x=1", "b.y=u"), ("a.x=2.5",))


def test_points_come_from_a_table(tmp_path):
    (tmp_path / "points.csv").write_text("a.x,b.y\n1,u\n2,v\n")

    assert read_points(tmp_path / "points.csv") == (("a.x=1", "b.y=u"), ("a.x=2", "b.y=v"))


@pytest.mark.parametrize("row", ["1", "1,u,3"])
def test_a_row_that_does_not_fit_the_columns_is_no_point(tmp_path, row):
    (tmp_path / "points.csv").write_text(f"a.x,b.y\n1,u\n{row}\n")

    with pytest.raises(UsageError, match="point 2 has more or fewer values"):
        read_points(tmp_path / "points.csv")


@pytest.mark.parametrize("text", ["{}", '{"points": []}', '{"points": [1]}', '{"points": {}}'])
def test_a_file_without_points_is_refused(tmp_path, text):
    (tmp_path / "points.json").write_text(text)

    with pytest.raises(UsageError, match="list 'points'"):
        read_points(tmp_path / "points.json")


def commits(folder: Path, step: str) -> int:
    """Return how many runs of a step were published."""
    return len(list((folder / f"sinara_data/user/pipe/zone/{step}").glob("run-*/_COMMIT")))


@pytest.mark.slow
def test_steps_that_no_value_reaches_run_once_and_the_best_point_is_found(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load", "prep", "left"), left=SCORE)

    record = pipeline.run(folder, points=grid(["left.level=1,2,3,4"]), best="left.score", workers=2)

    assert record.status == "succeeded", record.message
    assert [commits(folder, step) for step in ("load", "prep", "left")] == [1, 1, 4]
    found = results(record)
    assert [one.metrics["left.score"] for one in found] == [0.9, 1.0, 0.9, 0.6]
    assert [one.best for one in found] == [False, True, False, False]
    page = next((folder / "sinara_data/user/pipe/_runs").glob("*/index.html")).read_text()
    assert "left.score by left.level" in page


@pytest.mark.slow
def test_nobody_reads_a_point_by_default_and_a_run_with_its_values_finds_it(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load", "prep", "left"), left=SCORE)
    pipeline.run(folder)
    usual = pipeline.plan(folder).step("left").run_id

    pipeline.run(folder, points=grid(["left.level=5,6"]))
    newest = pipeline.plan(folder).step("left").step.store.latest(["model"])
    found = pipeline.plan(folder, set={"left.level": 6}).step("left")

    assert newest.run_id == usual
    assert found.action == "reuse"
    assert found.run_id != usual


@pytest.mark.slow
def test_a_point_that_fails_leaves_the_others_and_the_lowest_can_be_the_best(tmp_path):
    folder = write_pipeline(
        tmp_path / "work",
        ("load", "prep", "left"),
        left="assert step_params['level'] != 2\n" + SCORE,
    )

    done = subprocess.run(
        [sys.executable, "-m", "sinara", "pipeline", "sweep", "--grid", "left.level=1,2,4",
         "--best", "left.score", "--lowest", "--json"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    points = json.loads(done.stdout)["points"]

    assert done.returncode == 1
    assert [(one["values"], one["status"], one["best"]) for one in points] == [
        ({"left.level": "4"}, "succeeded", True),
        ({"left.level": "1"}, "succeeded", False),
        ({"left.level": "2"}, "failed", False),
    ]
    assert "AssertionError" in done.stderr


@pytest.mark.slow
def test_a_sweep_that_was_interrupted_goes_on(tmp_path):
    folder = write_pipeline(
        tmp_path / "work",
        ("load", "prep", "left"),
        left="import os\nassert os.path.exists('go') or step_params['level'] < 2",
    )
    broken = pipeline.run(folder, points=grid(["left.level=1,2"]), workers=1)
    before = commits(folder, "left")
    (folder / "pipe-left" / "go").write_text("")

    record = pipeline.run(folder, resume="last")

    assert broken.status == "failed"
    assert (before, commits(folder, "left")) == (1, 2)
    assert [one.status for one in results(record)] == ["succeeded", "succeeded"]


def test_a_point_for_no_step_or_with_a_wrong_value_is_refused_before_anything_runs(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load", "left"))

    with pytest.raises(UsageError, match=r"^point .*no step 'lefd'"):
        pipeline.run(folder, points=grid(["lefd.level=1"]))
    with pytest.raises(ParamsError, match="leevl"):
        pipeline.run(folder, points=grid(["left.leevl=1"]))
    assert not (folder / "sinara_data").exists()


def test_two_axes_share_what_they_can(tmp_path):
    folder = write_pipeline(tmp_path / "work")

    plan = pipeline.plan(folder, points=grid(["left.level=1,2,3", "join.level=1,2"]))

    names = [step.step.base for step in plan.steps]
    assert pd.Series(names).value_counts().to_dict() == {
        "join": 6,
        "left": 3,
        "load": 1,
        "prep": 1,
        "right": 1,
    }


@pytest.mark.slow
def test_the_graph_shows_no_point_as_the_last_run(tmp_path):
    from sinara.graph import read_graph, read_history

    folder = write_pipeline(tmp_path / "work", ("load",))
    usual = pipeline.run(folder).steps[0].run_id
    pipeline.run(folder, points=grid(["load.level=5,6"]))

    graph = read_graph(folder)
    [shown] = read_history(graph).steps.values()

    assert shown.run_id == usual
