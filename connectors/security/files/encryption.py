"""Whether a file can be read by whoever has it, as its own first or last bytes tell."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.file_listing import FileEntry
from connectors.formats import Format
from connectors.security.check import Row
from connectors.security.files.places import File

OPENNESS = "signs of files that are not encrypted"
# https://www.sqlite.org/fileformat.html, 1.3: what encrypts a database encrypts this as well.
_SQLITE = b"SQLite format 3\0"
# https://parquet.apache.org/docs/file-format/data-pages/encryption: PARE where the footer is encrypted.
_PARQUET = b"PAR1"


def of_sqlite(file: File) -> list[Row]:
    with file.path.open("rb") as opened:
        return [{"name": file.name, "is_open": opened.read(len(_SQLITE)) == _SQLITE}]


def of_parquet(entries: Sequence[FileEntry]) -> list[Row]:
    """One row for each Parquet file."""
    return [{"name": one.name, "is_open": _ends_openly(one)} for one in entries if one.format is Format.PARQUET]


def _ends_openly(entry: FileEntry) -> bool:
    with entry.path.open("rb") as opened:
        opened.seek(max(0, entry.path.stat().st_size - len(_PARQUET)))
        return opened.read() == _PARQUET
