"""Backups of SQLite: a page-by-page copy of the database while others use it. All of this blocks."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path
from urllib.parse import quote

from connectors.backup_contents import Contents, Piece, Tell, refuse_existing, require_room, telling_disk
from connectors.sql_text import quoted
from connectors.sqlite_session import telling

# Between two portions, others may write.
_PAGES = 2000
_PAUSE_SECONDS = 0.005
# A portion that finds the source changed by another process makes the copy begin anew; after so many of these it is
# taken in one go, which holds writers up.
_MOST_BEGINNINGS = 3
_TABLES = """
SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name
"""


class _BeganAnew(Exception):
    pass


def back_up(source: Path, target: Path, tell: Tell) -> Contents:
    """Makes `target`, one moment of the database. Raises ConnectorError."""
    with telling_disk(), telling():
        require_room(target.parent, source.stat().st_size)
        with contextlib.closing(_opened(source)) as origin, contextlib.closing(sqlite3.connect(target)) as copy:
            _copy(origin, copy, tell)
            # One file, whatever the source's way of journalling.
            copy.execute("PRAGMA journal_mode = DELETE")
        return contents(target)


def restore(archive: Path, target: Path) -> Contents:
    """Makes `target` out of a backup, and tells what is in it. Raises ConnectorError, TargetExists."""
    with telling_disk(), telling():
        refuse_existing(target)
        require_room(target.parent, archive.stat().st_size)
        shutil.copyfile(archive, target)
        return contents(target)


def contents(path: Path) -> Contents:
    """What is in a database that nobody writes to."""
    with contextlib.closing(_opened(path)) as connection:
        integrity = "; ".join(str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)"))
        names = [str(name) for (name,) in connection.execute(_TABLES)]
        pieces = tuple(Piece(name, _count(connection, name)) for name in names)
    return Contents(pieces, f"SQLite {sqlite3.sqlite_version} online backup", integrity)


def _copy(origin: sqlite3.Connection, copy: sqlite3.Connection, tell: Tell) -> None:
    beginnings, left = 1, -1

    def portion(_: int, remaining: int, total: int) -> None:
        nonlocal beginnings, left
        if remaining > left >= 0:
            beginnings += 1
            if beginnings > _MOST_BEGINNINGS:
                raise _BeganAnew
        left = remaining
        tell(total - remaining, total)

    try:
        origin.backup(copy, pages=_PAGES, progress=portion, sleep=_PAUSE_SECONDS)
    except _BeganAnew:
        origin.backup(copy)


def _count(connection: sqlite3.Connection, name: str) -> int | None:
    try:
        return int(connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0])  # noqa: S608 - quoted
    except sqlite3.OperationalError:
        # A virtual table whose module is not here. Its rows are in other tables, which are counted.
        return None


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5.0, isolation_level=None)
    connection.text_factory = lambda data: data.decode(errors="replace")
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection
