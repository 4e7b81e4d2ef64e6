"""A folder of bare repositories: a host with no account and no network."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sinara.errors import HostingError, RepositoryError, UsageError
from sinara.hosting.values import Remote
from sinara.names import check_name, shown
from sinara.repository import Credentials
from sinara.repository.call import git


@dataclass(frozen=True)
class LocalHost:
    """``<folder>/<name>.git``, each a bare repository."""

    organization: str
    kind: str = "local"

    @classmethod
    def at(cls, folder: str) -> LocalHost:
        """Return the host whose repositories lie in ``folder``; it need not be there yet.

        Raises:
            UsageError: If that is a file, or no path.
        """
        if not folder or any(not c.isprintable() for c in folder):
            raise UsageError(f"{shown(folder)} is no folder for repositories.")
        path = Path(folder).expanduser().absolute()
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file: 'local' keeps its repositories in a folder.")
        return cls(str(path))

    def repositories(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names that begin with ``prefix``, sorted."""
        try:
            found = [p for p in self._folder.iterdir() if p.suffix == ".git" and _is_bare(p)]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise HostingError(f"{self.organization} cannot be read: {error.strerror}.") from error
        return tuple(
            sorted(p.stem for p in found if p.stem.startswith(prefix) and p.stem[0] != ".")
        )

    def find(self, name: str) -> Remote | None:
        """Return a repository, or ``None``."""
        place = self._place(name)
        if not place.exists():
            return None
        if not _is_bare(place):
            raise HostingError(
                f"{place} is there, but is no bare repository. Move it away, or take another "
                "folder."
            )
        return Remote(name, str(place))

    def ensure(self, name: str, *, description: str = "", private: bool = True) -> Remote:
        """Return a repository; made whole beside its place, then moved there."""
        del private
        found = self.find(name)
        if found:
            return found
        place = self._place(name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{name}.git.", dir=self._folder) as beside:
                made = Path(beside) / "made"
                options = ("--quiet", "--bare", "--template=", "--initial-branch=main")
                git(self._folder, "init", *options, "--", str(made))
                if description:
                    (made / "description").write_text(f"{description}\n", "utf-8")
                made.rename(place)  # refused if somebody was faster: a bare one is never empty
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                return self.find(name) or Remote(name, str(place))
            raise HostingError(f"{place} cannot be made: {error.strerror}.") from error
        except RepositoryError as error:
            raise HostingError(f"{place} cannot be made: {error}") from error
        return Remote(name, str(place), created=True)

    def credentials(self) -> Credentials | None:
        """Return ``None``: the file system decides."""
        return None

    @property
    def _folder(self) -> Path:
        return Path(self.organization)

    def _place(self, name: str) -> Path:
        return self._folder / f"{check_name('repository', name)}.git"


def _is_bare(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
