"""Backups of PostgreSQL: a dump by pg_dump of one moment, in which the rows of each table are counted too."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.backup_contents import Contents, Piece, telling_disk
from connectors.errors import (
    BackupError,
    ConnectorError,
    DatabaseNotFound,
    RightsMissing,
    StatementTimeout,
    TargetExists,
)
from connectors.postgresql_session import open_session, telling
from connectors.postgresql_tools import DUMP, LOCK_MS, RESTORE, Tool, environment, find_tool, run, running
from connectors.settings import SourceSettings
from connectors.sql_text import quoted

# What a dump holds the rows of: no foreign tables, and none that an extension makes anew.
_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.relpersistence <> 't' AND ($1::text[] = '{}' OR n.nspname = ANY ($1))
  AND NOT EXISTS (
    SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
  )
ORDER BY 1, 2
"""
_COPY = re.compile(rb"COPY (.+) FROM stdin;\n")
_LAST_LINE = b"\\.\n"
_LINE_BYTES = 64 * 1024 * 1024


async def back_up(settings: SourceSettings, target: Path, tools: Path | None) -> Contents:
    """Makes `target`. Raises ConnectorError."""
    connection = await open_session(settings)
    try:
        with telling(settings), telling_disk():
            tool = await find_tool(DUMP, tools, await _major(connection))
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            arguments = [
                "--format=custom", f"--file={target}", f"--snapshot={snapshot}", "--no-password",
                f"--lock-wait-timeout={LOCK_MS}", *(f"--schema={quoted(name)}" for name in settings.schemas),
            ]  # fmt: skip
            # The snapshot has to be held until the dump has begun with it; meanwhile the rows are counted in it.
            async with environment(settings) as variables, running(tool, arguments, variables):
                pieces = await _counted(connection, settings.schemas)
            return Contents(tuple(pieces), tool.version)
    finally:
        connection.terminate()


async def may_restore(settings: SourceSettings) -> bool:
    """Whether the account may make databases on its server."""
    connection = await open_session(settings)
    try:
        with telling(settings):
            query = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            return bool(await connection.fetchval(query))
    finally:
        connection.terminate()


async def restore(settings: SourceSettings, archive: Path, database: str, tools: Path | None) -> Contents:
    """Makes a database of that name on the source's server, and tells what is in it.

    Raises ConnectorError; TargetExists for one that is there. A database that could not be filled is dropped.
    """
    async with _administering(settings) as connection:
        tool = await find_tool(RESTORE, tools, await _major(connection))
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            raise TargetExists(f"the server has a database {database!r}; name one that it does not have")
        await connection.execute(f"CREATE DATABASE {quoted(database)} TEMPLATE template0")
    try:
        await _filled(settings, tool, archive, database)
        return await _contents(settings, database, tool)
    except BaseException:
        await drop(settings, database)
        raise


async def drop(settings: SourceSettings, database: str) -> None:
    """Drops a database that was made by `restore`, if it is there. Raises ConnectorError."""
    if database == settings.database:
        raise BackupError("the source itself is never dropped")
    async with _administering(settings) as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {quoted(database)} WITH (FORCE)")


async def read_through(settings: SourceSettings, archive: Path, tools: Path | None) -> Contents:
    """What is in an archive, by reading all of it, without a server. Raises ConnectorError."""
    tool = await find_tool(RESTORE, tools, 0)
    rows: dict[str, int] = {}
    arguments = ["--file=-", "--data-only", str(archive)]
    with telling_disk():
        async with environment(settings) as variables, running(tool, arguments, variables) as process:
            assert process.stdout is not None
            name = None
            async for line in _lines(process.stdout):
                if name is None:
                    if found := _COPY.fullmatch(line):
                        name = _plain_name(found[1].decode(errors="replace"))
                        rows[name] = 0
                elif line == _LAST_LINE:
                    name = None
                else:
                    rows[name] += 1
    return Contents(tuple(Piece(name, count) for name, count in sorted(rows.items())), tool.version)


async def _filled(settings: SourceSettings, tool: Tool, archive: Path, database: str) -> None:
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    # Of whom things are and who may what is the source's business: its roles may not be there.
    arguments = ["--exit-on-error", "--no-owner", "--no-privileges", "--no-password"]
    async with environment(settings, database) as variables:
        if await _makes_public(tool, archive, variables):
            async with _administering(settings, database) as connection:
                await connection.execute("DROP SCHEMA IF EXISTS public")
        await run(tool, [*arguments, f"--dbname=dbname='{escaped}'", str(archive)], variables)


async def _makes_public(tool: Tool, archive: Path, variables: dict[str, str]) -> bool:
    """Whether the archive makes the schema `public`, as one of chosen schemas does."""
    async with running(tool, ["--list", str(archive)], variables) as process:
        assert process.stdout is not None
        listed = await process.stdout.read(-1)
    return b" SCHEMA - public " in listed


async def _contents(settings: SourceSettings, database: str, tool: Tool) -> Contents:
    # Tables that were just filled have no statistics, and count as any others.
    connection = await open_session(replace(settings, database=database))
    try:
        with telling(settings):
            return Contents(tuple(await _counted(connection, settings.schemas)), tool.version)
    finally:
        connection.terminate()


async def _counted(connection: Any, schemas: tuple[str, ...]) -> list[Piece]:
    pieces = []
    for schema, table in await connection.fetch(_TABLES, list(schemas)):
        name = f"{quoted(schema)}.{quoted(table)}"
        async with _savepoint(connection):
            try:
                rows = await connection.fetchval(f"SELECT count(*) FROM ONLY {name}")  # noqa: S608 - quoted
            except Exception as error:
                if _kind_of(error) is None:
                    raise
                rows = None
        pieces.append(Piece(f"{schema}.{table}", rows))
    return pieces


@contextlib.asynccontextmanager
async def _savepoint(connection: Any) -> AsyncIterator[None]:
    """A count that takes too long, or is not allowed, must not end the transaction that holds the snapshot."""
    is_within = connection.is_in_transaction()
    if is_within:
        await connection.execute("SAVEPOINT counting")
    yield
    if is_within:
        await connection.execute("ROLLBACK TO SAVEPOINT counting")


def _kind_of(error: Exception) -> type[ConnectorError] | None:
    """Why a table cannot be counted while the dump may go on; None for what is worse."""
    from asyncpg import exceptions  # type: ignore[import-untyped]  # noqa: PLC0415 - only here

    if isinstance(error, exceptions.QueryCanceledError):
        return StatementTimeout
    return RightsMissing if isinstance(error, exceptions.InsufficientPrivilegeError) else None


@contextlib.asynccontextmanager
async def _administering(settings: SourceSettings, database: str | None = None) -> AsyncIterator[Any]:
    """A session that may write, for databases that are made anew and dropped again; never in the source's own."""
    try:
        connection = await open_session(replace(settings, database=database or "postgres"))
    except DatabaseNotFound:
        connection = await open_session(replace(settings, database="template1"))
    try:
        with telling(settings):
            await connection.execute("SET default_transaction_read_only = off")
            yield connection
    finally:
        connection.terminate()


async def _major(connection: Any) -> int:
    return int(await connection.fetchval("SELECT current_setting('server_version_num')::int / 10000"))


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a stream, of any length: a row may be larger than the stream's buffer."""
    rest = b""
    while data := await stream.read(1 << 18):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line + b"\n"
        if len(rest) > _LINE_BYTES:
            rest = rest[:_LINE_BYTES]
    if rest:
        yield rest


def _plain_name(written: str) -> str:
    """`schema.table` out of how COPY writes it, with its columns after it."""
    found = re.match(r'((?:"(?:[^"]|"")*"|[^". (]+)(?:\.(?:"(?:[^"]|"")*"|[^". (]+))?)', written)
    if found is None:
        return written
    parts = re.findall(r'"(?:[^"]|"")*"|[^".]+', found[1])
    return ".".join(part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts)
