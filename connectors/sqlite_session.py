"""A session with an SQLite database: opened to read, and told by the library itself what it may do."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from connectors import errors
from connectors.concealing import without_values
from connectors.network import one_line
from connectors.settings import SourceLimits
from connectors.threads import InterruptibleThread

R = TypeVar("R")

_MAGIC = b"SQLite format 3\0"
# A writer's commit takes milliseconds.
_BUSY_SECONDS = 5.0
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
# They look at the schema; all others could change how the session works.
_ALLOWED_PRAGMAS = frozenset({"table_xinfo", "table_info", "foreign_key_list", "index_list", "index_info"})
BANNED_FUNCTIONS = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})
# What it says of a statement's text and of names in it. Others may quote a value, as "JSON path error near" does.
_WITHOUT_ROWS = re.compile(
    r"no such (table|column|function|module|collation)|near \"|ambiguous column|view \S+ is circularly defined"
    r"|wrong number of arguments|not authorized|misuse of |no tables specified|unsafe use of|too many "
)


class Session:
    """One connection, used from one thread. `pragmas` are allowed beside those that look at the schema."""

    def __init__(self, path: Path, limits: SourceLimits, pragmas: frozenset[str] = frozenset()) -> None:
        self._path = path
        self._pragmas = _ALLOWED_PRAGMAS | pragmas
        self._limits = limits
        self._connection: sqlite3.Connection | None = None
        self._thread = InterruptibleThread("sqlite", self._interrupt)

    @property
    def is_well(self) -> bool:
        return not self._thread.is_stuck

    async def run(self, work: Callable[[sqlite3.Connection], R]) -> R:
        """What `work(connection)` answers. Raises ConnectorError."""

        def call() -> R:
            with telling():
                if self._connection is None:
                    self._connection = _open(self._path, self._pragmas)
                return work(self._connection)

        return await self._thread.run(call, self._limits.statement_seconds)

    def close(self) -> None:
        def call() -> None:
            if self._connection is not None:
                self._connection.close()

        self._thread.submit(call)
        self._thread.close()

    def _interrupt(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # it is closed: nothing runs there
                self._connection.interrupt()


async def check_file(path: Path, shown: str) -> None:
    """Raises WrongFormat for what is no SQLite database."""

    def head() -> bytes:
        with path.open("rb") as file:
            return file.read(len(_MAGIC))

    found = await asyncio.to_thread(head)
    if found != _MAGIC:
        raise errors.WrongFormat(f"{shown!r} is not an SQLite database" if found else f"{shown!r} is empty")


def _open(path: Path, pragmas: frozenset[str]) -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}?mode=ro"
    connection = sqlite3.connect(
        uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=0
    )
    # Of texts that are not UTF-8, what is legible.
    connection.text_factory = lambda data: data.decode(errors="replace")
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    # Big sorts stay in files, which the library makes for itself and removes.
    connection.execute("PRAGMA temp_store = FILE")
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000_000)
    connection.set_authorizer(_authoriser(pragmas))
    return connection


def _authoriser(pragmas: frozenset[str]) -> Callable[..., int]:
    def authorise(action: int, first: str | None, second: str | None, _: str | None, __: str | None) -> int:
        if action == sqlite3.SQLITE_PRAGMA:
            return sqlite3.SQLITE_OK if first in pragmas else sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_DENY if second in BANNED_FUNCTIONS else sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_TRANSACTION:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
            # So a table-valued pragma comes to be, in memory; the file's own schema table takes no UPDATE in any case.
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY

    return authorise


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Raises a ConnectorError for what SQLite raises inside the block."""
    try:
        yield
    except sqlite3.Error as error:
        raise told(error) from error


def told(error: sqlite3.Error) -> errors.ConnectorError:
    text = one_line(error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return errors.WrongFormat(f"the file is not an SQLite database, or damaged: {text}")
    if code in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY):
        return errors.NotReadOnly(f"the source is only read: {text}")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return errors.Unreachable(f"another program holds the database: {text}")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM):
        return errors.PathForbidden(f"the file cannot be read: {text}")
    if code == sqlite3.SQLITE_INTERRUPT:
        return errors.StatementTimeout("it was stopped")
    if code in (sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG):
        return errors.OutOfMemory(text)
    if "one statement at a time" in text:
        return errors.NotReadOnly("only one statement is allowed")
    return errors.StatementFailed(text if _WITHOUT_ROWS.match(text) else without_values(text))
