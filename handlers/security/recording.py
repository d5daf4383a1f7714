"""What an audit found, against what is known: findings open, come again or are fixed, in the transaction that ends it.

Only a check that was evaluated says that something is fixed. One that could not see, failed or was not made leaves its
findings as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.security.catalogue import CATALOGUE_VERSION
from connectors.security.check import CheckResult, Outcome, Server
from handlers.outbox import Outbox
from handlers.security.alerting import ALERTING, end_alerts, raise_alerts
from handlers.security.differing import differences
from handlers.security.excepting import UNDECIDED, except_known
from handlers.security.noting import note
from handlers.security.scoring import figures_of
from handlers.security.shapes import AuditSummary, fingerprint_of, name_of, stored_result
from storage import security_findings, security_scans
from storage.runs import SUCCEEDED
from storage.security_findings import (
    ACCEPTED,
    ACKNOWLEDGED,
    FIXED,
    NO_SCAN,
    OPEN,
    REOPENED,
    RESOLVED,
    Finding,
    NewFinding,
)
from storage.security_scans import Result, SecurityScan

_SAYS_SO = frozenset({Outcome.PASS, Outcome.FAIL, Outcome.NOT_APPLICABLE})


@dataclass
class Changes:
    """Of the findings that are known: those to be reopened, that are still there, and that are gone."""

    new: list[NewFinding] = field(default_factory=list)
    reopened: list[tuple[int, NewFinding]] = field(default_factory=list)
    seen: list[tuple[int, NewFinding]] = field(default_factory=list)
    different: dict[int, dict[str, list[Any]]] = field(default_factory=dict)
    fixed: list[int] = field(default_factory=list)


async def end_audit(
    connection: AsyncConnection,
    outbox: Outbox,
    scan: SecurityScan,
    server: Server,
    results: Sequence[CheckResult],
    *,
    at: datetime,
) -> AuditSummary | None:
    """Ends the audit with what it found; None, and nothing is written, if it has ended by other means."""
    if not await security_scans.end(connection, scan.id, SUCCEEDED, at=at):
        return None
    await security_scans.put_results(connection, scan.id, list(_rows(results, scan.source_id)))
    known = await security_findings.of_source(connection, scan.source_id, locked=True)
    judged = {result.check.id for result in results if result.outcome in _SAYS_SO}
    changes = compare(_found(scan, results), known, judged)
    await apply(connection, outbox, changes, f"Audit {scan.id}", scan_id=scan.id, at=at)
    summary = _summary(server, results, changes, await security_findings.count_open(connection, scan.source_id))
    await security_scans.summarise(connection, scan.id, msgspec.json.encode(summary).decode())
    return summary


def _rows(results: Sequence[CheckResult], source_id: int) -> Iterator[Result]:
    for ordinal, result in enumerate(results):
        body = msgspec.json.encode(stored_result(result, source_id)).decode()
        yield Result(ordinal, result.check.id, result.outcome.value, result.reason, body)


def compare(
    finds: Iterable[NewFinding],
    known: Sequence[Finding],
    judged: Collection[str],
    unseen: Collection[str] = frozenset(),
) -> Changes:
    """What is different of the source's findings. Of the checks `judged`, what is found no more is fixed, but for those
    fingerprints that nobody could see this time."""
    by_print = {one.fingerprint: one for one in known}
    found: set[str] = set()
    changes = Changes()
    for new in finds:
        if new.fingerprint in found:
            continue
        found.add(new.fingerprint)
        before = by_print.get(new.fingerprint)
        if before is None:
            changes.new.append(new)
        elif before.state == RESOLVED:
            changes.reopened.append((before.id, new))
        else:
            changes.seen.append((before.id, new))
            if found_now := differences(before, new):
                changes.different[before.id] = found_now
    changes.fixed = [
        one.id
        for one in known
        if one.check_id in judged
        and one.fingerprint not in found
        and one.fingerprint not in unseen
        and one.state != RESOLVED
    ]
    return changes


def _found(scan: SecurityScan, results: Sequence[CheckResult]) -> Iterator[NewFinding]:
    for result in results:
        check = result.check
        for one in result.violations:
            yield NewFinding(
                workspace_id=scan.workspace_id,
                source_id=scan.source_id,
                fingerprint=fingerprint_of(check.id, scan.source_id, one.object),
                check_id=check.id,
                title=check.title,
                category=check.category.value,
                severity=check.severity.value,
                object=name_of(one.object),
                evidence=msgspec.json.encode(dict(one.evidence)).decode(),
                remediation=msgspec.json.encode(check.remediation(one)).decode(),
            )


async def apply(
    connection: AsyncConnection, outbox: Outbox, changes: Changes, finder: str, *, scan_id: int | None, at: datetime
) -> None:
    """Stores and tells what is different, in the caller's transaction. `scan_id` is None where no audit found it."""
    created = await security_findings.add(connection, changes.new, scan_id=scan_id or NO_SCAN, at=at)
    seen = await security_findings.see_again(connection, changes.seen, {"last_seen_at": at})
    different = [one for one in seen if one.id in changes.different]
    changed = {"changed_scan_id": scan_id or NO_SCAN}
    again = {"state": OPEN, "change": REOPENED, "last_seen_at": at, "resolved_at": None, **UNDECIDED, **changed}
    reopened = await security_findings.see_again(connection, changes.reopened, again | security_findings.COUNT_REOPENED)
    # What comes back later is drift, also if it was there when the baseline was set.
    over = {"state": RESOLVED, "change": FIXED, "resolved_at": at, "in_baseline": False, **changed}
    fixed = await security_findings.change(connection, changes.fixed, over)
    for kind, findings in (("opened", created), ("changed", different), ("reopened", reopened), ("fixed", fixed)):
        await note(connection, outbox, kind, findings, at=at, scan_id=scan_id, details=changes.different)
    standing = [*created, *reopened, *(one for one in seen if one.state in (OPEN, ACKNOWLEDGED))]
    standing = await except_known(connection, outbox, standing, at=at)
    # What became worse is an alert from now on, what became better none any more.
    fresh = {one.id for one in (*created, *reopened, *different)}
    await raise_alerts(connection, outbox, [one for one in standing if one.id in fresh], at=at)
    over_now = (
        (fixed, f"{finder} finds it no more."),
        ([one for one in different if one.severity not in ALERTING], f"{finder} finds it less severe."),
        ([one for one in standing if one.state == ACCEPTED], "An exception accepts it."),
    )
    for findings, reason in over_now:
        await end_alerts(connection, outbox, findings, reason, at=at)


def _summary(server: Server, results: Sequence[CheckResult], changes: Changes, still_open: int) -> AuditSummary:
    figures = figures_of([(one.check.category, one.check.severity, one.outcome) for one in results])
    return AuditSummary(
        product=server.product,
        version=server.version_text,
        catalogue_version=CATALOGUE_VERSION,
        overall=figures.overall,
        categories=figures.categories,
        new=len(changes.new),
        reopened=len(changes.reopened),
        fixed=len(changes.fixed),
        open=still_open,
    )
