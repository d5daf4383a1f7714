"""What clients see of workflows, and the fields that several requests have."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from handlers.names import RowId
from handlers.registry import Instant
from storage.workflow_versions import WorkflowVersion
from storage.workflows import Workflow as Row

HERE = "/workflow/designer/workflows"
ONE = HERE + "/{workflow_id}"

Description = Annotated[str, Meta(max_length=10_000, pattern=r"^[^\x00]*$")]
Message = Annotated[str, Meta(max_length=1_000, pattern=r"^[^\x00]*$")]
VersionNumber = Annotated[int, Meta(ge=1, le=2**31 - 1, description="A version of the workflow, counted from 1.")]


class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow. People draw it in the document `document_id`; `number` counts the document's updates.

    `newest_version` is the version published last, null if none was.
    """

    id: RowId
    workspace_id: str
    document_id: str
    title: str
    description: str
    number: int
    newest_version: int | None
    created_by: str
    created_at: Instant
    updated_by: str
    updated_at: Instant
    trashed_by: str | None = None
    trashed_at: Instant | None = None


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong in a diagram, at a JSON pointer; while there is one that is an error, it cannot be published.

    `id` stays the same as long as the fault does.
    """

    id: str
    code: str
    severity: Literal["error", "warning"]
    path: str
    message: str
    node: str | None
    edge: str | None
    fix: str | None


class PublishedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A published version: the diagram after its document's update `number`, which does not change any more.

    `fingerprint` is a SHA-256 of what it does; moving things about does not change it.
    """

    workflow_id: RowId
    version: int
    number: int
    fingerprint: str
    message: str
    nodes: int
    edges: int
    created_by: str
    created_at: Instant


class WorkflowForm(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow in its normal form, as files hold it: what it does, and apart from that, how it looks.

    `nodes` by id; `edges` by "source:port>target:port"; `layout` has positions and sizes of nodes, and the notes.
    """

    schema: Literal["workflow/v1"]
    name: str
    settings: dict[str, Any]
    nodes: dict[str, dict[str, Any]]
    edges: dict[str, dict[str, Any]]
    layout: dict[str, dict[str, Any]]


def shown(row: Row) -> Workflow:
    """A workflow as clients see it."""
    return Workflow(
        id=row.id,
        workspace_id=row.workspace_id,
        document_id=row.name,
        title=row.title,
        description=row.description,
        number=row.head,
        newest_version=row.newest_version or None,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_by=row.updated_by,
        updated_at=row.updated_at,
        trashed_by=row.trashed_by,
        trashed_at=row.trashed_at,
    )


def version_shown(row: WorkflowVersion) -> PublishedVersion:
    return PublishedVersion(
        workflow_id=row.workflow_id,
        version=row.version,
        number=row.document_number,
        fingerprint=row.fingerprint,
        message=row.message,
        nodes=row.nodes,
        edges=row.edges,
        created_by=row.created_by,
        created_at=row.created_at,
    )
