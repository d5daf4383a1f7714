"""Runs the Alembic migrations from code, inside a transaction of the caller's."""

import functools
import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy import Connection, exc, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import SchemaTooNew, Unavailable

logger = logging.getLogger(__name__)

# Any number, as long as nothing else in the database uses it ("studio" in ASCII).
_LOCK = 0x73747564696F
_LOCK_NOT_AVAILABLE = "55P03"


def configuration() -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


async def migrate(connection: AsyncConnection, patience: float) -> None:
    """Brings the schema up to the newest revision, or changes nothing. Raises SchemaTooNew, Unavailable.

    Several nodes may do so at once: SQLite lets one transaction write at a time, and in PostgreSQL a lock that ends
    with the transaction is taken first. Who had to wait finds nothing left to do; `patience` in seconds.
    """
    if connection.dialect.name == "postgresql":
        await _take_turn(connection, patience)
    await connection.run_sync(_upgrade)


async def _take_turn(connection: AsyncConnection, patience: float) -> None:
    """Of the transaction and not of the session: a node that dies, or a pooler that hands out connections by the
    transaction, leaves no lock behind."""
    if await connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}):
        return
    logger.info("another node is migrating the database; waiting for it")
    await connection.execute(text(f"SET LOCAL lock_timeout = {int(patience * 1000)}"))
    try:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    except exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise Unavailable(
            f"another node has been migrating the database for more than {patience:g} s; start this one again when it "
            "is done, or end its session if it hangs (it holds an advisory lock, see pg_locks)"
        ) from error
    await connection.execute(text("SET LOCAL lock_timeout = 0"))


@functools.cache
def _newest() -> str | None:
    return ScriptDirectory.from_config(configuration()).get_current_head()


def _upgrade(connection: Connection) -> None:
    if MigrationContext.configure(connection).get_current_revision() == _newest():
        return
    config = configuration()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        if not isinstance(error.__cause__, ResolutionError):
            raise
        raise SchemaTooNew(
            "the database was migrated by a newer version of the program; this one knows schema "
            f"{_newest()}: start that version, or restore a backup from before"
        ) from error
