"""A posture as SARIF 2.1.0 (OASIS): checks are rules, findings are results of the kind `fail`.

A result of any other kind has the level `none` (section 3.27.9). What was not evaluated is `open`: undecided.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.security.check import Outcome, Severity
from handlers.security.report import Report
from handlers.security.shapes import CheckOutcome, FindingShown, FindingState
from handlers.security.standing_checks import StandingCheck

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_KINDS = {
    Outcome.PASS: "pass",
    Outcome.NOT_EVALUATED: "open",
    Outcome.ERROR: "open",
    Outcome.NOT_APPLICABLE: "notApplicable",
}
_STATES = {"new": "new", "reopened": "new", "fixed": "absent", "unchanged": "unchanged"}


def sarif(report: Report, *, failures_only: bool) -> bytes:
    """With `failures_only` for tools that take each result for a fault: what stands and nobody has accepted."""
    results = [_fault(report, one) for one in report.findings if not failures_only or _counts(one)]
    if not failures_only:
        results += [_other(report, one) for one in report.without_finding]
    about: list[FindingShown | StandingCheck] = [*report.findings, *report.checks]
    rules = {one.check_id: _rule(report, one) for one in about}
    assert report.audit.summary is not None
    driver = {
        "name": "Collab Studio",
        "semanticVersion": f"{report.audit.summary.catalogue_version}.0.0",
        "rules": list(rules.values()),
    }
    invocation = {"executionSuccessful": True, "toolExecutionNotifications": [_notice(one) for one in _errors(report)]}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"security-audit/{report.source_id}/{report.audit.id}"},
        "invocations": [invocation],
        "results": results,
    }
    return msgspec.json.encode({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _counts(finding: FindingShown) -> bool:
    return finding.state not in (FindingState.RESOLVED, FindingState.ACCEPTED_RISK)


def _rule(report: Report, one: FindingShown | StandingCheck) -> dict[str, Any]:
    """Weaknesses are tags in the form that those read who show SARIF."""
    references = report.references_of(one.check_id)
    properties: dict[str, Any] = {"category": one.category.value, "severity": one.severity.value}
    if references.cis:
        properties["cis"] = references.cis
    if references.cwe:
        properties["tags"] = [f"external/cwe/cwe-{number:03d}" for number in references.cwe]
    return {
        "id": one.check_id,
        "shortDescription": {"text": one.title},
        "defaultConfiguration": {"level": _LEVELS[one.severity]},
        "properties": properties,
    }


def _fault(report: Report, finding: FindingShown) -> dict[str, Any]:
    name = finding.object or finding.title
    result: dict[str, Any] = {
        "ruleId": finding.check_id,
        "kind": "fail",
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.title}: {name}"},
        "locations": [_location(report, name)],
        "partialFingerprints": {"finding/v1": finding.fingerprint},
        "baselineState": _STATES[report.change_of(finding)],
        "properties": {"evidence": finding.evidence, "remediation": finding.remediation, "state": finding.state.value},
    }
    if finding.state is FindingState.ACCEPTED_RISK:
        why = {"kind": "external", "status": "accepted", "justification": finding.note or ""}
        result["suppressions"] = [why]
    return result


def _other(report: Report, check: CheckOutcome) -> dict[str, Any]:
    return {
        "ruleId": check.check_id,
        "kind": _KINDS[check.outcome],
        "level": "none",
        "message": {"text": f"{check.title}: {check.reason or check.outcome.value}"},
        "locations": [_location(report, None)],
        "properties": {"outcome": check.outcome.value},
    }


def _location(report: Report, name: str | None) -> dict[str, Any]:
    whole = report.source_name if name is None else f"{report.source_name}/{name}"
    return {"logicalLocations": [{"fullyQualifiedName": whole, "kind": "resource"}]}


def _errors(report: Report) -> list[CheckOutcome]:
    return [one for one in report.checks if one.outcome is Outcome.ERROR]


def _notice(check: CheckOutcome) -> dict[str, Any]:
    return {"level": "error", "message": {"text": f"{check.check_id}: {check.reason or 'it failed'}"}}
