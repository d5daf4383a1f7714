"""A DuckDB database in a file."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from connectors import errors
from connectors.connector import BATCH_ROWS, QUERY_ROWS, TEXT_LIMIT, Connector, Undescribed
from connectors.datasets import (
    ChangeMarker,
    ChangeMethod,
    Column,
    ColumnBatch,
    Dataset,
    DatasetKind,
    DatasetRef,
    Description,
    ForeignKey,
    Health,
    Kind,
    QueryResult,
    Sample,
    SourceIndex,
    UniqueKey,
    Watermark,
)
from connectors.duckdb_engine import Engine, lock_up, new_connection
from connectors.duckdb_errors import sentence_of, telling
from connectors.duckdb_reading import count_of, highest_of, rows_of
from connectors.duckdb_types import meaning_of
from connectors.file_stamp import stamp_of
from connectors.paths import resolve_file
from connectors.sessions import Sessions
from connectors.settings import SourceSettings
from connectors.sql_text import one_select

_MAGIC = (8, b"DUCK")
_DATASETS = """
SELECT schema_name, table_name, 'table', estimated_size, comment, NULL FROM duckdb_tables()
WHERE database_name = current_database() AND NOT internal
UNION ALL
SELECT schema_name, view_name, 'view', NULL, comment, sql FROM duckdb_views()
WHERE database_name = current_database() AND NOT internal
ORDER BY 1, 2
"""
# Of the table that is named, or of all tables.
_NAMED = " AND schema_name = $1 AND table_name = $2"
_COLUMNS = """
SELECT schema_name, table_name, column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns()
WHERE database_name = current_database(){} ORDER BY column_index
"""
_KEYS = """
SELECT schema_name, table_name, constraint_type, constraint_name, constraint_column_names, referenced_table,
       referenced_column_names
FROM duckdb_constraints() WHERE database_name = current_database(){} ORDER BY constraint_index
"""
_INDEXES = """
SELECT schema_name, table_name, index_name, expressions, is_unique FROM duckdb_indexes()
WHERE database_name = current_database(){} ORDER BY index_name
"""


async def connect(settings: SourceSettings) -> DuckdbConnector:
    path = await asyncio.to_thread(_checked, settings)
    connector = DuckdbConnector(settings, path)
    try:
        async with connector.reading():
            pass
    except BaseException:
        await connector.aclose()
        raise
    return connector


class DuckdbConnector(Connector):
    kind = Kind.DUCKDB

    def __init__(self, settings: SourceSettings, path: Path) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._path = path
        # One process opens a file once; sessions are cursors of that.
        self._database: duckdb.DuckDBPyConnection | None = None
        self._opening = asyncio.Lock()
        self._sessions = Sessions(settings.limits.connections, self._open, _close, lambda engine: engine.is_well)

    async def aclose(self) -> None:
        await self._sessions.close()
        database, self._database = self._database, None
        if database is not None:
            # A session whose statement has not stopped yet holds it: it closes with that.
            with contextlib.suppress(duckdb.Error):
                await asyncio.to_thread(database.close)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Engine]:
        """A session that only reads."""
        async with self._sessions.session() as engine:
            yield engine

    async def test(self) -> Health:
        async with self.reading() as engine:
            started = time.perf_counter()
            await engine.run(lambda connection: connection.execute("SELECT 1").fetchall())
            latency = (time.perf_counter() - started) * 1000
        return Health(f"DuckDB {duckdb.__version__}", latency, ("read",))

    async def list_datasets(self) -> list[Dataset]:
        async with self.reading() as engine:
            return [dataset for dataset, _ in await self._datasets(engine)]

    async def describe(self, ref: DatasetRef) -> Description:
        async with self.reading() as engine:
            return await self._describe(engine, ref)

    async def count_rows(self, ref: DatasetRef, *, after: Watermark | None = None) -> int:
        async with self.reading() as engine:
            return await count_of(engine, await self._describe(engine, ref), after)

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
        async with self.reading() as engine:
            description = await self._describe(engine, ref)
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
        statement = one_select(sql)
        async with self.reading() as engine:
            return await engine.query(statement, min(max_rows, self._limits.row_cap))

    async def change_marker(self, ref: DatasetRef, watermark_column: str | None = None) -> ChangeMarker:
        async with self.reading() as engine:
            description = await self._describe(engine, ref)
            if watermark_column is None:
                return ChangeMarker(ChangeMethod.FILE, await asyncio.to_thread(stamp_of, self._path))
            highest = await highest_of(engine, description, watermark_column)
        return ChangeMarker(
            ChangeMethod.WATERMARK, highest or "", highest, "rows that were deleted, or changed without a new value"
        )

    async def _open(self) -> Engine:
        engine = Engine(self._limits)
        async with self._opening:
            if self._database is None:
                self._database = await asyncio.to_thread(_open_database, self._path, self._settings)
        database = self._database
        await engine.open(database.cursor)
        return engine

    async def _datasets(self, engine: Engine) -> list[tuple[Dataset, str | None]]:
        rows = await engine.run(lambda connection: connection.execute(_DATASETS).fetchall())
        wanted = self._settings.schemas
        return [_dataset(row) for row in rows if not wanted or row[0] in wanted]

    async def describe_all(self) -> Sequence[Description | Undescribed]:
        async with self.reading() as engine:
            datasets = await self._datasets(engine)
            facts = await engine.run(lambda connection: [_grouped(connection, sql) for sql in _FACTS])
        return [
            _description(dataset, definition, *(each.get(_names(dataset.ref), []) for each in facts))
            for dataset, definition in datasets
        ]

    async def _describe(self, engine: Engine, ref: DatasetRef) -> Description:
        names = _names(ref)
        found = DatasetRef(*names)
        datasets = await self._datasets(engine)
        dataset, definition = next(((each, sql) for each, sql in datasets if each.ref == found), (None, None))
        if dataset is None:
            raise errors.DatasetNotFound(f"there is no {str(ref)!r} in this database")
        facts = await engine.run(lambda connection: [_grouped(connection, sql, names) for sql in _FACTS])
        return _description(dataset, definition, *(each.get(names, []) for each in facts))


_FACTS = (_COLUMNS, _KEYS, _INDEXES)
_Rows = list[tuple[Any, ...]]


def _names(ref: DatasetRef) -> tuple[str, str]:
    return ref.schema or "main", ref.name


def _grouped(
    connection: duckdb.DuckDBPyConnection, sql: str, names: tuple[str, str] | None = None
) -> dict[tuple[str, str], _Rows]:
    """The rows of one table, or of all, by table and without its name."""
    found: dict[tuple[str, str], _Rows] = {}
    for schema, table, *row in connection.execute(sql.format(_NAMED if names else ""), list(names or ())).fetchall():
        found.setdefault((schema, table), []).append(tuple(row))
    return found


def _description(dataset: Dataset, definition: str | None, columns: _Rows, keys: _Rows, indexes: _Rows) -> Description:
    schema = dataset.ref.schema
    return Description(
        dataset,
        tuple(
            Column(name, native, meaning_of(native), nullable, number, default, comment)
            for number, (name, native, nullable, default, comment) in enumerate(columns, 1)
        ),
        primary_key=next((tuple(key[2]) for key in keys if key[0] == "PRIMARY KEY"), ()),
        foreign_keys=tuple(
            ForeignKey(key[1], tuple(key[2]), DatasetRef(schema, key[3]), tuple(key[4]))
            for key in keys
            if key[0] == "FOREIGN KEY"
        ),
        unique_keys=tuple(UniqueKey(key[1], tuple(key[2])) for key in keys if key[0] == "UNIQUE"),
        indexes=tuple(SourceIndex(name, (str(what).strip("[]"),), unique) for name, what, unique in indexes),
        definition=definition,
    )


def _checked(settings: SourceSettings) -> Path:
    path = resolve_file(settings.path, settings.roots)
    with path.open("rb") as file:
        head = file.read(16)
    if head[_MAGIC[0] : _MAGIC[0] + 4] != _MAGIC[1]:
        raise errors.WrongFormat(
            f"{str(settings.path)!r} is not a DuckDB database" if head else f"{str(settings.path)!r} is empty"
        )
    return path


def _open_database(path: Path, settings: SourceSettings) -> duckdb.DuckDBPyConnection:
    try:
        connection = new_connection(path, settings.limits)
    except duckdb.IOException as error:
        if "lock" in str(error):
            raise errors.Unreachable(f"another program has {str(settings.path)!r} open to write") from None
        raise errors.WrongFormat(f"{str(settings.path)!r} is a broken DuckDB database, or of another version") from None
    except duckdb.Error as error:
        raise errors.WrongFormat(f"{str(settings.path)!r} cannot be opened: {sentence_of(error)}") from None
    with telling():
        lock_up(connection)
    return connection


async def _close(engine: Engine) -> None:
    engine.close()


def _dataset(row: tuple[Any, ...]) -> tuple[Dataset, str | None]:
    schema, name, kind, rows, comment, definition = row
    return Dataset(DatasetRef(schema, name), DatasetKind(kind), rows, comment=comment), definition
