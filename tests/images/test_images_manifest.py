"""Manifests are read with care: they are what somebody else wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sinara.errors import ImageError
from sinara.images.manifest import (
    CONFIG,
    INDEX,
    LAYER_GZIP,
    MANIFEST,
    MAX_DOCUMENT,
    Index,
    Manifest,
    canonical,
    digest_of,
    pick,
    read_document,
    read_manifest,
    same_platform,
)

ONE = {"mediaType": CONFIG, "digest": digest_of(b"c"), "size": 1}
LAYER = {"mediaType": LAYER_GZIP, "digest": digest_of(b"l"), "size": 1}
PLAIN: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": MANIFEST,
    "config": ONE,
    "layers": [LAYER],
}


def index_of(*platforms: dict[str, str]) -> bytes:
    entries = [
        {"mediaType": MANIFEST, "digest": digest_of(bytes([n])), "size": 1, "platform": platform}
        for n, platform in enumerate(platforms)
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()


def test_a_manifest_names_its_pieces():
    raw = canonical(PLAIN)

    read = read_manifest(raw, "here")

    assert isinstance(read, Manifest)
    assert read.digest == digest_of(raw)
    assert [layer.digest for layer in read.layers] == [LAYER["digest"]]


def test_an_index_is_resolved_for_a_platform():
    read = read_manifest(
        index_of(
            {"os": "unknown", "architecture": "unknown"},
            {"os": "linux", "architecture": "amd64"},
            {"os": "linux", "architecture": "arm64", "variant": "v8"},
        ),
        "here",
    )

    assert isinstance(read, Index)
    assert pick(read, "linux/amd64", "here").blob.digest == digest_of(b"\1")
    assert pick(read, "linux/arm64", "here").blob.digest == digest_of(b"\2")
    with pytest.raises(ImageError, match=r"no image for linux/s390x; it has .*linux/amd64"):
        pick(read, "linux/s390x", "here")
    assert same_platform("linux/arm64/v8", "linux/arm64")
    assert not same_platform("linux/arm/v7", "linux/arm64")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no JSON"),
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "no JSON object"),
        (b" " * (MAX_DOCUMENT + 1), "larger than 4 MiB"),
        (b"{}", "no list"),
        (canonical({"schemaVersion": 1}), "schema 1"),
        (canonical({**PLAIN, "config": None}), "no digest or size"),
        (canonical({**PLAIN, "layers": [{**LAYER, "size": -1}]}), "no digest or size"),
        (canonical({**PLAIN, "layers": [{**LAYER, "size": True}]}), "no digest or size"),
        (canonical({**PLAIN, "layers": [{**LAYER, "digest": "sha256:../x"}]}), "no digest"),
        (canonical({**PLAIN, "layers": [{**LAYER, "urls": ["http://x"]}]}), "lie elsewhere"),
        (canonical({**PLAIN, "layers": [LAYER] * 1001}), "no list"),
    ],
)
def test_what_is_no_manifest_is_refused_in_one_line(raw: bytes, said: str):
    with pytest.raises(ImageError, match=said) as refused:
        read_manifest(raw, "here")

    assert "\n" not in str(refused.value)


def test_documents_are_written_in_one_way():
    assert canonical({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'.encode()
    assert read_document(canonical({"a": 1}), "here") == {"a": 1}
