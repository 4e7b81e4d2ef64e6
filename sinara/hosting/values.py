"""What a host is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sinara.repository import Credentials


@dataclass(frozen=True)
class Remote:
    """One repository on a host.

    Attributes:
        name: Its name.
        url: Its address for git, without any credentials.
        created: Whether it was made just now.
    """

    name: str
    url: str
    created: bool = False


class Host(Protocol):
    """A place where an organisation, a person or a folder keeps repositories."""

    @property
    def kind(self) -> str:
        """``local``, ``github`` or ``gitlab``."""
        ...

    @property
    def organization(self) -> str:
        """Whose repositories these are; of ``local``: the folder that holds them, absolute."""
        ...

    def repositories(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names of the repositories that begin with ``prefix``, sorted.

        Raises:
            HostingError: If the host refuses, or cannot be reached.
        """
        ...

    def find(self, name: str) -> Remote | None:
        """Return a repository, or ``None`` if there is none of that name.

        Raises:
            HostingError: If the host refuses, or cannot be reached.
        """
        ...

    def ensure(self, name: str, *, description: str = "", private: bool = True) -> Remote:
        """Return a repository, which is made if it is not there; safe to repeat.

        Args:
            name: Letters, digits, ``_``, ``-``: ``<pipeline>-<step>``.
            description: For people; of a repository that is made.
            private: Whether only members see it; of a repository that is made. A host decides
                about its folders by itself: ``local`` leaves that to the file system.

        Raises:
            BadNameError: If the name cannot be used.
            HostingError: If the host refuses, or cannot be reached.
        """
        ...

    def credentials(self) -> Credentials | None:
        """Return what git needs to reach the remotes; ``None``: nothing."""
        ...
