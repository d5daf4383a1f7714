"""Workflows of a workspace: list, make, describe, put in the trash of documents."""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.audit_trail import record
from handlers.document_life import retitle_document, trash_document
from handlers.names import RowId, Title, WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, InvalidRequest, NotFound, Operation, Page, Permission
from handlers.workflow.making import New, adopt_document, make_workflow
from handlers.workflow.shapes import HERE, ONE, Description, Workflow, shown
from handlers.workflow_access import require_workflow
from storage import workflows


class ListWorkflows(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first; `trashed=true` lists those whose document is in the trash instead."""

    workspace_id: WorkspaceId
    trashed: bool = False
    cursor: Cursor | None = None
    limit: Limit = 50


class CreateWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """With a `title`, an empty one; with a `document_id`, one of a diagram that people drew before.

    It is drawn in its document: over a socket, or with `PATCH /collaboration/documents/…/content`.
    """

    workspace_id: WorkspaceId
    title: Title | None = None
    document_id: str | None = None
    description: Description = ""


class GetWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    workflow_id: RowId


class UpdateWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """What is not given stays."""

    workflow_id: RowId
    title: Title | None = None
    description: Description | None = None


class DeleteWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """Its document is put in the trash, from where it can be restored, or deleted for good with all versions."""

    workflow_id: RowId


async def list_workflows(context: Context, request: ListWorkflows) -> Page[Workflow]:
    before = decode_cursor("workflows", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await workflows.list_of(
            connection, request.workspace_id, trashed=request.trashed, before=before, limit=request.limit + 1
        )
    return page_of(rows, request.limit, "workflows", key=lambda row: row.id, item=shown)


async def create_workflow(context: Context, request: CreateWorkflow) -> Workflow:
    if (request.title is None) == (request.document_id is None):
        raise InvalidRequest("Give either the `title` of a new workflow or the `document_id` of a diagram.")
    new = New(request.workspace_id, request.title or "", request.description)

    async def note(connection: AsyncConnection, made: workflows.Workflow) -> None:
        details = {"title": made.title, "document_id": made.name}
        await record(connection, context, "workflow.definitions.create", str(made.id), details)

    if request.document_id is not None:
        return shown(await adopt_document(context, new, request.document_id, note))
    empty = {"meta": {"name": new.title, "schema_version": 1}, "nodes": {}, "edges": {}, "notes": {}}
    return shown(await make_workflow(context, new, empty, note))


async def get_workflow(context: Context, request: GetWorkflow) -> Workflow:
    return shown((await require_workflow(context, request.workflow_id, Permission.READ)).workflow)


async def update_workflow(context: Context, request: UpdateWorkflow) -> Workflow:
    found = await require_workflow(context, request.workflow_id, Permission.WRITE)
    workflow_id = found.workflow.id
    async with context.parts.feeds.writing() as (connection, outbox):
        if request.title is not None:
            await retitle_document(connection, outbox, context, found.document, request.title)
        if request.description is not None:
            await workflows.describe(connection, workflow_id, request.description)
        details = {"title": request.title, "description": request.description}
        given = {name: value for name, value in details.items() if value is not None}
        await record(connection, context, "workflow.definitions.update", str(workflow_id), given)
        row = await workflows.get(connection, workflow_id)
    return shown(row or found.workflow)


async def delete_workflow(context: Context, request: DeleteWorkflow) -> None:
    found = await require_workflow(context, request.workflow_id, Permission.MANAGE)
    async with context.parts.feeds.writing() as (connection, outbox):
        await trash_document(connection, outbox, context, found.document)
        details = {"document_id": found.document.name}
        await record(connection, context, "workflow.definitions.delete", str(found.workflow.id), details)
    await context.parts.rooms.discard(found.document)


OPERATIONS = (
    Operation(
        "workflow.definitions.list",
        ListWorkflows,
        Page[Workflow],
        list_workflows,
        f"GET {HERE}",
        Permission.READ,
        "List a workspace's workflows.",
    ),
    Operation(
        "workflow.definitions.create",
        CreateWorkflow,
        Workflow,
        create_workflow,
        f"POST {HERE}",
        Permission.WRITE,
        "Make a workflow, new or of a diagram.",
        status=201,
        errors=(Conflict,),
    ),
    Operation(
        "workflow.definitions.get",
        GetWorkflow,
        Workflow,
        get_workflow,
        f"GET {ONE}",
        Permission.SIGNED_IN,
        "Get a workflow's title, document and newest version.",
        errors=(Forbidden,),
    ),
    Operation(
        "workflow.definitions.update",
        UpdateWorkflow,
        Workflow,
        update_workflow,
        f"PATCH {ONE}",
        Permission.SIGNED_IN,
        "Change a workflow's title or description.",
        errors=(Forbidden,),
    ),
    Operation(
        "workflow.definitions.delete",
        DeleteWorkflow,
        None,
        delete_workflow,
        f"DELETE {ONE}",
        Permission.SIGNED_IN,
        "Put a workflow in the trash.",
        status=204,
        errors=(Forbidden, NotFound),
    ),
)
