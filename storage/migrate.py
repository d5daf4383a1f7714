"""Runs the Alembic migrations from code, inside a transaction of the caller's."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import SchemaTooNew

# Any number, as long as nothing else in the database uses it ("studio" in ASCII).
_LOCK = 0x73747564696F


def configuration() -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


async def migrate(connection: AsyncConnection) -> None:
    """Brings the schema up to the newest revision, or changes nothing. Raises SchemaTooNew.

    Several nodes may do so at once: SQLite lets one transaction write at a time, and in PostgreSQL a lock that ends
    with the transaction is taken first.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        if not isinstance(error.__cause__, ResolutionError):
            raise
        newest = ScriptDirectory.from_config(config).get_current_head()
        raise SchemaTooNew(
            f"the database was migrated by a newer version of the program; this one knows schema {newest}"
        ) from error
