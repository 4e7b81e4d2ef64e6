"""What git asks for a user name and a password: answers for one scheme and host only.

Run by file, isolated and without ``site``: nothing but the standard library, nothing of the
working folder. See :mod:`sinara.repository.credentials`.
"""

from __future__ import annotations

import os
import re
import sys

FD, URL, USER = "SINARA_ASKPASS_FD", "SINARA_ASKPASS_URL", "SINARA_ASKPASS_USER"
LONGEST = 4095  # of a token, in bytes; eight of them fit into a pipe

# Git writes: Password for 'https://name@host:8443': -- the name as it is, so that one with
# a slash or an @ in it could look like a host: such a question is not answered.
_ASKED = re.compile(r"(Username|Password) for '(https?)://(?:([^/@']*)@)?([^/@']+)/?': ")


def answer(question: str, url: str, username: str, descriptor: int) -> str | None:
    """Return the answer to git's question, or ``None`` if it is not about ``url``.

    Args:
        question: As git asks.
        url: Scheme and host that the token is for.
        username: Whose it is.
        descriptor: Where the token is read, once for each answer.
    """
    asked = _ASKED.fullmatch(question)
    if not asked or not url or f"{asked[2]}://{asked[4]}" != url:
        return None
    if asked[1] == "Username":
        return username
    record = os.read(descriptor, LONGEST + 1)
    token, end, _ = record.partition(b"\n")
    return token.decode() if end else None


def main() -> int:
    """Answer the question in the first argument."""
    environ = os.environ
    if len(sys.argv) != 2 or not environ.get(FD, "").isdigit():
        return 1
    said = answer(sys.argv[1], environ.get(URL, ""), environ.get(USER, ""), int(environ[FD]))
    if said is None:
        return 1
    sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
