"""Alert rules, and how far they are evaluated. What a rule says is for others to read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Row, Select, and_, func, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.alert_tables import alert_cursors, alert_rules
from storage.governance_tables import data_sources
from storage.tables import workspaces
from storage.upsert import insert

# Both databases take some 32,000 parameters a statement.
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class RuleText:
    """What somebody may say of a rule. `labels` and `spec` are JSON."""

    name: str
    source_id: int | None
    severity: str
    labels: str
    spec: str
    runbook: str | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A row of alert_rules."""

    id: int
    workspace_id: str
    domain: str
    name: str
    source_id: int | None
    severity: str
    labels: dict[str, str]
    spec: str
    runbook: str | None
    enabled: bool
    version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    deleted_at: datetime | None


def _rule(row: Row[tuple[object, ...]]) -> AlertRule:
    values = dict(row._mapping)
    return AlertRule(**values | {"labels": msgspec.json.decode(values["labels"])})


async def create(
    connection: AsyncConnection, workspace_id: str, domain: str, text: RuleText, *, by: str, at: datetime
) -> AlertRule:
    values = {**asdict(text), "workspace_id": workspace_id, "domain": domain, "version": 1}
    values |= {"created_by": by, "created_at": at, "updated_by": by, "updated_at": at}
    return _rule((await connection.execute(plain_insert(alert_rules).values(values).returning(*alert_rules.c))).one())


async def get(connection: AsyncConnection, rule_id: int, *, locked: bool = False) -> AlertRule | None:
    """One that is not deleted. `locked`: nobody changes it, and no alert of it changes state, until the end."""
    query = select(alert_rules).where(alert_rules.c.id == rule_id, alert_rules.c.deleted_at.is_(None))
    row = (await connection.execute(query.with_for_update() if locked else query)).first()
    return _rule(row) if row else None


async def get_many(connection: AsyncConnection, rule_ids: Collection[int]) -> list[AlertRule]:
    query = select(alert_rules).where(alert_rules.c.id.in_(rule_ids), alert_rules.c.deleted_at.is_(None))
    return [_rule(row) for row in await connection.execute(query.order_by(alert_rules.c.id))]


async def count(connection: AsyncConnection, workspace_id: str) -> int:
    query = select(func.count()).select_from(alert_rules)
    query = query.where(alert_rules.c.workspace_id == workspace_id, alert_rules.c.deleted_at.is_(None))
    return await connection.scalar(query) or 0


async def list_of(
    connection: AsyncConnection,
    workspace_id: str,
    domain: str,
    *,
    source_id: int | None = None,
    enabled: bool | None = None,
    after: int | None = None,
    limit: int,
) -> list[AlertRule]:
    """By id; `after` is the last id seen. `source_id`: those that are about this source, if not only about it."""
    query = _present(domain).where(alert_rules.c.workspace_id == workspace_id)
    if source_id is not None:
        query = query.where((alert_rules.c.source_id == source_id) | alert_rules.c.source_id.is_(None))
    if enabled is not None:
        query = query.where(alert_rules.c.enabled.is_(enabled))
    if after is not None:
        query = query.where(alert_rules.c.id > after)
    return [_rule(row) for row in await connection.execute(query.order_by(alert_rules.c.id).limit(limit))]


async def change(connection: AsyncConnection, rule_id: int, text: RuleText, *, by: str, at: datetime) -> AlertRule:
    """The next version of a rule that is there."""
    values = {**asdict(text), "version": alert_rules.c.version + 1, "updated_by": by, "updated_at": at}
    changed = update(alert_rules).where(alert_rules.c.id == rule_id).values(values).returning(*alert_rules.c)
    return _rule((await connection.execute(changed)).one())


async def delete(connection: AsyncConnection, rule_id: int, *, by: str, at: datetime) -> bool:
    """Whether there was one. Its row stays for the alerts that name it."""
    values = {"deleted_at": at, "enabled": False, "updated_by": by, "updated_at": at}
    gone = update(alert_rules).where(alert_rules.c.id == rule_id, alert_rules.c.deleted_at.is_(None))
    return (await connection.execute(gone.values(**values, version=alert_rules.c.version + 1))).rowcount > 0


# For whoever evaluates them

_IS_SEEN = alert_rules.c.workspace_id.in_(select(workspaces.c.id).where(workspaces.c.deleted_at.is_(None)))


def _present(domain: str) -> Select[tuple[object, ...]]:
    return select(alert_rules).where(alert_rules.c.domain == domain, alert_rules.c.deleted_at.is_(None))


async def enabled(connection: AsyncConnection, domain: str) -> list[AlertRule]:
    """All that are to be evaluated, by id."""
    query = _present(domain).where(alert_rules.c.enabled, _IS_SEEN).order_by(alert_rules.c.id)
    return [_rule(row) for row in await connection.execute(query)]


async def signature(connection: AsyncConnection, domain: str) -> tuple[int, ...]:
    """Another one when other rules are to be evaluated, or over other sources. The first number counts the rules."""
    is_evaluated = and_(alert_rules.c.deleted_at.is_(None), alert_rules.c.enabled, _IS_SEEN)
    # Versions of all rules, also of those that are disabled or deleted: they only grow, so that no two changes make up
    # for each other.
    rules = select(
        func.count().filter(is_evaluated), func.coalesce(func.sum(alert_rules.c.version), 0), func.count()
    ).where(alert_rules.c.domain == domain)
    ids = data_sources.c.id
    sources = select(func.count(), func.coalesce(func.max(ids), 0), func.coalesce(func.sum(ids), 0)).where(
        data_sources.c.deleted_at.is_(None)
    )
    found = (*(await connection.execute(rules)).one(), *(await connection.execute(sources)).one())
    return tuple(int(each) for each in found)


async def are_as_known(connection: AsyncConnection, versions: Mapping[int, int]) -> bool:
    """Whether these rules are enabled and of these versions, and stay so until the transaction ends."""
    ids = sorted(versions)
    found: dict[int, int] = {}
    for start in range(0, len(ids), _AT_ONCE):
        query = select(alert_rules.c.id, alert_rules.c.version).where(
            alert_rules.c.id.in_(ids[start : start + _AT_ONCE])
        )
        query = query.where(alert_rules.c.enabled, alert_rules.c.deleted_at.is_(None)).order_by(alert_rules.c.id)
        found |= {row.id: row.version for row in await connection.execute(query.with_for_update(read=True))}
    return found == dict(versions)


async def sources_of(connection: AsyncConnection, workspace_ids: Collection[str]) -> dict[str, list[int]]:
    """The data sources of the workspaces, by id."""
    query = select(data_sources.c.workspace_id, data_sources.c.id).where(data_sources.c.deleted_at.is_(None))
    query = query.where(data_sources.c.workspace_id.in_(workspace_ids)).order_by(data_sources.c.id)
    found: dict[str, list[int]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.workspace_id, []).append(row.id)
    return found


async def cursors(connection: AsyncConnection) -> dict[int, int]:
    """By source: the number of the newest batch that the rules were evaluated over."""
    return {row.source_id: row.seq for row in await connection.execute(select(alert_cursors))}


async def move_cursors(connection: AsyncConnection, moved: Mapping[int, int]) -> None:
    if not moved:
        return
    made = insert(connection, alert_cursors)
    made = made.on_conflict_do_update(index_elements=["source_id"], set_={"seq": made.excluded.seq})
    rows = [{"source_id": source_id, "seq": seq} for source_id, seq in sorted(moved.items())]
    await connection.execute(made, rows)
