"""Settings: found upwards, checked whole, and the environment wins."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinara.errors import SettingsError
from sinara.settings import (
    Options,
    SinaraSettings,
    _SinaraSettings,
    default_step_name,
    get_user,
    load_settings,
)
from sinara.settings.amounts import bytes_text, parse_bytes


@pytest.fixture
def step(tmp_path: Path) -> Path:
    """The folder of a step, two below the folder that may hold settings."""
    folder = tmp_path / "pipeline" / "digits-train"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def write(tmp_path: Path):
    """A function that writes ``sinara.toml`` above the step."""

    def write(text: str | bytes, folder: Path = tmp_path) -> Path:
        file = folder / "sinara.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


def test_with_no_settings_the_data_lies_beside_the_steps(step):
    settings = load_settings(step, {})

    data = step.parent / "sinara_data"
    assert {name: env.root for name, env in settings.envs.items()} == {
        "user": str(data / "user"),
        "test": str(data / "test"),
        "prod": str(data / "prod"),
    }
    assert settings.env("user").tmp_root == str(data / "_tmp" / "user")
    assert (settings.file, settings.folder) == (None, step)
    assert (settings.cell_timeout, settings.start_timeout, settings.durability) == (
        None,
        60,
        "full",
    )
    assert not data.exists()


def test_the_nearest_file_above_the_step_is_read_and_relative_roots_count_from_it(step, write):
    write("strict_params = true\n[envs]\nuser = 'far'\n")
    near = write(
        "[envs]\nuser = 'data/../near'\nstage = { root = 's3://bucket/stage/' }\n", step.parent
    )

    settings = load_settings(step, {})

    assert settings.file == near
    assert settings.env("user").root == str(step.parent / "near")
    assert settings.env("stage").root == "s3://bucket/stage"
    assert settings.env("stage").tmp_root == str(step.parent / "sinara_data" / "_tmp" / "stage")
    assert settings.strict_params is False


def test_an_env_may_be_a_table(step, write, private_machine):
    write(
        "[envs.prod]\nroot = 's3://bucket/prod'\ntmp = '~/tmp'\n"
        "storage_options = { anon = false, client_kwargs = { endpoint_url = 'https://s3.org' } }\n"
    )

    env = load_settings(step, {}).env("prod")

    assert env.tmp_root == f"{private_machine}/tmp"
    assert env.storage_options == {
        "anon": False,
        "client_kwargs": {"endpoint_url": "https://s3.org"},
    }


@pytest.mark.parametrize(
    ("written", "root"),
    [
        ("~", "{home}"),
        ("~/data/", "{home}/data"),
        ("~root/data", "{here}/~root/data"),
        ("$HOME/data", "{here}/$HOME/data"),
        ("%HOME%", "{here}/%HOME%"),
        ("file:///srv/data", "/srv/data"),
        ("/srv//data/", "/srv/data"),
        ("simplecache::s3://b/x/", "simplecache::s3://b/x"),
    ],
)
def test_only_the_home_folder_is_expanded(step, write, private_machine, written, root):
    file = write(f"[envs]\nuser = {written!r}\n")

    found = load_settings(step, {}).env("user").root

    assert found == root.format(home=private_machine, here=file.parent)


def test_the_environment_wins_over_the_file(step, write):
    write("cell_timeout = 5\ndurability = 'fast'\n[envs]\nuser = 'data'\nmy-env = 'x'\n")

    settings = load_settings(
        step,
        {
            "SINARA_CELL_TIMEOUT": "600",
            "SINARA_RUN_TIMEOUT": "0",
            "SINARA_STRICT_SHELL": "Yes",
            "SINARA_PUBLISH": "request",
            "SINARA_ENV_USER": "/srv/user",
            "SINARA_TMP_USER": "~/tmp",
            "SINARA_ENV_MY_ENV": "s3://b/mine",
            "SINARA_ENV_LOAD": "/srv/load",
            "SINARA_ROW_SIZE": "",
            "SINARA_ENV_NAME": "prod",
            "SINARA_PLATFORM": "desktop",
            "SINARA_STEP_PARAMS_FILE_PATH": "params/x.json",
        },
    )

    assert (settings.cell_timeout, settings.run_timeout, settings.strict_shell) == (600, None, True)
    assert (settings.durability, settings.publish, settings.row_size) == (
        "fast",
        "request",
        1024 * 1024,
    )
    assert settings.env("user").root == "/srv/user"
    assert settings.env("user").tmp_root == f"{Path.home()}/tmp"
    assert settings.env("my-env").root == "s3://b/mine"
    assert settings.env("load").root == "/srv/load"
    assert sorted(settings.envs) == ["load", "my-env", "prod", "test", "user"]


def test_storage_options_follow_their_root(step, write):
    write("[envs.prod]\nroot = 's3://one'\nstorage_options = { profile = 'x' }\n")

    same = load_settings(step, {"SINARA_ENV_PROD": "s3://two"}).env("prod")
    other = load_settings(step, {"SINARA_ENV_PROD": "/srv/two"}).env("prod")

    assert same.storage_options == {"profile": "x"}
    assert other.storage_options == {}


SCALARS = {
    "strict_params": "true", "cell_timeout": "1.5", "run_timeout": "7", "start_timeout": "8",
    "max_cell_output": "9",
    "max_notebook_output": "10", "strict_shell": "false", "strict_files": "true", "legacy_in_prod": "1",
    "durability": "fast",
    "publish": "request", "dirty": "worktree", "row_size": "11", "block_size": "12", "row_drop": "0.5",
    "memory": "512 MiB", "cpu_seconds": "13", "retries": "2", "retry_on": "cell",
    "retry_wait": "0.5", "warm": "false", "preload": "numpy",
    "workers": "3", "memory_budget": "4 GB",
}  # fmt: skip


@pytest.mark.parametrize("key", list(Options.__dataclass_fields__))
def test_every_setting_can_stand_in_the_file_and_in_the_environment(step, write, key):
    word = SCALARS[key]
    bare = word.replace(".", "").isdigit() or word in {"true", "false"}
    write(f"{key} = {word if bare else repr(word)}\n")
    if key == "legacy_in_prod":
        write("legacy_in_prod = true\n")

    from_file = getattr(load_settings(step, {}), key)
    from_environ = getattr(
        load_settings(step.parent.parent.parent, {f"SINARA_{key.upper()}": word}), key
    )

    assert from_file == from_environ
    assert from_file != getattr(Options(), key)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("cel_timeout = 5", ["'cel_timeout' is not a setting. Did you mean 'cell_timeout'?"]),
        ("colour = 1", ["'colour' is not a setting. The settings are strict_params, "]),
        ("memory = 'much'", ["memory: 'much' is not an amount of memory, as in \"2 GB\""]),
        ("memory = '2 G'", ["memory: '2 G' is not an amount of memory"]),
        ("memory = '-2 GB'", ["memory: '-2 GB' is not an amount of memory"]),
        ("memory = -1", ["memory: -1 is not an amount of memory"]),
        ("memory = 1.5", ["memory: 1.5 is not an amount of memory"]),
        ("memory = inf", ["memory: inf is not an amount of memory"]),
        ("memory = true", ["memory: True is not an amount of memory"]),
        ("memory = ['2 GB']", ["memory: of type list is not an amount of memory"]),
        ("memory = '99999999 TB'", ["memory: '99999999 TB' is not an amount of memory"]),
        ("memory = 2", ["memory: 2 is less than 1 MB; write the unit, as in \"2 GB\""]),
        ("cpu_seconds = -1", ["cpu_seconds: -1 is not a number of seconds above 0"]),
        ("retries = -1", ["retries: -1 is not a whole number from 0 to 100"]),
        ("retries = 1.5", ["retries: 1.5 is not a whole number from 0 to 100"]),
        ("retries = nan", ["retries: nan is not a whole number from 0 to 100"]),
        ("retries = 'often'", ["retries: 'often' is not a whole number from 0 to 100"]),
        ("retries = true", ["retries: True is not a whole number from 0 to 100"]),
        ("retry_wait = -1", ["retry_wait: -1 is not a number of seconds from 0 to 86400"]),
        ("retry_wait = inf", ["retry_wait: inf is not a number of seconds from 0 to 86400"]),
        ("retry_on = 5", ["retry_on: 5 is not a list of words"]),
        ("retry_on = ['cell', 5]", ["retry_on: of type list is not a list of words"]),
        ("retry_on = ['interrupted']", ["retry_on: 'interrupted' is never tried again; the causes"]),
        ("retry_on = ['stopped']", ["retry_on: 'stopped' is never tried again; the causes are"]),
        ("retry_on = ['params']", ["retry_on: 'params' is never tried again; the causes are"]),
        ("retry_on = ['kernel dead']",
        ["retry_on: 'kernel dead' is not a cause of a failure. Did you mean 'kernel died'?"]),
        ("retry_on = ['']", ["retry_on: '' is not a cause of a failure. The causes are kernel died"]),
        ("warm = 'hot'", ["warm: 'hot' is not true or false"]),
        ("preload = 5", ["preload: 5 is not a list of words"]),
        ("preload = ['sk learn']", ["preload: 'sk learn' is not the name of a module, as in"]),
        ("preload = ['.x']", ["preload: '.x' is not the name of a module"]),
        ("preload = ['a.class']", ["preload: 'a.class' is not the name of a module"]),
        ("substeps = 5", ["substeps: 5 is not a table. Write [substeps.\"train.ipynb\"]"]),
        ("[substeps.train.ipynb]\nretries = 1",
        ["substeps: substep name 'train' cannot be used: it must end in .ipynb or .py. Write it as in"]),
        ("[substeps]\n'a.ipynb' = 5", ["substeps.'a.ipynb': 5 is not a table"]),
        ("[substeps.'../a.ipynb']\nretries = 1", ["substeps: substep name '../a.ipynb' cannot be used"]),
        ("[substeps.'a.ipynb']\nretrys = 1",
        ["substeps.'a.ipynb': 'retrys' is not a setting of a substep. Did you mean 'retries'?"]),
        ("[substeps.'a.ipynb']\nwarm = true", ["substeps.'a.ipynb': warm holds for all substeps"]),
        ("[substeps.'s/a.ipynb']\nmemory = 1\nretries = 'x'",
        ["substeps.'s/a.ipynb': memory: 1 is less than 1 MB", "substeps.'s/a.ipynb': retries: 'x'"]),
        ("cell_timeout = 'soon'", ["cell_timeout: 'soon' is not a number of seconds above 0"]),
        ("cell_timeout = true", ["cell_timeout: True is not a number"]),
        ("cell_timeout = nan", ["cell_timeout: nan is not a number of seconds above 0"]),
        ("start_timeout = 0", ["start_timeout: 0 is not a number of seconds above 0"]),
        ("max_cell_output = 1.5", ["max_cell_output: 1.5 is not a whole number of bytes above 0"]),
        ("strict_params = 'maybe'", ["strict_params: 'maybe' is not true or false"]),
        ("durability = 'best'", ["durability: 'best' is not one of full, fast"]),
        ("envs = 'x'", ["envs: 'x' is not a table. Write [envs] and one line per env."]),
        ("[envs]\n'../x' = '/srv'", ["envs: env name '../x' cannot be used"]),
        ("[envs]\nuser = 7", ["envs.user: 7 is not a path or a URL"]),
        ("[envs]\nuser = ''", ["envs.user: '' is not a path or a URL"]),
        ("[envs]\nuser = \"a\\nb\"", ["envs.user: 'a\\nb' holds a control character"]),
        ("[envs.user]\nrot = '/srv'",
        ["envs.user: 'rot' is not a setting of an env. Did you mean 'root'?"]),
        ("[envs]\nMy_env = '/a'\nmy-env = '/b'",
        ["env names 'My_env' and 'my-env' would share one folder"]),
        ("[envs]\nprod = 's3://key:secret@bucket'",
        ["envs.prod: a URL must not hold a user or a password"]),
        (
            "colour = 1\nrow_size = 0\n[envs]\ntest = 1",
            ["'colour' is not a setting", "row_size: 0 is not a whole number",
            "envs.test: 1 is not a path"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_said_with_file_and_key_all_at_once(step, write, text, lines):
    file = write(text)

    with pytest.raises(SettingsError) as raised:
        load_settings(step, {})

    assert len(raised.value.lines) == len(lines)
    for said, expected in zip(raised.value.lines, lines, strict=True):
        assert said.startswith(f"{file}: {expected}")
        assert said.isprintable()


@pytest.mark.parametrize(
    "options",
    [
        "key = 'AKIA'", "secret = 'x'", "token = 'x'", "password = 'x'",
        "aws_secret_access_key = 'x'",
        "aws_access_key_id = 'AKIA'", "connection_string = 'x'", "account_key = 'x'",
        "accountKey = 'x'",
        "client_kwargs = { aws_session_token = 'x' }", "config = { a = { credentials = 'x' } }",
    ],
)  # fmt: skip
def test_a_secret_in_the_file_is_refused(step, write, options):
    write(f"[envs.prod]\nroot = 's3://bucket'\nstorage_options = {{ {options} }}\n")

    with pytest.raises(
        SettingsError, match="looks like a secret: keep it out of the file"
    ) as raised:
        load_settings(step, {})

    assert "AKIA" not in str(raised.value)


def test_words_that_are_no_secrets_may_stand_in_the_file(step, write):
    write("[envs.prod]\nroot = 'gs://b'\nstorage_options = { token = 'anon', use_token = true }\n")

    assert load_settings(step, {}).env("prod").storage_options["token"] == "anon"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = ", "is not TOML: Invalid value (at end of document)"),
        (b"a = 1\na = 2\n", "is not TOML"),
        ("user = 'ж'".encode("cp1251"), "byte 8 is not UTF-8"),
        ("strict_params = true".encode("utf-16"), "byte 0 is not UTF-8"),
        (b"x = " + b"[" * 5000, "is not TOML"),
        (b"#" * 1_000_001, "larger than 1000000 bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(step, write, content, said):
    file = write(content)

    with pytest.raises(SettingsError) as raised:
        load_settings(step, {})

    (line,) = raised.value.lines
    assert line.startswith(f"{file}: ")
    assert said in line


def test_a_file_with_a_byte_order_mark_is_read(step, write):
    write(b"\xef\xbb\xbfstrict_params = true\n")

    assert load_settings(step, {}).strict_params


def test_a_folder_named_like_the_file_is_passed_over(step, write):
    (step / "sinara.toml").mkdir()
    file = write("")

    assert load_settings(step, {}).file == file


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_an_error(step, write):
    write("").chmod(0)

    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(step, {})


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("SINARA_CELL_TIMEOUT", "soon",
        "SINARA_CELL_TIMEOUT: 'soon' is not a number of seconds above 0"),
        ("SINARA_CELL_TIMOUT", "5",
        "SINARA_CELL_TIMOUT is not a setting. Did you mean 'SINARA_CELL_TIMEOUT'?"),
        ("SINARA_ENV_USER", "data", "SINARA_ENV_USER: 'data' is not an absolute path or a URL"),
        ("SINARA_ENV__X", "/data",
        "SINARA_ENV__X: env name '_x' cannot be used: it must begin with "
                                   "a letter or a digit"),
        ("SINARA_TMP_USER", "\n", "SINARA_TMP_USER: '\\n' is not a path or a URL"),
        ("SINARA_RETRY_ON", "kernel died,coffee",
        "SINARA_RETRY_ON: 'coffee' is not a cause of a failure. The causes are kernel died, timeout, "
        "memory, cpu limit, cell, early exit, outputs."),
        ("SINARA_PRELOAD", "numpy,1x",
        "SINARA_PRELOAD: '1x' is not the name of a module, as in \"sklearn.linear_model\""),
        ("SINARA_RETRIE", "2", "SINARA_RETRIE is not a setting. Did you mean 'SINARA_RETRIES'?"),
        ("SINARA_DIRTY", "WORKTREE", "SINARA_DIRTY: 'WORKTREE' is not one of refuse, worktree"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_environment_is_said_with_its_variable(step, variable, value, line):
    with pytest.raises(SettingsError) as raised:
        load_settings(step, {variable: value})

    assert raised.value.lines == (line,)


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
TABLES = st.dictionaries(st.text(), st.text() | st.integers())


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.dictionaries(
        st.sampled_from([*Options.__dataclass_fields__, "envs", "x"]),
        ANYTHING | st.lists(st.integers()) | TABLES,
    )
)
def test_any_table_gives_settings_or_lines_and_nothing_else(table):
    from sinara.settings.load import _from_file

    lines: list[str] = []
    options, _ = _from_file(Path("/x/sinara.toml"), table, lines)

    assert all(line.startswith("/x/sinara.toml: ") and "\n" not in line for line in lines)
    assert set(options) <= set(Options.__dataclass_fields__)


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.dictionaries(
        st.sampled_from(["a.ipynb", "s/a.py", "a", "../a.py", "\n.py"]) | st.text(),
        st.dictionaries(st.sampled_from([*Options.__dataclass_fields__, "x"]), ANYTHING) | ANYTHING,
    )
    | ANYTHING
)
def test_any_table_of_substeps_gives_options_or_lines_and_nothing_else(table):
    from sinara.settings.options import OF_A_SUBSTEP, read_substeps

    lines: list[str] = []
    found = read_substeps(Path("/x/sinara.toml"), table, (), lines)

    assert all(line.startswith("/x/sinara.toml: substeps") and "\n" not in line for line in lines)
    assert {name for options in found.values() for name in options} <= set(OF_A_SUBSTEP)


def test_a_substep_has_settings_of_its_own_and_those_of_its_step_win(step, write):
    write(
        "retries = 1\ncell_timeout = 5\n"
        "[substeps.'train.ipynb']\nmemory = '2 GB'\nretries = 3\ncell_timeout = 0\n"
        "[substeps.'model_train/train.ipynb']\nretries = 2\nretry_on = ['cell']\n"
    )

    settings = load_settings(step, {})

    here, there = (settings.for_substep(s, "train.ipynb") for s in ("model_train", "other"))
    assert (here.retries, here.retry_on, here.memory) == (2, ("cell",), 2_000_000_000)
    assert (there.retries, there.retry_on, there.memory) == (
        3,
        ("kernel died", "timeout"),
        2_000_000_000,
    )
    assert there.cell_timeout is None
    assert settings.for_substep("model_train", "eval.ipynb") == settings


def test_the_environment_wins_over_the_table_of_a_substep(step, write):
    write("[substeps.'a.ipynb']\nretries = 3\nmemory = '1 GB'\n")

    options = load_settings(step, {"SINARA_RETRIES": "0"}).for_substep("s", "a.ipynb")

    assert (options.retries, options.memory) == (0, 1_000_000_000)


def test_lists_in_the_environment_stand_between_commas(step):
    settings = load_settings(
        step, {"SINARA_RETRY_ON": "timeout, cell,timeout", "SINARA_PRELOAD": "sklearn.svm,numpy"}
    )

    assert settings.retry_on == ("timeout", "cell")
    assert settings.preload == ("sklearn.svm", "numpy")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2 GB", 2 * 10**9),
        ("2gb", 2 * 10**9),
        (" 512 MiB ", 512 * 2**20),
        ("1.5 GiB", 3 * 2**29),
        ("536870912", 2**29),
        ("800 kB", 800_000),
        ("0", 0),
        ("2 G", None),
        ("1e9", None),
        ("", None),
        ("GB", None),
        ("٢ GB", None),
    ],
)
def test_memory_is_written_with_its_unit(text, count):
    assert parse_bytes(text) == count


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=10**15))
def test_an_amount_that_is_shown_is_nearly_the_one_that_was_given(count):
    shown = bytes_text(count)

    assert abs((parse_bytes(shown) or 0) - count) <= count / 100
    assert len(shown) <= 11


def test_what_was_written_in_whole_units_is_shown_so():
    written = ["2 GB", "512 MiB", "1.5 GiB", "900 kB", "1 TB"]

    assert [bytes_text(parse_bytes(text) or 0) for text in written] == written


def test_an_env_that_is_not_known_is_named_with_those_that_are(step):
    settings = load_settings(step, {})

    with pytest.raises(
        SettingsError, match="env 'prd' is not known; the envs are user, test, prod"
    ) as raised:
        settings.env("prd")

    assert "Did you mean 'prod'?" in str(raised.value)
    with pytest.raises(SettingsError, match="Add it under"):
        settings.env("x")


@pytest.mark.parametrize(
    ("environ", "user"),
    [
        ({"DSML_USER": "a", "SINARA_USER": "b", "NB_USER": "c"}, "a"),
        ({"DSML_USER": "", "SINARA_USER": "b", "NB_USER": "c"}, "b"),
        ({"NB_USER": "c"}, "c"),
    ],
)
def test_the_user_is_named_by_the_environment(step, environ, user):
    assert get_user(environ) == user
    assert load_settings(step, environ).user == user


def test_without_a_variable_the_user_is_the_login_name(monkeypatch):
    monkeypatch.delenv("NB_USER", raising=False)

    assert get_user() == get_user({}) == getpass.getuser()


def test_a_user_with_a_number_and_no_name_still_has_one():
    code = (
        "import os, pwd; os.environ.clear(); pwd.getpwuid = lambda uid: {}[uid]\n"
        "from sinara.settings import get_user; print(get_user())"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == f"uid{os.getuid()}"


def test_the_originals_settings_class_answers_for_the_current_folder(step, monkeypatch):
    monkeypatch.chdir(step)
    monkeypatch.setenv("SINARA_ENV_PROD", "/srv/prod")
    monkeypatch.setenv("NB_USER", "ann")

    assert _SinaraSettings is SinaraSettings
    assert SinaraSettings.get_user() == "ann"
    assert SinaraSettings.get_env_path("prod") == "/srv/prod"
    assert SinaraSettings.get_data_paths()["prod"] == "/srv/prod"
    assert SinaraSettings.get_tmp_path("user") == str(step.parent / "sinara_data/_tmp/user")
    assert SinaraSettings.get_tmp_paths()["user"] == SinaraSettings.get_tmp_path("user")
    assert SinaraSettings.get_default_step_name() == "train"
    with pytest.raises(SettingsError):
        SinaraSettings.get_env_path("nowhere")


@pytest.mark.parametrize(
    ("folder", "name"), [("digits-train", "train"), ("a-b-c", "b-c"), ("train", None), ("x-", None)]
)
def test_a_step_is_named_by_what_follows_the_first_dash_of_its_folder(folder, name):
    assert default_step_name(Path("/work") / folder) == name


@pytest.mark.parametrize(
    ("root", "said"), [("/", "is the top of the disk"), ("s3://", "names no bucket or folder")]
)
def test_a_root_that_is_no_place_of_its_own_is_refused(step, root, said):
    with pytest.raises(SettingsError, match=said):
        load_settings(step, {"SINARA_ENV_USER": root})
