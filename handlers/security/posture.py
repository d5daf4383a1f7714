"""The posture of a source: what its newest audit found, what changed since the one before, and how much was seen."""

from __future__ import annotations

import msgspec

from handlers.names import RowId
from handlers.registry import Context, Forbidden, Instant, Operation, Permission, Watched
from handlers.security.scoring import Coverage
from handlers.security.shapes import (
    FindingShown,
    FindingState,
    SecurityScanShown,
    shown_finding,
    shown_scan,
)
from handlers.security.standing import may_manage
from handlers.security.standing_checks import StandingCheck, figures_of_standing, standing_checks
from handlers.source_access import require_source
from storage import security_findings, security_scans
from storage.security_findings import RESOLVED


class GetPosture(msgspec.Struct, frozen=True, kw_only=True):
    data_source_id: RowId


class BaselineShown(msgspec.Struct, frozen=True, kw_only=True):
    """`drift` counts findings that have come since it was set, and are not fixed."""

    scan_id: RowId
    set_by: str
    set_at: Instant
    drift: int


class Posture(msgspec.Struct, frozen=True, kw_only=True):
    """How secure a source is, as far as was seen.

    `audit` is the newest that succeeded, null before the first. `latest` is the newest of all: where it is another,
    what is shown is older than somebody's last try. `previous` is the one before `audit`. `checks` are all of the
    source, each with what the newest audit that made it found, and `overall` and `categories` their score and coverage;
    an audit of some checks has in its summary those of its own. `findings` are all that are not fixed; `changed` are
    the ids of those that `audit` changed, by what it did.
    """

    data_source_id: RowId
    audit: SecurityScanShown | None
    latest: SecurityScanShown | None
    previous: SecurityScanShown | None
    overall: Coverage | None
    categories: dict[str, Coverage]
    checks: list[StandingCheck]
    findings: list[FindingShown]
    counts: dict[FindingState, int]
    changed: dict[str, list[RowId]]
    baseline: BaselineShown | None


async def get_posture(context: Context, request: GetPosture) -> Posture:
    source = await require_source(context, request.data_source_id, Permission.READ)
    manages = await may_manage(context, source.workspace_id)
    async with context.parts.database.read() as connection:
        newest = await security_scans.newest_of(connection, source.id, succeeded=True)
        latest = await security_scans.newest_of(connection, source.id)
        before = None
        if newest is not None:
            before = await security_scans.newest_of(connection, source.id, succeeded=True, before=newest.id)
        checks = await standing_checks(connection, source, manages=manages)
        findings = await security_findings.of_source(connection, source.id)
        baseline = await security_scans.baseline_of(connection, source.id)
    counts = dict.fromkeys(FindingState, 0)
    changed: dict[str, list[int]] = {"new": [], "reopened": [], "fixed": []}
    for one in findings:
        counts[FindingState(one.state)] += 1
        if newest is not None and one.changed_scan_id == newest.id:
            changed[one.change].append(one.id)
    figures = figures_of_standing(checks)
    standing = [one for one in findings if one.state != RESOLVED]
    return Posture(
        data_source_id=source.id,
        audit=shown_scan(newest) if newest else None,
        latest=shown_scan(latest) if latest else None,
        previous=shown_scan(before) if before else None,
        overall=figures.overall if checks else None,
        categories=figures.categories,
        checks=checks,
        findings=[shown_finding(one, manages=manages) for one in standing],
        counts=counts,
        changed=changed,
        baseline=BaselineShown(
            scan_id=baseline.scan_id,
            set_by=baseline.set_by,
            set_at=baseline.set_at,
            drift=sum(not one.in_baseline for one in standing),
        )
        if baseline
        else None,
    )


OPERATIONS = (
    Operation(
        "security.audit.get",
        GetPosture,
        Posture,
        get_posture,
        "GET /security/audit/{data_source_id}",
        Permission.SIGNED_IN,
        "Get how secure a data source is, as far as was seen.",
        errors=(Forbidden,),
        watched=Watched(frozenset({"security"}), is_personal=True),
    ),
)
