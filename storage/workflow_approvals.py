"""Approvals that runs of workflows wait for, and what people decided."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.upsert import insert
from storage.workflow_run_tables import workflow_approvals, workflow_decisions

PENDING = "pending"


@dataclass(frozen=True, slots=True)
class NewApproval:
    """`approvers` is a JSON list of users' ids, empty for whoever may run the workflow; `form` a JSON Schema."""

    workspace_id: str
    run_id: str
    place: str
    title: str
    message: str
    approvers: str
    required: int
    form: str | None
    may_delegate: bool
    expires_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """A row of workflow_approvals; `state` is pending, approved, rejected, expired or withdrawn."""

    id: int
    workspace_id: str
    run_id: str
    place: str
    title: str
    message: str
    approvers: str
    required: int
    form: str | None
    may_delegate: bool
    state: str
    expires_at: datetime | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person decided: approved or rejected. `answers` is JSON, as the form asks."""

    approval_id: int
    user_id: str
    decision: str
    comment: str
    answers: str | None
    at: datetime


_COLUMNS = [workflow_approvals.c[field.name] for field in fields(Approval)]
_DECISION = [workflow_decisions.c[field.name] for field in fields(Decision)]


async def ask(connection: AsyncConnection, new: NewApproval) -> Approval:
    """The approval of this place in the run: there is one, however often it is asked for."""
    values = {**asdict(new), "state": PENDING}
    await connection.execute(insert(connection, workflow_approvals).values(values).on_conflict_do_nothing())
    is_it = (workflow_approvals.c.run_id == new.run_id) & (workflow_approvals.c.place == new.place)
    return Approval(*(await connection.execute(select(*_COLUMNS).where(is_it))).one())


async def get(connection: AsyncConnection, approval_id: int, *, lock: bool = False) -> Approval | None:
    """`lock`: nobody else decides until the transaction ends."""
    query = select(*_COLUMNS).where(workflow_approvals.c.id == approval_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    return Approval(*row) if row else None


async def list_of(
    connection: AsyncConnection, workspace_id: str, *, state: str | None, before: int | None = None, limit: int
) -> list[Approval]:
    """The newest first; `before` is the last id seen."""
    query = select(*_COLUMNS).where(workflow_approvals.c.workspace_id == workspace_id)
    if state is not None:
        query = query.where(workflow_approvals.c.state == state)
    if before is not None:
        query = query.where(workflow_approvals.c.id < before)
    rows = await connection.execute(query.order_by(workflow_approvals.c.id.desc()).limit(limit))
    return [Approval(*row) for row in rows]


async def decide(connection: AsyncConnection, decision: Decision) -> bool:
    """Whether it is the person's first decision of this; the first one counts."""
    statement = insert(connection, workflow_decisions).values(asdict(decision)).on_conflict_do_nothing()
    return (await connection.execute(statement)).rowcount > 0


async def decisions_of(connection: AsyncConnection, approval_id: int) -> list[Decision]:
    """The earliest first."""
    query = select(*_DECISION).where(workflow_decisions.c.approval_id == approval_id)
    rows = await connection.execute(query.order_by(workflow_decisions.c.at, workflow_decisions.c.user_id))
    return [Decision(*row) for row in rows]


async def end(connection: AsyncConnection, approval_id: int, state: str, *, at: datetime) -> bool:
    """Whether it was pending, and so ends like this."""
    is_pending = (workflow_approvals.c.id == approval_id) & (workflow_approvals.c.state == PENDING)
    ended = update(workflow_approvals).where(is_pending).values(state=state, ended_at=at)
    return (await connection.execute(ended)).rowcount > 0


async def withdraw_all(connection: AsyncConnection, run_id: str, *, at: datetime) -> None:
    """The run is over: nobody is asked any more."""
    is_pending = (workflow_approvals.c.run_id == run_id) & (workflow_approvals.c.state == PENDING)
    await connection.execute(update(workflow_approvals).where(is_pending).values(state="withdrawn", ended_at=at))
