"""Documents of a workspace: list, make, retitle, put in the trash and take out again, delete for good."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, cast

import msgspec
from msgspec import Meta

from handlers.audit_trail import record
from handlers.collaboration.naming import DocumentId, check_name, find
from handlers.document_life import make_document, missing, refuse_trashed, retitle_document, tell, trash_document
from handlers.names import Title, WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, InvalidRequest, Operation, Page, Permission
from storage import documents
from storage.documents import Document as Row

PATH = "/collaboration/documents/{workspace_id}"
ONE = PATH + "/{document_id}"

Kind = Literal["text", "richtext", "diagram", "map"]
Root = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="The name of the shared type that holds the content, as in `ydoc.getText('content')`.",
        examples=["content"],
    ),
]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document. `number` counts its updates, and `size_bytes` is the size of all of them.

    `kind` and `root` are null until they were said or could be told from what editors put in.
    """

    workspace_id: WorkspaceId
    id: DocumentId
    title: str
    kind: Kind | None
    root: str | None
    number: int
    size_bytes: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    trashed_by: str | None = None
    trashed_at: datetime | None = None


class ListDocuments(msgspec.Struct, frozen=True, kw_only=True):
    """By name, or with `order=recent` the latest edited first; `trashed=true` lists what is in the trash instead."""

    workspace_id: WorkspaceId
    trashed: bool = False
    kind: Kind | None = None
    prefix: Annotated[str, Meta(max_length=200, description="How their names begin.")] = ""
    order: Literal["name", "recent"] = "name"
    cursor: Cursor | None = None
    limit: Limit = 50


class CreateDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The title is the name unless given. An editor that connects to a new name creates a document as well."""

    workspace_id: WorkspaceId
    id: DocumentId
    title: Title | None = None
    kind: Kind | None = None
    root: Root | None = None


class GetDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document in the trash is answered as well, with `trashed_at`."""

    workspace_id: WorkspaceId
    document_id: DocumentId


class UpdateDocument(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId
    document_id: DocumentId
    title: Title


class DeleteDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Puts it in the trash, from where it can be restored; `permanent=true` deletes one in the trash for good.

    The latter needs the role admin.
    """

    workspace_id: WorkspaceId
    document_id: DocumentId
    permanent: bool = False


class RestoreDocument(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId
    document_id: DocumentId


async def list_documents(context: Context, request: ListDocuments) -> Page[Document]:
    if request.order == "recent":
        return await _list_recent(context, request)
    after = decode_cursor("documents", request.cursor, str)
    async with context.parts.database.read() as connection:
        rows = await documents.list_of(
            connection,
            request.workspace_id,
            kind=request.kind,
            trashed=request.trashed,
            prefix=request.prefix,
            after=after,
            limit=request.limit + 1,
        )
    return page_of(rows, request.limit, "documents", key=lambda row: row.name, item=shown)


async def _list_recent(context: Context, request: ListDocuments) -> Page[Document]:
    if request.prefix:
        raise InvalidRequest("A list by `prefix` is in the order of names; leave out `order`.", code="bad_order")
    before = decode_cursor("recent_documents", request.cursor, tuple[datetime, int])
    async with context.parts.database.read() as connection:
        rows = await documents.list_recent(
            connection,
            request.workspace_id,
            kind=request.kind,
            trashed=request.trashed,
            before=before,
            limit=request.limit + 1,
        )
    return page_of(rows, request.limit, "recent_documents", key=lambda row: (row.updated_at, row.id), item=shown)


async def create_document(context: Context, request: CreateDocument) -> Document:
    name = check_name(request.id)
    if request.root is not None and request.kind in (None, "diagram"):
        raise InvalidRequest(
            "A root is for documents of the kind text, richtext or map; say which.", details={"parameter": "root"}
        )
    async with context.parts.feeds.writing() as (connection, outbox):
        row = await make_document(
            connection,
            outbox,
            context,
            workspace_id=request.workspace_id,
            name=name,
            title=request.title,
            kind=request.kind,
            root=request.root,
        )
        details = {"title": row.title, "kind": row.kind}
        await record(connection, context, "collaboration.documents.create", address(row), details)
    return shown(row)


async def get_document(context: Context, request: GetDocument) -> Document:
    return shown(await find(context.parts, request.workspace_id, request.document_id, in_trash=True))


async def update_document(context: Context, request: UpdateDocument) -> Document:
    found = await find(context.parts, request.workspace_id, request.document_id)
    async with context.parts.feeds.writing() as (connection, outbox):
        row = await retitle_document(connection, outbox, context, found, request.title)
        await record(connection, context, "collaboration.documents.update", address(row), {"title": row.title})
    return shown(row)


async def delete_document(context: Context, request: DeleteDocument) -> Document | None:
    found = await find(context.parts, request.workspace_id, request.document_id, in_trash=True)
    if request.permanent:
        await context.parts.access.require(context.principal, Permission.MANAGE, request.workspace_id)
        await _purge(context, found)
        return None
    refuse_trashed(found)
    async with context.parts.feeds.writing() as (connection, outbox):
        row = await trash_document(connection, outbox, context, found)
        await record(connection, context, "collaboration.documents.delete", address(row))
    await context.parts.rooms.discard(found)
    return shown(row)


async def _purge(context: Context, found: Row) -> None:
    if found.trashed_at is None:
        raise Conflict(
            f"The document {found.name!r} is not in the trash; delete it first, without `permanent`.",
            code="not_in_trash",
        )
    await context.parts.rooms.discard(found)
    async with context.parts.feeds.writing() as (connection, outbox):
        if not await documents.purge(connection, found.id):
            raise missing(found.workspace_id, found.name)
        details = {"permanent": True, "updates": found.head, "size_bytes": found.size_bytes}
        await record(connection, context, "collaboration.documents.delete", address(found), details)
        tell(outbox, context, found, "document.purged", title=found.title)


async def restore_document(context: Context, request: RestoreDocument) -> Document:
    found = await find(context.parts, request.workspace_id, request.document_id, in_trash=True)
    async with context.parts.feeds.writing() as (connection, outbox):
        row = await documents.untrash(connection, found.id)
        if row is None:
            raise Conflict(f"The document {found.name!r} is not in the trash.", code="not_in_trash")
        await record(connection, context, "collaboration.documents.restore", address(row))
        tell(outbox, context, row, "document.restored", title=row.title)
    return shown(row)


def shown(row: Row) -> Document:
    """A stored document as clients see it."""
    return Document(
        workspace_id=row.workspace_id,
        id=row.name,
        title=row.title,
        kind=cast("Kind | None", row.kind),
        root=row.root,
        number=row.head,
        size_bytes=row.size_bytes,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_by=row.updated_by,
        updated_at=row.updated_at,
        trashed_by=row.trashed_by,
        trashed_at=row.trashed_at,
    )


def address(row: Row) -> str:
    """What the document is called in the audit trail."""
    return f"{row.workspace_id}/{row.name}"


OPERATIONS = (
    Operation(
        "collaboration.documents.list",
        ListDocuments,
        Page[Document],
        list_documents,
        f"GET {PATH}",
        Permission.READ,
        "List a workspace's documents, or its trash.",
    ),
    Operation(
        "collaboration.documents.create",
        CreateDocument,
        Document,
        create_document,
        f"POST {PATH}",
        Permission.WRITE,
        "Create a document.",
        status=201,
        errors=(Conflict,),
    ),
    Operation(
        "collaboration.documents.get",
        GetDocument,
        Document,
        get_document,
        f"GET {ONE}",
        Permission.READ,
        "Get a document's title, kind, size and dates.",
    ),
    Operation(
        "collaboration.documents.update",
        UpdateDocument,
        Document,
        update_document,
        f"PATCH {ONE}",
        Permission.WRITE,
        "Change a document's title.",
    ),
    Operation(
        "collaboration.documents.delete",
        DeleteDocument,
        Document | None,
        delete_document,
        f"DELETE {ONE}",
        Permission.WRITE,
        "Move a document to the trash, or delete it from the trash for good.",
        errors=(Conflict,),
    ),
    Operation(
        "collaboration.documents.restore",
        RestoreDocument,
        Document,
        restore_document,
        f"POST {ONE}/restore",
        Permission.WRITE,
        "Take a document out of the trash.",
        errors=(Conflict,),
    ),
)
