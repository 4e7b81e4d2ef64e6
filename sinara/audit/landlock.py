"""Refuse files that are not declared: Landlock, applied inside the kernel to itself.

What is refused stays refused for the thread that applies it and for everything it starts from
then on; nobody can lift it. No root is needed. Standard library only; loaded by its path.

Source:
    https://docs.kernel.org/userspace-api/landlock.html and ``include/uapi/linux/landlock.h``.
    The three system calls have the same numbers on every architecture that Python runs on.
"""

# ruff: noqa: PTH111, PTH117
# Paths stay texts: pathlib costs more than all that is watched.
from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Iterable
from typing import Any

CREATE, ADD, RESTRICT = 444, 445, 446  # landlock_create_ruleset, _add_rule, _restrict_self
_VERSION, _PATH_BENEATH, _NO_NEW_PRIVS = 1, 1, 38
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE = 1 << 13, 1 << 14
_ALL = (1 << 13) - 1  # the first version
_LATER = ((2, REFER), (3, TRUNCATE))  # IOCTL_DEV (5) is left alone: GPUs need it
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
READ = EXECUTE | READ_FILE | READ_DIR
_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/run", "/proc", "/sys",
    "/var/cache/fontconfig", "/var/lib/ca-certificates", "/nix/store", "/snap",
)  # fmt: skip
_DEVICES = ("/dev",)  # their files may be written, none can be made there
_SHARED = ("/dev/shm", "/dev/pts", "/dev/mqueue")  # semaphores and terminals
_NAMED_IN = (
    "PATH", "LD_LIBRARY_PATH", "JAVA_HOME", "SPARK_HOME", "HADOOP_HOME", "CUDA_HOME", "CUDA_PATH",
)  # fmt: skip


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """Return the version of Landlock that this system has; 0 if it has none, or it is off."""
    if sys.platform != "linux":
        return 0
    try:
        return _call(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except OSError:
        return 0


def apply(
    read: Iterable[str],
    write: Iterable[str],
    names: Iterable[str],
) -> None:
    """Refuse, from now on, every file that is not below one of these or the system's own.

    Paths that are not there are passed over.

    Args:
        read: May be read and executed.
        write: May be read, written, made and removed.
        names: Folders that may be listed, and no file in them read.

    Raises:
        OSError: If the system refuses; nothing is in force then.
    """
    has = version()
    everything = _ALL
    for since, right in _LATER:
        everything |= right if has >= since else 0
    rules = _Ruleset(everything)
    ruleset = _call(CREATE, ctypes.byref(rules), ctypes.c_size_t(8), ctypes.c_uint32(0))
    try:
        for paths, rights in (
            ((*_SYSTEM, *_from_environment(), *read), READ),
            (_DEVICES, READ | WRITE_FILE),
            ((*_SHARED, f"/proc/{os.getpid()}", *write), everything),
            (names, READ_DIR),
        ):
            for path in dict.fromkeys(paths):
                _allow(ruleset, path, rights & everything)
        _prctl(_NO_NEW_PRIVS)
        _call(RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(beneath).st_mode):
            rights &= _OF_FILES
        rule = _Beneath(rights, beneath)
        if rights:
            _call(ADD, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule),
                  ctypes.c_uint32(0))  # fmt: skip
    finally:
        os.close(beneath)


def _from_environment() -> list[str]:
    """Return folders of programs that the environment names; the home folder is none of them."""
    home = os.path.realpath(os.path.expanduser("~"))
    named = [part for name in _NAMED_IN for part in os.environ.get(name, "").split(os.pathsep)]
    real = [os.path.realpath(part) for part in named if os.path.isabs(part)]
    return [path for path in real if not (home + os.sep).startswith(path.rstrip(os.sep) + os.sep)]


def _call(number: int, *arguments: Any) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    done = int(libc.syscall(ctypes.c_long(number), *arguments))
    if done < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return done


def _prctl(option: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(ctypes.c_int(option), *(ctypes.c_ulong(n) for n in (1, 0, 0, 0))) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs cannot be set")
