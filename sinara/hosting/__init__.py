"""Hosts of Git repositories: a folder, GitHub (Enterprise too), GitLab.

::

    values     Remote, Host: what a host is asked, and answers
    places     the address of a remote taken apart: which host, whose, which name
    tokens     where a token comes from; it is never written anywhere
    local      a folder of bare repositories
    github     GitHub through PyGithub
    gitlab     GitLab through python-gitlab
    answers    what goes wrong on a host, each in one line

::

    host = open_host("gitlab", "data-team/churn", url="https://gitlab.example.com")
    remote = host.ensure("churn-data_prep")       # made or found; private
    connect(folder, "origin", remote.url)
    push(folder, "origin", "main", credentials=host.credentials())
"""

from sinara.hosting.open import KINDS, open_host
from sinara.hosting.places import Place, host_of
from sinara.hosting.tokens import credentials_for
from sinara.hosting.values import Host, Remote
from sinara.repository import Credentials

__all__ = [
    "KINDS",
    "Credentials",
    "Host",
    "Place",
    "Remote",
    "credentials_for",
    "host_of",
    "open_host",
]
