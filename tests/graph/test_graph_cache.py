"""Readings kept between two times: what changed is read again, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import nbformat
import pytest

from sinara.graph import cache
from sinara.graph.cache import cached_steps
from tests.steps import notebook, parameters, write_step

OLD = time.time() - 3600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two steps whose files are an hour old: only the time of their inodes is young."""
    for name in ("p-a", "p-b"):
        made = write_step(tmp_path / name, {"x.ipynb": notebook(outputs=[{"ENTITY_NAME": "x"}])})
        for path in made.rglob("*"):
            os.utime(path, (OLD, OLD))
    return tmp_path


@pytest.fixture
def read(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that reads both steps, and tells which of them were read anew."""
    anew: list[str] = []
    real = cache.read_step

    def counted(step: Path, *arguments, **options):
        anew.append(step.name)
        return real(step, *arguments, **options)

    monkeypatch.setattr(cache, "read_step", counted)
    monkeypatch.setattr(cache, "_RACY", -(10**18))  # else only what is two seconds old is kept

    def run(env: str | None = None, **options):
        anew.clear()
        readings = cached_steps(
            [folder / "p-a", folder / "p-b"], env, place=folder / "cache", **options
        )
        return readings, list(anew)

    return run


def test_what_did_not_change_is_not_read_again(read):
    first, anew = read()
    second, again = read()

    assert anew == ["p-a", "p-b"]
    assert again == []
    assert second == first


def test_a_notebook_that_changed_is_read_again(read, folder):
    read()
    nbformat.write(notebook(outputs=[{"ENTITY_NAME": "y"}]), folder / "p-b/x.ipynb")

    readings, anew = read()

    assert anew == ["p-b"]
    assert readings[1].substeps[0].interface.outputs == ("y",)


def test_a_change_that_leaves_size_and_time_as_they_were_is_seen(read, folder):
    read()
    path = folder / "p-b/x.ipynb"
    path.write_text(path.read_text().replace("'x'", "'z'"))
    os.utime(path, (OLD, OLD))

    readings, _ = read()

    assert readings[1].substeps[0].interface.outputs == ("z",)


def test_another_parameter_file_or_settings_file_is_seen(read, folder):
    read()
    (folder / "p-a/params/pipeline_params.json").write_text(
        '{"pipeline_params": {"pipeline_name": "new"}}'
    )
    readings, anew = read()
    assert anew == ["p-a"]
    assert readings[0].pipeline_name == "new"

    (folder / "sinara.toml").write_text("strict_params = true\n")
    assert read()[1] == ["p-a", "p-b"]


def test_another_env_is_another_reading(read):
    read()

    readings, anew = read("prod")

    assert anew == ["p-a", "p-b"]
    assert readings[0].env_name == "prod"


def test_what_changed_a_moment_ago_is_not_kept(read, monkeypatch):
    monkeypatch.setattr(cache, "_RACY", 10**18)
    read()

    assert read()[1] == ["p-a", "p-b"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"x": 1}', b"\xff\xfe", b'{"%s": {"places": 3}}']
)
def test_a_damaged_cache_is_read_as_empty(read, folder, content):
    first, _ = read()
    (file,) = (folder / "cache/graphs").iterdir()
    file.write_bytes(content.replace(b"%s", str(folder / "p-a").encode()))

    assert read() == (first, ["p-a", "p-b"])


def test_a_cache_that_cannot_be_written_changes_nothing(folder):
    (folder / "blocked").write_text("a file where a folder should be")

    (reading,) = cached_steps([folder / "p-a"], None, place=folder / "blocked")

    assert reading.step_name == "a"


def test_secrets_are_not_kept(read, folder):
    book = notebook()
    book.cells[0] = parameters(api_token="s3cr3t-value")
    nbformat.write(book, folder / "p-a/x.ipynb")
    read()

    (file,) = (folder / "cache/graphs").iterdir()

    assert "s3cr3t-value" not in file.read_text()
    assert "****" not in "".join(p.name for p in file.parent.iterdir())


def test_contracts_are_kept_as_they_were_read(read, folder):
    promise = {"columns": {"a": "int64"}, "key": ["a"]}
    reads = {"STEP_NAME": "a", "ENTITY_NAME": "x", "contract": promise}
    made = notebook(
        inputs=[reads], outputs=[{"ENTITY_NAME": "y", "contract": {"rows": {"min": 1}}}]
    )
    nbformat.write(made, folder / "p-b/x.ipynb")
    first, _ = read()

    second, again = read()

    assert again == []
    assert second == first
    assert len(second[1].substeps[0].interface.contracts) == 2
