"""Versions: numbers of a document that somebody, or the server by itself, found worth keeping."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, literal, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import documents, versions


@dataclass(frozen=True, slots=True)
class Version:
    """A row of versions: the document as it was after its update `number`."""

    id: int
    document_id: int
    number: int
    name: str | None
    automatic: bool
    created_by: str
    created_at: datetime


async def create(
    connection: AsyncConnection,
    document_id: int,
    number: int,
    *,
    name: str | None = None,
    automatic: bool = False,
    created_by: str,
    at: datetime,
) -> Version:
    """A new version. Raises BrokenReference if there is no such document."""
    values = {
        "document_id": document_id,
        "number": number,
        "name": name,
        "automatic": automatic,
        "created_by": created_by,
        "created_at": at,
    }
    row = (await connection.execute(plain_insert(versions).values(values).returning(*versions.c))).one()
    return Version(*row)


async def create_automatic(connection: AsyncConnection, document_ids: Collection[int], *, at: datetime) -> None:
    """A version of each of the documents that has updates later than its latest version, made by who wrote last."""
    latest = select(func.max(versions.c.number)).where(versions.c.document_id == documents.c.id).scalar_subquery()
    behind = select(
        documents.c.id, documents.c.head, literal(True), documents.c.updated_by, literal(at, versions.c.created_at.type)
    ).where(documents.c.id.in_(document_ids), documents.c.head > func.coalesce(latest, 0))
    columns = ["document_id", "number", "automatic", "created_by", "created_at"]
    await connection.execute(plain_insert(versions).from_select(columns, behind))


async def get(connection: AsyncConnection, document_id: int, version_id: int) -> Version | None:
    """The version, if it is one of that document."""
    query = select(versions).where(versions.c.document_id == document_id, versions.c.id == version_id)
    row = (await connection.execute(query)).first()
    return Version(*row) if row else None


async def latest(connection: AsyncConnection, document_id: int) -> Version | None:
    """The version made last, None if there is none."""
    found = await list_of(connection, document_id, limit=1)
    return found[0] if found else None


async def list_of(
    connection: AsyncConnection,
    document_id: int,
    *,
    automatic: bool | None = None,
    before: int | None = None,
    limit: int,
) -> list[Version]:
    """The document's versions, the latest first; `before` is the last id seen. Only (not) automatic ones if given."""
    query = select(versions).where(versions.c.document_id == document_id).order_by(versions.c.id.desc()).limit(limit)
    if automatic is not None:
        query = query.where(versions.c.automatic == automatic)
    if before is not None:
        query = query.where(versions.c.id < before)
    return [Version(*row) for row in await connection.execute(query)]


async def rename(connection: AsyncConnection, document_id: int, version_id: int, name: str | None) -> Version | None:
    """The version with its new name; None if there is none. A version with a name is not automatic any more."""
    condition = (versions.c.document_id == document_id) & (versions.c.id == version_id)
    values: dict[str, object] = {"name": name} if name is None else {"name": name, "automatic": False}
    statement = update(versions).where(condition).values(values).returning(*versions.c)
    row = (await connection.execute(statement)).first()
    return Version(*row) if row else None


async def remove(connection: AsyncConnection, document_id: int, version_id: int) -> bool:
    """Whether there was such a version."""
    condition = (versions.c.document_id == document_id) & (versions.c.id == version_id)
    return (await connection.execute(delete(versions).where(condition))).rowcount > 0
