from __future__ import annotations

import json
from pathlib import Path

import pytest

from sinara.images.sources import secrets


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine whose pip.conf names an index with a password."""
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://u:p%w@one/simple\nextra-index-url =\n  https://two/simple\n"
        "  file:///opt/simple\nfind-links = /opt/wheels\ncache-dir = /tmp\n[install]\nretries = 7\n"
        "[list]\nindex-url = https://never/simple\n"
    )
    return {"HOME": str(tmp_path / "home"), "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}


def settings(environ: dict[str, str]) -> dict[str, str]:
    return dict(json.loads(secrets(environ)["settings"]))


def test_indexes_of_pip_hold_for_uv_too(environ: dict[str, str]):
    told = settings(environ)

    assert told["UV_DEFAULT_INDEX"] == told["PIP_INDEX_URL"] == "https://u:p%w@one/simple"
    assert told["UV_INDEX"] == told["PIP_EXTRA_INDEX_URL"] == "https://two/simple"
    assert told["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert told["UV_HTTP_RETRIES"] == "7"


def test_folders_and_settings_of_this_machine_are_left_out(environ: dict[str, str]):
    told = settings(environ)

    assert "/opt" not in json.dumps(told)
    assert not {"UV_FIND_LINKS", "PIP_FIND_LINKS", "PIP_CACHE_DIR"} & set(told)


def test_variables_win_and_others_stay_here(environ: dict[str, str]):
    more = {
        "PIP_INDEX_URL": "https://three/simple",
        "UV_INDEX_PRIVATE_PASSWORD": "word",
        "UV_FIND_LINKS": "/opt/wheels,https://links",
        "UV_CACHE_DIR": "/home/me",
        "AWS_SECRET_ACCESS_KEY": "key",
        "https_proxy": "http://proxy:1",
    }
    told = settings({**environ, **more})

    assert told["UV_DEFAULT_INDEX"] == "https://three/simple"
    assert told["UV_INDEX_PRIVATE_PASSWORD"] == "word"
    assert told["UV_FIND_LINKS"] == "https://links"
    assert told["https_proxy"] == "http://proxy:1"
    assert not {"UV_CACHE_DIR", "AWS_SECRET_ACCESS_KEY"} & set(told)


def test_a_uv_toml_and_certificates_are_taken_where_they_are(tmp_path: Path):
    uv, ca = tmp_path / "home/.config/uv/uv.toml", tmp_path / "ca.pem"
    uv.parent.mkdir(parents=True)
    uv.write_text("native-tls = true\n")
    ca.write_text("PEM")

    found = secrets({"HOME": str(tmp_path / "home"), "SSL_CERT_FILE": str(ca)})

    assert (found["uv"], found["ca"]) == (b"native-tls = true\n", b"PEM")
