"""The rules that scans check. Which datasets a pattern means, and what a rule says, is known further up."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.scan_tables import scan_rules


@dataclass(frozen=True, slots=True)
class ScanRule:
    """A row of scan_rules. `rule` is JSON."""

    id: int
    workspace_id: str
    source_id: int
    dataset: str
    rule: str
    enabled: bool
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime


async def create(
    connection: AsyncConnection,
    *,
    workspace_id: str,
    source_id: int,
    dataset: str,
    rule: str,
    enabled: bool,
    by: str,
    at: datetime,
) -> ScanRule:
    values = {
        "workspace_id": workspace_id,
        "source_id": source_id,
        "dataset": dataset,
        "rule": rule,
        "enabled": enabled,
        "created_by": by,
        "created_at": at,
        "updated_by": by,
        "updated_at": at,
    }
    row = (await connection.execute(plain_insert(scan_rules).values(values).returning(*scan_rules.c))).one()
    return ScanRule(*row)


async def get(connection: AsyncConnection, rule_id: int) -> ScanRule | None:
    row = (await connection.execute(select(scan_rules).where(scan_rules.c.id == rule_id))).first()
    return ScanRule(*row) if row else None


async def list_of(
    connection: AsyncConnection,
    workspace_id: str,
    *,
    source_id: int | None = None,
    after: int | None = None,
    limit: int,
) -> list[ScanRule]:
    """The oldest first; `after` is the last id seen."""
    query = select(scan_rules).where(scan_rules.c.workspace_id == workspace_id).order_by(scan_rules.c.id).limit(limit)
    if source_id is not None:
        query = query.where(scan_rules.c.source_id == source_id)
    if after is not None:
        query = query.where(scan_rules.c.id > after)
    return [ScanRule(*row) for row in await connection.execute(query)]


async def of_source(
    connection: AsyncConnection, source_id: int, rule_ids: Collection[int] | None = None
) -> list[ScanRule]:
    """The source's rules that are enabled, or those of these ids."""
    query = select(scan_rules).where(scan_rules.c.source_id == source_id).order_by(scan_rules.c.id)
    chosen = scan_rules.c.enabled if rule_ids is None else scan_rules.c.id.in_(list(rule_ids))
    return [ScanRule(*row) for row in await connection.execute(query.where(chosen))]


async def count(connection: AsyncConnection, source_id: int) -> int:
    query = select(func.count()).select_from(scan_rules).where(scan_rules.c.source_id == source_id)
    return int(await connection.scalar(query) or 0)


async def change(connection: AsyncConnection, rule_id: int, *, by: str, at: datetime, **values: Any) -> ScanRule | None:
    """Sets columns by name; None if there is no such rule."""
    statement = (
        update(scan_rules)
        .where(scan_rules.c.id == rule_id)
        .values(updated_by=by, updated_at=at, **values)
        .returning(*scan_rules.c)
    )
    row = (await connection.execute(statement)).first()
    return ScanRule(*row) if row else None


async def remove(connection: AsyncConnection, rule_id: int) -> bool:
    """Whether there was one."""
    return (await connection.execute(delete(scan_rules).where(scan_rules.c.id == rule_id))).rowcount > 0
