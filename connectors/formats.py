"""What a file is, by its name and its first bytes, and how DuckDB reads it."""

from __future__ import annotations

import csv
import enum
import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path

from connectors.errors import PathForbidden, WrongFormat


class Format(enum.StrEnum):
    CSV = "CSV"
    PARQUET = "Parquet"
    JSON = "JSON"
    JSON_LINES = "JSON lines"
    SPREADSHEET = "Excel"


_SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".parquet": Format.PARQUET,
    ".json": Format.JSON,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), Format.SPREADSHEET),
}
_TEXTS = (Format.CSV, Format.JSON, Format.JSON_LINES)
_SEPARATORS = ",;\t|"
_HEAD_BYTES = 65_536
# Up to this size types are told by all rows; in a larger file by so many of the first.
_SNIFFED_WHOLE = 64 * 2**20
_SNIFFED_ROWS = 500_000
_OLE = b"\xd0\xcf\x11\xe0"
_ZIP = b"PK\x03\x04"


def format_of(name: str) -> Format | None:
    """By the end of the name, `.gz` aside; None for what is not a data file."""
    path = Path(name.lower())
    if path.suffix == ".gz":
        inner = _SUFFIXES.get(Path(path.stem).suffix)
        return inner if inner in _TEXTS else None
    return _SUFFIXES.get(path.suffix)


def check(name: str, path: Path) -> bytes:
    """The first bytes of the file, unpacked. Raises WrongFormat for one that its beginning shows not to be what it
    is called, PathForbidden for one that cannot be read."""
    format_ = format_of(name)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            file.seek(max(0, path.stat().st_size - 4))
            tail = file.read(4)
    except OSError as error:
        raise PathForbidden(f"{name!r} cannot be read: {error.strerror}") from None
    if not head:
        raise WrongFormat(f"{name!r} is empty")
    if name.lower().endswith(".gz"):
        head = _unpacked(name, path)
    found = _recognised(head)
    if format_ in _TEXTS:
        _check_text(name, format_, head, found)
    elif format_ is Format.PARQUET:
        if found != "a Parquet file":
            raise WrongFormat(f"{name!r} is not a Parquet file; it looks like {found or 'text'}")
        if tail != b"PAR1":
            raise WrongFormat(f"{name!r} is a Parquet file that was cut off: its end is missing")
    elif format_ is Format.SPREADSHEET and not head.startswith((_OLE, _ZIP)):
        raise WrongFormat(f"{name!r} is not a workbook; it looks like {found or 'text'}")
    return head


def reader(name: str, location: str, size: int, head: bytes) -> str:
    """The SQL table function that reads the file at a location."""
    place = literal(location)
    packed = ", compression = 'gzip'" if name.lower().endswith(".gz") else ""
    rows = -1 if size <= _SNIFFED_WHOLE else _SNIFFED_ROWS
    match format_of(name):
        case Format.PARQUET:
            return f"read_parquet({place}, hive_partitioning = false)"
        case Format.JSON_LINES:
            return f"read_json({place}, format = 'newline_delimited', sample_size = {rows}{packed})"
        case Format.JSON:
            return f"read_json({place}, format = 'auto', sample_size = {rows}{packed})"
        case _:
            # Left to itself, it drops lines until the rest looks like a table, and takes any sign for a separator.
            options = (
                f"delim = {literal(separator_of(name, head))}, quote = '\"', escape = '\"', comment = '', skip = 0"
            )
            if not head.partition(b"\n")[2].strip():
                options += ", header = true"  # a line alone would be taken for values
            return f"read_csv({place}, {options}, sample_size = {rows}, hive_partitioning = false{packed})"


def plain_reader(name: str, location: str, head: bytes) -> str:
    """A CSV as texts with the columns of its first line: reading it tells which line does not fit."""
    separator = separator_of(name, head)
    first = next(csv.reader(io.StringIO(head.decode(errors="replace")), delimiter=separator), [])
    columns = ", ".join(f"{literal(f'c{number}')}: 'VARCHAR'" for number in range(len(first)))
    options = f"delim = {literal(separator)}, quote = '\"', escape = '\"', comment = '', skip = 0, header = true"
    packed = ", compression = 'gzip'" if name.lower().endswith(".gz") else ""
    return f"read_csv({literal(location)}, auto_detect = false, {options}, columns = {{{columns}}}{packed})"


def separator_of(name: str, head: bytes) -> str:
    """The sign that the first line has most of, outside of quotes."""
    if ".tsv" in name.lower():
        return "\t"
    line = head.partition(b"\n")[0].decode(errors="replace")
    bare = "".join(line.split('"')[::2])
    return max(_SEPARATORS, key=bare.count)


def literal(text: str) -> str:
    """Text as SQL takes it."""
    return "'" + text.replace("'", "''") + "'"


def list_literal(texts: Sequence[str]) -> str:
    return "[" + ", ".join(map(literal, texts)) + "]"


def _unpacked(name: str, path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            return file.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        raise WrongFormat(f"{name!r} is not packed by gzip, or broken") from None


def _check_text(name: str, format_: Format, head: bytes, found: str | None) -> None:
    if found is not None:
        raise WrongFormat(f"{name!r} is not {format_}; it looks like {found}")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise WrongFormat(f"{name!r} is UTF-16; save it as UTF-8")
    if b"\0" in head:
        raise WrongFormat(f"{name!r} is not {format_}; it holds bytes that are not text")


def _recognised(head: bytes) -> str | None:
    marks = (
        (b"PAR1", "a Parquet file"),
        (_ZIP, "a workbook or another zip file"),
        (_OLE, "an old workbook"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x1f\x8b", "a gzip file"),
        (b"%PDF", "a PDF"),
        (b"\x89PNG", "an image"),
        (b"\xff\xd8\xff", "an image"),
        (b"\x7fELF", "a program"),
    )
    if head[8:12] == b"DUCK":
        return "a DuckDB database"
    return next((what for mark, what in marks if head.startswith(mark)), None)
