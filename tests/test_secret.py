from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest

from sinara.errors import ParamsError
from sinara.secret import (
    Secret,
    SecretRef,
    find_references,
    open_references,
    read_reference,
    resolve,
    resolve_all,
)

CANARY = "canary-7d1f"


@pytest.mark.parametrize(
    "show", [repr, str, "{}".format, "{:>20}".format, lambda s: f"{s!r}", lambda s: f"{[s]}"]
)
def test_no_way_of_printing_a_secret_shows_it(show):
    assert CANARY not in show(Secret(CANARY))
    assert "****" in show(Secret(CANARY))


def test_a_secret_gives_its_text_only_when_asked():
    assert Secret(CANARY).reveal() == CANARY


def test_a_secret_refuses_to_be_pickled():
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Secret(CANARY))


def test_a_secret_refuses_to_be_json():
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps({"token": Secret(CANARY)})


def test_a_secret_has_no_dictionary_that_a_debugger_could_print():
    assert not hasattr(Secret(CANARY), "__dict__")


def test_secrets_are_equal_as_their_texts_are():
    assert Secret("é\ud800") == Secret("é\ud800")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_copy_of_a_secret_is_the_secret():
    secret = Secret(CANARY)

    assert copy.deepcopy({"a": [secret]})["a"][0] is secret
    assert copy.copy(secret) is secret


def test_a_secret_is_made_of_text_only():
    with pytest.raises(TypeError, match="not of int"):
        Secret(5)


def test_a_secret_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("HUB_TOKEN", CANARY)

    assert Secret.from_env("HUB_TOKEN").reveal() == CANARY


def test_a_secret_is_read_from_a_file_without_its_last_line_end(tmp_path):
    (tmp_path / "token").write_bytes(b"\xef\xbb\xbf" + CANARY.encode() + b"\r\n")

    assert Secret.from_file(str(tmp_path / "token")).reveal() == CANARY


def test_a_relative_file_is_taken_from_the_folder(tmp_path):
    (tmp_path / "token").write_text(CANARY)

    assert resolve(SecretRef(file="token"), folder=tmp_path) == CANARY


@pytest.mark.parametrize(
    ("prepare", "reference", "said"),
    [
        pytest.param(lambda p: None, SecretRef(env="NOT_SET"), "NOT_SET is not set", id="not set"),
        pytest.param(lambda p: None, SecretRef(file="no"), "does not exist", id="no file"),
        pytest.param(lambda p: None, SecretRef(file="x" * 300), "too long", id="long name"),
        pytest.param(lambda p: (p / "d").mkdir(), SecretRef(file="d"), "does not exist", id="dir"),
        pytest.param(lambda p: (p / "e").touch(), SecretRef(file="e"), "is empty", id="empty"),
        pytest.param(
            lambda p: (p / "b").write_bytes(b"\xff\xfe\xfa"),
            SecretRef(file="b"),
            "UTF-8",
            id="bytes",
        ),
        pytest.param(
            lambda p: (p / "l").write_bytes(b"x" * 70_000),
            SecretRef(file="l"),
            "64 KiB",
            id="large",
        ),
    ],
)
def test_a_secret_that_cannot_be_read_is_one_line(tmp_path: Path, prepare, reference, said):
    prepare(tmp_path)

    with pytest.raises(ParamsError, match=said) as raised:
        resolve(reference, folder=tmp_path, environ={})

    assert len(raised.value.lines) == 1


def test_all_secrets_that_are_missing_are_told_at_once():
    with pytest.raises(ParamsError) as raised:
        resolve_all({"a": SecretRef(env="A"), "b": SecretRef(env="B")}, environ={}, where="x.ipynb")

    assert [line.split(" the ")[0] for line in raised.value.lines] == [
        "x.ipynb: parameter 'a':",
        "x.ipynb: parameter 'b':",
    ]


def test_resolving_gives_each_text_by_its_name():
    assert resolve_all({"a": SecretRef(env="A")}, environ={"A": CANARY}) == {"a": CANARY}


@pytest.mark.parametrize("value", ["$env", 5, None, [], {}, {"env": "A"}])
def test_what_is_no_reference_is_left_alone(value):
    assert read_reference(value) is None
    assert open_references(value) == value


@pytest.mark.parametrize(
    "value",
    [
        {"$env": CANARY, "x": 1},
        {"$env": 5},
        {"$env": "canary-7d1f!"},
        {"$file": ""},
        {"$file": "a\0"},
        {"$env": "A", "$file": "b"},
    ],
)
def test_a_malformed_reference_is_refused_and_not_shown(value):
    with pytest.raises(ParamsError) as raised:
        list(find_references({"deep": [value]}))

    assert raised.value.lines[0].startswith("deep[0]: ")
    assert CANARY not in str(raised.value)


def test_references_are_found_and_opened_wherever_they_are(monkeypatch):
    monkeypatch.setenv("A", CANARY)
    params = {"db": [{"password": {"$env": "A"}}], "n": 1}

    assert dict(find_references(params)) == {"db[0].password": SecretRef(env="A")}
    assert open_references(params)["db"][0]["password"] == Secret(CANARY)
    assert open_references(params)["n"] == 1


@pytest.mark.parametrize("reference", [SecretRef(env="A"), SecretRef(file="/run/a b'c")])
def test_a_reference_survives_its_json_form_and_its_code(reference):
    assert read_reference(reference.as_json()) == reference
    assert (
        eval(
            reference.code,
            {"from_env": lambda e: SecretRef(env=e), "from_file": lambda f: SecretRef(file=f)},
        )
        == reference
    )
