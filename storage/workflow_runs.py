"""Runs of workflows, and what their nodes did."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.run_tables import runs
from storage.runs import Run
from storage.upsert import insert
from storage.workflow_run_tables import workflow_run_nodes, workflow_runs


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """A row of workflow_runs. `inputs` is JSON."""

    run_id: str
    workspace_id: str
    workflow_id: int
    version_id: int
    version: int
    inputs: str
    rerun_of: str | None
    depth: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NodeRow:
    """What a node did in a run. `input` and `output` are JSON.

    `state` is running, waiting, succeeded, failed, skipped or cancelled.
    """

    place: str
    node: str
    state: str
    attempts: int = 0
    port: str | None = None
    input: str | None = None
    output: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


_RUN = [workflow_runs.c[field.name] for field in fields(WorkflowRun)]
_NODE = [workflow_run_nodes.c[field.name] for field in fields(NodeRow)]
# Of a node with all its columns: SQLite takes 32,766 values in a statement.
_AT_ONCE = 500


async def add(connection: AsyncConnection, run: WorkflowRun) -> None:
    """The durable run must be there. One that is there already stays as it is."""
    await connection.execute(insert(connection, workflow_runs).values(asdict(run)).on_conflict_do_nothing())


async def get(connection: AsyncConnection, run_id: str) -> tuple[WorkflowRun, Run] | None:
    """The run of a workflow and the durable run that it is."""
    row = (await connection.execute(_joined().where(workflow_runs.c.run_id == run_id))).first()
    return _split(row) if row else None


async def list_of(
    connection: AsyncConnection,
    workspace_id: str,
    *,
    workflow_id: int | None = None,
    states: Sequence[str] | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int,
) -> list[tuple[WorkflowRun, Run]]:
    """The newest first; `before` is the time and the id of the last one seen."""
    query = _joined().where(workflow_runs.c.workspace_id == workspace_id)
    if workflow_id is not None:
        query = query.where(workflow_runs.c.workflow_id == workflow_id)
    if states is not None:
        query = query.where(runs.c.state.in_(states))
    if before is not None:
        at, run_id = before
        is_earlier = workflow_runs.c.created_at < at
        query = query.where(is_earlier | ((workflow_runs.c.created_at == at) & (workflow_runs.c.run_id < run_id)))
    query = query.order_by(workflow_runs.c.created_at.desc(), workflow_runs.c.run_id.desc()).limit(limit)
    return [_split(row) for row in await connection.execute(query)]


def _joined() -> Select[tuple[object, ...]]:
    return select(*_RUN, *runs.c).join(runs, runs.c.id == workflow_runs.c.run_id)


def _split(row: Sequence[object]) -> tuple[WorkflowRun, Run]:
    values = tuple(row)
    return WorkflowRun(*values[: len(_RUN)]), Run(*values[len(_RUN) :])  # type: ignore[arg-type]


async def put_nodes(connection: AsyncConnection, run_id: str, attempt: int, nodes: Sequence[NodeRow]) -> bool:
    """Sets what these nodes did. Whether the attempt is the newest one: what an older one says is not taken."""
    newest = await connection.scalar(select(runs.c.attempt).where(runs.c.id == run_id).with_for_update())
    if newest != attempt:
        return False
    for start in range(0, len(nodes), _AT_ONCE):
        values = [{"run_id": run_id, **asdict(node)} for node in nodes[start : start + _AT_ONCE]]
        statement = insert(connection, workflow_run_nodes).values(values)
        changed = {name: statement.excluded[name] for name in values[0] if name not in ("run_id", "place")}
        await connection.execute(statement.on_conflict_do_update(index_elements=["run_id", "place"], set_=changed))
    return True


async def nodes_of(
    connection: AsyncConnection, run_id: str, *, after: str | None = None, limit: int | None = None
) -> list[NodeRow]:
    """By place; `after` is the last one seen."""
    query = select(*_NODE).where(workflow_run_nodes.c.run_id == run_id).order_by(workflow_run_nodes.c.place)
    if after is not None:
        query = query.where(workflow_run_nodes.c.place > after)
    return [NodeRow(*row) for row in await connection.execute(query.limit(limit))]
