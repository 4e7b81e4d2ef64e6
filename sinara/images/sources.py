"""Where this machine takes packages from: its indexes, their passwords, its certificates.

They are read here, once, and reach a build as secrets only. pip's settings count for uv too:
what a person wrote into ``pip.conf`` has to hold in an image, whatever installs there.
"""

from __future__ import annotations

import configparser
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_OF_UV = frozenset(
    f"UV_{name}"
    for name in (
        *("DEFAULT_INDEX", "INDEX", "INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS"),
        *("INDEX_STRATEGY", "INSECURE_HOST", "HTTP_TIMEOUT", "HTTP_RETRIES", "NO_BINARY"),
        *("ONLY_BINARY", "CONCURRENT_DOWNLOADS", "EXCLUDE_NEWER", "PRERELEASE"),
    )
)
_OF_PIP = {  # key of pip.conf, or PIP_… : what uv calls it
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
    "proxy": "HTTPS_PROXY",
}
_LISTS = frozenset({"extra-index-url", "find-links", "trusted-host"})
_MORE = frozenset({"UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"})


def secrets(environ: Mapping[str, str] = os.environ) -> dict[str, bytes]:
    """Return the content of each secret that this machine has for a build, by its name.

    ``settings`` is a JSON object of variables, ``uv`` a uv.toml, ``ca`` certificates in PEM.
    """
    pip = dict(_pip(environ))
    variables = {**_for_uv(pip), **{f"PIP_{_upper(key)}": value for key, value in pip.items()}}
    for name, value in environ.items():
        if name in _OF_UV or name.startswith("UV_INDEX_") or name.upper() in _PROXIES:
            variables[name] = _reachable(value) if name in _MORE else value
    found = {"settings": json.dumps(variables, sort_keys=True).encode()} if variables else {}
    for name, file in (("uv", _uv_toml(environ)), ("ca", _certificates(environ))):
        if file is not None:
            found[name] = file.read_bytes()
    return found


def _pip(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield pip's settings that are about indexes; a later one wins. Local folders are left out."""
    told: dict[str, str] = {}
    for file in _pip_files(environ):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeError):
            continue  # pip itself would have refused it: it was never in use
        for section in ("global", "install"):
            told |= dict(parser.items(section)) if parser.has_section(section) else {}
    told |= {
        key: environ[f"PIP_{_upper(key)}"] for key in _OF_PIP if f"PIP_{_upper(key)}" in environ
    }
    for key, value in told.items():
        said = " ".join(value.split()) if key in _LISTS else value
        said = _reachable(said) if _OF_PIP.get(key) in _MORE else said
        if key in _OF_PIP and said:
            yield key, said


def _reachable(addresses: str) -> str:
    """Leave out the folders of this machine: a build does not see them, and uv would fail."""
    comma = "," in addresses
    words = addresses.replace(",", " ").split()
    return ("," if comma else " ").join(w for w in words if "://" in w and "file://" not in w)


def _for_uv(pip: Mapping[str, str]) -> dict[str, str]:
    given = {_OF_PIP[key]: value for key, value in pip.items()}
    if "UV_FIND_LINKS" in given:
        given["UV_FIND_LINKS"] = given["UV_FIND_LINKS"].replace(" ", ",")
    if "UV_INDEX" in given:  # pip takes the best version of all indexes, uv the first index
        given["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return given


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the settings files of pip in the order in which it reads them."""
    home = Path(environ.get("HOME", "~")).expanduser()
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/pip.conf"), home / ".pip/pip.conf", config / "pip/pip.conf"]
    files.append(Path(sys.prefix, "pip.conf"))
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    return [*files, Path(named)] if named else files


def _uv_toml(environ: Mapping[str, str]) -> Path | None:
    if environ.get("UV_NO_CONFIG"):
        return None
    if named := environ.get("UV_CONFIG_FILE"):
        return _there(Path(named))
    home = Path(environ.get("HOME", "~")).expanduser()
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return _there(config / "uv/uv.toml") or _there(Path("/etc/uv/uv.toml"))


def _certificates(environ: Mapping[str, str]) -> Path | None:
    named = (_there(Path(environ[name])) for name in _CERTIFICATES if environ.get(name))
    return next((file for file in named if file), None) or _there(SYSTEM_CERTIFICATES)


def _there(file: Path) -> Path | None:
    return file if file.is_file() and os.access(file, os.R_OK) else None


def _upper(key: str) -> str:
    return key.upper().replace("-", "_")
