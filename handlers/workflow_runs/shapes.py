"""What clients see of runs of workflows."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handlers.jobs import State
from handlers.names import RowId
from handlers.registry import Context, Instant, NotFound, Permission
from handlers.workflow_runs.recording import feed_name
from storage import runs as durable
from storage import workflow_runs
from storage.runs import Run
from storage.workflow_runs import NodeRow

HERE = "/workflow/runs"
ONE = HERE + "/{run_id}"
# Of a loop's many, the rest is asked for page by page.
NODES_SHOWN = 500

RunId = Annotated[str, Meta(min_length=1, max_length=300, description="A run's id.")]


class NodeError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a node could not be done."""

    code: str
    message: str


class NodeRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a node did. `place` is its id, and in a loop's body which item it was for, as in `node:3`.

    `state` is running, waiting, succeeded, failed, skipped or cancelled.
    """

    place: str
    node: str
    state: str
    attempts: int
    port: str | None
    input: Any
    output: Any
    error: NodeError | None
    started_at: Instant | None
    finished_at: Instant | None


class WorkflowRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a version of a workflow. Watch `feed` for its nodes; `outputs` are by nodes of the type `end`."""

    id: str
    workspace_id: str
    workflow_id: RowId
    version: int
    inputs: dict[str, Any]
    state: State
    rerun_of: str | None
    parent_id: str | None
    feed: str
    created_by: str
    created_at: Instant
    started_at: Instant | None
    finished_at: Instant | None
    attempt: int
    done: int
    total: int | None
    outputs: dict[str, Any] | None
    error: NodeError | None


class WholeRun(WorkflowRun, frozen=True, kw_only=True):
    """A run with what its nodes did, by place: up to 500, and `GET …/nodes` has all of them."""

    nodes: list[NodeRun]
    has_more_nodes: bool


def shown(row: workflow_runs.WorkflowRun, run: Run) -> WorkflowRun:
    return WorkflowRun(**fields_of(row, run))


def fields_of(row: workflow_runs.WorkflowRun, run: Run) -> dict[str, Any]:
    result = None if run.result is None else msgspec.json.decode(run.result)
    return {
        "id": row.run_id,
        "workspace_id": row.workspace_id,
        "workflow_id": row.workflow_id,
        "version": row.version,
        "inputs": msgspec.json.decode(row.inputs),
        "state": State.QUEUED if run.state == durable.WAITING else State(run.state),
        "rerun_of": row.rerun_of,
        "parent_id": run.parent_id,
        "feed": feed_name(row.run_id),
        "created_by": run.created_by,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "attempt": run.attempt,
        "done": run.done or 0,
        "total": run.total,
        "outputs": None if result is None else result["outputs"],
        "error": _error(run.error_code, run.error_message),
    }


def node_shown(row: NodeRow) -> NodeRun:
    return NodeRun(
        place=row.place,
        node=row.node,
        state=row.state,
        attempts=row.attempts,
        port=row.port,
        input=None if row.input is None else msgspec.json.decode(row.input),
        output=None if row.output is None else msgspec.json.decode(row.output),
        error=_error(row.error_code, row.error_message),
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _error(code: str | None, message: str | None) -> NodeError | None:
    return None if code is None else NodeError(code=code, message=message or "")


async def require_run(context: Context, run_id: str, permission: Permission) -> tuple[workflow_runs.WorkflowRun, Run]:
    """The run, if the caller may. Raises NotFound, also for whoever is not a member, and Forbidden."""
    async with context.parts.database.read() as connection:
        found = await workflow_runs.get(connection, run_id)
    gone = NotFound(f"There is no run {run_id!r} of a workflow, or you are not a member of its workspace.")
    if found is None:
        raise gone
    try:
        await context.parts.access.require(context.principal, permission, found[0].workspace_id)
    except NotFound:
        raise gone from None
    return found
