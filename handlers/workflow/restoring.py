"""What was published is drawn again: as an edit of the caller, which open editors see like any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from pycrdt import Doc

from crdt.content import read_json, replace_json
from crdt.room import RESTORE
from handlers.audit_trail import record
from handlers.document_edits import edit_document
from handlers.document_versions import make_version, version_id_of, version_of_now
from handlers.feed_names import activity_of
from handlers.names import RowId
from handlers.registry import Context, Forbidden, Operation, Permission
from handlers.workflow.shapes import ONE, VersionNumber
from handlers.workflow.versions import require_version
from handlers.workflow_access import require_workflow
from handlers.workflow_forms import diagram_of


class RestoreVersion(msgspec.Struct, frozen=True, kw_only=True):
    """Draws it as it was then; what is the same stays. Nothing is published by it.

    Before it, a version of the document as it is now is made, if there is none: restoring that undoes it.
    """

    workflow_id: RowId
    version: VersionNumber


class RestoredVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The restore is stored, as the document's update `number`. `before` is a version of its document.

    `POST /collaboration/documents/{workspace_id}/{document_id}/versions/{before}/restore` undoes it.
    """

    workflow_id: RowId
    version: int
    number: int
    before: str


@dataclass(frozen=True, slots=True)
class NewDiagram:
    """The edit that makes a document hold the diagram; what else its `meta` says stays."""

    diagram: dict[str, Any]

    def __call__(self, doc: Doc[Any]) -> None:
        meta = {**read_json(doc, "diagram", "")["meta"], **self.diagram["meta"]}
        replace_json(doc, "diagram", "", {**self.diagram, "meta": meta})


async def restore_version(context: Context, request: RestoreVersion) -> RestoredVersion:
    found = await require_workflow(context, request.workflow_id, Permission.WRITE)
    row, form = await require_version(context, found.workflow.id, request.version)
    parts, user_id = context.parts, context.user.user_id
    before = await version_of_now(context, found.document)
    number = await edit_document(parts, found.document, user_id, NewDiagram(diagram_of(form)), RESTORE)
    if number > before.number + 1:
        # Somebody drew in between; that is in the log, but nobody saw it as a whole.
        before = await make_version(context, found.document, number - 1)
    async with parts.feeds.writing() as (connection, outbox):
        details = {"version": row.version, "number": number, "before": version_id_of(before)}
        await record(connection, context, "workflow.versions.restore", str(row.workflow_id), details)
        data = {"workflow_id": row.workflow_id, "version": row.version, "title": found.document.title}
        outbox.add(activity_of(found.workflow.workspace_id), "workflow.version_restored", data, actor=user_id)
    return RestoredVersion(
        workflow_id=row.workflow_id, version=row.version, number=number, before=version_id_of(before)
    )


OPERATIONS = (
    Operation(
        "workflow.versions.restore",
        RestoreVersion,
        RestoredVersion,
        restore_version,
        f"POST {ONE}/versions/{{version}}/restore",
        Permission.SIGNED_IN,
        "Draw a workflow as it was in a version.",
        errors=(Forbidden,),
    ),
)
