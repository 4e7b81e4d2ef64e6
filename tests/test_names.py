"""Names: one grammar, one line per broken rule, run ids that never meet."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara import names
from sinara.errors import BadNameError

STEP = names.StepName("user", "digits", "zone", "train")
RUN_ID = "run-26-11-21-050000-000123-9f86d081"
FROZEN = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)

_CLIMBS = [
    "..", "../x", "../../etc/passwd", "a/../../b", "..\\x", "..\\..\\x", "a\\..\\b", "./x", ".",
    "...",
    "%2e", "%2e%2e", "%2e%2e%2f", "%252e%252e", "%252e%252e%252f", "%c0%ae%c0%ae", "..%2f",
    "..%5c", "..%255c",
    "..;/", "..%00/", "..%0d/", "....//", "..../", "..../\\", "/..", "\\..", "~", "~/x", "~root",
    "$HOME",
    "${HOME}", "$(id)", "`id`", "/etc/passwd", "/", "//", "\\", "\\\\host\\share", "//host/share",
    "\\\\?\\C:\\x",
    "C:", "C:\\x", "c:/x", "Z:x", "file://x", "file:///etc/passwd", "FILE://x", "s3://bucket",
    "http://x",
    "https://x", "memory://x", "data:x", "local:x", "zip::x", "a:b", ":", "a::b",
    "C:\\Windows\\win.ini",
]  # fmt: skip
_CHARACTERS = [
    "\0", "a\0b", "a\0.ipynb\0", "\n", "a\nb", "a\r\nb", "a\n", "\na", "\t", "a\tb", "\x0b",
    "\x1b[31m", "\x7f",
    "\x85", "\xa0", "\xad", "a\u2028b", "a\u2029b", "\ufeffa", "\u200bx", "a\u200d", "\u202eabc",
    "abc\u202e",
    "\u2066abc\u2069", "\u200f", "\u061c", "a\u2044b", "a\u2215b", "a\u29f8b", "a\uff0fb",
    "a\uff3cb", "\uff0e\uff0e",
    "\u2024\u2024", "\u2025", "\u2026", "\u3002", "\u2216", "\ud800", "a\udcffb", "\U000e0041",
    "\U0001f600",
    "*", "a*", "?", "a?b", "[", "[a]", "a[", "]", "{a}", "{a,b}", "!", "!a", "#", "a#b", "&",
    "a&b", ";", "a;b", "|",
    "a|b", "<", ">", "a>b", "'", '"', "a'b", 'a"b', "`", "^", "a^b", "@", "a@b", "@{", "a@{0}",
    "=", "a=b", "+",
    "a+b", ",", "a,b", "(", ")", "a (1)", "$", "a$b", "%", "a%b", " ", " a", "a ", "a  b", "~a",
    "a~1",
]  # fmt: skip
_SHAPES = [
    "", "-", "-a", "--help", "-rf", "_", "_a", "__init__", ".a", ".git", ".ssh", ".hidden", "a.",
    "a..b", "a...b",
    "..a", "a..", "_SUCCESS", "_CLAIM", "_commits", "_runs", "_trash", "a" * 101, "a" * 256,
    "a" * 100_000,
    "." * 256, "/" * 256, "é" * 128, "\u202e" * 256,
    "CON", "con", "Con", "PRN", "prn", "AUX", "aux", "NUL", "nul", "COM0", "COM1", "com9", "LPT1",
    "lpt9", "LPT0",
    "con.", "nul.txt", "aux.ipynb.", "CON ", "CONIN$", "CONOUT$", "COM¹",
]  # fmt: skip
_WRAPPED = [
    f"{left}{evil}{right}"
    for evil in (
        "..",
        "%2e%2e",
        "%252e",
        "\\",
        "\0",
        "\n",
        "\u2215",
        "C:",
        "file://",
        "*",
        "[",
        "~",
        "\u202e",
    )
    for left, right in (
        ("a/", "/b"),
        ("a", "/../b"),
        ("", "\\b"),
        ("/", ""),
        ("a/./", ""),
        ("./", ""),
        (" ", " "),
    )
]
_REPEATED = [
    f"{'../' * depth}{target}"
    for depth in (1, 2, 5, 20)
    for target in ("x", "etc/shadow", ".bashrc", "")
]
_NOT_TEXT = [None, 7, 1.5, True, b"name", ["a"], {"a": 1}, ("a",), object(), 10**5000]
PAYLOADS = list(dict.fromkeys([*_CLIMBS, *_CHARACTERS, *_SHAPES, *_WRAPPED, *_REPEATED]))

TAKES_A_NAME = {
    "check_name env": lambda name: names.check_name("env", name),
    "check_name pipeline": lambda name: names.check_name("pipeline_name", name),
    "check_name entity": lambda name: names.check_name("entity", name),
    "check_name run_id": lambda name: names.check_name("run_id", name),
    "check_run_id": names.check_run_id,
    "run_id_time": names.run_id_time,
    "StepName env": lambda name: names.StepName(name, "p", "z", "s"),
    "StepName pipeline": lambda name: names.StepName("e", name, "z", "s"),
    "StepName zone": lambda name: names.StepName("e", "p", name, "s"),
    "StepName step": lambda name: names.StepName("e", "p", "z", name),
    "entity_folder": names.entity_folder,
    "full_name": lambda name: names.full_name(STEP, name),
    "entity_url entity": lambda name: names.entity_url("/data", STEP, RUN_ID, name),
    "entity_url run": lambda name: names.entity_url("/data", STEP, name, "model"),
    "run_url": lambda name: names.run_url("/data", STEP, name),
    "image_name run": lambda name: names.image_name("", STEP, name),
    "image_name entity": lambda name: names.image_name("", STEP, RUN_ID, name),
    "check_name substep": lambda name: names.check_name("substep", name),
    "check_name substep folder": lambda name: names.check_name("substep", f"{name}/train.ipynb"),
    "reports_entity": names.reports_entity,
}  # fmt: skip
TAKES_TEXT = {
    "StepName.from_key": lambda text: names.StepName.from_key(text),
    "parse_full_name": names.parse_full_name,
    "parse_entity_url": names.parse_entity_url,
    "from_key part": lambda text: names.StepName.from_key(f"user/digits/{text}/train"),
    "parse_full_name part": lambda text: names.parse_full_name(f"user.digits.zone.{text}.model"),
    "parse_entity_url folder": lambda text: names.parse_entity_url(f"/data/p/z/s/{RUN_ID}/{text}"),
    "parse_entity_url step": lambda text: names.parse_entity_url(
        f"/data/p/z/{text}/{RUN_ID}/model"
    ),
}
# What the grammar of substeps allows in a part of a path, and the strictest grammar does not.
GOOD_FOLDERS = {
    "a  b",
    "_",
    "_a",
    "__init__",
    "_SUCCESS",
    "_CLAIM",
    "_commits",
    "_runs",
    "_trash",
    "a" * 101,
    "é",
}


@pytest.mark.parametrize("function", TAKES_A_NAME)
def test_no_hostile_name_passes_any_function_that_takes_a_name(function):
    assert len(PAYLOADS) >= 300
    for payload in PAYLOADS:
        if function == "check_name substep folder" and payload in GOOD_FOLDERS:
            continue
        with pytest.raises(BadNameError) as raised:
            TAKES_A_NAME[function](payload)

        (line,) = raised.value.lines
        assert line.isprintable(), payload
        assert len(line) < 300, payload
        assert "cannot be used" in line, payload


@pytest.mark.parametrize("function", TAKES_TEXT)
def test_no_hostile_text_passes_any_function_that_takes_names_apart(function):
    # a trailing / on a URL is not a name, and neither is text that adds up to the right parts
    for payload in [
        text for text in PAYLOADS if text not in {"", "/", "//", "/" * 256} or "url" not in function
    ]:
        with pytest.raises(BadNameError):
            TAKES_TEXT[function](payload)


@pytest.mark.parametrize("kind", ["env", "entity", "substep", "run_id"])
def test_what_is_no_text_is_no_name(kind):
    for value in _NOT_TEXT:
        with pytest.raises(BadNameError, match="it must be text"):
            names.check_name(kind, value)


@pytest.mark.parametrize(
    ("kind", "name", "line"),
    [
        ("step", "a b",
        "step name 'a b' cannot be used: ' ' is not one of letters a-z A-Z, digits, _ and -"),
        ("zone_name", "", "zone name '' cannot be used: it is empty"),
        ("entity", "a..b",
        "entity name 'a..b' cannot be used: a dot must stand alone between other characters"),
        ("env", "-x", "env name '-x' cannot be used: it must begin with a letter or a digit"),
        ("env", "nul", "env name 'nul' cannot be used: Windows keeps it for a device"),
        ("substep", "train.txt",
        "substep name 'train.txt' cannot be used: it must end in .ipynb or .py"),
        ("run_id", "x", "run id 'x' cannot be used: it must be run-YY-MM-DD-HHMMSS and then only "
                        "letters, digits, _ - and single dots"),
    ],
)  # fmt: skip
def test_the_line_says_which_rule_is_broken_and_shows_the_name(kind, name, line):
    with pytest.raises(BadNameError) as raised:
        names.check_name(kind, name)

    assert raised.value.lines == (line,)


def test_a_long_name_is_shown_short():
    with pytest.raises(BadNameError, match=r"'a{60}'… \(100000 characters\)"):
        names.check_name("step", "a" * 100_000)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("env", "user"), ("pipeline", "My_pipe-line2"), ("zone", "2024"), ("step", "a" * 100),
        ("step", "console"),
        ("entity", "train.set.v2"), ("entity", "reports.train.ipynb"), ("entity", "a-"),
        ("entity", "com10"),
        ("substep", "train.ipynb"), ("substep", "sub dir/my model_v1.2.py"), ("substep",
        "обучение.ipynb"),
        ("substep", "cafe\u0301.ipynb"), ("substep", "_helper.py"), ("run_id",
        "run-25-01-01-000000"),
        ("run_id", RUN_ID), ("run_id", "run-25-01-01-000000_retry.2"),
    ],
)  # fmt: skip
def test_good_names_come_back_as_they_are(kind, name):
    assert names.check_name(kind, name) == name


@pytest.mark.parametrize(
    "name",
    [".ipynb", "a/.ipynb", "a/.py", "/train.ipynb", "a//b.ipynb", "a/ b.ipynb", "a /b.ipynb",
    "-a.ipynb", "nul.ipynb",
     "sub/con.py", "a..ipynb", "../a.ipynb", "a/../b.ipynb", "a\\b.ipynb", "a" * 200 + ".ipynb",
     "a.IPYNB", "tr\nain.py"],
)  # fmt: skip
def test_a_substep_is_a_path_inside_its_step(name):
    with pytest.raises(BadNameError):
        names.check_name("substep", name)


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (("a.b", "a_b"), "would share one folder"),
        (("Train", "train"), "would share one folder"),
        (("a-b", "a_b"), "would share one folder"),
        (("stra\u00dfe", "STRASSE"), "would share one folder"),
        (("caf\u00e9", "cafe\u0301"), "would share one folder"),
        (("a", "a"), "is given twice"),
    ],
)
def test_names_that_some_file_system_takes_for_one_are_refused_together(pair, said):
    with pytest.raises(BadNameError, match=said) as raised:
        names.check_distinct("entity", ["other", *pair])

    assert len(raised.value.lines) == 1


def test_distinct_names_may_stand_together():
    names.check_distinct("entity", ["a", "b", "ab", "a_b", "train", "training"])


# -- run ids ---------------------------------------------------------------------------------


def test_a_run_id_is_a_docker_tag_a_git_tag_and_begins_as_the_originals(tmp_path):
    run_id = names.new_run_id()

    assert re.fullmatch(r"run-\d\d-\d\d-\d\d-\d{6}-\d{6}-[0-9a-f]{8}", run_id)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", run_id)
    subprocess.run(["git", "check-ref-format", f"refs/tags/{run_id}"], check=True)


def test_a_run_id_names_its_moment_in_utc():
    east = timezone(timedelta(hours=9))

    run_id = names.new_run_id(
        lambda: datetime(2026, 1, 1, 3, 4, 5, 678, east), lambda n: b"\xab" * n
    )

    assert run_id == "run-25-12-31-180405-000678-abababab"
    assert names.run_id_time(run_id) == datetime(2025, 12, 31, 18, 4, 5, 678, UTC)


def test_run_ids_increase_while_the_clock_stands_still_or_goes_back():
    moments = (
        [FROZEN] * 1000
        + [FROZEN - timedelta(hours=1)] * 1000
        + [FROZEN + timedelta(seconds=1)] * 10
    )
    clock = iter(moments)
    tick = lambda: next(clock)  # noqa: E731 - one clock, read many times

    made = [names.new_run_id(tick) for _ in moments]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_one_clock_does_not_move_another():
    names.new_run_id(lambda: datetime(2098, 1, 1, tzinfo=UTC))

    assert names.run_id_time(names.new_run_id()).year < 2098


MOMENTS = st.datetimes(
    datetime(2000, 1, 1), datetime(2099, 12, 31, 23, 59, 59), timezones=st.just(UTC)
)


@given(MOMENTS, MOMENTS)
def test_run_ids_sort_as_their_moments(one, other):
    made = [names.new_run_id(lambda: one), names.new_run_id(lambda: other)]

    assert [names.run_id_time(run_id) for run_id in made] == [one, other]
    if one != other:
        assert (made[0] < made[1]) == (one < other)


@pytest.mark.parametrize("year", [1999, 2100])
def test_a_clock_out_of_the_century_is_an_error(year):
    with pytest.raises(BadNameError, match=f"in the year {year}"):
        names.new_run_id(lambda: datetime(year, 6, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "value",
    [
        "run-25-02-30-000000",
        "run-25-13-01-000000",
        "run-25-01-01-250000",
        "run-25-01-01-0000001",
        "run-25-01-01-000000.lock",
        "run-25-01-01-000000..1",
        "run-25-01-01-000000" + "-a" * 60,
        "RUN-25-01-01-000000",
    ],
)
def test_a_run_id_names_a_moment_that_exists(value):
    with pytest.raises(BadNameError):
        names.check_run_id(value)


def test_the_originals_run_ids_are_read_to_the_second():
    assert names.run_id_time("run-25-01-31-235958") == datetime(2025, 1, 31, 23, 59, 58, tzinfo=UTC)
    assert names.run_id_time("run-25-01-31-235958-nightly") == datetime(
        2025, 1, 31, 23, 59, 58, tzinfo=UTC
    )


def _frozen() -> datetime:
    return FROZEN


def _make_many(count: int) -> list[str]:
    return [names.new_run_id(_frozen) for _ in range(count)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_eight_processes_under_one_frozen_clock_never_make_one_id_twice(method):
    mine = _make_many(12_500)  # a child that inherits our bits would repeat these

    with multiprocessing.get_context(method).Pool(8) as pool:
        made = [
            run_id for many in pool.map(_make_many, [12_500] * 8, chunksize=1) for run_id in many
        ]

    assert len(set(made)) == 100_000
    assert not set(made) & set(mine)


def test_threads_of_one_process_never_make_one_id_twice():
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(_make_many(2_000))) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 16_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_forked_while_the_lock_is_held_still_makes_ids():
    held, let_go = threading.Event(), threading.Event()

    def slow_clock() -> datetime:
        if threading.current_thread() is holder:
            held.set()
            let_go.wait(20)
        return FROZEN

    holder = threading.Thread(target=lambda: names.new_run_id(slow_clock))
    holder.start()
    held.wait(20)
    child = os.fork()
    if child == 0:
        os._exit(0 if names.new_run_id(slow_clock) else 1)
    _, status = os.waitpid(child, 0)
    let_go.set()
    holder.join()

    assert os.waitstatus_to_exitcode(status) == 0


# -- names joined ------------------------------------------------------------------------------

PLAIN = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True).filter(
    lambda name: not re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", name)
)
ENTITIES = st.lists(PLAIN, min_size=1, max_size=4).map(".".join)
STEPS = st.builds(names.StepName, PLAIN, PLAIN, PLAIN, PLAIN)


@given(STEPS, ENTITIES)
def test_a_full_name_comes_apart_as_it_was_joined(step, entity):
    assert names.parse_full_name(names.full_name(step, entity)) == (step, entity)
    assert names.StepName.from_key(step.key) == step


@given(
    STEPS,
    ENTITIES,
    st.sampled_from(["/", "/data", "s3://bucket", "memory://", "s3://b/deep/root", "data"]),
)
def test_an_entity_url_comes_apart_as_it_was_joined(step, entity, root):
    url = names.entity_url(root, step, RUN_ID, entity)

    assert url.startswith(root)
    assert names.parse_entity_url(url) == names.EntityAddress(
        "memory:/" if root == "memory://" else root, step.pipeline, step.zone, step.step, RUN_ID,
        entity.replace(".", "_"),
    )  # fmt: skip


def test_an_entity_url_is_the_original_path_of_the_entity():
    assert (
        names.entity_url("/data/", STEP, RUN_ID, "train.set")
        == f"/data/digits/zone/train/{RUN_ID}/train_set"
    )
    assert names.run_url("s3://b", STEP, RUN_ID) == f"s3://b/digits/zone/train/{RUN_ID}"
    assert names.parse_entity_url(f"file:///data/p/z/s/{RUN_ID}/m/").root == "/data"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        f"p/z/s/{RUN_ID}/m",
        f"/data/../p/z/s/{RUN_ID}/m",
        f"/da\nta/p/z/s/{RUN_ID}/m",
        f"/data/p/z/s/{RUN_ID}/a.b",
        "/data/p/z/s/m/run-1",
    ],
)
def test_what_is_no_entity_url_is_refused(url):
    with pytest.raises(BadNameError):
        names.parse_entity_url(url)


def test_a_step_says_all_its_bad_names_at_once():
    with pytest.raises(BadNameError) as raised:
        names.StepName("a b", "p", "..", "s")

    assert [line.split()[0] for line in raised.value.lines] == ["env", "zone"]


@pytest.mark.parametrize("key", ["a/b/c", "a/b/c/d/e", "a.b.c.d", ""])
def test_a_step_key_has_four_parts(key):
    with pytest.raises(BadNameError):
        names.StepName.from_key(key)


@pytest.mark.parametrize("name", ["a.b.c.d", "", "a.b"])
def test_a_full_name_has_five_parts(name):
    with pytest.raises(BadNameError, match=r"env\.pipeline\.zone\.step\.entity"):
        names.parse_full_name(name)


@pytest.mark.parametrize(
    ("substep", "entity"),
    [
        ("train.ipynb", "reports.train.ipynb"),
        ("my.model-2.py", "reports.my.model-2.py"),
        ("my train.ipynb", "reports.my_train-27173923.ipynb"),
        ("sub/train.ipynb", "reports.sub_train-5ab149e8.ipynb"),
    ],
)
def test_the_reports_of_a_substep_are_an_entity_named_after_it(substep, entity):
    assert names.reports_entity(substep) == entity


SUBSTEPS = st.from_regex(r"[\w ][\w .-]{0,60}(/[\w .-]{1,60}){0,2}\.(ipynb|py)", fullmatch=True)


@given(SUBSTEPS, SUBSTEPS)
def test_every_good_substep_has_a_reports_entity_of_its_own(one, other):
    try:
        names.check_distinct(
            "substep", [names.check_name("substep", name) for name in (one, other)]
        )
    except BadNameError:
        return

    folders = [names.fold(names.entity_folder(names.reports_entity(name))) for name in (one, other)]
    assert folders[0] != folders[1]


# -- image names -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registry", "image"),
    [
        ("", f"user.digits.zone.train:{RUN_ID}"),
        ("host:5000", f"host:5000/user.digits.zone.train:{RUN_ID}"),
        ("Host:5000/NS/name/", f"host:5000/ns/name/user.digits.zone.train:{RUN_ID}"),
        ("ghcr.io/my_team", f"ghcr.io/my_team/user.digits.zone.train:{RUN_ID}"),
        ("my_team", f"my_team/user.digits.zone.train:{RUN_ID}"),
        ("[::1]:5000", f"[::1]:5000/user.digits.zone.train:{RUN_ID}"),
        ("localhost/x", f"localhost/x/user.digits.zone.train:{RUN_ID}"),
    ],
)
def test_an_image_is_named_after_its_step_and_tagged_with_its_run(registry, image):
    assert names.image_name(registry, STEP, RUN_ID) == image


def test_an_image_name_is_lower_case_and_its_tag_is_kept():
    step = names.StepName("User", "Digits", "Zone", "Train")

    made = names.image_name("", step, "run-25-01-01-000000-Retry", "Model.V2")

    assert made == "user.digits.zone.train.model.v2:run-25-01-01-000000-Retry"


@pytest.mark.parametrize("step", ["train-", "train_", "a_-b", "a___b"])
def test_a_name_that_docker_can_never_take_is_refused(step):
    with pytest.raises(BadNameError, match="Docker wants"):
        names.image_name("", names.StepName("e", "p", "z", step), RUN_ID)


@pytest.mark.parametrize("registry", ["https://host", "host:port", "host//x", "-host.io", "a b",
    "host:5000/..", "/x",
                                      "user@host", "host:123456", "h\u0131st.io", "host/x:tag",
                                      "[zz]:1"])  # fmt: skip
def test_what_is_no_registry_is_refused(registry):
    with pytest.raises(BadNameError, match="registry"):
        names.image_name(registry, STEP, RUN_ID)


def test_an_image_name_longer_than_docker_allows_is_refused():
    step = names.StepName(*["a" * 100] * 4)

    with pytest.raises(BadNameError, match="255 characters"):
        names.image_name("", step, RUN_ID)


@given(STEPS, ENTITIES | st.none(), st.sampled_from(["", "host:5000/ns", "ghcr.io"]))
def test_every_image_name_that_is_made_is_a_docker_reference(step, entity, registry):
    try:
        image = names.image_name(registry, step, RUN_ID, entity)
    except BadNameError:
        return

    component = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
    assert re.fullmatch(
        rf"(?:[a-z0-9.-]+(?::\d+)?/)?{component}(?:/{component})*:[\w][\w.-]{{0,127}}", image
    )
