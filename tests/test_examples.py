"""The examples: their manifests say what their notebooks declare, and make pipelines without a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinara.graph import read_graph
from sinara.manifest import read_manifest
from sinara.scaffold import create_pipeline
from tests.steps import run_script

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/pipeline.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_says_what_the_notebooks_declare_and_makes_a_pipeline_without_problems(
    name, tmp_path
):
    manifest = read_manifest(EXAMPLES / name / "pipeline.yaml")
    assert all(sub.interface for step in manifest.steps for sub in step.substeps)

    made = create_pipeline(manifest, tmp_path / name, None)

    assert {step.outcome for step in made} == {"made"}
    assert read_graph(tmp_path / name).problems == ()


@pytest.mark.slow
def test_the_two_branches_of_wine_join(tmp_path):
    made = create_pipeline(read_manifest(EXAMPLES / "wine/pipeline.yaml"), tmp_path / "wine", None)

    for step in made:
        done = run_script(Path(step.folder))
        assert done.returncode == 0, done.stderr

    (page,) = (tmp_path / "wine/sinara_data/user/wine/zone/compare/_runs").glob(
        "*/reports_compare_ipynb/business_report.html"
    )
    assert "image/png;base64" in page.read_text("utf-8")
