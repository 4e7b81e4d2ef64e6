"""A host on this machine, for tests of hosting."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.githost import GitHost, serving


@pytest.fixture
def githost(tmp_path: Path) -> Iterator[GitHost]:
    """A real host whose token nobody can guess."""
    with serving(tmp_path / "githost", f"canary-{secrets.token_hex(12)}") as host:
        yield host
