"""Which findings an exception accepts, and what becomes of them when it begins and when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.outbox import Outbox
from handlers.security.noting import note
from storage import security_exceptions, security_findings
from storage.security_exceptions import AuditException
from storage.security_findings import ACCEPTED, OPEN, Finding

UNDECIDED = dict.fromkeys(("decided_by", "decided_at", "accepted_until", "note", "exception_id"))


def covers(exception: AuditException, finding: Finding) -> bool:
    """Whether the finding is of its source, and check and object have names as it says."""
    return (
        exception.source_id in (None, finding.source_id)
        and _is_named(finding.check_id, exception.checks)
        and _is_named(finding.object, exception.objects)
    )


def _is_named(name: str, pattern: str) -> bool:
    """Objects hold the letters of patterns, as in `f(text[], text[])`: what is copied from a finding means that one."""
    return name == pattern or fnmatchcase(name, pattern)


async def except_known(
    connection: AsyncConnection, outbox: Outbox, findings: Sequence[Finding], *, at: datetime
) -> list[Finding]:
    """Accepts those that an exception of their workspace covers, by the one that ends last: all, as they are then."""
    if not findings:
        return []
    exceptions = await security_exceptions.in_force(connection, findings[0].workspace_id, at=at)
    left, changed = list(findings), []
    for exception in exceptions:
        covered = [one for one in left if covers(exception, one)]
        changed += await accept_by(connection, outbox, exception, covered, at=at)
        taken = {one.id for one in covered}
        left = [one for one in left if one.id not in taken]
    return sorted([*left, *changed], key=lambda one: one.id)


async def accept_by(
    connection: AsyncConnection,
    outbox: Outbox,
    exception: AuditException,
    findings: Sequence[Finding],
    *,
    at: datetime,
) -> list[Finding]:
    """They are accepted for as long as the exception is in force: as they are then."""
    values = {
        "state": ACCEPTED,
        "accepted_until": exception.ends_at,
        "decided_by": exception.owner,
        "decided_at": at,
        "note": exception.why,
        "exception_id": exception.id,
    }
    changed = await security_findings.change(connection, [one.id for one in findings], values)
    details = {one.id: {"exception_id": exception.id} for one in changed}
    await note(
        connection, outbox, "excepted", changed, at=at, actor=exception.owner, said=exception.why, details=details
    )
    return changed


async def open_again(
    connection: AsyncConnection,
    outbox: Outbox,
    findings: Sequence[Finding],
    kind: str,
    *,
    at: datetime,
    actor: str | None = None,
) -> list[Finding]:
    """Their acceptance is over; what another exception covers is accepted by that: those that are open now."""
    values = {"state": OPEN, **UNDECIDED}
    opened = await security_findings.change(connection, [one.id for one in findings], values)
    await note(connection, outbox, kind, opened, at=at, actor=actor)
    still = []
    for workspace_id in {one.workspace_id for one in opened}:
        of_one = [one for one in opened if one.workspace_id == workspace_id]
        still += await except_known(connection, outbox, of_one, at=at)
    return [one for one in still if one.state == OPEN]
