"""Pack and unpack: SinaraArchive against Python's tarfile, same files, same disk, taken in turns.

    python tools/bench/bench_archive.py [--small 10000] [--large 1024] [--rounds 5] [--folder DIR]

Prints for each direction the best time of either and the ratio (above 1: SinaraArchive is faster),
and by how much memory grew, in a process of its own. The goal: ratios of 0.8 at least, 200 MB.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sinara.archive import SinaraArchive

MIB = 1 << 20


def make_small(folder: Path, count: int) -> None:
    """Files of 0 to 4 kB of noise in a hundred folders."""
    noise = random.Random(1)
    for number in range(count):
        path = folder / f"d{number % 100:02d}" / f"file-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise.randbytes(noise.randrange(4096)))


def make_large(folder: Path, megabytes: int) -> None:
    """One file of noise: nothing that compression could save."""
    folder.mkdir()
    with (folder / "large.bin").open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(MIB))


def tar_pack(source: Path, packed: Path) -> None:
    packed.mkdir()
    with tarfile.open(packed / "files.tar", "w") as tar:
        tar.add(source, arcname=".")


def tar_unpack(packed: Path, folder: Path) -> None:
    with tarfile.open(packed / "files.tar") as tar:
        tar.extractall(folder, filter="data")


def our_pack(source: Path, packed: Path) -> None:
    SinaraArchive().pack(source, packed)


def our_unpack(packed: Path, folder: Path) -> None:
    SinaraArchive().unpack_files_from_store_to_tmp(packed, folder)


def timed(call: Callable[[Path, Path], None], source: Path, target: Path) -> float:
    began = time.perf_counter()
    call(source, target)
    return time.perf_counter() - began


def compare(label: str, source: Path, work: Path, rounds: int) -> None:
    times: dict[str, list[float]] = {}
    both = [("ours", our_pack, our_unpack), ("tar", tar_pack, tar_unpack)]
    for _ in range(rounds):
        both.reverse()  # whoever comes first pays for memory that nobody has used yet
        for name, pack, unpack in both:
            packed, back = work / "packed", work / "back"
            times.setdefault(f"{name} pack", []).append(timed(pack, source, packed))
            times.setdefault(f"{name} unpack", []).append(timed(unpack, packed, back))
            shutil.rmtree(packed)
            shutil.rmtree(back)
            os.sync()  # else one pays for what the other left to be written
    for way in ("pack", "unpack"):
        ours, tar = min(times[f"ours {way}"]), min(times[f"tar {way}"])
        print(f"{label:>24} {way:>6}: {ours:6.2f} s, tarfile {tar:6.2f} s, ratio {tar / ours:5.2f}")


def peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage() counts the parent's, from before the program was loaded
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def growth(source: Path, work: Path) -> None:
    """Print by how much packing and unpacking raised the memory of this process."""
    import pyarrow.parquet  # noqa: F401 (what is imported anyway is not counted)

    before = peak()
    our_pack(source, work / "packed")
    our_unpack(work / "packed", work / "back")
    grown = peak()
    print(f"{source.name:>24} memory: grew by {(grown - before) / 1e6:.0f} MB")
    shutil.rmtree(work / "packed")
    shutil.rmtree(work / "back")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=10_000, help="how many small files")
    parser.add_argument("--large", type=int, default=1024, help="size of the large file, in MB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where to work: a disk with room for four such files")
    parser.add_argument("--growth", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.growth:
        growth(Path(given.growth), Path(given.growth).parent)
        return
    print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} CPUs, Python {sys.version.split()[0]}")
    import pyarrow.parquet  # noqa: F401 (its import is not what is compared)

    with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
        small, large = Path(scratch, "small"), Path(scratch, "large")
        make_small(small, given.small)
        make_large(large, given.large)
        compare(f"{given.small:,} small files", small, Path(scratch), given.rounds)
        compare(f"one file of {given.large:,} MB", large, Path(scratch), given.rounds)
        for source in (small, large):
            subprocess.run([sys.executable, __file__, "--growth", str(source)], check=True)
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
