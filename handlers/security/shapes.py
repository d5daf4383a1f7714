"""Audits, findings and what checks came to, as they are stored and as clients see them."""

from __future__ import annotations

import enum
import hashlib
import unicodedata
from typing import Any

import msgspec

from connectors.security.check import AuditedObject, Category, CheckResult, Outcome, Severity
from handlers.feed_names import feed_of
from handlers.names import RowId
from handlers.registry import Instant
from handlers.security.options import AuditJob
from handlers.security.scoring import Coverage
from storage.security_findings import Finding
from storage.security_scans import Result, SecurityScan

# What one check may leave behind; of more than this only the number is kept.
MOST_VIOLATIONS = 1_000


class AuditState(enum.StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FindingState(enum.StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED_RISK = "accepted_risk"
    RESOLVED = "resolved"


class AuditSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit came to. `overall` leaves out schema hygiene, which says nothing about how secure a source is."""

    product: str
    version: str
    catalogue_version: str
    overall: Coverage
    categories: dict[str, Coverage]
    new: int
    reopened: int
    fixed: int
    open: int


class AuditError(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    message: str


class SecurityScanShown(msgspec.Struct, frozen=True, kw_only=True):
    """An audit of one source. `feed` is where its progress is told. One that died is `failed`, never clean."""

    id: RowId
    workspace_id: str
    source_id: RowId
    run_id: str
    state: AuditState
    options: AuditJob
    feed: str
    summary: AuditSummary | None
    error: AuditError | None
    created_by: str
    created_at: Instant
    started_at: Instant | None
    finished_at: Instant | None


class StoredViolation(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: which object, and what was seen of it."""

    fingerprint: str
    object: str
    evidence: dict[str, Any]


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a check's result. `omitted` counts violations beyond those that are kept."""

    title: str
    severity: Severity
    category: Category
    seconds: float
    violations: list[StoredViolation]
    omitted: int = 0


class FindingShown(msgspec.Struct, frozen=True, kw_only=True):
    """What is or was wrong with a source.

    `object`, `evidence` and `remediation` are null for whoever may not manage the workspace: they tell who may do what
    in the source. `change` is what the audit `changed_scan_id` did to it, or a data policy where that is null: new,
    reopened or fixed. `in_baseline`: it was there when the baseline was set. `exception_id` is the exception that
    accepts it. `fingerprint` stays the same from audit to audit.
    """

    id: RowId
    workspace_id: str
    source_id: RowId
    fingerprint: str
    check_id: str
    title: str
    category: Category
    severity: Severity
    object: str | None
    evidence: dict[str, Any] | None
    remediation: dict[str, Any] | None
    state: FindingState
    change: str
    changed_scan_id: RowId | None
    in_baseline: bool
    first_seen_at: Instant
    last_seen_at: Instant
    resolved_at: Instant | None
    reopened: int
    decided_by: str | None
    decided_at: Instant | None
    accepted_until: Instant | None
    note: str | None
    exception_id: RowId | None


_SAME = tuple(
    name
    for name in FindingShown.__struct_fields__
    if name not in ("changed_scan_id", "category", "severity", "state", "object", "evidence", "remediation")
)


def shown_finding(row: Finding, *, manages: bool) -> FindingShown:
    """The finding of a row, with what only those see who manage the workspace, or without."""
    return FindingShown(
        **{name: getattr(row, name) for name in _SAME},
        changed_scan_id=row.changed_scan_id or None,
        category=Category(row.category),
        severity=Severity(row.severity),
        state=FindingState(row.state),
        object=row.object if manages else None,
        evidence=msgspec.json.decode(row.evidence) if manages else None,
        remediation=msgspec.json.decode(row.remediation) if manages else None,
    )


def shown_scan(row: SecurityScan) -> SecurityScanShown:
    return SecurityScanShown(
        id=row.id,
        workspace_id=row.workspace_id,
        source_id=row.source_id,
        run_id=row.run_id,
        state=AuditState(row.state),
        options=msgspec.json.decode(row.options, type=AuditJob),
        feed=feed_of(row.workspace_id, feed_name(row.id)),
        summary=msgspec.json.decode(row.summary, type=AuditSummary) if row.summary else None,
        error=AuditError(code=row.error_code, message=row.error_message or "") if row.error_code else None,
        created_by=row.created_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def feed_name(scan_id: int) -> str:
    return f"scans.security.{scan_id}"


def fingerprint_of(check_id: str, source_id: int, found: AuditedObject) -> str:
    """The same for the same fault from audit to audit: of names only, never of counts, texts or numbers of objects."""
    names = (found.kind, found.database, found.schema, found.name, found.part)
    normal = [None if name is None else unicodedata.normalize("NFC", name).strip() for name in names]
    return hashlib.sha256(msgspec.json.encode([check_id, source_id, normal])).hexdigest()[:32]


def name_of(found: AuditedObject) -> str:
    """As in `table public.orders`."""
    names = ".".join(name for name in (found.database, found.schema, found.name, found.part) if name)
    return f"{found.kind} {names}"


def stored_result(result: CheckResult, source_id: int) -> StoredResult:
    check = result.check
    kept = [
        StoredViolation(
            fingerprint=fingerprint_of(check.id, source_id, one.object),
            object=name_of(one.object),
            evidence=dict(one.evidence),
        )
        for one in result.violations[:MOST_VIOLATIONS]
    ]
    return StoredResult(
        title=check.title,
        severity=check.severity,
        category=check.category,
        seconds=round(result.seconds, 6),
        violations=kept,
        omitted=max(0, len(result.violations) - MOST_VIOLATIONS),
    )


class CheckOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a check. `reason` says why there is no verdict.

    `violations` are null for whoever may not manage the workspace; `count` counts them.
    """

    check_id: str
    title: str
    severity: Severity
    category: Category
    outcome: Outcome
    reason: str | None
    seconds: float
    count: int
    violations: list[StoredViolation] | None


def shown_result(row: Result, *, manages: bool) -> CheckOutcome:
    stored = msgspec.json.decode(row.body, type=StoredResult)
    return CheckOutcome(
        check_id=row.check_id,
        title=stored.title,
        severity=stored.severity,
        category=stored.category,
        outcome=Outcome(row.outcome),
        reason=row.reason,
        seconds=stored.seconds,
        count=len(stored.violations) + stored.omitted,
        violations=stored.violations if manages else None,
    )
