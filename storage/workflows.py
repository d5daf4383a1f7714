"""Workflows: documents of the kind diagram that can be published and run."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import AlreadyExists
from storage.tables import documents
from storage.upsert import insert
from storage.workflow_tables import workflows


@dataclass(frozen=True, slots=True)
class Workflow:
    """A row of workflows with its document's: `name`, `title`, `head` and what follows are the document's."""

    id: int
    workspace_id: str
    document_id: int
    description: str
    newest_version: int
    created_by: str
    created_at: datetime
    name: str
    title: str
    head: int
    updated_by: str
    updated_at: datetime
    trashed_by: str | None
    trashed_at: datetime | None


_COLUMNS = (
    workflows.c.id,
    workflows.c.workspace_id,
    workflows.c.document_id,
    workflows.c.description,
    workflows.c.newest_version,
    workflows.c.created_by,
    workflows.c.created_at,
    documents.c.name,
    documents.c.title,
    documents.c.head,
    documents.c.updated_by,
    documents.c.updated_at,
    documents.c.trashed_by,
    documents.c.trashed_at,
)


async def create(
    connection: AsyncConnection,
    workspace_id: str,
    document_id: int,
    *,
    description: str,
    created_by: str,
    at: datetime,
) -> Workflow:
    """Makes the document a workflow. Raises AlreadyExists if it is one, BrokenReference if there is no document."""
    values = {
        "workspace_id": workspace_id,
        "document_id": document_id,
        "description": description,
        "newest_version": 0,
        "created_by": created_by,
        "created_at": at,
    }
    statement = insert(connection, workflows).values(values).on_conflict_do_nothing().returning(workflows.c.id)
    workflow_id = (await connection.execute(statement)).scalar_one_or_none()
    if workflow_id is None:
        raise AlreadyExists(f"the document {document_id} is a workflow already")
    made = await get(connection, workflow_id)
    assert made is not None
    return made


async def get(connection: AsyncConnection, workflow_id: int) -> Workflow | None:
    """The workflow, its document in the trash or not."""
    return await _one(connection, _joined().where(workflows.c.id == workflow_id))


async def of_document(connection: AsyncConnection, document_id: int) -> Workflow | None:
    """The workflow that the document is, if it is one."""
    return await _one(connection, _joined().where(workflows.c.document_id == document_id))


async def list_of(
    connection: AsyncConnection, workspace_id: str, *, trashed: bool = False, before: int | None = None, limit: int
) -> list[Workflow]:
    """The workspace's workflows, those in the trash or the others, the newest first; `before` is the last id seen."""
    query = _joined().where(workflows.c.workspace_id == workspace_id)
    query = query.where(documents.c.trashed_at.is_not(None) if trashed else documents.c.trashed_at.is_(None))
    if before is not None:
        query = query.where(workflows.c.id < before)
    rows = await connection.execute(query.order_by(workflows.c.id.desc()).limit(limit))
    return [Workflow(*row) for row in rows]


async def describe(connection: AsyncConnection, workflow_id: int, description: str) -> None:
    """Sets the description."""
    await connection.execute(update(workflows).where(workflows.c.id == workflow_id).values(description=description))


def _joined() -> Select[Any]:
    return select(*_COLUMNS).join(documents, documents.c.id == workflows.c.document_id)


async def _one(connection: AsyncConnection, query: Select[Any]) -> Workflow | None:
    row = (await connection.execute(query)).first()
    return Workflow(*row) if row else None
