"""What docker, podman and buildah know of a registry's user and password.

They are looked up at the moment in which a registry asks for them, in this order::

    $DOCKER_CONFIG/config.json      $REGISTRY_AUTH_FILE             named by the person
    $XDG_RUNTIME_DIR/containers/auth.json                           podman login
    ~/.config/containers/auth.json  ~/.docker/config.json           docker login

Source: containers-auth.json(5); the protocol of github.com/docker/docker-credential-helpers.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.errors import RegistryError
from sinara.images.reference import HUB
from sinara.secret import Secret

_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", HUB, "registry-1.docker.io")
_HELPER = re.compile(r"[A-Za-z0-9_.-]+")
_HELPER_SECONDS = 20
_MAX_FILE = 4 << 20
_TOKEN_USER = "<token>"  # the helpers' word for: the secret is an identity token


@dataclass(frozen=True)
class Login:
    """Who may use a registry. The password does not show.

    Attributes:
        user: The name.
        password: The password, or the identity token.
        is_token: Whether it is an identity token, to be exchanged and never sent as a password.
    """

    user: str
    password: Secret
    is_token: bool = False


def find_login(
    registry: str, repository: str = "", environ: Mapping[str, str] | None = None
) -> Login | None:
    """Return what is known of a registry, or None if nothing is.

    Args:
        registry: ``host:port``.
        repository: ``group/name``: a login may hold for a part of a registry only.
        environ: The environment; that of this process if None.

    Raises:
        RegistryError: If a file is there and cannot be read, or a helper fails. Nothing of what
            they hold is in the text.
    """
    env = os.environ if environ is None else environ
    keys = _keys(registry, repository)
    server = _HUB_KEYS[0] if registry == HUB else registry
    for path in login_files(env):
        document = _read(path)
        found = document and _in_document(document, keys, server, path, env)
        if found:
            return found
    return None


def login_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Give the files in which a login may stand, the one that counts first."""
    home = Path(environ.get("HOME") or Path.home())
    if environ.get("DOCKER_CONFIG"):
        yield Path(environ["DOCKER_CONFIG"], "config.json")
    if environ.get("REGISTRY_AUTH_FILE"):
        yield Path(environ["REGISTRY_AUTH_FILE"])
    if environ.get("XDG_RUNTIME_DIR"):
        yield Path(environ["XDG_RUNTIME_DIR"], "containers", "auth.json")
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "containers", "auth.json")
    yield home / ".docker" / "config.json"


def _keys(registry: str, repository: str) -> list[str]:
    """Return the names under which a login may stand, the narrowest first."""
    if registry == HUB:
        return list(_HUB_KEYS)
    parts = [part for part in repository.split("/") if part]
    narrow = ["/".join([registry, *parts[:count]]) for count in range(len(parts), 0, -1)]
    web = [f"{scheme}://{registry}" for scheme in ("https", "http")]
    return [*narrow, registry, *(f"{url}{end}" for url in web for end in ("", "/", "/v1/", "/v2/"))]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MAX_FILE))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror}. Check its rights.") from None
    except (ValueError, RecursionError):  # the reason could quote a password
        document = None
    if not isinstance(document, dict):
        raise RegistryError(f"{path} is no JSON object: logins to registries are read from it.")
    return document


def _in_document(
    document: dict[str, Any], keys: list[str], server: str, path: Path, env: Mapping[str, str]
) -> Login | None:
    helpers, logins = (_table(document, name) for name in ("credHelpers", "auths"))
    for key in keys:
        if isinstance(helpers.get(key), str):
            return _ask_helper(helpers[key], key, path, env)
    store = document.get("credsStore")
    for key in keys:
        if key in logins and isinstance(store, str) and store and not _table(logins, key):
            return _ask_helper(store, key, path, env)
        if key in logins:
            return _stored(_table(logins, key), path)
    if isinstance(store, str) and store:
        return _ask_helper(store, server, path, env)
    return None


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _stored(entry: dict[str, Any], path: Path) -> Login | None:
    token, packed = entry.get("identitytoken"), entry.get("auth")
    user, password = entry.get("username"), entry.get("password")
    if isinstance(packed, str) and packed:
        try:
            text = base64.b64decode(packed, validate=True).decode()
        except ValueError:
            raise RegistryError(f"{path}: a login is damaged. Log in again.") from None
        user, _, password = text.rstrip("\0").partition(":")
    if isinstance(token, str) and token:
        return Login(str(user or ""), Secret(token), is_token=True)
    if isinstance(user, str) and isinstance(password, str) and user:
        return Login(user, Secret(password))
    return None


def _ask_helper(name: str, server: str, path: Path, env: Mapping[str, str]) -> Login | None:
    program = f"docker-credential-{name}"
    if not _HELPER.fullmatch(name):
        raise RegistryError(f"{path} names a credential helper that cannot be one. Correct it.")
    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_HELPER_SECONDS,
            env=dict(env),
            check=False,
        )
    except OSError:
        raise RegistryError(
            f"{program} cannot be started; {path} names it. Install it, or log in without it."
        ) from None
    except subprocess.TimeoutExpired:
        raise RegistryError(f"{program} did not answer within {_HELPER_SECONDS} s.") from None
    try:
        answer = json.loads(done.stdout) if done.returncode == 0 else {}
    except ValueError:
        answer = {}
    user, secret = (_table({"a": answer}, "a").get(key) for key in ("Username", "Secret"))
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        return None  # it knows nothing of this registry
    return Login(user, Secret(secret), is_token=user == _TOKEN_USER)
