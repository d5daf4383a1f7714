"""Runs of workflows as people see them: which there are, what their nodes did; and cancel one."""

from __future__ import annotations

import msgspec

from handlers.audit_trail import record
from handlers.feed_names import feed_of
from handlers.jobs import State
from handlers.names import RowId, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Forbidden, Instant, Operation, Page, Permission
from handlers.workflow_runs.shapes import (
    HERE,
    NODES_SHOWN,
    ONE,
    NodeRun,
    RunId,
    WholeRun,
    WorkflowRun,
    fields_of,
    node_shown,
    require_run,
    shown,
)
from storage import runs, workflow_approvals, workflow_runs


class ListWorkflowRuns(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    workspace_id: WorkspaceId
    workflow_id: RowId | None = None
    state: State | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class GetWorkflowRun(msgspec.Struct, frozen=True, kw_only=True):
    run_id: RunId


class ListNodeRuns(msgspec.Struct, frozen=True, kw_only=True):
    """By place."""

    run_id: RunId
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CancelWorkflowRun(msgspec.Struct, frozen=True, kw_only=True):
    """What it has done stays done. Workflows inside of it are cancelled too. One that has ended stays as it is."""

    run_id: RunId


async def list_workflow_runs(context: Context, request: ListWorkflowRuns) -> Page[WorkflowRun]:
    states = {State.QUEUED: (runs.WAITING, runs.QUEUED)}
    before = decode_cursor("workflow_runs", request.cursor, tuple[Instant, str])
    async with context.parts.database.read() as connection:
        rows = await workflow_runs.list_of(
            connection,
            request.workspace_id,
            workflow_id=request.workflow_id,
            states=states.get(request.state, (request.state.value,)) if request.state else None,
            before=before,
            limit=request.limit + 1,
        )
    return page_of(
        rows,
        request.limit,
        "workflow_runs",
        key=lambda pair: (pair[0].created_at, pair[0].run_id),
        item=lambda pair: shown(*pair),
    )


async def get_workflow_run(context: Context, request: GetWorkflowRun) -> WholeRun:
    row, run = await require_run(context, request.run_id, Permission.READ)
    async with context.parts.database.read() as connection:
        nodes = await workflow_runs.nodes_of(connection, row.run_id, limit=NODES_SHOWN + 1)
    return WholeRun(
        **fields_of(row, run),
        nodes=[node_shown(node) for node in nodes[:NODES_SHOWN]],
        has_more_nodes=len(nodes) > NODES_SHOWN,
    )


async def list_node_runs(context: Context, request: ListNodeRuns) -> Page[NodeRun]:
    row, _ = await require_run(context, request.run_id, Permission.READ)
    after = decode_cursor("workflow_run_nodes", request.cursor, str)
    async with context.parts.database.read() as connection:
        nodes = await workflow_runs.nodes_of(connection, row.run_id, after=after, limit=request.limit + 1)
    return page_of(nodes, request.limit, "workflow_run_nodes", key=lambda node: node.place, item=node_shown)


async def cancel_workflow_run(context: Context, request: CancelWorkflowRun) -> WorkflowRun:
    row, run = await require_run(context, request.run_id, Permission.WRITE)
    async with context.parts.feeds.writing() as (connection, outbox):
        if await runs.cancel(connection, row.run_id, at=context.now()):
            await workflow_approvals.withdraw_all(connection, row.run_id, at=context.now())
            await record(connection, context, "workflow.runs.cancel", row.run_id, {"workflow_id": row.workflow_id})
            told = {"run_id": row.run_id, "state": runs.CANCELLED}
            outbox.add(feed_of(row.workspace_id, shown(row, run).feed), "workflow.run", told)
        run = await runs.get(connection, row.run_id) or run
    context.parts.runs.tell()
    context.parts.runs.signals.tell(row.run_id)
    return shown(row, run)


OPERATIONS = (
    Operation(
        "workflow.runs.list",
        ListWorkflowRuns,
        Page[WorkflowRun],
        list_workflow_runs,
        f"GET {HERE}",
        Permission.READ,
        "List the runs of a workspace's workflows.",
    ),
    Operation(
        "workflow.runs.get",
        GetWorkflowRun,
        WholeRun,
        get_workflow_run,
        f"GET {ONE}",
        Permission.SIGNED_IN,
        "Get a run of a workflow with what its nodes did.",
        errors=(Forbidden,),
    ),
    Operation(
        "workflow.runs.nodes",
        ListNodeRuns,
        Page[NodeRun],
        list_node_runs,
        f"GET {ONE}/nodes",
        Permission.SIGNED_IN,
        "List what the nodes of a run did.",
        errors=(Forbidden,),
    ),
    Operation(
        "workflow.runs.cancel",
        CancelWorkflowRun,
        WorkflowRun,
        cancel_workflow_run,
        f"POST {ONE}/cancel",
        Permission.SIGNED_IN,
        "Cancel a run of a workflow.",
        errors=(Forbidden,),
    ),
)
