"""JSON and YAML to values: what is taken, and what is refused in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sinara.errors import ParamsError
from sinara.params.text import read_dict, read_values


@pytest.fixture
def read(tmp_path: Path):
    """A function that reads a text or bytes as a file of the given kind."""

    def read(content: str | bytes, suffix: str = ".json"):
        path = tmp_path / f"params{suffix}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_values(path, "params")

    return read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("off", "off"),
        ("y", "y"),
        ("010", "010"),
        ("0o17", "0o17"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("2025-01-31", "2025-01-31"),
        ("2025-01-31T12:00:00Z", "2025-01-31T12:00:00Z"),
        ("'9'", "9"),
        ('"\\ud83d"', None),
        ("9", 9),
        ("-0", 0),
        ("+7", 7),
        ("0x1F", 31),
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("!!str 9", "9"),
        ("!!int '9'", 9),
        ("!!float 9", 9.0),
        ("! 9", "9"),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
        ("<<", "<<"),
    ],
)
def test_a_yaml_scalar_is_read_by_the_core_schema(read, text, value):
    if text.startswith('"\\ud'):  # half a surrogate pair, which YAML has no text for
        with pytest.raises(ParamsError):
            read(f"a: {text}", ".yaml")
        return

    got = read(f"a: {text}", ".yaml")["a"]

    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("content", "suffix", "said"),
    [
        pytest.param("", ".json", "empty", id="empty json"),
        pytest.param("", ".yaml", "empty", id="empty yaml"),
        pytest.param("# nothing", ".yml", "empty", id="comment only"),
        pytest.param('{"a": 1,}', ".json", "comma after the last", id="trailing comma"),
        pytest.param("{'a': 1}", ".json", "double quotes", id="single quotes"),
        pytest.param('{"a": True}', ".json", "writes true, false", id="Python's true"),
        pytest.param('{"a": 1} // x', ".json", "takes no comments", id="comment"),
        pytest.param('{"a": 1', ".json", "Correct it", id="cut off"),
        pytest.param('{"a": 1, "a": 2}', ".json", "'a' is there twice", id="twice in json"),
        pytest.param("a: 1\na: 2", ".yaml", "params:2: the key 'a' is there twice", id="twice"),
        pytest.param('{"a": NaN}', ".json", "params.a: NaN", id="NaN"),
        pytest.param('{"a": [1, -Infinity]}', ".json", r"params.a\[1\]: NaN", id="infinity"),
        pytest.param('{"a": 1e999}', ".json", "params.a: NaN", id="overflow to infinity"),
        pytest.param("a: .nan", ".yaml", "params.a: NaN", id="yaml NaN"),
        pytest.param("a: -.inf", ".yaml", "params.a: NaN", id="yaml infinity"),
        pytest.param('{"a": 18446744073709551616}', ".json", "over 64 bits", id="65 bits"),
        pytest.param('{"a": ' + "9" * 5000 + "}", ".json", "over 64 bits", id="5000 digits"),
        pytest.param("a: " + "9" * 5000, ".yaml", "over 64 bits", id="5000 digits in yaml"),
        pytest.param("[" * 33 + "]" * 33, ".json", "deeper than 32", id="33 deep"),
        pytest.param("[" * 100_000, ".json", "deeper than 32", id="100,000 deep"),
        pytest.param("[" * 33 + "]" * 33, ".yaml", "deeper than 32", id="33 deep in yaml"),
        pytest.param("[" * 100_000, ".yaml", "deeper than 32", id="100,000 deep in yaml"),
        pytest.param("a: &x [1]\nb: *x", ".yaml", "params:2: an alias", id="alias"),
        pytest.param("a: !!python/object/apply:os.getcwd []", ".yaml", "tag", id="python tag"),
        pytest.param("a: !!binary YQ==", ".yaml", "tag", id="binary"),
        pytest.param("a: !!int x", ".yaml", "is no int", id="wrong tag"),
        pytest.param("a: 1\n---\nb: 2", ".yaml", "second document", id="two documents"),
        pytest.param("1: a", ".yaml", "the key 1 is not text", id="number as key"),
        pytest.param("? [a]\n: 1", ".yaml", "is not text", id="list as key"),
        pytest.param("a: [", ".yaml", "no YAML", id="open list"),
        pytest.param("a:\n\t- b", ".yaml", "params:2:1: no YAML", id="tab"),
        pytest.param('a: "\\UFFFFFFFF"', ".yaml", "no YAML", id="no character"),
        pytest.param('{"a": 1}'.encode("utf-16"), ".json", "UTF-16", id="utf-16"),
        pytest.param('{"a": 1}'.encode("utf-16-le"), ".json", "UTF-16", id="utf-16 without mark"),
        pytest.param("a: 1".encode("utf-32"), ".yaml", "UTF-16 or UTF-32", id="utf-32"),
        pytest.param(b'{"a":\n "\xff"}', ".json", "params:2: byte 0xff", id="latin-1"),
        pytest.param(b" " * 1_000_001, ".json", "larger than 1 MB", id="too large"),
        pytest.param("a = 1", ".toml", "not a .json, .yaml or .yml", id="toml"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(read, content, suffix, said):
    with pytest.raises(ParamsError, match=said) as raised:
        read(content, suffix)

    (line,) = raised.value.lines
    assert line.startswith("params")
    assert "\n" not in line
    assert len(line) < 300


def test_every_bad_value_of_a_file_is_told_at_once(read):
    with pytest.raises(ParamsError) as raised:
        read('{"a": NaN, "b": [1e999], "c": 99999999999999999999}')

    assert [line.partition(":")[0] for line in raised.value.lines] == [
        "params.a",
        "params.b[0]",
        "params.c",
    ]


def test_a_file_of_rubbish_does_not_fill_the_screen(read):
    with pytest.raises(ParamsError) as raised:
        read(json.dumps([float("nan")] * 10_000))

    assert len(raised.value.lines) == 51


def test_a_byte_order_mark_is_no_part_of_the_text(read):
    assert read(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert read(b"\xef\xbb\xbfa: 1", ".yaml") == {"a": 1}


def test_the_largest_and_deepest_that_is_allowed_is_read(read):
    assert read("[" * 32 + "]" * 32)
    assert read("[" * 32 + "]" * 32, ".yaml")
    assert read(f"[{2**64 - 1}, {-(2**63)}]") == [2**64 - 1, -(2**63)]


def test_brackets_inside_text_are_no_depth(read):
    assert read(json.dumps({"a": '"' + "[{" * 100})) == {"a": '"' + "[{" * 100}


def test_a_laugh_bomb_is_refused_before_it_grows(read):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )

    with pytest.raises(ParamsError, match="alias"):
        read(bomb, ".yaml")


def test_a_yaml_file_of_too_many_values_is_refused(read):
    with pytest.raises(ParamsError, match="more than 200000 values"):
        read("[" + "1," * 300_000 + "]", ".yaml")


def test_a_folder_a_pipe_and_a_missing_file_are_one_line_each(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()

    for name, said in (("pipe", "not a file"), ("folder", "not a file"), ("no", "cannot be read")):
        with pytest.raises(ParamsError, match=said):
            read_values(tmp_path / f"{name}.json")


def test_a_list_where_a_dictionary_is_wanted_is_one_line(tmp_path):
    (tmp_path / "a.json").write_text("[1]")

    with pytest.raises(ParamsError, match=r"a\.json: holds a list; it has to hold a dictionary"):
        read_dict(tmp_path / "a.json")


plain_text = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")) | st.just("\n"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | plain_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_json_and_yaml_of_one_value_are_read_as_that_value(tmp_path_factory, value):
    """Text is quoted: PyYAML leaves some bare that is a number by the core schema (``1e3``)."""
    folder = tmp_path_factory.getbasetemp()
    (folder / "v.json").write_text(json.dumps(value))
    (folder / "v.yaml").write_text(yaml.safe_dump(value, default_style='"'), encoding="utf-8")

    assert repr(read_values(folder / "v.json")) == repr(value)
    assert read_values(folder / "v.yaml") == value
