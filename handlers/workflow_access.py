"""May this user do this with that workflow: by the workflow's workspace, the same for every operation on workflows."""

from __future__ import annotations

from typing import NamedTuple

from handlers.document_life import refuse_trashed
from handlers.registry import Context, NotFound, Permission
from storage import documents, workflows
from storage.documents import Document
from storage.workflows import Workflow


class Found(NamedTuple):
    """A workflow, and the document in which people draw it."""

    workflow: Workflow
    document: Document


async def require_workflow(context: Context, workflow_id: int, permission: Permission) -> Found:
    """The workflow, if the caller may. Raises Forbidden; NotFound also for whoever is not a member of its workspace,
    and for one whose document is in the trash."""
    async with context.parts.database.read() as connection:
        workflow = await workflows.get(connection, workflow_id)
        document = await documents.get_by_id(connection, workflow.document_id) if workflow else None
    if workflow is None or document is None:
        raise no_workflow(workflow_id)
    try:
        await context.parts.access.require(context.principal, permission, workflow.workspace_id)
    except NotFound:
        raise no_workflow(workflow_id) from None
    refuse_trashed(document)
    return Found(workflow, document)


def no_workflow(workflow_id: int) -> NotFound:
    return NotFound(
        f"There is no workflow {workflow_id}, or you are not a member of its workspace.", code="no_such_workflow"
    )
