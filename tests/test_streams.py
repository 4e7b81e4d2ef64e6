"""Processes that were started without streams, or lost them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OPEN_A_FILE = """
import os, sys
from sinara.streams import hold_streams
hold_streams()
print(os.open(sys.argv[1], os.O_RDONLY), file=open(sys.argv[2], "w"))
"""
PRINT_MUCH = """
import sys
from sinara.streams import let_go_of_streams
sys.stdout.write("x")
let_go_of_streams()
sys.exit(7)
"""


def shell(command: str, *arguments: str) -> int:
    """Run one line of a shell; $1 is Python."""
    return subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, *arguments],
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        check=False,
    ).returncode


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_place_of_a_closed_stream(tmp_path, closed):
    told = tmp_path / "told"

    shell(f'"$1" -c "$2" "$3" "$4" {closed}', OPEN_A_FILE, __file__, str(told))

    assert int(told.read_text()) > 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_a_stream_does_not_change_the_exit_code():
    assert shell('"$1" -c "$2" >/dev/full 2>/dev/null', PRINT_MUCH) == 7
