"""How large an archive may become: values that a caller sets, and the meter that counts."""

from __future__ import annotations

from dataclasses import dataclass

from sinara.errors import ArchiveError

MIB = 1 << 20
_HOW = "If you trust it, give larger limits: sinara.extract.Limits(%s=...)."


@dataclass(frozen=True)
class Limits:
    """What one archive may unpack to.

    Attributes:
        max_files: Files and folders, counted together.
        max_bytes: All files together, in bytes.
        max_ratio: Unpacked bytes per byte of the archive. gzip can reach 1,030, real data
            stays below 30.
        free_bytes: Up to this size the ratio does not count: small files of zeros are common
            and do no harm.
        max_depth: Folders inside folders.
    """

    max_files: int = 100_000
    max_bytes: int = 1 << 40
    max_ratio: float = 100.0
    free_bytes: int = 64 * MIB
    max_depth: int = 64


class Meter:
    """Counts what an archive declares, before it is written.

    Args:
        where: What is counted, for the refusal: "Archive x.tar".
        stored: The size of the archive itself, in bytes.
        limits: What is allowed.
    """

    def __init__(self, where: str, stored: int, limits: Limits) -> None:
        self.where = where
        self.files = 0
        self.bytes = 0
        self._limits = limits
        self._ratio_bytes = max(limits.free_bytes, int(stored * limits.max_ratio))

    def add(self, size: int, files: int = 1) -> None:
        """Count ``files`` members of together ``size`` bytes.

        Raises:
            ArchiveError: If that is more than the limits allow.
        """
        if size < 0:
            raise ArchiveError(f"{self.where}: a member has a negative size. It is damaged.")
        self.files += files
        self.bytes += size
        if self.files > self._limits.max_files:
            self._refuse(f"it holds more than {self._limits.max_files:,} files", "max_files")
        if self.bytes > self._limits.max_bytes:
            self._refuse(f"it unpacks to more than {self._limits.max_bytes:,} bytes", "max_bytes")
        self.check_ratio(self.bytes)

    def check_ratio(self, unpacked: int) -> None:
        """Refuse an archive that has unpacked to so many bytes already.

        Raises:
            ArchiveError: If they are too many for the size of the archive.
        """
        if unpacked > self._ratio_bytes:
            times = f"{self._limits.max_ratio:g} times its own size"
            self._refuse(f"it unpacks to more than {times}, like a decompression bomb", "max_ratio")

    def _refuse(self, why: str, limit: str) -> None:
        raise ArchiveError(f"{self.where}: {why}. Nothing was written. {_HOW % limit}")
