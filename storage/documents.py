"""Documents: their names, titles and shapes. What is in them is in the update log.

A document is addressed by workspace and name, and known by its row id, which is never given to another.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import search
from storage.errors import AlreadyExists
from storage.tables import documents
from storage.upsert import insert

# Names are at most so many characters long, and this one is the last of all characters.
_AFTER_ALL = "\U0010ffff" * 200


@dataclass(frozen=True, slots=True)
class Document:
    """A row of documents. `head` is the number of the newest update, `size_bytes` the size of all updates ever."""

    id: int
    workspace_id: str
    name: str
    title: str
    kind: str | None
    root: str | None
    head: int
    size_bytes: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    updated_by: str
    trashed_at: datetime | None
    trashed_by: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What a workspace holds."""

    documents: int
    trashed: int
    size_bytes: int


async def create(
    connection: AsyncConnection,
    workspace_id: str,
    name: str,
    *,
    title: str | None = None,
    kind: str | None = None,
    root: str | None = None,
    created_by: str,
    at: datetime,
) -> Document:
    """A new, empty document. Raises AlreadyExists, also if one in the trash has the name; BrokenReference."""
    values = {
        "workspace_id": workspace_id,
        "name": name,
        "title": title or name,
        "kind": kind,
        "root": root,
        "created_by": created_by,
        "created_at": at,
        "updated_at": at,
        "updated_by": created_by,
    }
    statement = insert(connection, documents).values(values).on_conflict_do_nothing().returning(*documents.c)
    row = (await connection.execute(statement)).first()
    if row is None:
        raise AlreadyExists(f"there is a document {name!r} in the workspace {workspace_id!r}")
    return Document(*row)


async def ensure(
    connection: AsyncConnection,
    workspace_id: str,
    name: str,
    *,
    kind: str | None = None,
    root: str | None = None,
    created_by: str,
    at: datetime,
) -> tuple[Document, bool]:
    """The document, made if there was none, and whether it was made. One that exists stays as it is, maybe trashed."""
    if found := await get(connection, workspace_id, name):
        return found, False
    try:
        made = await create(connection, workspace_id, name, kind=kind, root=root, created_by=created_by, at=at)
    except AlreadyExists:
        row = (await connection.execute(_by_name(workspace_id, name))).one()
        return Document(*row), False
    return made, True


async def get(connection: AsyncConnection, workspace_id: str, name: str) -> Document | None:
    """The document of that name, in the trash or not."""
    row = (await connection.execute(_by_name(workspace_id, name))).first()
    return Document(*row) if row else None


async def get_by_id(connection: AsyncConnection, document_id: int) -> Document | None:
    """The document with that row id, in the trash or not."""
    row = (await connection.execute(select(documents).where(documents.c.id == document_id))).first()
    return Document(*row) if row else None


async def get_by_ids(connection: AsyncConnection, document_ids: Collection[int]) -> dict[int, Document]:
    """Those of the documents with these row ids that exist, in the trash or not, by row id."""
    rows = await connection.execute(select(documents).where(documents.c.id.in_(document_ids)))
    return {row.id: Document(*row) for row in rows}


async def list_of(
    connection: AsyncConnection,
    workspace_id: str,
    *,
    kind: str | None = None,
    trashed: bool = False,
    prefix: str = "",
    after: str | None = None,
    limit: int,
) -> list[Document]:
    """The workspace's documents by name, those in the trash or the others; `after` is the last name seen.

    `prefix` is how names begin, letter for letter.
    """
    query = _filtered(workspace_id, kind, trashed).order_by(documents.c.name).limit(limit)
    if prefix:
        # The range finds them in the index.
        query = query.where(documents.c.name >= prefix, documents.c.name <= prefix + _AFTER_ALL)
    if after is not None:
        query = query.where(documents.c.name > after)
    return [Document(*row) for row in await connection.execute(query)]


async def list_recent(
    connection: AsyncConnection,
    workspace_id: str,
    *,
    kind: str | None = None,
    trashed: bool = False,
    before: tuple[datetime, int] | None = None,
    limit: int,
) -> list[Document]:
    """The workspace's documents, the latest edited first; `before` is (updated_at, id) of the last seen."""
    order = (documents.c.updated_at.desc(), documents.c.id.desc())
    query = _filtered(workspace_id, kind, trashed).order_by(*order).limit(limit)
    if before is not None:
        at, document_id = before
        same = (documents.c.updated_at == at) & (documents.c.id < document_id)
        query = query.where((documents.c.updated_at < at) | same)
    return [Document(*row) for row in await connection.execute(query)]


async def change(
    connection: AsyncConnection, document_id: int, *, name: str | None = None, title: str | None = None
) -> Document | None:
    """Sets what is not None. The document as it is now, None if there is none. Raises AlreadyExists."""
    values = {key: value for key, value in (("name", name), ("title", title)) if value is not None}
    if not values:
        return await get_by_id(connection, document_id)
    try:
        # A conflict ends PostgreSQL's transaction, but not if it is in one of its own.
        async with connection.begin_nested():
            return await _update(connection, documents.c.id == document_id, values)
    except IntegrityError as error:
        raise AlreadyExists(f"there is a document {name!r} in this workspace") from error


async def set_shape(connection: AsyncConnection, document_id: int, kind: str, root: str) -> bool:
    """Says what the document is, as far as it was not said before. Whether it was this call that did."""
    unsaid = documents.c.kind.is_(None) | ((documents.c.kind == kind) & documents.c.root.is_(None))
    condition = (documents.c.id == document_id) & unsaid
    return await _update(connection, condition, {"kind": kind, "root": root}) is not None


async def trash(connection: AsyncConnection, document_id: int, *, by: str, at: datetime) -> Document | None:
    """Puts it in the trash; None if it is there already or does not exist."""
    condition = (documents.c.id == document_id) & documents.c.trashed_at.is_(None)
    return await _update(connection, condition, {"trashed_at": at, "trashed_by": by})


async def untrash(connection: AsyncConnection, document_id: int) -> Document | None:
    """Takes it out of the trash; None if it is not there."""
    condition = (documents.c.id == document_id) & documents.c.trashed_at.is_not(None)
    return await _update(connection, condition, {"trashed_at": None, "trashed_by": None})


async def purge(connection: AsyncConnection, document_id: int) -> bool:
    """Deletes it with its log, snapshots, versions and text, for good. Whether there was one."""
    await search.remove(connection, document_id)
    result = await connection.execute(delete(documents).where(documents.c.id == document_id))
    return result.rowcount > 0


async def counts(connection: AsyncConnection, workspace_id: str) -> Counts:
    """How many documents there are, how many more in the trash, and the size of all their updates."""
    # Sums and filtered counts are numeric in one database and integer in the other.
    trashed = func.count(documents.c.trashed_at)
    query = select(func.count(), trashed, func.coalesce(func.sum(documents.c.size_bytes), 0))
    row = (await connection.execute(query.where(documents.c.workspace_id == workspace_id))).one()
    return Counts(row[0] - row[1], row[1], int(row[2]))


def _by_name(workspace_id: str, name: str) -> Select[Any]:
    return select(documents).where(documents.c.workspace_id == workspace_id, documents.c.name == name)


def _filtered(workspace_id: str, kind: str | None, trashed: bool) -> Select[Any]:
    query = select(documents).where(documents.c.workspace_id == workspace_id)
    query = query.where(documents.c.trashed_at.is_not(None) if trashed else documents.c.trashed_at.is_(None))
    return query if kind is None else query.where(documents.c.kind == kind)


async def _update(
    connection: AsyncConnection, condition: ColumnElement[bool], values: dict[str, Any]
) -> Document | None:
    statement = update(documents).where(condition).values(values).returning(*documents.c)
    row = (await connection.execute(statement)).first()
    return Document(*row) if row else None
