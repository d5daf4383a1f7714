"""Access policies: what some people do not see of a workspace's datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.access_policy_tables import access_policies
from storage.errors import AlreadyExists
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """A row of access_policies; `body` is the JSON of an `analysis.access_policies.policies.Rights`."""

    id: int
    workspace_id: str
    name: str
    source_id: int | None
    dataset: str | None
    priority: int
    enabled: bool
    body: str
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime


async def create(
    connection: AsyncConnection, workspace_id: str, values: Mapping[str, Any], *, by: str, at: datetime
) -> AccessPolicy:
    """`values` are columns. Raises AlreadyExists if the workspace has a policy of the name."""
    stamped = {
        **values,
        "workspace_id": workspace_id,
        "created_by": by,
        "created_at": at,
        "updated_by": by,
        "updated_at": at,
    }
    made = insert(connection, access_policies).values(stamped).on_conflict_do_nothing()
    row = (await connection.execute(made.returning(*access_policies.c))).first()
    if row is None:
        raise _taken(values["name"])
    return AccessPolicy(*row)


async def get(connection: AsyncConnection, policy_id: int, *, locked: bool = False) -> AccessPolicy | None:
    """`locked`: nobody else changes it until the transaction ends."""
    query = select(access_policies).where(access_policies.c.id == policy_id)
    row = (await connection.execute(query.with_for_update() if locked else query)).first()
    return AccessPolicy(*row) if row else None


async def list_of(
    connection: AsyncConnection,
    workspace_id: str,
    *,
    source_id: int | None = None,
    after: int | None = None,
    limit: int,
) -> list[AccessPolicy]:
    """By id; `after` is the last one seen. With `source_id`, those that may concern the source."""
    policy = access_policies.c
    query = select(access_policies).where(policy.workspace_id == workspace_id).order_by(policy.id).limit(limit)
    if source_id is not None:
        query = query.where(policy.source_id.is_(None) | (policy.source_id == source_id))
    if after is not None:
        query = query.where(policy.id > after)
    return [AccessPolicy(*row) for row in await connection.execute(query)]


async def in_force(connection: AsyncConnection, workspace_id: str, source_id: int) -> list[AccessPolicy]:
    """All that are enabled and may concern a dataset of the source, the most important first."""
    policy = access_policies.c
    query = select(access_policies).where(
        policy.workspace_id == workspace_id,
        policy.enabled.is_(True),
        policy.source_id.is_(None) | (policy.source_id == source_id),
    )
    rows = await connection.execute(query.order_by(policy.priority.desc(), policy.id))
    return [AccessPolicy(*row) for row in rows]


async def change(
    connection: AsyncConnection, policy_id: int, values: Mapping[str, Any], *, by: str, at: datetime
) -> AccessPolicy | None:
    """`values` are columns; None if there is no such policy. Raises AlreadyExists for a taken name."""
    statement = update(access_policies).where(access_policies.c.id == policy_id)
    changed = statement.values({**values, "updated_by": by, "updated_at": at}).returning(*access_policies.c)
    try:
        # A conflict ends PostgreSQL's transaction, but not if it is in one of its own.
        async with connection.begin_nested():
            row = (await connection.execute(changed)).first()
    except IntegrityError as error:
        raise _taken(values.get("name")) from error
    return AccessPolicy(*row) if row else None


async def remove(connection: AsyncConnection, policy_id: int) -> bool:
    """Whether there was one."""
    found = await connection.execute(delete(access_policies).where(access_policies.c.id == policy_id))
    return found.rowcount > 0


def _taken(name: object) -> AlreadyExists:
    return AlreadyExists(f"the workspace has an access policy {name!r}")
