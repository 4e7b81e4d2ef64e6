"""The settings as step repositories of the original ask for them, for the current folder."""

from __future__ import annotations

from pathlib import Path

from sinara.settings.load import load_settings
from sinara.settings.values import get_user


def default_step_name(folder: Path) -> str | None:
    """Return the step name that a folder's name gives: what follows its first ``-``, if any."""
    return folder.name.partition("-")[2] or None


class SinaraSettings:
    """Env roots and the user's name, for a step whose folder is the current one."""

    @staticmethod
    def get_user() -> str:
        """Return who works here."""
        return get_user()

    @staticmethod
    def get_env_path(env_name: str) -> str:
        """Return the root of an env."""
        return load_settings(Path.cwd()).env(env_name).root

    @staticmethod
    def get_tmp_path(env_name: str) -> str:
        """Return the root of an env's temporary entities."""
        return load_settings(Path.cwd()).env(env_name).tmp_root

    @staticmethod
    def get_data_paths() -> dict[str, str]:
        """Return the roots of all envs by name."""
        return {name: env.root for name, env in load_settings(Path.cwd()).envs.items()}

    @staticmethod
    def get_tmp_paths() -> dict[str, str]:
        """Return the temporary roots of all envs by name."""
        return {name: env.tmp_root for name, env in load_settings(Path.cwd()).envs.items()}

    @staticmethod
    def get_default_step_name() -> str | None:
        """Return the step name that the current folder's name gives, if it gives one."""
        return default_step_name(Path.cwd())


_SinaraSettings = SinaraSettings
