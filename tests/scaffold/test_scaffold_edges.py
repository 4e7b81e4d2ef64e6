"""Manifests and templates at the edges: notebooks that still run, or are refused before anything is made."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sinara.errors import ManifestError, RepositoryError, UsageError
from sinara.graph import read_graph
from sinara.hosting import open_host
from sinara.interface import CustomRef, InputRef, Interface
from sinara.manifest import SubstepPlan, chain, check_manifest, in_order, upstream
from sinara.scaffold import create_pipeline, new_step, template_folder
from sinara.scaffold.notebook import make_notebook
from tests.steps import run_script


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def manifest(folder: Path, *substeps, **more):
    steps = [{"step_name": "s", "substeps": list(substeps), **more}]
    return check_manifest({"pipeline_name": "p", "steps": steps}, "m", folder)


def cells(plan: SubstepPlan) -> dict[str, str]:
    made = json.loads(make_notebook(template_folder() / "do_step.ipynb", plan))
    return {cell["id"]: "".join(cell["source"]) for cell in made["cells"]}


@pytest.mark.parametrize("text", ["😀", "it's", '"', "\\", "a\nb", "\u2028", "é", "{x}", "\u202e"])
def test_a_text_of_a_manifest_is_the_same_text_in_the_notebook(text):
    interface = Interface((), ("e",), (CustomRef("c", f"/data/{text}"),))
    made = cells(SubstepPlan("n.ipynb", interface, {"note": text}))

    constants = {
        node.value
        for cell in ("parameters", "interface")
        for node in ast.walk(ast.parse(made[cell]))
        if isinstance(node, ast.Constant)
    }
    assert {text, f"/data/{text}"} <= constants


def test_two_inputs_of_one_name_are_told_apart():
    interface = Interface((InputRef("a", "x"), InputRef("a", "x", "prod", run_id="run-25-01-01-000000"), InputRef("b", "x")))  # fmt: skip

    source = cells(SubstepPlan("n.ipynb", interface))["read-inputs"]

    assert 'x = pd.read_parquet(substep.inputs(step_name="a")["x"])' in source
    assert (
        'substep.inputs(step_name="a", env_name="prod", run_id="run-25-01-01-000000")["x"]'
        in source
    )
    assert 'b_x = substep.read("x", step_name="b")' in source


@pytest.mark.slow
def test_entities_called_as_the_cells_own_names_do_not_break_them(tmp_path):
    words = ["len", "pd", "np", "random", "substep", "print", "class", "1a", "substep_params"]
    plan = manifest(tmp_path, {"substep_name": "n", "outputs": words},
                    {"substep_name": "sub/m", "inputs": [{"step_name": "s", "entity_name": w} for w in words]})  # fmt: skip

    (made,) = create_pipeline(plan, tmp_path / "p", None)

    assert run_script(Path(made.folder)).returncode == 0


@pytest.mark.parametrize(
    ("substeps", "told"),
    [
        ([{"substep_name": "tmp/n"}], "Git leaves out what is in a folder 'tmp'"),
        ([{"substep_name": "a/sinara_data/n"}], "Git leaves out"),
        ([{"substep_name": "README.md/n"}], "'README.md' is a file of the step"),
        ([{"substep_name": "readme.md/n"}], "'readme.md' is a file of the step"),
        ([{"substep_name": "n"}, {"substep_name": "n.ipynb/m"}], "'n.ipynb' is a file of the step"),
        ([{"substep_name": "n", "substep_params": {"a b": 1}}], "the parameter 'a b' is no Python name"),
        ([{"substep_name": "n", "substep_params": {"class": 1}}], "is a word of the Python language"),
    ],
)  # fmt: skip
def test_a_notebook_that_could_not_be_kept_or_run_is_refused_with_its_place(
    tmp_path, substeps, told
):
    with pytest.raises(ManifestError, match=r"steps\[0\]\.substeps\[\d\]") as caught:
        create_pipeline(manifest(tmp_path, *substeps), tmp_path / "p", None)

    assert told in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_thousand_steps_from_the_last_to_the_first_are_put_in_order():
    steps = [
        {"step_name": f"s{n}", "substeps": [{"substep_name": "n", "outputs": ["d"], "inputs":
            [{"step_name": f"s{n - 1}", "entity_name": "d"}] if n else []}]}
        for n in reversed(range(1200))
    ]  # fmt: skip

    plan = check_manifest({"pipeline_name": "p", "steps": steps}, "m", Path())

    assert [step.name for step in in_order(plan)] == [f"s{n}" for n in range(1200)]
    assert len(upstream(plan)["s1199"]) == 1199


def test_what_a_person_has_git_ignore_is_committed_all_the_same(tmp_path, private_machine):
    (private_machine / "ignore").write_text("*.ipynb\ntests/\n")
    (private_machine / ".gitconfig").write_text(
        f"[core]\n excludesFile = {private_machine}/ignore\n"
    )

    (made,) = create_pipeline(chain("p", ["a"]), tmp_path / "p", None)

    assert {"a.ipynb", "tests/test_step.py"} <= set(git(Path(made.folder), "ls-files").split("\n"))


def test_the_line_ends_that_a_person_wants_stop_nothing(tmp_path, private_machine):
    private_machine.joinpath(".gitconfig").write_text(
        "[user]\nname = a\nemail = a@b\n[core]\nautocrlf = true\nsafecrlf = true\n"
    )

    (made,) = create_pipeline(chain("p", ["s"]), tmp_path / "p", None)

    assert made.outcome == "made", made.text
    assert git(Path(made.folder), "status", "--porcelain") == ""


def test_without_git_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RepositoryError, match="Git is not installed"):
        create_pipeline(chain("p", ["s"]), tmp_path / "p", None)

    assert list(tmp_path.iterdir()) == []


def test_what_git_refuses_is_told_of_the_place_that_people_know(tmp_path, private_machine):
    private_machine.joinpath(".gitconfig").write_text(
        "[user]\nname = a\nemail = a@b\n[init]\ntemplateDir = ~/t\n"
    )
    (private_machine / "t/config").mkdir(parents=True)

    (made,) = create_pipeline(chain("p", ["s"]), tmp_path / "p", None)

    assert made.outcome == "failed"
    assert ".sinara-new-" not in made.text


def test_the_branch_that_a_person_is_on_is_not_pushed(tmp_path):
    host = open_host("local", str(tmp_path / "host"))
    plan = chain("p", ["a", "b"])
    create_pipeline(plan, tmp_path / "p", host)
    create_pipeline(chain("q", ["a"]), tmp_path / "q", None)
    for step in (tmp_path / "p/p-a", tmp_path / "q/q-a"):
        git(step, "switch", "--quiet", "--create", "private")
        git(step, "commit", "--quiet", "--allow-empty", "-m", "not for others")

    create_pipeline(plan, tmp_path / "p", host)
    create_pipeline(chain("q", ["a"]), tmp_path / "q", host)

    for name in ("p-a", "q-a"):
        bare = tmp_path / f"host/{name}.git"
        assert git(bare, "branch", "--format=%(refname:short)") == "main"
        assert git(bare, "rev-list", "--count", "main") == "1"


def test_commits_of_somebody_else_on_the_host_are_left_and_told(tmp_path):
    host = open_host("local", str(tmp_path / "host"))
    create_pipeline(chain("p", ["a"]), tmp_path / "theirs", host)
    git(tmp_path / "theirs/p-a", "commit", "--quiet", "--allow-empty", "-m", "theirs")
    git(tmp_path / "theirs/p-a", "push", "--quiet")
    before = git(tmp_path / "host/p-a.git", "rev-parse", "main")

    (made,) = create_pipeline(chain("p", ["a"]), tmp_path / "mine", host)

    assert made.outcome == "failed"
    assert "has other commits already" in made.text
    assert "sinara pipeline pull --name p" in made.text
    assert git(tmp_path / "host/p-a.git", "rev-parse", "main") == before


def own_template(folder: Path) -> Path:
    return Path(
        shutil.copytree(template_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    )


def test_a_template_is_taken_though_it_must_not_be_written(tmp_path):
    mine = own_template(tmp_path / "mine")
    for path in (*mine.rglob("*"), mine):
        path.chmod(path.stat().st_mode & ~0o222)

    (made,) = create_pipeline(manifest(tmp_path, template="mine"), tmp_path / "p", None)

    modes = [path.stat().st_mode for path in Path(made.folder).glob("*")]
    assert all(mode & 0o200 for mode in modes)
    for path in (mine, *(p for p in mine.rglob("*") if p.is_dir())):
        path.chmod(0o755)


def test_outputs_in_a_template_are_not_committed(tmp_path):
    notebook = own_template(tmp_path / "mine") / "do_step.ipynb"
    document = json.loads(notebook.read_text())
    document["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["canary"]}]  # fmt: skip
    notebook.write_text(json.dumps(document, indent=1))

    (made,) = create_pipeline(manifest(tmp_path, template="mine"), tmp_path / "p", None)

    assert "canary" not in git(Path(made.folder), "show", "HEAD:do_step.ipynb")
    (Path(made.folder) / "do_step.ipynb").touch()
    assert git(Path(made.folder), "status", "--porcelain") == ""


def test_a_template_with_room_for_the_steps_before_is_told_them(tmp_path):
    own_template(tmp_path / "mine")
    document = {"pipeline_name": "p", "steps": [
        {"step_name": "a", "substeps": [{"substep_name": "n", "outputs": ["x"]}]},
        {"step_name": "b", "template": "mine", "substeps": [{"substep_name": "do_step"}]}]}  # fmt: skip
    reads = json.loads((tmp_path / "mine/do_step.ipynb").read_text())
    for cell in reads["cells"]:
        cell["source"] = [line.replace('# {STEP_NAME: "data_load", ENTITY_NAME: "raw"}', '{STEP_NAME: "a", ENTITY_NAME: "x"}') for line in cell["source"]]  # fmt: skip
    (tmp_path / "mine/do_step.ipynb").write_text(json.dumps(reads))
    document["steps"][1]["substeps"][0] |= {
        "inputs": [{"step_name": "a", "entity_name": "x"}], "outputs": ["dataset"],
    }  # fmt: skip

    create_pipeline(check_manifest(document, "m", tmp_path), tmp_path / "p", None)

    assert 'STEPS_BEFORE = ["../p-a"]' in (tmp_path / "p/p-b/conftest.py").read_text()
    assert {step.name for step in read_graph(tmp_path / "p").steps} == {"a", "b"}


def test_a_template_that_holds_the_place_is_refused(tmp_path):
    own_template(tmp_path / "mine")

    with pytest.raises(ManifestError, match="would be made inside its template"):
        create_pipeline(manifest(tmp_path, template="mine"), tmp_path / "mine/p", None)

    assert not (tmp_path / "mine/p").exists()


def test_a_pipe_in_a_template_is_told_and_never_read(tmp_path):
    os.mkfifo(own_template(tmp_path / "mine") / "pipe")

    (made,) = create_pipeline(manifest(tmp_path, template="mine"), tmp_path / "p", None)

    assert made.outcome == "failed"
    assert "pipe: cannot be copied" in made.text
    assert not (tmp_path / "p/p-s").exists()


def test_a_single_step_is_made_undisturbed_beside_a_pipeline_that_is_made(tmp_path, monkeypatch):
    from sinara.scaffold import step as making

    def meanwhile(*arguments):
        create_pipeline(chain("q", ["a"]), tmp_path, None)
        return commit(*arguments)

    commit = making.commit
    with monkeypatch.context() as patch:
        patch.setattr(making, "commit", lambda *a: (patch.undo(), meanwhile(*a))[1])
        made = new_step("one", "p", tmp_path / "p-one")

    assert git(made, "rev-list", "--count", "HEAD") == "1"


def test_a_folder_that_somebody_holds_for_good_is_told(tmp_path, monkeypatch):
    from sinara.scaffold import beside

    monkeypatch.setattr(beside, "WAITING_SECONDS", 0.3)
    told: list[str] = []

    with (
        beside.alone_in(tmp_path),
        pytest.raises(UsageError, match="does not end"),
        beside.alone_in(tmp_path, told.append),
    ):
        pass

    assert len(told) == 1
