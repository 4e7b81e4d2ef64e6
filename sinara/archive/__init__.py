"""A folder of files of any size kept as parquet, which every store and every engine can hold.

::

    SinaraArchive().pack("/tmp/model", outputs.model)        folder -> parquet
    folder = SinaraArchive().unpack(inputs.model)            parquet -> folder

    layout   the columns, and the names of the pieces of large files
    source   the files of the folder that is packed
    pack     files -> row groups
    plan     what an archive says it holds, judged before anything is written
    unpack   row groups -> files, inside one folder, all or none
    places   the parquet files on a disk or an object store

Archives of the original system are read, and it reads these. Neither Spark nor memory for a
whole file is needed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.archive.layout import LARGEST_ROW
from sinara.errors import UsageError
from sinara.extract.limits import Limits

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["Limits", "SinaraArchive", "get_block_size", "get_row_size"]

DEFAULT_LIMITS = Limits(max_files=500_000)
_Path = str | os.PathLike[str]


def get_row_size() -> int:
    """Return the bytes that one row of an archive may hold, from the settings."""
    from sinara.settings import load_settings

    return load_settings(Path.cwd()).row_size


def get_block_size() -> int:
    """Return the bytes of one row group of an archive, from the settings."""
    from sinara.settings import load_settings

    return load_settings(Path.cwd()).block_size


class SinaraArchive:
    """Packs a folder of files into an entity, and unpacks it again.

    Args:
        spark: A Spark session. Only the two methods that speak of data frames use it.
        limits: What to refuse, both ways: by default 500,000 files, 1 TiB, and 100 bytes
            unpacked for each byte stored.

    Attributes:
        ROW_SIZE: Bytes that one row may hold, longer files are split; None: as the settings say.
        BLOCK_SIZE: Bytes of one row group; None: as the settings say.
    """

    ROW_SIZE: int | None = None
    BLOCK_SIZE: int | None = None

    def __init__(self, spark: SparkSession | None = None, *, limits: Limits | None = None) -> None:
        self._spark = spark
        self._limits = limits or DEFAULT_LIMITS

    def pack_files_from_tmp_to_store(self, tmp_entity_dir: _Path, store_path: _Path) -> None:
        """Pack a folder, in place of the archive that ``store_path`` may hold.

        Names, bytes, permissions, times and empty folders are kept. A link to a file inside the
        folder becomes a copy of that file.

        Args:
            tmp_entity_dir: A local folder.
            store_path: An entity's URL, or any folder.

        Raises:
            ArchiveError: If the folder cannot be packed whole; what ``store_path`` held is
                then still there.
        """
        from sinara.archive.pack import pack
        from sinara.archive.places import new_files
        from sinara.archive.source import sources

        row_size = self.ROW_SIZE or get_row_size()
        with new_files(os.fspath(store_path)) as new_file:
            pack(
                sources(Path(tmp_entity_dir), self._limits),
                new_file,
                row_size=min(row_size, LARGEST_ROW),
                block_size=self.BLOCK_SIZE or get_block_size(),
            )

    def unpack_files_from_store_to_tmp(self, store_path: _Path, tmp_entity_dir: _Path) -> None:
        """Unpack an archive into a folder: all of it, or nothing if it fails.

        Args:
            store_path: An entity's URL, or any folder that holds an archive.
            tmp_entity_dir: A local folder, made if it is missing. Files in it that have the same
                names are replaced, others stay.

        Raises:
            ArchiveError: If it is no archive, is damaged, would write outside the folder, or
                is beyond the limits.
        """
        from sinara.archive.places import stored_files
        from sinara.archive.unpack import unpack

        url = os.fspath(store_path)
        unpack(f"Archive {url}", stored_files(url), Path(tmp_entity_dir), self._limits)

    def pack(self, tmp_entity_dir: _Path, store_path: _Path) -> None:
        """Pack a folder; the short name of :meth:`pack_files_from_tmp_to_store`."""
        self.pack_files_from_tmp_to_store(tmp_entity_dir, store_path)

    def unpack(self, store_path: _Path) -> str:
        """Unpack an archive into a folder of this run's scratch folder, and return its path.

        The folder has the name of the entity. If it exists already (the entity was unpacked
        before, or another one of that name was) its files of the same names are replaced.
        """
        from sinara.archive.work import work_folder

        folder = work_folder() / os.fspath(store_path).rstrip("/").rpartition("/")[2]
        self.unpack_files_from_store_to_tmp(store_path, folder)
        return str(folder)

    def pack_files_from_tmp_to_spark_df(self, tmp_entity_dir: _Path) -> DataFrame:
        """Return a folder's files as a Spark data frame, in the columns of an archive.

        It is backed by a copy in this run's scratch folder.

        Raises:
            UsageError: If this archive was made without a Spark session.
        """
        session, copy = self._session(), self._scratch()
        self.pack_files_from_tmp_to_store(tmp_entity_dir, copy)
        return session.read.parquet(str(copy))

    # The original's name for it was misspelt first; step repositories have both.
    pack_files_form_tmp_to_spark_df = pack_files_from_tmp_to_spark_df

    def unpack_files_from_spark_df_to_tmp(
        self, df_archive: DataFrame, tmp_entity_dir: _Path
    ) -> None:
        """Write the files that a Spark data frame holds into a folder.

        Args:
            df_archive: With the columns of an archive; its rows may come in any order.
            tmp_entity_dir: As in :meth:`unpack_files_from_store_to_tmp`.
        """
        from sinara.archive.places import remove_folder

        copy = self._scratch()
        try:
            df_archive.write.parquet(str(copy))
            self.unpack_files_from_store_to_tmp(copy, tmp_entity_dir)
        finally:
            remove_folder(copy.parent)

    def _session(self) -> Any:
        if self._spark is None:
            raise UsageError(
                "This needs a Spark session: SinaraArchive(SinaraSpark.run_session()). "
                "pack and unpack need none."
            )
        return self._spark

    def _scratch(self) -> Path:
        """Return a path of this run's own at which nothing is yet."""
        from sinara.archive.work import work_folder

        return Path(tempfile.mkdtemp(prefix="archive-", dir=work_folder())) / "parquet"
