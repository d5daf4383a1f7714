"""What audits found: one row for each fault of a source, however often it is found; it changes under its lock."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.security_tables import security_findings
from storage.upsert import insert

OPEN, ACKNOWLEDGED, ACCEPTED, RESOLVED = "open", "acknowledged", "accepted_risk", "resolved"
NEW, REOPENED, FIXED = "new", "reopened", "fixed"
# In the place of an audit, of what a data policy found.
NO_SCAN = 0
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NewFinding:
    """A fault that was not known."""

    workspace_id: str
    source_id: int
    fingerprint: str
    check_id: str
    title: str
    category: str
    severity: str
    object: str
    evidence: str
    remediation: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of security_findings."""

    id: int
    workspace_id: str
    source_id: int
    fingerprint: str
    check_id: str
    title: str
    category: str
    severity: str
    object: str
    evidence: str
    remediation: str
    state: str
    change: str
    changed_scan_id: int
    in_baseline: bool
    first_seen_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    reopened: int
    decided_by: str | None
    decided_at: datetime | None
    accepted_until: datetime | None
    note: str | None
    exception_id: int | None


_NEW = tuple(field.name for field in fields(NewFinding))
_FINDING = select(*(security_findings.c[field.name] for field in fields(Finding)))


async def add(connection: AsyncConnection, new: Sequence[NewFinding], *, scan_id: int, at: datetime) -> list[Finding]:
    """As they are stored, in their order."""
    if not new:
        return []
    same = {
        "state": OPEN,
        "change": NEW,
        "changed_scan_id": scan_id,
        "in_baseline": False,
        "first_seen_at": at,
        "last_seen_at": at,
        "reopened": 0,
    }
    # Values that are handed over with the statement, and not in it: thousands in one are written out each time.
    statement = insert(connection, security_findings)
    returning = statement.returning(*(security_findings.c[field.name] for field in fields(Finding)))
    rows = [{name: getattr(one, name) for name in _NEW} | same for one in new]
    found = {row.fingerprint: Finding(*row) for row in await connection.execute(returning, rows)}
    return [found[one.fingerprint] for one in new]


async def of_source(
    connection: AsyncConnection, source_id: int, *, locked: bool = False, states: Collection[str] | None = None
) -> list[Finding]:
    """By id; `locked` keeps others from changing them until the transaction ends."""
    query = _FINDING.where(security_findings.c.source_id == source_id).order_by(security_findings.c.id)
    if states is not None:
        query = query.where(security_findings.c.state.in_(states))
    return [Finding(*row) for row in await connection.execute(query.with_for_update() if locked else query)]


async def list_of(
    connection: AsyncConnection,
    workspace_id: str,
    *,
    source_id: int | None = None,
    state: str | None = None,
    severity: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[Finding]:
    """The newest first; `before` is the last id seen."""
    query = _FINDING.where(security_findings.c.workspace_id == workspace_id)
    query = query.order_by(security_findings.c.id.desc()).limit(limit)
    for name, value in (("source_id", source_id), ("state", state), ("severity", severity)):
        if value is not None:
            query = query.where(security_findings.c[name] == value)
    if before is not None:
        query = query.where(security_findings.c.id < before)
    return [Finding(*row) for row in await connection.execute(query)]


async def sources_with(connection: AsyncConnection, workspace_id: str, check_id: str) -> list[int]:
    """The sources that have findings of a check, fixed or not."""
    of_it = (security_findings.c.workspace_id == workspace_id) & (security_findings.c.check_id == check_id)
    query = select(security_findings.c.source_id).where(of_it).distinct().order_by(security_findings.c.source_id)
    return list(await connection.scalars(query))


async def get(connection: AsyncConnection, finding_id: int, *, locked: bool = False) -> Finding | None:
    query = _FINDING.where(security_findings.c.id == finding_id)
    row = (await connection.execute(query.with_for_update() if locked else query)).first()
    return Finding(*row) if row else None


async def expired(connection: AsyncConnection, *, at: datetime, limit: int = 100) -> list[Finding]:
    """Accepted ones whose acceptance has ended, kept from others until the transaction ends."""
    over = (security_findings.c.state == ACCEPTED) & (security_findings.c.accepted_until <= at)
    query = _FINDING.where(over).order_by(security_findings.c.id).limit(limit).with_for_update()
    return [Finding(*row) for row in await connection.execute(query)]


async def count_open(connection: AsyncConnection, source_id: int) -> int:
    """How many faults of a source stand that nobody has accepted."""
    is_open = security_findings.c.state.in_((OPEN, ACKNOWLEDGED))
    query = select(func.count()).where(security_findings.c.source_id == source_id, is_open)
    return (await connection.execute(query)).scalar_one()


async def to_decide(connection: AsyncConnection, workspace_id: str, *, source_id: int | None = None) -> list[Finding]:
    """Those of the workspace that stand and are accepted by nobody, kept from others until the transaction ends."""
    query = _FINDING.where(
        security_findings.c.workspace_id == workspace_id, security_findings.c.state.in_((OPEN, ACKNOWLEDGED))
    )
    if source_id is not None:
        query = query.where(security_findings.c.source_id == source_id)
    query = query.order_by(security_findings.c.id).with_for_update()
    return [Finding(*row) for row in await connection.execute(query)]


async def excepted(connection: AsyncConnection, exception_id: int) -> list[Finding]:
    """Those that are accepted by the exception, kept from others until the transaction ends."""
    by_it = (security_findings.c.exception_id == exception_id) & (security_findings.c.state == ACCEPTED)
    query = _FINDING.where(by_it).order_by(security_findings.c.id).with_for_update()
    return [Finding(*row) for row in await connection.execute(query)]


async def change(connection: AsyncConnection, finding_ids: Sequence[int], values: dict[str, Any]) -> list[Finding]:
    """They are like that from now on: as they are then, by id."""
    changed: list[Finding] = []
    columns = [security_findings.c[field.name] for field in fields(Finding)]
    for first in range(0, len(finding_ids), _AT_ONCE):
        some = security_findings.c.id.in_(finding_ids[first : first + _AT_ONCE])
        statement = update(security_findings).where(some).values(values).returning(*columns)
        changed += [Finding(*row) for row in await connection.execute(statement)]
    return sorted(changed, key=lambda one: one.id)


async def see_again(
    connection: AsyncConnection, seen: Sequence[tuple[int, NewFinding]], values: dict[str, Any]
) -> list[Finding]:
    """Those that are known were found again, with what is seen of them now: as they are then, by id."""
    described = [
        {"known_id": finding_id, **{f"new_{name}": getattr(now, name) for name in _DESCRIBED}}
        for finding_id, now in seen
    ]
    if described:
        await connection.execute(_DESCRIBE, described)
    return await change(connection, [finding_id for finding_id, _ in seen], values)


COUNT_REOPENED = {"reopened": security_findings.c.reopened + 1}

_DESCRIBED = ("title", "category", "severity", "evidence", "remediation")
_DESCRIBE = (
    update(security_findings)
    .where(security_findings.c.id == bindparam("known_id"))
    .values({name: bindparam(f"new_{name}", type_=security_findings.c[name].type) for name in _DESCRIBED})
)
