"""The file system that a URL lies on, reached as the settings say.

Entity URLs travel as plain strings. Whoever gets one (an archive, ``SinaraFileSystem``) finds
here the endpoint and the other options of the env that it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sinara.errors import MissingExtraError, StoreError

_EXTRAS = {"s3": ("s3fs", "s3"), "s3a": ("s3fs", "s3")}


def local_path(url: str | Path) -> Path | None:
    """Return the path of a local path or ``file://`` URL; None if the URL lies elsewhere."""
    text = str(url)
    if text.startswith("file:"):
        return Path("/" + text.removeprefix("file:").lstrip("/"))
    return None if "://" in text else Path(text)


def remote_file_system(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL, and the path on it.

    Args:
        url: Not local. If it lies in an env of the settings, that env's options are used.

    Raises:
        MissingExtraError: If the package that reads such URLs is not installed.
        StoreError: If no package can read such URLs.
    """
    import fsspec

    scheme = url.partition("://")[0]
    try:
        file_system, path = fsspec.core.url_to_fs(url, **_options(url))
    except ImportError as error:
        package, extra = _EXTRAS.get(scheme, ("", ""))
        if package:
            raise MissingExtraError.for_extra(package, extra) from error
        raise StoreError(f"{url} cannot be reached: {error}") from error
    except ValueError as error:
        raise StoreError(f"{url} cannot be reached: {error}") from error
    return file_system, path


def _options(url: str) -> Mapping[str, Any]:
    from sinara.settings import load_settings

    for env in load_settings(Path.cwd()).envs.values():
        for root in (env.root, env.tmp_root):
            if url == root or url.startswith(f"{root}/"):
                return env.storage_options
    return {}
