"""A step made from the template."""

from __future__ import annotations

import json

import pytest

from sinara.errors import BadNameError, UsageError
from sinara.scaffold import new_step, template_folder


def test_a_step_is_the_template_with_its_names_set(tmp_path):
    made = new_step("prep", "mine", tmp_path / "mine-prep", git=False)

    params = json.loads((made / "params" / "step_params.json").read_text())
    assert params["pipeline_params"]["pipeline_name"] == "mine"
    assert params["step_params"]["step_name"] == "prep"
    for name in ("do_step.ipynb", "step.dev.py", "step.prod.py", "README.md", ".gitignore"):
        assert (made / name).read_bytes() == (template_folder() / name).read_bytes()


def test_an_empty_folder_is_filled_and_one_with_something_in_it_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()

    assert (new_step("a", "p", tmp_path / "empty", git=False) / "step.dev.py").is_file()
    with pytest.raises(UsageError, match="something already"):
        new_step("a", "p", tmp_path / "full", git=False)


def test_a_bad_name_leaves_nothing_behind(tmp_path):
    with pytest.raises(BadNameError):
        new_step("../x", "p", tmp_path / "x", git=False)

    assert list(tmp_path.iterdir()) == []
