"""H4: what can happen to files that lie on a disk for years, and whether it is noticed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

Undo = Callable[[], None]


def _write(path: Path, data: bytes) -> None:
    if path.exists():
        path.unlink()
    path.write_bytes(data)


def damages(folder: Path, files: list[Path], lot: random.Random) -> Iterator[tuple[str, Undo]]:
    """Do one damage after the other; each yields what was done, and how to undo it."""
    while True:
        path = lot.choice(files)
        old = path.read_bytes()
        done = lot.choice((_flip, _cut, _zero, _grow, _remove, _swap, _add))(path, old, files, lot)
        if done is not None:
            name, undo = done
            yield f"{name} {path.relative_to(folder)}", undo


def _restore(path: Path, old: bytes) -> Undo:
    return lambda: _write(path, old)


def _flip(path: Path, old: bytes, files: list[Path], lot: random.Random) -> tuple[str, Undo] | None:
    if not old:
        return None
    at, bit = lot.randrange(len(old)), 1 << lot.randrange(8)
    _write(path, old[:at] + bytes([old[at] ^ bit]) + old[at + 1 :])
    return f"flip bit {bit} of byte {at} in", _restore(path, old)


def _cut(path: Path, old: bytes, files: list[Path], lot: random.Random) -> tuple[str, Undo] | None:
    if not old:
        return None
    _write(path, old[: lot.randrange(len(old))])
    return "cut", _restore(path, old)


def _zero(path: Path, old: bytes, files: list[Path], lot: random.Random) -> tuple[str, Undo] | None:
    if not old.strip(b"\0"):
        return None
    _write(path, bytes(len(old)))
    return "zero", _restore(path, old)


def _grow(path: Path, old: bytes, files: list[Path], lot: random.Random) -> tuple[str, Undo]:
    _write(path, old + lot.randbytes(lot.randrange(1, 9)))
    return "append to", _restore(path, old)


def _remove(path: Path, old: bytes, files: list[Path], lot: random.Random) -> tuple[str, Undo]:
    path.unlink()
    return "remove", _restore(path, old)


def _swap(path: Path, old: bytes, files: list[Path], lot: random.Random) -> tuple[str, Undo] | None:
    other = lot.choice(files)
    data = other.read_bytes()
    if data == old:
        return None
    _write(path, data)
    _write(other, old)

    def undo() -> None:
        _write(path, old)
        _write(other, data)

    return f"swap with {other.name}", undo


def _add(path: Path, old: bytes, files: list[Path], lot: random.Random) -> tuple[str, Undo]:
    added = path.with_name(f"added-{lot.randrange(10**6)}{lot.choice(('.parquet', '.json', ''))}")
    added.write_bytes(lot.choice((b"", old)))
    return "add a file beside", added.unlink
