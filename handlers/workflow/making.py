"""A new workflow: its document with what is drawn in it, and its definition."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from pycrdt import Doc
from sqlalchemy.ext.asyncio import AsyncConnection

from crdt.content import replace_json
from crdt.edits import EditError
from handlers.document_edits import merge_update, refusal
from handlers.document_life import make_document, missing, refuse_trashed
from handlers.document_states import in_worker
from handlers.feed_names import activity_of
from handlers.outbox import Outbox
from handlers.registry import Conflict, Context
from storage import documents, workflows
from storage.documents import Document
from storage.errors import AlreadyExists
from storage.workflows import Workflow

# Writes the row of the audit trail into the transaction that makes the workflow.
Noting = Callable[[AsyncConnection, Workflow], Awaitable[None]]

# A diagram of so many nodes is drafted in a millisecond or two; a larger one would hold the event loop.
_FEW_NODES = 50


class New(NamedTuple):
    """What a workflow begins with."""

    workspace_id: str
    title: str
    description: str


async def make_workflow(context: Context, new: New, diagram: dict[str, Any], noting: Noting) -> Workflow:
    """The workflow, in a document of its own that holds the diagram.

    Raises InvalidRequest or TooLarge for a diagram that no document can hold.
    """
    drawing = await _drawing(context, diagram)
    name = f"workflow-{secrets.token_hex(8)}"
    async with context.parts.feeds.writing() as (connection, outbox):
        document = await make_document(
            connection,
            outbox,
            context,
            workspace_id=new.workspace_id,
            name=name,
            title=new.title,
            kind="diagram",
            root="",
        )
        made = await _define(connection, outbox, context, document, new.description)
        await noting(connection, made)
    # If the server ends here, there is an empty workflow, which whoever made it sees in the list.
    async with context.parts.rooms.use(document) as room:
        await merge_update(context.parts, room, context.user.user_id, drawing)
    async with context.parts.database.read() as connection:
        return await workflows.get(connection, made.id) or made


async def adopt_document(context: Context, new: New, document_id: str, noting: Noting) -> Workflow:
    """The workflow that a diagram becomes which people drew before; its title and content stay.

    Raises NotFound if there is no such document, Conflict if it is no diagram or a workflow already.
    """
    async with context.parts.feeds.writing() as (connection, outbox):
        document = await documents.get(connection, new.workspace_id, document_id)
        if document is None:
            raise missing(new.workspace_id, document_id)
        refuse_trashed(document)
        if document.kind != "diagram":
            raise Conflict(
                f"The document {document_id!r} is of the kind {document.kind or 'that nobody said'}; "
                "a workflow is made of a diagram.",
                code="not_a_diagram",
            )
        await documents.set_shape(connection, document.id, "diagram", "")
        made = await _define(connection, outbox, context, document, new.description)
        await noting(connection, made)
    return made


async def _define(
    connection: AsyncConnection, outbox: Outbox, context: Context, document: Document, description: str
) -> Workflow:
    user_id = context.user.user_id
    try:
        made = await workflows.create(
            connection,
            document.workspace_id,
            document.id,
            description=description,
            created_by=user_id,
            at=context.now(),
        )
    except AlreadyExists:
        raise Conflict(f"The document {document.name!r} is a workflow already.", code="workflow_exists") from None
    data = {"workflow_id": made.id, "document_id": document.name, "title": document.title}
    outbox.add(activity_of(document.workspace_id), "workflow.created", data, actor=user_id)
    return made


async def _drawing(context: Context, diagram: dict[str, Any]) -> bytes:
    try:
        if len(diagram["nodes"]) <= _FEW_NODES:
            return drawing_of(diagram)
        return await in_worker(context.parts, drawing_of, diagram)
    except EditError as error:
        raise refusal(error) from None


def drawing_of(diagram: dict[str, Any]) -> bytes:
    """The update that draws a diagram on an empty document. Raises EditError."""
    doc: Doc[Any] = Doc()
    replace_json(doc, "diagram", "", diagram)
    return doc.get_update()
