"""Which data files a folder holds: by a glob, never through a link that leads out of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from connectors.datasets import Dataset, DatasetKind, DatasetRef
from connectors.errors import BadSettings, DatasetNotFound
from connectors.formats import Format, format_of

# Between a workbook's name and that of its sheet.
SHEET = "#"
MOST_FILES = 10_000
# A folder of other things must not be walked for ever.
_MOST_SEEN = 200_000


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file below the folder: `name` relative to it, `path` with all links followed."""

    name: str
    path: Path
    format: Format
    size: int
    modified_ns: int
    inode: int

    @property
    def etag(self) -> str:
        """Another whenever the file is written to or replaced."""
        return f"{self.modified_ns:x}-{self.size:x}-{self.inode:x}"


def find_all(folder: Path, pattern: str) -> list[FileEntry]:
    """The data files of a folder that match, by name. Raises BadSettings where there are too many."""
    matches = _matcher(pattern)
    found: list[FileEntry] = []
    seen = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        seen += len(files)
        for file in files:
            path = Path(place, file)
            name = path.relative_to(folder).as_posix()
            if matches(name) and (entry := _entry(folder, name)) is not None:
                found.append(entry)
        if seen > _MOST_SEEN or len(found) > MOST_FILES:
            raise BadSettings(f"more than {MOST_FILES} files match {pattern!r}; choose a narrower pattern or folder")
    return sorted(found, key=lambda entry: entry.name)


def find(folder: Path, pattern: str, ref: DatasetRef) -> FileEntry:
    """The file of a dataset, if it is one of the source's. Raises DatasetNotFound."""
    matches = _matcher(pattern)
    book, is_sheet, _ = ref.name.partition(SHEET)
    # A sign that parts off sheets may also be in the name of a file.
    for name in (ref.name, book) if is_sheet else (ref.name,):
        if _is_below(name) and matches(name) and (entry := _entry(folder, name)) is not None:
            return entry
    raise DatasetNotFound(f"the source has no file {ref.name!r}")


def dataset_of(entry: FileEntry, sheet: str | None = None) -> Dataset:
    name = entry.name if sheet is None else f"{entry.name}{SHEET}{sheet}"
    return Dataset(
        DatasetRef(None, name),
        DatasetKind.FILE,
        bytes=entry.size,
        modified_at=datetime.fromtimestamp(entry.modified_ns / 1e9, UTC),
        etag=entry.etag,
    )


def mentioned(sql: str, entries: Sequence[FileEntry]) -> list[tuple[str, FileEntry]]:
    """The tables that a statement may mean, each with its file. A sheet is only known by being named in full."""
    tables = []
    for entry in entries:
        written = entry.name.replace('"', '""')
        if f'"{written}"' in sql:
            tables.append((entry.name, entry))
        start = f'"{written}{SHEET}'
        if entry.format is Format.SPREADSHEET and start in sql:
            for part in sql.split(start)[1:]:
                table = f"{entry.name}{SHEET}{part.partition(chr(34))[0]}"
                if (table, entry) not in tables:
                    tables.append((table, entry))
    return tables


def _entry(folder: Path, name: str) -> FileEntry | None:
    """None for what is no data file, is hidden, or leads out of the folder."""
    format_ = format_of(name)
    if format_ is None or any(part.startswith(".") for part in PurePosixPath(name).parts):
        return None
    try:
        real = (folder / name).resolve(strict=True)
        status = real.stat()
    except (OSError, RuntimeError):
        return None
    if not real.is_file() or not real.is_relative_to(folder):
        return None
    return FileEntry(name, real, format_, status.st_size, status.st_mtime_ns, status.st_ino)


def _is_below(name: str) -> bool:
    """Whether a name is one that a listing of a folder could have told."""
    path = PurePosixPath(name)
    return "\0" not in name and not path.is_absolute() and ".." not in path.parts and path.as_posix() == name


def _matcher(pattern: str) -> Callable[[str], object]:
    """`**` is any folders, `*` and `?` stand for what has no slash."""
    if not pattern or pattern.startswith("/") or ".." in PurePosixPath(pattern).parts or "\0" in pattern:
        raise BadSettings(f"{pattern!r} is not a pattern below the folder; use for example **/*.csv")
    signs = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(signs.get(part, re.escape(part)) for part in parts), re.DOTALL).fullmatch
