"""Whether a workflow could be published as it is drawn now, and publishing it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.audit_trail import record
from handlers.feed_names import activity_of
from handlers.names import RowId
from handlers.registry import Conflict, Context, Forbidden, Operation, Permission
from handlers.workflow.checking import violations_of
from handlers.workflow.drafts import Draft, draft_of
from handlers.workflow.shapes import ONE, Message, PublishedVersion, Violation, version_shown
from handlers.workflow_access import Found, no_workflow, require_workflow
from storage import workflow_versions
from storage.workflow_versions import NewVersion, WorkflowVersion

# Others who publish in the meantime what is newer make this node read again what is drawn.
_ATTEMPTS = 5
# So many errors are told with a refusal; all of them are to be had from `…/validate`.
_TOLD_ERRORS = 50


class ValidateWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """As it is drawn now. What is wrong is also told on the document's channel while people draw."""

    workflow_id: RowId


class Validated(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong after the document's update `number`, errors first; without errors it `can_be_published`."""

    workflow_id: RowId
    number: int
    can_be_published: bool
    violations: list[Violation]


class PublishWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """As it is drawn now; with `if_number` only if nobody has drawn on since the document's update with that number."""

    workflow_id: RowId
    message: Message = ""
    if_number: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """The newest version. Not `is_new`: it was published before, and what is drawn now does the same."""

    version: PublishedVersion
    is_new: bool
    warnings: list[Violation]


async def validate_workflow(context: Context, request: ValidateWorkflow) -> Validated:
    found = await require_workflow(context, request.workflow_id, Permission.WRITE)
    draft = await draft_of(context.parts, found.document)
    violations = await violations_of(context, found, draft.drawn)
    return Validated(
        workflow_id=found.workflow.id,
        number=draft.number,
        can_be_published=not errors_among(violations),
        violations=violations,
    )


async def publish_workflow(context: Context, request: PublishWorkflow) -> Published:
    found = await require_workflow(context, request.workflow_id, Permission.WRITE)
    for _ in range(_ATTEMPTS):
        draft = await draft_of(context.parts, found.document)
        _expect_number(draft, request.if_number)
        violations = await violations_of(context, found, draft.drawn)
        _refuse_errors(errors_among(violations))
        stored = await _store(context, found, draft, request.message)
        if stored is not None:
            version, is_new = stored
            return Published(version=version_shown(version), is_new=is_new, warnings=violations)
    raise Conflict("Others are publishing this workflow at the same time; try again.", code="published_meanwhile")


def errors_among(violations: list[Violation]) -> list[Violation]:
    return [violation for violation in violations if violation.severity == "error"]


def _expect_number(draft: Draft, if_number: int | None) -> None:
    if if_number not in (None, draft.number):
        raise Conflict(
            f"The workflow was drawn on: it is at the number {draft.number}, not {if_number}; look at it again.",
            code="number_changed",
            details={"number": draft.number},
        )


def _refuse_errors(errors: list[Violation]) -> None:
    if errors:
        raise Conflict(
            f"The workflow cannot be published: {errors[0].message}"
            + (f", and {len(errors) - 1} more." if len(errors) > 1 else "."),
            code="workflow_invalid",
            details={"violations": msgspec.to_builtins(errors[:_TOLD_ERRORS]), "errors": len(errors)},
        )


async def _store(context: Context, found: Found, draft: Draft, message: str) -> tuple[WorkflowVersion, bool] | None:
    """The version of the draft and whether it is new; None if somebody has published a later state meanwhile."""
    drawn, workflow_id = draft.drawn, found.workflow.id
    async with context.parts.feeds.writing() as (connection, outbox):
        if not await workflow_versions.lock(connection, workflow_id):
            raise no_workflow(workflow_id)
        newest = await workflow_versions.newest(connection, workflow_id)
        if newest is not None and newest.document_number > draft.number:
            return None
        if newest is not None and newest.fingerprint == drawn.fingerprint:
            return newest, False
        new = NewVersion(
            document_number=draft.number,
            fingerprint=drawn.fingerprint,
            message=message,
            nodes=drawn.nodes,
            edges=drawn.edges,
            form=drawn.form,
        )
        made = await workflow_versions.add(
            connection, workflow_id, new, created_by=context.user.user_id, at=context.now()
        )
        details = {"version": made.version, "number": made.document_number, "fingerprint": made.fingerprint}
        await record(connection, context, "workflow.definitions.publish", str(workflow_id), details)
        data = {"workflow_id": workflow_id, "version": made.version, "title": found.document.title, "message": message}
        outbox.add(activity_of(found.workflow.workspace_id), "workflow.published", data, actor=context.user.user_id)
    return made, True


OPERATIONS = (
    Operation(
        "workflow.definitions.validate",
        ValidateWorkflow,
        Validated,
        validate_workflow,
        f"POST {ONE}/validate",
        Permission.SIGNED_IN,
        "Say what is wrong in a workflow as it is drawn now.",
        audited=False,
        errors=(Forbidden,),
    ),
    Operation(
        "workflow.definitions.publish",
        PublishWorkflow,
        Published,
        publish_workflow,
        f"POST {ONE}/publish",
        Permission.SIGNED_IN,
        "Make what is drawn of a workflow its newest version.",
        errors=(Forbidden, Conflict),
    ),
)
