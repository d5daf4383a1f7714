"""The bundle of advisories that was imported last. Signatures and contents are looked at by whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.advisory_tables import advisory_bundles
from storage.errors import AlreadyExists


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A row of advisory_bundles."""

    version: int
    file: bytes
    imported_by: str
    imported_at: datetime


async def newest(connection: AsyncConnection) -> StoredBundle | None:
    query = select(advisory_bundles).order_by(advisory_bundles.c.version.desc()).limit(1)
    row = (await connection.execute(query)).first()
    return StoredBundle(*row) if row else None


async def replace(connection: AsyncConnection, version: int, file: bytes, *, by: str, at: datetime) -> None:
    """Keeps the file in place of those of lower versions. Raises AlreadyExists if that version is there."""
    values = {"version": version, "file": file, "imported_by": by, "imported_at": at}
    try:
        await connection.execute(insert(advisory_bundles).values(values))
    except IntegrityError as error:
        raise AlreadyExists(f"bundle {version}") from error
    await connection.execute(delete(advisory_bundles).where(advisory_bundles.c.version < version))
