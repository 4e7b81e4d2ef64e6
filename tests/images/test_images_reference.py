"""Names of images: taken apart as Docker does, and put together as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.errors import BadNameError
from sinara.images.reference import Reference, is_digest, parse_reference

DIGEST = "sha256:" + "0af9" * 16


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("python", ("", "python", "", "")),
        ("python:3.11-slim", ("", "python", "3.11-slim", "")),
        ("team/model:1", ("", "team/model", "1", "")),
        ("host:5000/name", ("host:5000", "name", "", "")),
        ("host:5000/name:tag", ("host:5000", "name", "tag", "")),
        (f"host:5000/ns/name:tag@{DIGEST}", ("host:5000", "ns/name", "tag", DIGEST)),
        (f"localhost/a@{DIGEST}", ("localhost", "a", "", DIGEST)),
        ("[::1]:5000/a/b:x", ("[::1]:5000", "a/b", "x", "")),
        ("Registry.Example.ORG/a", ("Registry.Example.ORG", "a", "", "")),
        ("dev.iris.default.deploy:run-1", ("", "dev.iris.default.deploy", "run-1", "")),
    ],
)
def test_a_name_is_taken_apart_and_put_together(text: str, parts: tuple[str, str, str, str]):
    reference = parse_reference(text)

    assert reference == Reference(*parts)
    assert str(reference) == text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "every part"),
        ("Name", "every part"),
        ("host.org/Name", "every part"),
        ("a..b", "every part"),
        ("a/", "every part"),
        ("https://host.org/a", "without https://"),
        ("host_name.org/a", "is no host"),
        ("name:", "a tag is"),
        ("name:a+b", "a tag is"),
        ("name:" + "x" * 129, "a tag is"),
        ("name@sha256:12", "after @"),
        ("name@md5:12", "after @"),
        ("a" * 256, "longer than 255"),
        ("0" * 64, "an image's id"),
        ("name\n", "every part"),
        ("$(reboot)", "every part"),
    ],
)
def test_a_name_that_cannot_be_is_refused_in_one_line(text: str, rule: str):
    with pytest.raises(BadNameError) as refused:
        parse_reference(text)

    assert rule in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "located"),
    [
        ("python:3.11-slim", "docker.io/library/python:3.11-slim"),
        ("team/model", "docker.io/team/model"),
        ("index.docker.io/team/model", "docker.io/team/model"),
        ("host:5000/python", "host:5000/python"),
    ],
)
def test_a_short_name_is_looked_up_at_the_hub(text: str, located: str):
    assert str(parse_reference(text).located()) == located


def test_a_registry_is_asked_for_the_digest_before_the_tag():
    assert parse_reference(f"a:b@{DIGEST}").wanted == DIGEST
    assert parse_reference("a:b").wanted == "b"
    assert parse_reference("a").wanted == "latest"
    assert str(parse_reference("h:1/a:b").pinned(DIGEST)) == f"h:1/a@{DIGEST}"


@given(st.text(max_size=40))
def test_any_text_is_a_name_that_comes_back_or_is_refused(text: str):
    try:
        reference = parse_reference(text)
    except BadNameError:
        return
    assert str(reference) == text


@given(st.text(max_size=80))
def test_a_digest_is_hexadecimal(text: str):
    assert not is_digest(text)
    assert is_digest(DIGEST)
