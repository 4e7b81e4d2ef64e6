"""Limits of memory and processor time, in real child processes."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sinara.kernels import rlimits

FILE = Path(rlimits.__file__)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds RLIMIT_DATA")
UNIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no setrlimit")
MEGABYTE = 1_000_000


def run(*lines: str, memory: int | None = None, cpu: float | None = None):
    """Run code in a child that was limited first; it says which limits hold."""
    code = (
        f"import sys; sys.path.insert(0, {str(FILE.parent)!r})\n"
        "import rlimits, resource\n"
        f"print(*rlimits.apply({memory}, {cpu}), flush=True)\n" + "\n".join(lines)
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@LINUX
def test_an_allocation_above_the_limit_is_a_memory_error_and_one_below_is_not():
    done = run(
        f"kept = bytearray({60 * MEGABYTE})",
        "try:",
        f"    more = bytearray({60 * MEGABYTE})",
        "except MemoryError:",
        "    print('refused')",
        memory=100 * MEGABYTE,
    )

    assert done.stdout.split() == ["memory", "refused"]
    assert done.returncode == 0


@LINUX
def test_memory_counts_from_what_the_process_has_already():
    code = (
        f"import sys; sys.path.insert(0, {str(FILE.parent)!r})\n"
        f"import rlimits; kept = bytearray({200 * MEGABYTE})\n"
        f"print(*rlimits.apply({100 * MEGABYTE}, None))\n"
        f"more = bytearray({60 * MEGABYTE}); print('had')"
    )

    said = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)

    assert said.stdout.split() == ["memory", "had"]


@LINUX
def test_what_the_process_starts_is_limited_too():
    big = f"bytearray({500 * MEGABYTE})"
    done = run(
        "import subprocess",
        f"sys.exit(subprocess.run([sys.executable, '-I', '-S', '-c', {big!r}]).returncode)",
        memory=100 * MEGABYTE,
    )

    assert done.returncode == 1
    assert "MemoryError" in done.stderr


@UNIX
def test_a_process_that_spins_gets_sigxcpu():
    done = run("while True: pass", cpu=0.5)

    assert done.stdout.split() == ["cpu_seconds"]
    assert done.returncode == -signal.SIGXCPU


@UNIX
def test_one_that_ignores_sigxcpu_is_killed_some_seconds_later():
    done = run(
        "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)",
        "soft, hard = resource.getrlimit(resource.RLIMIT_CPU)",
        "resource.setrlimit(resource.RLIMIT_CPU, (soft, soft + 1)) or print(hard - soft, flush=True)",
        "while True: pass",
        cpu=0.5,
    )

    assert done.stdout.split() == ["cpu_seconds", str(rlimits.GRACE)]
    assert done.returncode == -signal.SIGKILL


@UNIX
def test_waiting_uses_no_processor_time():
    done = run("import time; time.sleep(2.5); print('slept')", cpu=1)

    assert done.stdout.split() == ["cpu_seconds", "slept"]


@UNIX
def test_a_lower_limit_that_is_there_stays():
    done = run(
        "print(*resource.getrlimit(resource.RLIMIT_CPU))",
        "rlimits.apply(None, 1000)",
        "print(*resource.getrlimit(resource.RLIMIT_CPU))",
        cpu=100,
    )

    _, soft, hard, *again = done.stdout.split()
    assert again == [soft, hard]


@UNIX
def test_limits_that_no_machine_reaches_are_no_error():
    done = run("print('fine')", memory=2**63 - 1, cpu=1e300)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "fine"


def test_no_limit_changes_nothing():
    assert rlimits.apply(None, None) == ()


def test_only_the_standard_library_is_imported():
    tree = ast.parse(FILE.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert imported <= set(sys.stdlib_module_names)
