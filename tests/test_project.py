"""The house around the package: the wheel, the links of the pages, the scripts, the notebooks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

import sinara

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted([*ROOT.glob("tools/*.sh"), ROOT / ".ci/run"])
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/**/README.md")])
PAGES = [
    page for page in PAGES if not {".venv", "demo", "_build"} & set(page.relative_to(ROOT).parts)
]
OWN_CODE = ("step_template", "examples")
NOTEBOOKS = sorted(path for folder in OWN_CODE for path in (ROOT / folder).rglob("*.ipynb"))
NOTEBOOKS = [path for path in NOTEBOOKS if ".ipynb_checkpoints" not in path.parts]
STEPS = [ROOT / "step_template", *sorted((ROOT / "examples").glob("*/*-*"))]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", build], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(folder / done.stdout.split()[-1]) as archive:
        return set(archive.namelist())


def test_the_wheel_brings_the_template_and_the_example(wheel):
    for step in STEPS:
        for name in (
            "params/step_params.json",
            "step.dev.py",
            "step.prod.py",
            ".gitignore",
            "README.md",
        ):
            assert f"sinara/data/{relative(step)}/{name}" in wheel
    assert "sinara/data/examples/digits/sinara.toml" in wheel
    assert "sinara/data/step_template/do_step.ipynb" in wheel
    assert "sinara/py.typed" in wheel


def test_the_wheel_brings_nothing_that_a_run_or_a_test_left_behind(wheel):
    litter = {"__pycache__", ".ipynb_checkpoints", "sinara_data", ".pytest_cache", ".git"}

    left = [name for name in wheel if litter & set(name.split("/"))]
    outside = [name for name in wheel if not name.startswith(("sinara/", "sinara-"))]

    assert left == []
    assert outside == []


def headings(page: Path) -> set[str]:
    """Return the anchors that a Markdown page offers, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ +(.+)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        if not target.exists() or (anchor and anchor not in headings(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_script_that_a_page_tells_to_run_is_there(page):
    commands = re.findall(r"bash ((?:tools/|\.ci/)\S+)", page.read_text("utf-8"))

    missing = [name for name in commands if not (ROOT / name.rstrip(".,;`)")).is_file()]

    assert missing == []


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text("utf-8")

    assert "\nbash tools/demo.sh" in text
    assert "\nbash tools/test.sh" in text


def test_the_changelog_has_an_entry_for_this_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert re.search(rf"^## \[(Unreleased|{re.escape(sinara.__version__)})\]", text, flags=re.M)


@pytest.mark.parametrize("script", SCRIPTS, ids=relative)
def test_a_script_is_sound_bash(script):
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True)

    assert done.stderr == ""
    assert script.read_text("utf-8").startswith(
        ("#!/usr/bin/env bash\n", "# shellcheck shell=bash\n")
    )
    assert os.access(script, os.X_OK) or script.name == "env.sh"  # that one is sourced


@pytest.mark.parametrize("script", SCRIPTS, ids=relative)
def test_shellcheck_finds_nothing(script):
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed (Debian: apt-get install shellcheck)")

    done = subprocess.run(
        ["shellcheck", "-x", "-P", str(ROOT), str(script)], cwd=ROOT, capture_output=True, text=True
    )

    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=relative)
def test_a_notebook_is_valid_and_saved_without_outputs(path):
    text = path.read_text("utf-8")
    notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)

    nbformat.validate(notebook)

    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    # as Jupyter saves it, so that saving it by hand makes no difference in Git
    assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=relative)
def test_a_notebook_has_one_cell_of_each_kind_that_sinara_looks_for(path):
    cells = nbformat.read(path, as_version=4).cells
    tags = [tag for cell in cells for tag in cell.metadata.get("tags", [])]

    assert tags.count("parameters") == 1
    assert tags.count("interface") == 1
    assert tags.count("business_report") >= 1


@pytest.mark.parametrize("step", STEPS, ids=relative)
def test_the_code_of_a_step_follows_the_style_guide(step):
    files = [
        str(path)
        for pattern in ("*.ipynb", "*.py", "tests/*.py")
        for path in sorted(step.glob(pattern))
    ]
    rules = ["--isolated", "--no-cache", "--preview", "--select=E,W", "--line-length=79"]

    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *rules, *files], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("step", STEPS[1:], ids=relative)
def test_a_step_of_the_example_has_the_files_of_the_template(step):
    template = STEPS[0]
    for name in ("step.dev.py", "step.prod.py", ".gitignore", ".gitattributes"):
        assert (step / name).read_text("utf-8") == (template / name).read_text("utf-8")
    for name in ("conftest.py", "tests/test_step.py", "README.md", "params/step_params.json"):
        assert (step / name).is_file()


def run_script(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script of this checkout with the interpreter that runs the tests."""
    environ = {**os.environ, "PYTHON": sys.executable, **variables}
    return subprocess.run(
        ["bash", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_the_demo_refuses_a_folder_that_holds_other_files(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me", "utf-8")

    done = run_script("tools/demo.sh", str(tmp_path))

    assert done.returncode == 2
    assert f"{tmp_path} holds other files" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "arguments", [("--nosuch",), ("one", "two")], ids=["unknown option", "two folders"]
)
def test_the_demo_answers_wrong_usage_with_one_line(arguments):
    done = run_script("tools/demo.sh", *arguments)

    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_without_a_python_that_is_new_enough_the_demo_says_what_to_install(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "git", "cat", "mkdir", "sed", "ls"):
        (tools / name).symlink_to(shutil.which(name) or name)

    done = run_script("tools/demo.sh", PATH=str(tools), PYTHON="", VENV=str(tmp_path / "venv"))

    assert done.returncode == 2
    assert "Python 3.11 or newer was not found" in done.stderr


def test_an_unknown_check_is_refused():
    done = run_script("tools/check.sh", "nosuch")

    assert done.returncode == 2
    assert "unknown check nosuch" in done.stderr
