"""Git repositories: what is committed, how they stand, and their remotes.

::

    call         one call of git: argument lists, no shell, no questions, an end
    guard        reading runs nothing that a repository brings along
    addresses    addresses of remotes and names of branches, checked
    askpass      what git asks for a token: answers for one host only
    credentials  a token on its way to git
    state        branch, distance to the remote, changed files
    steps        a step's commit, a clean tree, the tag of a run
    branches     another branch, or the current one brought forward
    outputs      outputs of notebooks kept out of Git (clean_notebook: the filter)
    remotes      connect, clone, fetch, push

Git is called with an argument list, never through a shell. Calls that only read switch off what
a repository may bring along to be run, so that looking at an untrusted step stays safe.
"""

from sinara.errors import RepositoryError
from sinara.repository.addresses import (
    check_address,
    check_branch,
    check_remote,
    without_credentials,
)
from sinara.repository.branches import forward, switch
from sinara.repository.call import end_all
from sinara.repository.credentials import Credentials, base_of
from sinara.repository.outputs import switch_on
from sinara.repository.remotes import add_remote, clone, connect, fetch, push, push_refs, remotes
from sinara.repository.state import RepositoryState, read_state
from sinara.repository.steps import (
    PUSH_SECONDS,
    TagResult,
    changed_files,
    clean_worktree,
    commit,
    current_branch,
    default_remote,
    find_repository,
    first_commit,
    read_code,
    require_clean,
    tag_run,
)

state = read_state

__all__ = [
    "PUSH_SECONDS",
    "Credentials",
    "RepositoryError",
    "RepositoryState",
    "TagResult",
    "add_remote",
    "base_of",
    "changed_files",
    "check_address",
    "check_branch",
    "check_remote",
    "clean_worktree",
    "clone",
    "commit",
    "connect",
    "current_branch",
    "default_remote",
    "end_all",
    "fetch",
    "find_repository",
    "first_commit",
    "forward",
    "push",
    "push_refs",
    "read_code",
    "read_state",
    "remotes",
    "require_clean",
    "state",
    "switch",
    "switch_on",
    "tag_run",
    "without_credentials",
]
