"""Published versions of workflows: what runs refer to. They are made once and never changed."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.workflow_tables import workflow_versions, workflows


@dataclass(frozen=True, slots=True)
class NewVersion:
    """`form` is the diagram's normal form as the document's updates up to `document_number` make it, compressed.

    `fingerprint` is the same for diagrams that do the same; `nodes` and `edges` are how many there are.
    """

    document_number: int
    fingerprint: str
    message: str
    nodes: int
    edges: int
    form: bytes


@dataclass(frozen=True, slots=True)
class WorkflowVersion:
    """A row of workflow_versions, without the form. Versions of a workflow are counted from 1, without gaps."""

    id: int
    workflow_id: int
    version: int
    document_number: int
    fingerprint: str
    message: str
    nodes: int
    edges: int
    created_by: str
    created_at: datetime


_COLUMNS = [workflow_versions.c[field.name] for field in fields(WorkflowVersion)]


async def lock(connection: AsyncConnection, workflow_id: int) -> bool:
    """Keeps others from publishing the workflow until the transaction ends; False if there is no such workflow."""
    query = select(workflows.c.id).where(workflows.c.id == workflow_id).with_for_update()
    return (await connection.execute(query)).first() is not None


async def add(
    connection: AsyncConnection, workflow_id: int, new: NewVersion, *, created_by: str, at: datetime
) -> WorkflowVersion:
    """The workflow's next version. `lock` the workflow first, and see that it is there."""
    counted = workflows.c.newest_version + 1
    counting = update(workflows).where(workflows.c.id == workflow_id).values(newest_version=counted)
    version = (await connection.execute(counting.returning(workflows.c.newest_version))).scalar_one()
    values = {**asdict(new), "workflow_id": workflow_id, "version": version, "created_by": created_by, "created_at": at}
    statement = insert(workflow_versions).values(values).returning(*_COLUMNS)
    return WorkflowVersion(*(await connection.execute(statement)).one())


async def get(connection: AsyncConnection, workflow_id: int, version: int) -> WorkflowVersion | None:
    """The version of that number, counted from 1."""
    query = select(*_COLUMNS).where(
        workflow_versions.c.workflow_id == workflow_id, workflow_versions.c.version == version
    )
    row = (await connection.execute(query)).first()
    return WorkflowVersion(*row) if row else None


async def newest(connection: AsyncConnection, workflow_id: int) -> WorkflowVersion | None:
    """The version published last, None if there is none."""
    found = await list_of(connection, workflow_id, limit=1)
    return found[0] if found else None


async def list_of(
    connection: AsyncConnection, workflow_id: int, *, before: int | None = None, limit: int
) -> list[WorkflowVersion]:
    """The workflow's versions, the newest first; `before` is the last version seen."""
    query = select(*_COLUMNS).where(workflow_versions.c.workflow_id == workflow_id)
    if before is not None:
        query = query.where(workflow_versions.c.version < before)
    rows = await connection.execute(query.order_by(workflow_versions.c.version.desc()).limit(limit))
    return [WorkflowVersion(*row) for row in rows]


async def form_of(connection: AsyncConnection, version_id: int) -> bytes | None:
    """The compressed form of the version with this row id."""
    query = select(workflow_versions.c.form).where(workflow_versions.c.id == version_id)
    form: bytes | None = (await connection.execute(query)).scalar_one_or_none()
    return form
