"""A folder of CSV, Parquet, JSON and workbooks: each file or sheet a dataset, read by a DuckDB that is shut in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from connectors import errors, formats, spreadsheets
from connectors.connector import BATCH_ROWS, QUERY_ROWS, TEXT_LIMIT, Connector
from connectors.datasets import (
    ChangeMarker,
    ChangeMethod,
    ColumnBatch,
    Dataset,
    DatasetRef,
    Description,
    Health,
    Kind,
    QueryResult,
    Sample,
    Watermark,
)
from connectors.duckdb_engine import Engine, lock_up, new_connection
from connectors.duckdb_errors import sentence_of
from connectors.duckdb_reading import columns_of, count_of, highest_of, rows_of
from connectors.file_listing import SHEET, FileEntry, dataset_of, find, find_all, mentioned
from connectors.formats import Format
from connectors.paths import resolve_folder
from connectors.settings import SourceSettings
from connectors.sql_text import one_select, quoted, quoted_ref

# Linux and macOS show open files here: what was checked is what is read, whatever the name points to by then.
_OPEN_FILES = next((place for place in (Path("/proc/self/fd"), Path("/dev/fd")) if place.is_dir()), None)


async def connect(settings: SourceSettings) -> FilesConnector:
    folder = await asyncio.to_thread(resolve_folder, settings.path, settings.roots)
    return FilesConnector(settings, folder)


class FilesConnector(Connector):
    kind = Kind.FILES

    def __init__(self, settings: SourceSettings, folder: Path) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._folder = folder
        self._turns = asyncio.Semaphore(settings.limits.connections)
        self._engines: set[Engine] = set()
        self._closed = False

    async def aclose(self) -> None:
        self._closed = True
        for engine in self._engines:
            engine.close()
        self._engines.clear()

    async def test(self) -> Health:
        started = time.perf_counter()
        entries = await asyncio.to_thread(find_all, self._folder, self._settings.pattern)
        latency = (time.perf_counter() - started) * 1000
        warnings = () if entries else (f"no data file matches {self._settings.pattern!r}",)
        return Health(
            f"{len(entries)} files in {self._folder.name}, read by DuckDB {duckdb.__version__}",
            latency,
            ("read",),
            warnings,
        )

    async def list_datasets(self) -> list[Dataset]:
        return await asyncio.to_thread(self._list)

    async def describe(self, ref: DatasetRef) -> Description:
        async with self._reading(ref) as (engine, entry):
            return await _described(engine, entry, ref)

    async def count_rows(self, ref: DatasetRef, *, after: Watermark | None = None) -> int:
        async with self._reading(ref) as (engine, entry):
            return await count_of(engine, await _described(engine, entry, ref), after)

    async def fetch(
        self,
        ref: DatasetRef,
        columns: Sequence[str] | None = None,
        *,
        batch_rows: int = BATCH_ROWS,
        row_cap: int | None = None,
        after: Watermark | None = None,
        sample: Sample | None = None,
        text_limit: int | None = TEXT_LIMIT,
    ) -> AsyncGenerator[ColumnBatch, None]:
        cap = min(row_cap or self._limits.row_cap, self._limits.row_cap)
        async with self._reading(ref) as (engine, entry):
            description = await _described(engine, entry, ref)
            batches = rows_of(
                engine,
                description,
                columns,
                batch_rows=batch_rows,
                cap=cap,
                after=after,
                sample=sample,
                text_limit=text_limit,
            )
            async with contextlib.aclosing(batches):
                async for batch in batches:
                    yield batch

    async def query(self, sql: str, *, max_rows: int = QUERY_ROWS) -> QueryResult:
        """Datasets are tables with their file's name: `SELECT * FROM "2024/sales.csv"`."""
        statement = one_select(sql)
        entries = await asyncio.to_thread(find_all, self._folder, self._settings.pattern)
        async with self._engine(mentioned(statement, entries)) as engine:
            return await engine.query(statement, min(max_rows, self._limits.row_cap))

    async def change_marker(self, ref: DatasetRef, watermark_column: str | None = None) -> ChangeMarker:
        if watermark_column is None:
            entry = await asyncio.to_thread(find, self._folder, self._settings.pattern, ref)
            return ChangeMarker(ChangeMethod.FILE, entry.etag)
        async with self._reading(ref) as (engine, entry):
            highest = await highest_of(engine, await _described(engine, entry, ref), watermark_column)
        return ChangeMarker(
            ChangeMethod.WATERMARK, highest or "", highest, "rows that were deleted, or changed without a new value"
        )

    def _list(self) -> list[Dataset]:
        found = []
        for entry in find_all(self._folder, self._settings.pattern):
            if entry.format is Format.SPREADSHEET:
                found += [dataset_of(entry, sheet) for sheet in _sheets(entry)]
            else:
                found.append(dataset_of(entry))
        return found

    @contextlib.asynccontextmanager
    async def _reading(self, ref: DatasetRef) -> AsyncIterator[tuple[Engine, FileEntry]]:
        entry = await asyncio.to_thread(find, self._folder, self._settings.pattern, ref)
        async with self._engine([(ref.name, entry)]) as engine:
            yield engine, entry

    @contextlib.asynccontextmanager
    async def _engine(self, tables: Sequence[tuple[str, FileEntry]]) -> AsyncIterator[Engine]:
        """An engine that knows these tables and can reach only their files."""
        async with self._turns:
            if self._closed:
                raise errors.SourceLost("the connection to the source was closed")
            engine = Engine(self._limits)
            self._engines.add(engine)
            with contextlib.ExitStack() as files:
                try:
                    await engine.open(lambda: new_connection(None, self._limits))
                    await engine.run(lambda connection: _shut_in(connection, tables, files))
                    yield engine
                finally:
                    self._engines.discard(engine)
                    engine.close()


def _shut_in(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[tuple[str, FileEntry]], files: contextlib.ExitStack
) -> None:
    """Makes the tables, and lets the engine reach their files and nothing else from then on."""
    lock_up(connection, [_add_table(connection, table, entry, files) for table, entry in tables])


def _add_table(connection: duckdb.DuckDBPyConnection, table: str, entry: FileEntry, files: contextlib.ExitStack) -> str:
    """Makes a table or view of the file: where the engine will find it."""
    location = _location(entry, files)
    head = formats.check(entry.name, Path(location))
    if entry.format is Format.SPREADSHEET:
        spreadsheets.load_sheet(connection, table, entry.name, Path(location), table.removeprefix(entry.name + SHEET))
        return location
    try:
        source = formats.reader(entry.name, location, entry.size, head)
        connection.execute(f"CREATE VIEW {quoted(table)} AS SELECT * FROM {source}")  # noqa: S608 - quoted
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise errors.WrongFormat(_what_is_wrong(connection, entry, location, head, error)) from error
    return location


def _location(entry: FileEntry, files: contextlib.ExitStack) -> str:
    """A path to the file that was found, even if its name has come to mean another since."""
    if _OPEN_FILES is None:
        return str(entry.path)
    try:
        number = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise errors.PathForbidden(f"{entry.name!r} cannot be read: {error.strerror}") from None
    files.callback(os.close, number)
    if os.fstat(number).st_ino != entry.inode:
        raise errors.PathForbidden(f"{entry.name!r} was replaced just now; try again")
    return str(_OPEN_FILES / str(number))


def _what_is_wrong(
    connection: duckdb.DuckDBPyConnection, entry: FileEntry, location: str, head: bytes, error: duckdb.Error
) -> str:
    """In one sentence, with the line of a CSV that does not fit."""
    worst = error
    if entry.format is Format.CSV:
        try:
            source = formats.plain_reader(entry.name, location, head)
            connection.execute(f"SELECT count(*) FROM {source}").fetchall()  # noqa: S608 - quoted
        except duckdb.Error as more_exact:
            worst = more_exact
    text = sentence_of(worst)
    if "not UTF-8" in text:
        return f"{entry.name!r} is not UTF-8; save it as UTF-8"
    return f"{entry.name!r} cannot be read as {entry.format}: {text[:300]}"


async def _described(engine: Engine, entry: FileEntry, ref: DatasetRef) -> Description:
    columns = await columns_of(engine, quoted_ref(ref))
    dataset = replace(dataset_of(entry), ref=DatasetRef(None, ref.name))
    if entry.format in (Format.PARQUET, Format.SPREADSHEET):
        # Cheap for Parquet, whose end tells it; a workbook is in memory already.
        rows = await count_of(engine, Description(dataset, columns), None)
        dataset = replace(dataset, estimated_rows=rows)
    return Description(dataset, columns)


def _sheets(entry: FileEntry) -> list[str | None]:
    """The sheets of a workbook; one that cannot be read is listed as itself, and says why when it is asked for."""
    try:
        return list(spreadsheets.sheets_of(entry.name, entry.path))
    except errors.WrongFormat:
        return [None]
