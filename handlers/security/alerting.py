"""What is told of findings: events on the feed `security.findings`, and alerts of the domain `security`.

Neither says which object it is about or what was seen of it: more people read them than may know that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers import alert_transitions as transitions
from handlers.feed_names import feed_of
from handlers.outbox import Outbox
from storage import alerts
from storage.alerts import FIRING, NewAlert
from storage.security_findings import ACCEPTED, Finding

DOMAIN = "security"
FEED = "security.findings"
ALERTING = frozenset({"critical", "high"})


def tell(outbox: Outbox, kind: str, finding: Finding, *, scan_id: int | None = None, actor: str | None = None) -> None:
    """`kind` is what happened: `opened`, `changed`, `reopened`, `fixed`, `acknowledged`, `accepted` and the like."""
    data = {
        "finding_id": finding.id,
        "source_id": finding.source_id,
        "scan_id": scan_id,
        "check_id": finding.check_id,
        "title": finding.title,
        "severity": finding.severity,
        "category": finding.category,
        "state": finding.state,
        "fingerprint": finding.fingerprint,
    }
    outbox.add(feed_of(finding.workspace_id, FEED), f"finding.{kind}", data, actor=actor)


async def raise_alerts(
    connection: AsyncConnection, outbox: Outbox, findings: Sequence[Finding], *, at: datetime
) -> None:
    """An alert for each that is severe, unless its risk is accepted or the baseline says that it is known."""
    loud = [one for one in findings if one.severity in ALERTING and one.state != ACCEPTED and not one.in_baseline]
    new = [_alert_of(one) for one in loud]
    if new:
        await transitions.open_alerts(connection, outbox, new, at=at)


async def end_alerts(
    connection: AsyncConnection, outbox: Outbox, findings: Sequence[Finding], reason: str, *, at: datetime
) -> None:
    """The alerts of these findings are over, because of `reason`."""
    prints = {_fingerprint(one) for one in findings}
    if not prints:
        return
    still_open = await alerts.open_of(connection, domain=DOMAIN, workspace_id=findings[0].workspace_id)
    over = transitions.resolve(reason, at=at)
    moves = [transitions.Move(alert.id, over) for alert in still_open if alert.fingerprint in prints]
    if moves:
        await transitions.move_many(connection, outbox, moves, at=at)


def _fingerprint(finding: Finding) -> str:
    return f"finding:{finding.fingerprint}"


def _alert_of(finding: Finding) -> NewAlert:
    scan_id = finding.changed_scan_id or None
    return NewAlert(
        workspace_id=finding.workspace_id,
        domain=DOMAIN,
        rule_id=None,
        rule_version=None,
        source_id=finding.source_id,
        fingerprint=_fingerprint(finding),
        name=finding.check_id,
        summary=finding.title,
        severity=finding.severity,
        state=FIRING,
        labels={"check": finding.check_id, "category": finding.category, "from": "audit" if scan_id else "data_policy"},
        evidence={"finding_id": finding.id, "scan_id": scan_id},
    )
