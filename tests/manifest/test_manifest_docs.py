"""What docs/pipelines.md shows is true."""

from __future__ import annotations

import re
from pathlib import Path

from sinara.manifest import read_manifest
from sinara.manifest.read import _STEP, _SUBSTEP, _TOP
from sinara.scaffold import create_pipeline

PAGE = (Path(__file__).parents[2] / "docs/pipelines.md").read_text("utf-8")


def test_the_manifest_on_the_page_makes_a_pipeline(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "m.yaml").write_text(text)

    made = create_pipeline(read_manifest(tmp_path / "m.yaml"), tmp_path / "wine", None)

    assert [step.outcome for step in made] == ["made", "made"]


def test_every_key_of_a_manifest_is_on_the_page_and_no_other():
    reference = PAGE[PAGE.index("## A manifest") :]

    rows = re.findall(r"^\| (`.*?) \|", reference, re.MULTILINE)
    told = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert told == {*_TOP, *_STEP, *_SUBSTEP}
