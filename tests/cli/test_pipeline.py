"""``sinara pipeline graph`` and ``check`` on a terminal: what is read is anybody's, what is printed is text."""

from __future__ import annotations

import os

import pytest

from tests.commands import command  # noqa: F401 - a fixture
from tests.steps import notebook, write_step

NASTY = "/data\x1b]0;title\x07\x1b[31m\u202e\nerror: forged"


@pytest.fixture
def folder(tmp_path):
    """A pipeline whose names and paths would turn, colour or retitle a terminal."""
    place = tmp_path / "steps"
    write_step(
        place / "p\x1b]0;t\x07",
        {"a.ipynb": notebook(custom_inputs=[{"ENTITY_NAME": "c", "ENTITY_PATH": NASTY}])},
        step_params={"step_name": "s"},
    )
    return place


@pytest.mark.parametrize("verb", ["graph", "check", "status", "pull"])
def test_what_a_terminal_would_obey_is_shown_as_an_escape(folder, command, verb):  # noqa: F811
    (folder / "p\x1b]0;t\x07" / "sinara.toml").write_text("nonsense = 1\n")

    said = command("pipeline", verb, "-C", str(folder))

    lines = (said.out + said.err).split("\n")
    assert all(line.isprintable() for line in lines), lines
    assert not any(line.startswith("error: forged") for line in lines)


def test_a_folder_whose_name_is_no_text_is_told_as_far_as_it_can_be(folder, command):  # noqa: F811
    (folder / "p\x1b]0;t\x07").rename(folder / os.fsdecode(b"p\xff"))

    assert command("pipeline", "graph", "-C", str(folder)).code == 0
