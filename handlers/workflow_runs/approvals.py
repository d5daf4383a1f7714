"""What runs of workflows ask people, and what they decide: so many of those who are named have to agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from handlers.audit_trail import record
from handlers.names import RowId, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, Instant, NotFound, Operation, Page, Permission
from handlers.workflow_runs.waiting_nodes import topic_of
from storage import runs, workflow_approvals
from storage.workflow_approvals import PENDING, Approval, Decision

HERE = "/workflow/approvals"

ApprovalState = Literal["pending", "approved", "rejected", "expired", "withdrawn"]
Verdict = Literal["approved", "rejected"]


class WorkflowApproval(msgspec.Struct, frozen=True, kw_only=True):
    """`required` of the `approvers` have to agree; of whoever may write in the workspace where none is named.

    `form` is the JSON Schema of what they fill in, `place` the node that asks.
    """

    id: RowId
    workspace_id: str
    run_id: str
    place: str
    title: str
    message: str
    approvers: list[str]
    required: int
    form: dict[str, Any] | None
    state: ApprovalState
    expires_at: Instant | None
    created_at: Instant
    ended_at: Instant | None


class ListApprovals(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    workspace_id: WorkspaceId
    state: ApprovalState | None = "pending"
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class Decide(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody decides once. `answers` are what the form asks for."""

    approval_id: RowId
    decision: Verdict
    comment: Annotated[str, Meta(max_length=10_000, pattern=r"^[^\x00]*$")] = ""
    answers: dict[str, Any] | None = None


async def list_approvals(context: Context, request: ListApprovals) -> Page[WorkflowApproval]:
    before = decode_cursor("workflow_approvals", request.cursor, int)
    async with context.parts.database.read() as connection:
        rows = await workflow_approvals.list_of(
            connection, request.workspace_id, state=request.state, before=before, limit=request.limit + 1
        )
    return page_of(rows, request.limit, "workflow_approvals", key=lambda row: row.id, item=shown)


async def decide(context: Context, request: Decide) -> WorkflowApproval:
    async with context.parts.database.read() as connection:
        found = await workflow_approvals.get(connection, request.approval_id)
    await _require(context, request.approval_id, found)
    now = context.now()
    async with context.parts.database.write() as connection:
        asked = await workflow_approvals.get(connection, request.approval_id, lock=True)
        run = None if asked is None else await runs.get(connection, asked.run_id)
        if asked is None or run is None or asked.state != PENDING or run.finished_at is not None:
            raise Conflict(
                "This is not asked any more: it was decided, has expired, or the run is over.", code="decided"
            )
        answers = None if request.answers is None else msgspec.json.encode(request.answers).decode()
        user = context.user.user_id
        mine = Decision(asked.id, user, request.decision, request.comment, answers, now)
        if not await workflow_approvals.decide(connection, mine):
            raise Conflict("You have decided this already.", code="decided")
        await record(connection, context, "workflow.approvals.decide", str(asked.id), {"decision": request.decision})
        decisions = await workflow_approvals.decisions_of(connection, asked.id)
        if (verdict := verdict_of(asked, decisions)) is not None:
            await workflow_approvals.end(connection, asked.id, verdict, at=now)
            told = {"decision": verdict, "decisions": [_told(one) for one in decisions]}
            await context.parts.runs.signals.send(connection, asked.run_id, topic_of(asked.place), told)
        after = await workflow_approvals.get(connection, asked.id)
    context.parts.runs.signals.tell(asked.run_id)
    return shown(after or asked)


async def _require(context: Context, approval_id: int, found: Approval | None) -> None:
    """Raises NotFound, also for whoever is not a member of the workspace, and Forbidden for whoever was not asked."""
    gone = NotFound(f"There is no approval {approval_id}, or you are not a member of its workspace.")
    if found is None:
        raise gone
    approvers = msgspec.json.decode(found.approvers)
    try:
        needed = Permission.READ if approvers else Permission.WRITE
        await context.parts.access.require(context.principal, needed, found.workspace_id)
    except NotFound:
        raise gone from None
    if approvers and context.user.user_id not in approvers:
        raise Forbidden("Others were asked to decide this.", code="not_asked")


def verdict_of(asked: Approval, decisions: Sequence[Decision]) -> Verdict | None:
    """What was decided, once it was: as soon as enough agree, or so many refuse that not enough are left."""
    approved = sum(one.decision == "approved" for one in decisions)
    if approved >= asked.required:
        return "approved"
    people = len(msgspec.json.decode(asked.approvers))
    left = people - (len(decisions) - approved) if people else asked.required - (len(decisions) - approved)
    return "rejected" if left < asked.required else None


def _told(one: Decision) -> dict[str, Any]:
    answers = None if one.answers is None else msgspec.json.decode(one.answers)
    return {"user_id": one.user_id, "decision": one.decision, "comment": one.comment, "answers": answers}


def shown(row: Approval) -> WorkflowApproval:
    return WorkflowApproval(
        id=row.id,
        workspace_id=row.workspace_id,
        run_id=row.run_id,
        place=row.place,
        title=row.title,
        message=row.message,
        approvers=msgspec.json.decode(row.approvers),
        required=row.required,
        form=None if row.form is None else msgspec.json.decode(row.form),
        state=msgspec.convert(row.state, ApprovalState),
        expires_at=row.expires_at,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


OPERATIONS = (
    Operation(
        "workflow.approvals.list",
        ListApprovals,
        Page[WorkflowApproval],
        list_approvals,
        f"GET {HERE}",
        Permission.READ,
        "List what runs of workflows ask people.",
    ),
    Operation(
        "workflow.approvals.decide",
        Decide,
        WorkflowApproval,
        decide,
        f"POST {HERE}/{{approval_id}}/decide",
        Permission.SIGNED_IN,
        "Approve or reject what a run of a workflow asks.",
        errors=(Conflict, Forbidden),
    ),
)
