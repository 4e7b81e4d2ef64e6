"""Where the steps of a pipeline are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinara.errors import UsageError
from sinara.graph import find_steps, glob_steps, is_step, pipeline_folder
from tests.steps import notebook, write_step


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two steps, a hidden copy of one, and folders that are none."""
    for name in ("p-load", "p-train", ".p-old"):
        write_step(tmp_path / name, {"a.ipynb": notebook()})
    (tmp_path / "sinara_data").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    return tmp_path


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.name for path in paths]


def test_the_steps_directly_in_a_folder_are_found_by_name(folder):
    assert names(find_steps(folder)) == ["p-load", "p-train"]


def test_from_inside_a_step_the_steps_beside_it_are_meant(folder):
    assert names(find_steps(folder / "p-load")) == ["p-load", "p-train"]
    assert pipeline_folder(folder / "p-load") == folder


def test_a_script_alone_makes_a_step(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "step.dev.py").write_text("")

    assert is_step(tmp_path / "s")
    assert not is_step(tmp_path)


def test_a_folder_without_steps_is_told_with_what_to_do(tmp_path):
    with pytest.raises(
        UsageError, match=r"there is no step in this folder.*sinara pipeline create"
    ):
        find_steps(tmp_path)


def test_a_pattern_passes_over_what_is_no_step(folder):
    assert names(glob_steps(f"{folder}/*")) == ["p-load", "p-train"]


def test_several_patterns_are_joined(folder):
    assert names(glob_steps([f"{folder}/p-t*", f"{folder}/p-l*"])) == ["p-train", "p-load"]


def test_a_plain_folder_with_steps_stands_for_them(folder):
    assert names(glob_steps(str(folder))) == ["p-load", "p-train"]


def test_a_pattern_that_matches_no_step_is_told(folder):
    with pytest.raises(UsageError, match="no step matches"):
        glob_steps(f"{folder}/*.txt")
