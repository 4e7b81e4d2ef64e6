"""Step files in all their forms, joined into one value."""

from __future__ import annotations

import glob
import json
import os
from pathlib import Path
from typing import Any

import pytest

from sinara.errors import ParamsError
from sinara.params import StepParams, globs, load_step_params
from sinara.secret import SecretRef

STEP_FILE = "params/step_params.json"
TRAIN = {"substep_name": "train.ipynb", "substep_params": {"lr": 0.1, "n": 2}}


def document(**changes: Any) -> dict[str, Any]:
    """A step file that is right, with some of its keys replaced, or left out where None."""
    whole: dict[str, Any] = {
        "pipeline_params": {"env_name": "test", "pipeline_name": "house", "X": 1},
        "step_params": {"Y": 2},
        "substeps_params": [TRAIN],
    }
    return {key: value for key, value in (whole | changes).items() if value is not None}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a step, with a step file in it."""
    step = tmp_path / "house-train-model"
    write(step, STEP_FILE, document())
    return step


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def load(folder: Path, globs: Any = STEP_FILE, *rest: Any, **options: Any) -> StepParams:
    return load_step_params(globs, *rest, folder=folder, **options)


def lines(folder: Path, *args: Any, **options: Any) -> tuple[str, ...]:
    with pytest.raises(ParamsError) as raised:
        load(folder, *args, **options)
    return raised.value.lines


def test_a_step_file_becomes_one_value(folder):
    params = load(folder)

    assert params.step.key == "test/house/zone/train-model"
    assert params.pipeline_params == {"env_name": "test", "pipeline_name": "house", "X": 1}
    assert params.step_params == {"Y": 2}
    (train,) = params.substeps
    assert (train.name, train.params, train.from_notebook) == (
        "train.ipynb",
        TRAIN["substep_params"],
        False,
    )
    assert params.files == (folder / STEP_FILE,)
    assert (params.kernel_name, params.verbose_output, params.strict) == (None, False, False)


def test_the_same_file_in_yaml_is_the_same(folder):
    import yaml

    write(folder, "params/step_params.yaml", yaml.safe_dump(document()))

    one, other = load(folder), load(folder, "params/step_params.yaml")

    assert (one.pipeline_params, one.step_params) == (other.pipeline_params, other.step_params)
    assert one.substeps[0].params == other.substeps[0].params


def test_what_is_left_out_has_a_default(folder):
    write(folder, STEP_FILE, document(pipeline_params={"pipeline_name": "p"}, step_params=None))

    params = load(folder)

    assert (params.env_name, params.zone_name, params.step_name) == ("user", "zone", "train-model")
    assert params.step_params == {}


def test_the_env_of_the_script_wins_over_the_file(folder):
    params = load(folder, env_name="prod")

    assert (params.env_name, params.pipeline_params["env_name"]) == ("prod", "prod")


def test_an_empty_env_is_none(folder):
    params = load(folder, env_name="")

    assert (params.env_name, params.pipeline_params["env_name"]) == ("test", "test")


def test_an_env_by_set_that_the_script_contradicts_is_an_error(folder):
    (line,) = lines(folder, env_name="prod", overrides=["pipeline.env_name=user"])

    assert line.startswith("--set pipeline.env_name=user")
    assert "'prod'" in line
    assert load(folder, env_name="prod", overrides=["env_name=prod"]).env_name == "prod"


def test_step_params_are_read_where_sinara_uses_them(folder):
    step = {"step_name": "s", "kernel_name": "k", "verbose_output": True, "strict_params": True}
    write(folder, STEP_FILE, document(step_params=step))

    params = load(folder)

    assert (params.step_name, params.kernel_name) == ("s", "k")
    assert params.verbose_output
    assert params.strict


def test_the_kernel_may_be_named_for_the_whole_pipeline(folder):
    write(folder, STEP_FILE, document(pipeline_params={"pipeline_name": "p", "kernel_name": "k"}))

    assert load(folder).kernel_name == "k"


@pytest.mark.parametrize("name", [None, ""])
def test_names_that_are_empty_are_left_out(folder, name):
    pipeline = {"pipeline_name": "p", "env_name": name, "zone_name": name}
    step = {"step_name": name, "kernel_name": name, "verbose_output": name}
    write(folder, STEP_FILE, document(pipeline_params=pipeline, step_params=step))

    params = load(folder)

    assert params.step.key == "user/p/zone/train-model"
    assert (params.kernel_name, params.verbose_output) == (None, False)


def test_strict_comes_from_the_settings_unless_the_step_says_otherwise(folder):
    assert load(folder, strict_default=True).strict
    write(folder, STEP_FILE, document(step_params={"strict_params": False}))
    assert not load(folder, strict_default=True).strict


def test_an_older_key_for_the_values_is_read(folder):
    write(
        folder, STEP_FILE, document(substeps_params=[{"substep_name": "a.py", "params": {"x": 1}}])
    )

    assert load(folder).substeps[0].params == {"x": 1}


@pytest.mark.parametrize(
    "name", ["train.params.json", "params/train.params.json", "params/train.params.yaml"]
)
@pytest.mark.parametrize(
    "listed", ["train.ipynb", ["train.ipynb"], [{"substep_name": "train.ipynb"}]]
)
def test_a_plain_name_takes_its_values_from_a_file_of_its_own(folder, name, listed):
    write(folder, STEP_FILE, document(substeps_params=listed))
    write(folder, name, {"lr": 3})

    params = load(folder)

    assert params.substeps[0].params == {"lr": 3}
    assert params.substeps[0].source == name
    assert params.files[-1] == folder / name


def test_the_oldest_form_with_one_notebook_and_one_file_is_read(folder):
    write(folder, STEP_FILE, document(substeps_params="train.ipynb"))
    write(folder, "ci_params.json", {"lr": 4})

    assert load(folder).substeps[0].params == {"lr": 4}


def test_a_plain_name_without_a_file_leaves_the_values_to_the_notebook(folder):
    write(folder, STEP_FILE, document(substeps_params=["train.ipynb"]))

    (train,) = load(folder).substeps

    assert (train.params, train.from_notebook, train.source) == ({}, True, "")


def test_a_broken_file_of_a_plain_name_is_one_line(folder):
    write(folder, STEP_FILE, document(substeps_params=["train.ipynb"]))
    write(folder, "train.params.json", "[1]")

    assert lines(folder) == ("train.params.json: holds a list; it has to hold a dictionary.",)


def test_two_files_for_one_plain_name_are_an_error(folder):
    write(folder, STEP_FILE, document(substeps_params=["train.ipynb"]))
    write(folder, "train.params.json", {})
    write(folder, "params/train.params.json", {})

    (line,) = lines(folder)

    assert "train.params.json, params/train.params.json" in line


@pytest.mark.parametrize("globs", [None, "params/pipeline_params.json", ["over/*.json", "no/*"]])
def test_a_pipeline_file_replaces_the_pipeline_params_of_the_step(folder, globs):
    overlay = {"pipeline_params": {"pipeline_name": "other"}}
    write(
        folder, "over/p.json" if isinstance(globs, list) else "params/pipeline_params.json", overlay
    )

    params = load(folder, STEP_FILE, globs)

    assert params.pipeline_params == {"pipeline_name": "other"}
    assert len(params.files) == 2


def test_a_pipeline_file_without_its_one_key_is_an_error(folder):
    write(folder, "params/pipeline_params.json", {"pipeline_parms": {}})

    assert "Is it misspelt as 'pipeline_parms'?" in lines(folder)[0]


def test_no_file_is_an_error_that_says_what_is_there(folder):
    (line,) = lines(folder, "params/step_param.json")

    assert "There is params/step_params.json. Did you mean 'params/step_params.json'?" in line


def test_several_files_are_an_error_that_lists_them(folder):
    write(folder, "params/other.json", document())

    (line,) = lines(folder, ["params/*.json", "params/step*"])

    assert "matches 2 files: params/other.json, params/step_params.json" in line


def test_a_pattern_that_matches_one_file_twice_is_no_clash(folder):
    assert (
        load(folder, ["params/*.json", STEP_FILE, str(folder / STEP_FILE)]).pipeline_name == "house"
    )


@pytest.mark.parametrize("globs", ["", [], [5], ["a\0"], "x" * 5000])
def test_a_pattern_that_is_none_is_one_line(folder, globs):
    assert len(lines(folder, globs)) == 1


@pytest.mark.parametrize("name", ["{a}", "%s", "$x", "a b", "é✓", "[ab]", "*"])
def test_the_name_of_the_step_folder_is_no_pattern(tmp_path, name):
    step = tmp_path / name
    write(step, STEP_FILE, document(step_params={"step_name": "s"}))

    assert load(step, "params/*.json").step_name == "s"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"pipeline_params": {}}, "'pipeline_name' is missing. Add it.", id="no pipeline"
        ),
        pytest.param(
            {"pipeline_params": {"pipelin_name": "x"}},
            "Is it misspelt as 'pipelin_name'?",
            id="near miss",
        ),
        pytest.param({"pipeline_params": []}, "holds a list, not a dictionary", id="no dictionary"),
        pytest.param({"step_params": "x"}, "holds 'x', not a dictionary", id="text for dictionary"),
        pytest.param({"substeps_params": None}, "'substeps_params' is missing", id="no substeps"),
        pytest.param({"substeps_params": []}, "at least one substep", id="empty list"),
        pytest.param({"substeps_params": {"a": 1}}, "at least one substep", id="dictionary"),
        pytest.param({"substeps_params": [5]}, r"\[0\]: 5: write a name", id="number"),
        pytest.param({"substeps_params": [{}]}, "'substep_name' is missing", id="no name"),
        pytest.param({"substeps_params": [{"substep_name\t": "x"}]}, "not text.$", id="tab in key"),
        pytest.param(
            {"substeps_params": [{"substep_nam": "x"}]},
            "Is it misspelt as 'substep_nam'?",
            id="typo",
        ),
        pytest.param(
            {"substeps_params": [TRAIN | {"substep_params": [1]}]},
            "holds a list",
            id="list of values",
        ),
        pytest.param(
            {"substeps_params": [TRAIN | {"params": {}}]}, "both are there", id="both keys"
        ),
        pytest.param(
            {"substeps_params": ["../x.ipynb"]}, "substep name '../x.ipynb'", id="traversal"
        ),
        pytest.param({"substeps_params": ["/x.ipynb"]}, "substep name", id="absolute"),
        pytest.param({"substeps_params": ["x.txt"]}, "end in .ipynb or .py", id="suffix"),
        pytest.param({"substeps_params": [TRAIN, TRAIN]}, "is given twice", id="twice"),
        pytest.param(
            {"substeps_params": ["a-b.ipynb", "a_b.ipynb"]}, "would share one folder", id="fold"
        ),
        pytest.param(
            {"pipeline_params": {"pipeline_name": "a/b"}},
            "pipeline_params.pipeline_name",
            id="name",
        ),
        pytest.param(
            {"pipeline_params": {"pipeline_name": "p", "env_name": 5}},
            "env name 5",
            id="env number",
        ),
        pytest.param({"step_params": {"kernel_name": 5}}, "kernel_name: 5", id="kernel"),
        pytest.param(
            {"step_params": {"t": {"$env": 5}}},
            "step_params.t: a reference to a secret",
            id="secret",
        ),
        pytest.param({"step_params": {"strict_params": "yes"}}, "true or false", id="strict"),
    ],
)
def test_what_is_wrong_with_a_step_file_is_one_line(folder, changes, said):
    import re

    write(folder, STEP_FILE, document(**changes))

    found = lines(folder)

    assert len(found) == 1
    assert found[0].startswith(STEP_FILE)
    assert re.search(said, found[0])


def test_everything_wrong_with_a_step_file_is_told_at_once(folder):
    write(
        folder, STEP_FILE, document(pipeline_params=5, step_params=[], substeps_params=["a", {}, 7])
    )

    assert len(lines(folder)) == 5


def test_an_unknown_key_is_a_warning_and_an_error_where_the_step_is_strict(folder):
    write(folder, STEP_FILE, document(step_parms={}))

    (warning,) = load(folder).warnings

    assert "unknown key 'step_parms'" in warning
    assert "Did you mean 'step_params'?" in warning
    assert lines(folder, strict_default=True) == (warning,)


def test_secrets_of_pipeline_and_step_are_known(folder):
    write(folder, STEP_FILE, document(step_params={"hub": {"token": {"$env": "T"}}}))

    assert load(folder).secrets == {"step_params.hub.token": SecretRef(env="T")}


def test_loading_does_not_depend_on_the_working_folder(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = load(Path(os.path.relpath(folder)))

    assert relative.step_name == "train-model"


def set_all(folder: Path, *overrides: str, **options: Any) -> StepParams:
    return load(folder, overrides=overrides, **options)


@pytest.fixture
def two(folder: Path) -> Path:
    """A step with two substeps; the second has an ``lr``, too."""
    other = {"substep_name": "nb/eval.ipynb", "substep_params": {"lr": 1, "model": {"depth": 3}}}
    write(folder, STEP_FILE, document(substeps_params=[TRAIN, other, "plain.ipynb"]))
    return folder


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9", 9),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("true", True),
        ("null", None),
        ("", None),
        ("NO", "NO"),
        ("http://x?a=b", "http://x?a=b"),
        ("a: b # c", "a: b # c"),
        ("*x", "*x"),
        ("[1, a]", [1, "a"]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
        ("{$env: T}", {"$env": "T"}),
        ("'9'", "9"),
        (" 9 ", 9),
    ],
)
def test_a_value_by_set_is_typed_as_in_yaml(folder, text, value):
    got = set_all(folder, f"n={text}").substeps[0].params["n"]

    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("override", "get"),
    [
        ("pipeline.X=9", lambda p: p.pipeline_params["X"]),
        ("pipeline_params.X=9", lambda p: p.pipeline_params["X"]),
        ("X=9", lambda p: p.pipeline_params["X"]),
        ("step.Y=9", lambda p: p.step_params["Y"]),
        ("Y=9", lambda p: p.step_params["Y"]),
        ("n=9", lambda p: p.substeps[0].params["n"]),
        ("train.n=9", lambda p: p.substeps[0].params["n"]),
        ("train.ipynb.n=9", lambda p: p.substeps[0].params["n"]),
        ("eval.lr=9", lambda p: p.substeps[1].params["lr"]),
        ("nb/eval.ipynb.lr=9", lambda p: p.substeps[1].params["lr"]),
        ("model.depth=9", lambda p: p.substeps[1].params["model"]["depth"]),
        ("eval.model.width=9", lambda p: p.substeps[1].params["model"]["width"]),
        ("plain.anything=9", lambda p: p.substeps[2].params["anything"]),
    ],
)
def test_a_value_by_set_finds_its_place(two, override, get):
    assert get(set_all(two, override)) == 9


def test_an_override_touches_nothing_else(two):
    before, after = load(two), set_all(two, "eval.model.depth=9")

    assert after.substeps[0] == before.substeps[0]
    assert after.substeps[1].params == {"lr": 1, "model": {"depth": 9}}
    assert load(two).substeps[1].params["model"] == {"depth": 3}


def test_a_new_name_is_marked_for_the_check_against_the_notebook(two):
    params = set_all(two, "train.n=1", "train.new=010", "plain.p=x")

    assert params.substeps[0].added == {"new"}
    assert params.substeps[0].texts == {("n",): "1", ("new",): "010"}
    assert params.substeps[2].added == {"p"}
    assert params.substeps[2].from_notebook


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("lr=9", "'lr' is in several places. Say which: train.lr, eval.lr."),
        ("pipeline.Z=9", "unknown parameter 'Z'; allowed: X, env_name, pipeline_name, zone_name."),
        ("step.kernel_nam=9", "Did you mean 'kernel_name'?"),
        ("nowhere=9", "unknown parameter 'nowhere'; allowed: "),
        ("mode=9", "Did you mean 'model'?"),
        ("evall.lr=9", "'evall'; the places are pipeline, step, train, eval, plain."),
        ("evall.lr=9", "Did you mean 'eval'?"),
        ("n.depth=9", "'n' is no dictionary in params/step_params.json"),
        ("novalue", "write it as name=value"),
        ("=9", "write it as name=value"),
        ("train..n=9", "an empty part between dots"),
        ("n=[1", "but is none"),
        ("n=.nan", "NaN or infinity"),
        ("n=99999999999999999999", "over 64 bits"),
        ("n=['\udcff']", "but is none"),
        ("n=" + "[" * 40 + "]" * 40, "deeper than 32"),
    ],
)
def test_an_override_with_no_place_or_no_value_is_one_line(two, override, said):
    (line,) = lines(two, overrides=[override])

    assert line.startswith("--set ")
    assert said in line


def test_a_name_that_no_file_has_belongs_to_the_only_substep(folder):
    (train,) = set_all(folder, "seed=9").substeps

    assert (train.params["seed"], train.added) == (9, {"seed"})


def test_all_wrong_overrides_are_told_at_once(two):
    assert len(lines(two, overrides=["nowhere=1", "lr=9", "pipeline.Z=1"])) == 3


def test_a_broken_value_is_not_shown_because_it_may_be_a_secret(two):
    (line,) = lines(two, overrides=["train.token={$env: canary"])

    assert "canary" not in line


def test_a_name_that_only_a_notebook_knows_can_be_set_by_its_name(two):
    names = {"plain.ipynb": ["seed"]}

    params = set_all(two, "seed=9", names_of=lambda substep: names.get(substep, ()))

    assert params.substeps[2].params == {"seed": 9}


def test_a_parameters_file_is_laid_over_and_set_wins_over_it(two):
    one = write(two, "one.yaml", "train: {lr: 5, n: 5}\npipeline_params: {X: 5}\nY: 5\n")
    other = write(two, "other.json", {"n": 6, "substeps_params": {"eval": {"lr": 6}}})
    listed = write(
        two,
        "listed.json",
        {"substeps_params": [{"substep_name": "plain.ipynb", "substep_params": {"a": 7}}]},
    )

    params = load(two, params_files=[one, other, listed], overrides=["X=8"])

    assert params.substeps[0].params == {"lr": 5, "n": 6}
    assert params.substeps[1].params["lr"] == 6
    assert params.substeps[2].params == {"a": 7}
    assert (params.pipeline_params["X"], params.step_params["Y"]) == (8, 5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"substeps_params": {"no": {}}}, "the step has no substep 'no'"),
        ({"substeps_params": 5}, "write it as"),
        ({"nowhere": 1}, "unknown parameter 'nowhere'"),
        ("[", "no JSON"),
        ([1], "has to hold a dictionary"),
    ],
)
def test_a_wrong_parameters_file_is_one_line(two, content, said):
    path = write(two, "over.json", content)

    (line,) = lines(two, params_files=[path])

    assert said in line
    assert line.startswith(str(path))


def test_a_later_value_forgets_what_was_typed_for_an_earlier_one(two):
    params = set_all(two, "train.n=010", "train.n=[1]")

    assert params.substeps[0].texts == {("n",): "[1]"}


def test_a_path_is_taken_as_well_as_its_text(folder):
    assert load(folder, Path(STEP_FILE)).pipeline_name == "house"
    assert load(folder, [folder / STEP_FILE]).pipeline_name == "house"


@pytest.mark.parametrize("globs", [None, 3, "", [], [None], {}])
def test_what_is_no_pattern_at_all_is_one_line(folder, globs):
    (line,) = lines(folder, globs)

    assert line.endswith("give a file, a pattern or a list of them, as text.")


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_a_folder_or_a_broken_link_in_place_of_the_file_is_told(folder, make):
    (folder / STEP_FILE).unlink()
    make(folder / STEP_FILE)

    (line,) = lines(folder)

    assert "is no file that can be read" in line


def test_a_missing_name_is_never_called_misspelt_as_one_that_is_right(folder):
    write(folder, STEP_FILE, document(pipeline_params={"env_name": "test"}))
    write(folder, "null.json", {**document(), "substeps_params": None})

    assert lines(folder)[0].endswith("'pipeline_name' is missing. Add it.")
    assert lines(folder, "null.json")[0].endswith("the list of notebooks to run.")


@pytest.mark.parametrize(
    "pattern", ["/**/nowhere.json", "**/nowhere.json", "*/" * 30 + "nowhere.json"]
)
def test_a_pattern_that_leads_through_everything_or_in_circles_ends(folder, pattern, monkeypatch):
    monkeypatch.setattr("sinara.params.globs._MOST", 2000)
    for name in ("a", "b"):
        (folder / name).symlink_to(".")

    (line,) = lines(folder, pattern)

    assert "more than 2000 files, or too deep ones. Name the file." in line


def test_a_pattern_through_links_to_themselves_and_very_deep_folders_ends(folder):
    (folder / "self").symlink_to("self")
    deep = [f"{folder}{'/a' * depth}" for depth in range(1, 1500)]
    for place in deep:
        os.mkdir(place)  # noqa: PTH102 - pathlib is slow at such depths

    (line,) = lines(folder, "**/nowhere.json")
    for place in reversed(deep):  # too deep for what tidies up after tests
        os.rmdir(place)  # noqa: PTH106

    assert "too deep ones. Name the file." in line


@pytest.mark.parametrize(
    "pattern",
    ["**", "**/*.json", "*", "p*/*", "params/**", ".*/*", "**/.*", "[p]arams/s?ep*", "./params/../*/*.json", "no/*", "x[", "**/params/**/*.json"],
)  # fmt: skip
def test_a_pattern_matches_what_glob_matches(tmp_path, pattern):
    for name in (
        "params/step_params.json",
        "params/deep/er/a.json",
        ".hid/b.json",
        "params/.h",
        "x[",
        "c",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")

    wanted = {tmp_path / name for name in glob.glob(pattern, root_dir=tmp_path, recursive=True)}  # noqa: PTH207 - what it is compared with

    found = {path.resolve() for path in globs._matches(pattern, tmp_path)}
    assert found == {path.resolve() for path in wanted if path.is_file()}
    assert {path.resolve() for path in globs._matches(str(tmp_path / pattern), tmp_path)} == found
