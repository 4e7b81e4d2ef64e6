"""Settings found, read and checked: all findings at once, each with its file and key."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sinara.errors import BadNameError, SettingsError, suggest
from sinara.names import check_distinct, check_name, fold, shown
from sinara.settings import checks
from sinara.settings.images import read_images
from sinara.settings.options import CHECKS, advice, keep, read_steps, read_substeps
from sinara.settings.values import EnvSettings, Settings, get_user

FILE_NAME = "sinara.toml"
DEFAULT_ENVS = ("user", "test", "prod")
_FILE_LIMIT = 1_000_000  # bytes
_ENV_VARIABLE, _TMP_VARIABLE = "SINARA_ENV_", "SINARA_TMP_"
_ENV_KEYS = ("root", "tmp", "storage_options")
_Table = dict[str, Any]


def load_settings(start: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the step in the folder ``start``.

    Args:
        start: The step's folder; it need not exist.
        environ: The environment to look in; that of this process by default.

    Raises:
        SettingsError: One line per finding: where it was found, the key, and what to write.
    """
    environ = os.environ if environ is None else environ
    folder = Path(os.path.abspath(start))  # noqa: PTH100 - a link in the path keeps its own parent
    file = find_settings_file(folder)
    lines: list[str] = []
    table = _read(file) if file else {}
    in_file = _from_file(file, table, lines) if file else ({}, {})
    in_environ = _from_environ(environ, set(in_file[1]) | set(DEFAULT_ENVS), lines)
    substeps = read_substeps(file, table.get("substeps", {}), set(in_environ[0]), lines)
    steps = read_steps(file, table.get("steps", {}), lines)
    images = read_images(file, table.get("images", {}), environ, lines)
    envs = _merge_envs(folder, in_file[1], in_environ[1])
    try:
        check_distinct("env", envs)
    except BadNameError as error:
        lines.extend(f"{file or 'SINARA_ENV_*'}: {line}" for line in error.lines)
    if lines:
        raise SettingsError(*lines)
    options = {**in_file[0], **in_environ[0]}
    user = get_user(environ)
    return Settings(
        envs=envs,
        substeps=substeps,
        steps=steps,
        images=images,
        user=user,
        file=file,
        folder=folder,
        **options,
    )


def find_settings_file(folder: Path) -> Path | None:
    """Return the nearest ``sinara.toml`` in ``folder`` or above it."""
    for place in (folder, *folder.parents):
        try:
            if (place / FILE_NAME).is_file():
                return place / FILE_NAME
        except OSError:  # a folder above that may not be looked into has no settings for us
            continue
    return None


def _read(file: Path) -> _Table:
    import tomllib

    try:
        with file.open("rb") as stream:
            content = stream.read(_FILE_LIMIT + 1)
        if len(content) > _FILE_LIMIT:
            raise SettingsError(f"{file}: the file is larger than {_FILE_LIMIT} bytes")
        return tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{file}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{file}: is not TOML: {' '.join(str(error).split())}") from None


def _from_file(file: Path, table: _Table, lines: list[str]) -> tuple[_Table, dict[str, _Table]]:
    """Return the options and the envs of a file; what is wrong with it goes to ``lines``."""
    options: _Table = {}
    envs: dict[str, _Table] = {}
    for key, value in table.items():
        if key in ("substeps", "steps", "images"):
            continue  # read apart
        if key == "envs" and isinstance(value, dict):
            for name, env in value.items():
                envs[name] = _env_from_file(file, name, env, lines)
        elif key == "envs":
            lines.append(
                f"{file}: envs: {shown(value)} is not a table. Write [envs] and one line per env."
            )
        elif key in CHECKS:
            keep(options, key, CHECKS[key], value, f"{file}: {key}", lines)
        else:
            told = advice(key, [*CHECKS, "envs", "steps", "substeps", "images"])
            lines.append(f"{file}: {shown(key)} is not a setting. {told}")
    return options, envs


def _env_from_file(file: Path, name: str, value: Any, lines: list[str]) -> _Table:
    where = f"{file}: envs.{name if name.isascii() and name.isprintable() else shown(name)}"
    try:
        check_name("env", name)
    except BadNameError as error:
        lines.append(f"{file}: envs: {error}")
    root = partial(checks.root, base=file.parent)
    table = value if isinstance(value, dict) else {"root": value}
    checked: _Table = {}
    known: dict[str, Callable[[Any], Any]] = {
        "root": root,
        "tmp": root,
        "storage_options": checks.storage_options,
    }
    for key, setting in table.items():
        if key in known:
            keep(
                checked,
                key,
                known[key],
                setting,
                f"{where}.{key}" if table is value else where,
                lines,
            )
        else:
            lines.append(
                f"{where}: {shown(key)} is not a setting of an env. {advice(key, _ENV_KEYS)}"
            )
    return checked


def _from_environ(
    environ: Mapping[str, str], known_envs: set[str], lines: list[str]
) -> tuple[_Table, dict[str, _Table]]:
    """Return the options and the envs that ``SINARA_*`` variables set; empty ones set nothing."""
    options: _Table = {}
    envs: dict[str, _Table] = {}
    by_variable = {f"SINARA_{key.upper()}": key for key in CHECKS}
    root = partial(checks.root, base=None)
    for variable, text in sorted(environ.items()):
        if not text or not variable.startswith("SINARA_") or variable == "SINARA_ENV_NAME":
            continue
        if variable in by_variable:
            key = by_variable[variable]
            keep(options, key, CHECKS[key], text, variable, lines)
        elif variable.startswith((_ENV_VARIABLE, _TMP_VARIABLE)):
            name = _env_of(variable[len(_ENV_VARIABLE) :], known_envs, variable, lines)
            key = "root" if variable.startswith(_ENV_VARIABLE) else "tmp"
            keep(envs.setdefault(name, {}), key, root, text, variable, lines)
        else:
            _refuse_near_miss(variable, list(by_variable), lines)
    return options, envs


def _env_of(suffix: str, known: set[str], variable: str, lines: list[str]) -> str:
    """Return the env that a variable means: variables have neither lower case nor ``-``."""
    for name in sorted(known):
        if fold(name) == fold(suffix):
            return name
    try:
        check_name("env", suffix.lower())
    except BadNameError as error:
        lines.append(f"{variable}: {error}")
    return suffix.lower()


def _refuse_near_miss(variable: str, known: list[str], lines: list[str]) -> None:
    """Refuse a variable that is nearly a setting; other tools may use ``SINARA_*`` as they like."""
    import difflib

    if difflib.get_close_matches(variable, known, n=1, cutoff=0.92):
        lines.append(f"{variable} is not a setting. {suggest(variable, known)}")


def _merge_envs(
    folder: Path, in_file: Mapping[str, _Table], in_environ: Mapping[str, _Table]
) -> dict[str, EnvSettings]:
    data = folder.parent / "sinara_data"
    envs = {}
    for name in dict.fromkeys([*DEFAULT_ENVS, *in_file, *in_environ]):
        table = {**in_file.get(name, {}), **in_environ.get(name, {})}
        options = table.get("storage_options", {})
        if in_environ.get(name, {}).get(
            "root"
        ):  # the options in the file belong to the file's root
            same = _scheme(table["root"]) == _scheme(in_file.get(name, {}).get("root", ""))
            options = options if same else {}
        envs[name] = EnvSettings(
            name,
            root=table.get("root", str(data / name)),
            tmp_root=table.get("tmp", str(data / "_tmp" / name)),
            storage_options=options,
        )
    return envs


def _scheme(root: str) -> str:
    return root.partition("://")[0] if "://" in root else ""
