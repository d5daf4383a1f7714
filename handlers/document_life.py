"""What happens to a document as a whole, with the words that others hear of it: made, retitled, put in the trash."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.feed_names import activity_of
from handlers.outbox import Outbox
from handlers.registry import Conflict, Context, NotFound
from storage import documents, search
from storage.documents import Document
from storage.errors import AlreadyExists


async def make_document(
    connection: AsyncConnection,
    outbox: Outbox,
    context: Context,
    *,
    workspace_id: str,
    name: str,
    title: str | None,
    kind: str | None,
    root: str | None = None,
) -> Document:
    """A new, empty document of the caller's. Raises Conflict if the name is taken, also by one in the trash."""
    user_id, now = context.user.user_id, context.now()
    try:
        row = await documents.create(
            connection, workspace_id, name, title=title, kind=kind, root=root, created_by=user_id, at=now
        )
    except AlreadyExists:
        held = await documents.get(connection, workspace_id, name)
        raise _taken(workspace_id, name, trashed=held is not None and held.trashed_at is not None) from None
    await search.index(connection, row.id, row.workspace_id, row.title, "")
    tell(outbox, context, row, "document.created", title=row.title, kind=row.kind)
    return row


async def retitle_document(
    connection: AsyncConnection, outbox: Outbox, context: Context, found: Document, title: str
) -> Document:
    """The document under its new title. Raises NotFound if it was deleted since it was found."""
    row = await documents.change(connection, found.id, title=title)
    if row is None:
        raise missing(found.workspace_id, found.name)
    await search.retitle(connection, row.id, row.title)
    if row.title != found.title:
        tell(outbox, context, row, "document.renamed", title=row.title, before=found.title)
    return row


async def trash_document(connection: AsyncConnection, outbox: Outbox, context: Context, found: Document) -> Document:
    """The document, in the trash; after the commit, `Rooms.discard` it. Raises NotFound if it was there already."""
    row = await documents.trash(connection, found.id, by=context.user.user_id, at=context.now())
    if row is None:
        raise missing(found.workspace_id, found.name)
    tell(outbox, context, row, "document.trashed", title=row.title)
    return row


def tell(outbox: Outbox, context: Context, row: Document, type_: str, **details: str | None) -> None:
    """Puts what happened to a document into its workspace's activity."""
    data = {"document_id": row.name, **details}
    outbox.add(activity_of(row.workspace_id), type_, data, actor=context.user.user_id)


def missing(workspace_id: str, name: str) -> NotFound:
    return NotFound(f"There is no document {name!r} in {workspace_id!r}.", code="no_such_document")


def refuse_trashed(document: Document) -> None:
    """Raises NotFound if the document is in the trash."""
    if document.trashed_at is not None:
        raise NotFound(
            f"The document {document.name!r} is in the trash, where {document.trashed_by} put it; restore it first.",
            code="in_trash",
            details={"trashed_at": document.trashed_at.isoformat(), "trashed_by": document.trashed_by},
        )


def _taken(workspace_id: str, name: str, *, trashed: bool) -> Conflict:
    if trashed:
        return Conflict(
            f"A document {name!r} is in the trash of {workspace_id!r}; restore it, delete it for good, or take "
            "another name.",
            code="in_trash",
        )
    return Conflict(f"There is already a document {name!r} in {workspace_id!r}.", code="document_exists")
