"""One control group for each kernel, where the system lets us make one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sinara.kernels import groups
from tests.kernels.kernel_runs import texts


@pytest.fixture
def group():
    made = groups.make()
    if made is None:
        pytest.skip(
            "no control group can be made here: run as root, or under systemd-run --user --scope -p Delegate=yes"
        )
    yield made
    made.kill()
    made.remove()


def test_all_of_a_group_is_killed_at_once(group):
    child = subprocess.Popen(
        ["sh", "-c", "sleep 60 & setsid sleep 60 & read x"], stdin=subprocess.PIPE
    )
    group.add(child.pid)

    group.kill()

    assert child.wait(5) == -9
    child.stdin.close()
    group.remove()
    assert not Path(group.path).exists()


def test_a_group_lies_below_our_own(group):
    own = next(
        line[3:]
        for line in Path("/proc/self/cgroup").read_text().splitlines()
        if line.startswith("0::")
    )

    assert f"{own.rstrip('/')}/sinara-" in group.path


def test_without_a_limit_nothing_ran_out_of_memory(group):
    assert not group.limits_memory
    assert not group.out_of_memory()


def test_no_group_is_left_after_a_notebook(run, group):
    done = run(
        "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True)",
        "print([l[3:].strip() for l in open('/proc/self/cgroup') if l.startswith('0::')][0])\n1/0",
    )

    name = texts(done, 1).strip().rpartition("/")[2]
    assert name.startswith("sinara-")
    assert not (Path(group.path).parent / name).exists()


def test_where_there_are_no_groups_there_is_none(monkeypatch):
    monkeypatch.setattr(groups, "_mount_point", lambda: None)

    assert groups.make(memory=1) is None
