"""A failure names the limit that it hit, and whose it was."""

from __future__ import annotations

import signal
import sys

import pytest

from sinara.kernels.exits import Exit
from sinara.kernels.failures import cell_failure, death
from sinara.kernels.options import Limits

GB = 10**9
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
pytestmark = POSIX


def dead(how: Exit, limits: Limits = Limits(), **more: bool) -> tuple[str, str]:  # noqa: B008
    failure = death(how, "in Cell In [3]", 2, limits=limits, **more)
    assert failure.cell == 2
    return failure.kind, failure.message


def raised(ename: str, limits: Limits, evalue: str = "") -> tuple[str, str]:
    content = {"ename": ename, "evalue": evalue, "traceback": []}
    failure = cell_failure(content, 2, 3, limits)
    return failure.kind, failure.message


def test_a_process_that_used_its_processor_time_says_so():
    cpu = Limits(cpu_seconds=60)
    said = ("cpu limit", "The process died in Cell In [3]: it used its CPU limit of 60 s.")

    assert dead(Exit(signal=signal.SIGXCPU), cpu) == said
    assert dead(Exit(signal=signal.SIGKILL, cpu_seconds=65.1), cpu) == said


@pytest.mark.parametrize(
    "how",
    [
        Exit(signal=signal.SIGKILL, cpu_seconds=3),
        Exit(signal=signal.SIGKILL),
        Exit(signal=signal.SIGKILL, cpu_seconds=65, killed_by="the watchdog"),
        Exit(signal=signal.SIGTERM, cpu_seconds=65),
        Exit(code=1, cpu_seconds=65),
    ],
)
def test_another_end_is_not_blamed_on_the_processor_time(how):
    kind, message = dead(how, Limits(cpu_seconds=60))

    assert kind == "kernel died"
    assert "CPU" not in message


def test_sigxcpu_without_a_limit_of_ours_is_a_signal_like_others():
    assert dead(Exit(signal=signal.SIGXCPU)) == (
        "kernel died",
        "The process died in Cell In [3]: killed by SIGXCPU.",
    )


def test_out_of_memory_says_whose_limit_it_was():
    memory = Limits(memory=2 * GB)
    killed = Exit(signal=signal.SIGKILL, peak_memory=int(1.95 * GB))
    small = Exit(signal=signal.SIGKILL, peak_memory=GB // 10)

    assert dead(killed, memory, out_of_memory=True) == (
        "memory",
        "The process died in Cell In [3]: it used its memory limit of 2 GB; peak memory 1.95 GB.",
    )
    for how, limits in ((small, memory), (killed, Limits())):
        kind, message = dead(how, limits, out_of_memory=True)
        assert kind == "kernel died"
        assert "the system killed it, out of memory" in message


def test_native_code_that_aborts_under_a_memory_limit_names_the_limit():
    kind, message = dead(Exit(signal=signal.SIGABRT), Limits(memory=2 * GB))

    assert kind == "kernel died"
    assert "killed by SIGABRT, under a memory limit of 2 GB" in message


@pytest.mark.parametrize("ename", ["MemoryError", "_ArrayMemoryError", "ArrowMemoryError"])
def test_a_memory_error_under_a_limit_names_the_setting(ename):
    assert raised(ename, Limits(memory=2 * GB), "no room") == (
        "memory",
        f"Cell In [3]: {ename}: no room (the memory limit is 2 GB, setting memory)",
    )
    assert raised(ename, Limits()) == ("cell", f"Cell In [3]: {ename}")
    assert raised("ValueError", Limits(memory=2 * GB)) == ("cell", "Cell In [3]: ValueError")


def test_a_kernel_out_of_memory_under_a_limit_is_told_so(run):
    done = run("raise MemoryError('no room')", "x = 1", limits=Limits(memory=2 * GB))

    assert (done.status, done.failure.kind) == ("failed", "memory")
    assert "the memory limit is 2 GB" in done.failure.message
    assert [cell.status for cell in done.cells] == ["failed", "not run"]


def test_so_is_a_module(run):
    from sinara.execute import execute_module

    path = run.folder / "big.py"
    path.write_text("raise MemoryError('no room')\n")

    done = execute_module(path, [], run.output, run.options(limits=Limits(memory=2 * GB)))

    assert done.failure.kind == "memory"
    assert done.failure.message == (
        "big.py, line 1: MemoryError: no room (the memory limit is 2 GB, setting memory)"
    )
    assert not done.processes_left
