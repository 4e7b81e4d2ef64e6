"""A pipeline that ran several times is cleaned, runs on, and can still be explained."""

from __future__ import annotations

import pytest

from tests.forge import store_of
from tests.steps import cell, notebook, sinara, write_step


@pytest.mark.slow
def test_after_a_clean_up_the_next_run_reads_and_the_last_one_is_explained(tmp_path):
    write = "import pandas as pd\nsubstep.write('{}', pd.DataFrame({{'x': [1, 2]}}))"
    load = write_step(
        tmp_path / "pipe-load",
        {"load.ipynb": notebook(cell(write.format("raw")), outputs=[{"ENTITY_NAME": "raw"}])},
    )
    train = write_step(
        tmp_path / "pipe-train",
        {
            "train.ipynb": notebook(
                cell("raw = substep.read('raw')"),
                cell(write.format("model")),
                inputs=[{"STEP_NAME": "load", "ENTITY_NAME": "raw"}],
                outputs=[{"ENTITY_NAME": "model"}],
            )
        },
    )
    for step in (load, train, load, load):
        assert sinara(step, "step", "run").returncode == 0
    newest, between, first = (word.commit.run_id for word in store_of(tmp_path, "load").words())

    done = sinara(load, "run", "clean", "--keep", "1", "--yes")

    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "of train was made from it" in rows[first]
    assert "deleted" in rows[between]
    assert "the newest that holds raw" in rows[newest]
    assert first in sinara(train, "why", "model").stdout
    assert sinara(train, "step", "run").returncode == 0
    assert newest in sinara(train, "why", "model").stdout
    assert sinara(load, "run", "verify").returncode == 0
