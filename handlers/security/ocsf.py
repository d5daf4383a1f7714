"""A posture as events of OCSF 1.3.0, one to a line: class Compliance Finding (2003) of the category Findings (2)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from connectors.security.check import Outcome, Severity
from handlers.security.report import Report
from handlers.security.shapes import CheckOutcome, FindingShown, FindingState

VERSION = "1.3.0"
_CLASS, _CATEGORY = 2003, 2
_CREATE, _UPDATE, _CLOSE = 1, 2, 3
_SEVERITIES = {Severity.INFO: 1, Severity.LOW: 2, Severity.MEDIUM: 3, Severity.HIGH: 4, Severity.CRITICAL: 5}
# New, in progress, suppressed, resolved.
_STATUSES = {
    FindingState.OPEN: 1,
    FindingState.ACKNOWLEDGED: 2,
    FindingState.ACCEPTED_RISK: 3,
    FindingState.RESOLVED: 4,
}
# Of `compliance.status_id`: unknown, pass, fail.
_UNKNOWN, _PASS, _FAIL = 0, 1, 3
_ACTIVITIES = {"new": _CREATE, "reopened": _UPDATE, "unchanged": _UPDATE, "fixed": _CLOSE}


def ocsf(report: Report, *, failures_only: bool) -> bytes:
    """JSON lines; with `failures_only` the findings alone."""
    events = [_fault(report, one) for one in report.findings]
    if not failures_only:
        events += [_other(report, one) for one in report.without_finding]
    return msgspec.json.Encoder().encode_lines(events)


def _fault(report: Report, finding: FindingShown) -> dict[str, Any]:
    is_fixed = report.is_fixed(finding)
    event = _event(report, _ACTIVITIES[report.change_of(finding)], finding.severity)
    remedy = finding.remediation or {}
    return event | {
        "status_id": _STATUSES[finding.state],
        "compliance": _compliance(finding.check_id, _PASS if is_fixed else _FAIL, None),
        "finding_info": {
            "uid": finding.fingerprint,
            "title": finding.title,
            "types": [finding.category.value],
            "first_seen_time": _milliseconds(finding.first_seen_at),
            "last_seen_time": _milliseconds(finding.last_seen_at),
        },
        "remediation": {"desc": "\n".join(str(part) for part in (remedy.get("text"), remedy.get("sql")) if part)},
        "resources": [{"uid": str(report.source_id), "name": f"{report.source_name}/{finding.object or ''}"}],
        "unmapped": {"evidence": finding.evidence, "references": report.references_of(finding.check_id)},
    }


def _other(report: Report, check: CheckOutcome) -> dict[str, Any]:
    status = _PASS if check.outcome is Outcome.PASS else _UNKNOWN
    return _event(report, _UPDATE, check.severity) | {
        "compliance": _compliance(check.check_id, status, check.reason or check.outcome.value),
        "finding_info": {
            "uid": f"{report.source_id}/{check.check_id}",
            "title": check.title,
            "types": [check.category.value],
        },
        "resources": [{"uid": str(report.source_id), "name": report.source_name}],
    }


def _event(report: Report, activity: int, severity: Severity) -> dict[str, Any]:
    return {
        "activity_id": activity,
        "category_uid": _CATEGORY,
        "class_uid": _CLASS,
        "type_uid": _CLASS * 100 + activity,
        "severity_id": _SEVERITIES[severity],
        "time": _milliseconds(report.audit.finished_at or report.made_at),
        "metadata": {"version": VERSION, "product": {"name": "Collab Studio", "vendor_name": "Collab Studio"}},
    }


def _compliance(control: str, status: int, detail: str | None) -> dict[str, Any]:
    told = {"control": control, "standards": ["Collab Studio security checks"], "status_id": status}
    return told if detail is None else told | {"status_detail": detail}


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
