"""Versions of a document: points in its history that somebody named, or the server found worth keeping."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from crdt.room import RESTORE
from handlers.audit_trail import record
from handlers.collaboration.documents import ONE, address
from handlers.collaboration.naming import DocumentId, find
from handlers.collaboration.points import Point, VersionId, find_version, no_such_version, resolve
from handlers.collaboration.reading import live_shape, question_about
from handlers.collaboration.replays import read_replayed
from handlers.collaboration.writing import NewJson, Writing, write
from handlers.document_states import current_number, replayed
from handlers.document_versions import make_version, version_id_of, version_of_now
from handlers.feed_names import activity_of
from handlers.names import WorkspaceId
from handlers.outbox import Outbox
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Operation, Page, Permission
from storage import versions
from storage.documents import Document
from storage.versions import Version as Row

PATH = f"{ONE}/versions"
VERSION = PATH + "/{version_id}"

VersionName = Annotated[
    str,
    Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)", examples=["Signed off by legal"]),
]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The document as it was after its update `number`. Its content is at `…/content?at=` its id.

    Automatic ones have no name, and count as made by who edited last.
    """

    id: VersionId
    number: int
    name: str | None
    automatic: bool
    created_by: str
    created_at: datetime


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """The restore is stored, as the update `number`. `before` is the version of the state before it."""

    number: int
    before: Version


class ListVersions(msgspec.Struct, frozen=True, kw_only=True):
    """The latest first; with `automatic` only those that the server made, or only those that people made."""

    workspace_id: WorkspaceId
    document_id: DocumentId
    automatic: bool | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class CreateVersion(msgspec.Struct, frozen=True, kw_only=True):
    """Of the document as it is now, or as it was `at` a number or time."""

    workspace_id: WorkspaceId
    document_id: DocumentId
    name: VersionName
    at: Point | None = None


class GetVersion(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId
    document_id: DocumentId
    version_id: VersionId


class UpdateVersion(msgspec.Struct, frozen=True, kw_only=True):
    """An automatic version that gets a name is not automatic any more."""

    workspace_id: WorkspaceId
    document_id: DocumentId
    version_id: VersionId
    name: VersionName


class DeleteVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The history that it points into stays."""

    workspace_id: WorkspaceId
    document_id: DocumentId
    version_id: VersionId


class RestoreVersion(msgspec.Struct, frozen=True, kw_only=True):
    """Makes the document what it was, as an edit of the caller that open editors see like any other.

    Before it, a version of the state that is replaced is made, if there is none.
    """

    workspace_id: WorkspaceId
    document_id: DocumentId
    version_id: VersionId


async def list_versions(context: Context, request: ListVersions) -> Page[Version]:
    document = await find(context.parts, request.workspace_id, request.document_id)
    before = decode_cursor("versions", request.cursor, int)
    async with context.parts.database.read() as connection:
        rows = await versions.list_of(
            connection, document.id, automatic=request.automatic, before=before, limit=request.limit + 1
        )
    return page_of(rows, request.limit, "versions", key=lambda row: row.id, item=shown)


async def create_version(context: Context, request: CreateVersion) -> Version:
    document = await find(context.parts, request.workspace_id, request.document_id)
    if request.at is None:
        number = await current_number(context.parts, document)
    else:
        number = await resolve(context.parts, document, request.at, "at")
    async with context.parts.feeds.writing() as (connection, outbox):
        row = await versions.create(
            connection,
            document.id,
            number,
            name=request.name,
            created_by=context.user.user_id,
            at=context.now(),
        )
        details = {"version": version_id_of(row), "number": number, "name": request.name}
        await record(connection, context, "collaboration.versions.create", address(document), details)
        _tell(outbox, context, document, "version.named", row)
    return shown(row)


async def get_version(context: Context, request: GetVersion) -> Version:
    document = await find(context.parts, request.workspace_id, request.document_id)
    return shown(await find_version(context.parts, document, request.version_id))


async def update_version(context: Context, request: UpdateVersion) -> Version:
    document = await find(context.parts, request.workspace_id, request.document_id)
    version = await find_version(context.parts, document, request.version_id)
    async with context.parts.feeds.writing() as (connection, outbox):
        row = await versions.rename(connection, document.id, version.id, request.name)
        if row is None:
            raise no_such_version(document, request.version_id)
        details = {"version": request.version_id, "name": request.name}
        await record(connection, context, "collaboration.versions.update", address(document), details)
        _tell(outbox, context, document, "version.named", row)
    return shown(row)


async def delete_version(context: Context, request: DeleteVersion) -> None:
    document = await find(context.parts, request.workspace_id, request.document_id)
    version = await find_version(context.parts, document, request.version_id)
    async with context.parts.database.write() as connection:
        if not await versions.remove(connection, document.id, version.id):
            raise no_such_version(document, request.version_id)
        details = {"version": request.version_id, "number": version.number, "name": version.name}
        await record(connection, context, "collaboration.versions.delete", address(document), details)


async def restore_version(context: Context, request: RestoreVersion) -> Restored:
    parts = context.parts
    document = await find(parts, request.workspace_id, request.document_id)
    version = await find_version(parts, document, request.version_id)
    # Asked for what the document is now: an early version may not tell yet.
    shape = await live_shape(parts, document)
    question = question_about(document, shape, "json")
    reading = await replayed(parts, document, version.number, read_replayed, question)
    if reading.shape is None:
        raise Conflict("There is nothing in this version, nor in the document.", code="nothing_to_restore")
    before = await version_of_now(context, document)
    writing = Writing(NewJson(reading.value), shape=reading.shape, origin=RESTORE)
    number = await write(context, document, writing)
    if number > before.number + 1:
        # Somebody edited in between; the edits are in the log, but they were seen by nobody as a whole.
        before = await make_version(context, document, number - 1)
    async with parts.feeds.writing() as (connection, outbox):
        details = {"version": request.version_id, "number": number, "before": version_id_of(before)}
        await record(connection, context, "collaboration.versions.restore", address(document), details)
        _tell(outbox, context, document, "version.restored", version)
    return Restored(number=number, before=shown(before))


def _tell(outbox: Outbox, context: Context, document: Document, type_: str, version: Row) -> None:
    """Puts what happened to a version into its workspace's activity."""
    data = {"document_id": document.name, "version_id": version_id_of(version), "name": version.name}
    outbox.add(activity_of(document.workspace_id), type_, data, actor=context.user.user_id)


def shown(row: Row) -> Version:
    return Version(
        id=version_id_of(row),
        number=row.number,
        name=row.name,
        automatic=row.automatic,
        created_by=row.created_by,
        created_at=row.created_at,
    )


OPERATIONS = (
    Operation(
        "collaboration.versions.list",
        ListVersions,
        Page[Version],
        list_versions,
        f"GET {PATH}",
        Permission.READ,
        "List a document's versions.",
    ),
    Operation(
        "collaboration.versions.create",
        CreateVersion,
        Version,
        create_version,
        f"POST {PATH}",
        Permission.WRITE,
        "Name a version of a document.",
        status=201,
    ),
    Operation(
        "collaboration.versions.get",
        GetVersion,
        Version,
        get_version,
        f"GET {VERSION}",
        Permission.READ,
        "Get a version's name, number and date.",
    ),
    Operation(
        "collaboration.versions.update",
        UpdateVersion,
        Version,
        update_version,
        f"PATCH {VERSION}",
        Permission.WRITE,
        "Rename a version.",
    ),
    Operation(
        "collaboration.versions.delete",
        DeleteVersion,
        None,
        delete_version,
        f"DELETE {VERSION}",
        Permission.WRITE,
        "Delete a version.",
        status=204,
    ),
    Operation(
        "collaboration.versions.restore",
        RestoreVersion,
        Restored,
        restore_version,
        f"POST {VERSION}/restore",
        Permission.WRITE,
        "Make a document what it was in a version.",
        errors=(Conflict,),
    ),
)
