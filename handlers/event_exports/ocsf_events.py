"""Rows of the audit trail and events of the security feeds as events of OCSF 1.3.0.

A row is API Activity (6003), a sign-in Authentication (3002), an alert Detection Finding (2004), a finding of an audit
Compliance Finding (2003). `raw_data` of a row is the text whose SHA-256 is its hash: it holds the hash of the row
before, so that whoever has the events can show that none is missing and none was changed.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Any

from handlers import ocsf
from handlers.audit_trail import AUTH_FAILED, REFUSED, SIGN_IN
from storage import audit
from storage.feeds import Event

_API_ACTIVITY, _AUTHENTICATION, _DETECTION, _COMPLIANCE = 6003, 3002, 2004, 2003
_OTHER = 99
_LOGON = 1
_ACTIVITIES = {"create": 1, "add": 1, "update": 3, "put": 3, "change": 3, "set": 3, "delete": 4, "remove": 4}
_SUCCESS, _FAILURE = 1, 2
_CREATED, _UPDATED, _CLOSED = 1, 2, 3
_BEGINNINGS = frozenset({"alert.fired", "finding.opened"})
_ENDS = frozenset({"alert.resolved", "finding.fixed", "finding.resolved"})
# New, in progress, suppressed, resolved.
_STATUSES = {"firing": 1, "open": 1, "acknowledged": 2, "accepted_risk": 3, "resolved": 4}
_PASS, _FAIL = 1, 3


def of_audit(entry: audit.Entry) -> dict[str, Any]:
    """A row of the audit trail."""
    severity = ocsf.LOW if entry.outcome == REFUSED else ocsf.INFORMATIONAL
    about = {
        "message": f"{entry.action} by {entry.actor}: {entry.outcome}",
        "status_id": _FAILURE if entry.outcome == REFUSED else _SUCCESS,
        "status": "Failure" if entry.outcome == REFUSED else "Success",
        "raw_data": audit.sealed_text(entry),
        "unmapped": {"hash": entry.hash, "previous_hash": entry.previous_hash, "details": entry.details},
    }
    reason, count = entry.details.get("reason"), entry.details.get("count")
    about |= {"status_detail": str(reason)} if reason is not None else {}
    about |= {"count": count} if isinstance(count, int) else {}
    shape = _sign_in if entry.action in (SIGN_IN, AUTH_FAILED) else _call
    return about | shape(entry, severity)


def _sign_in(entry: audit.Entry, severity: int) -> dict[str, Any]:
    event = _of_row(entry, _AUTHENTICATION, _LOGON, severity)
    event |= {"user": _user(_whose(entry)), "service": {"name": ocsf.PRODUCT["name"]}}
    endpoint = _endpoint(entry)
    return event if endpoint is None else event | {"src_endpoint": endpoint}


def _call(entry: audit.Entry, severity: int) -> dict[str, Any]:
    activity = _ACTIVITIES.get(entry.action.rpartition(".")[2].partition("_")[0], _OTHER)
    event = _of_row(entry, _API_ACTIVITY, activity, severity)
    request_id = entry.details.get("request_id")
    api = {"operation": entry.action} | ({"request": {"uid": str(request_id)}} if request_id else {})
    return event | {
        "activity_name": entry.action,
        "api": api,
        "actor": {"user": _user(entry.actor)},
        # The class asks for one.
        "src_endpoint": _endpoint(entry) or {"name": "unknown"},
        "resources": [{"uid": entry.target}],
    }


def _of_row(entry: audit.Entry, class_uid: int, activity: int, severity: int) -> dict[str, Any]:
    return ocsf.event(class_uid, activity, severity, entry.at, uid=f"audit/{entry.id}", sequence=entry.id)


def _endpoint(entry: audit.Entry) -> dict[str, Any] | None:
    """Where they asked from, if the row says so."""
    try:
        return {"ip": str(ipaddress.ip_address(str(entry.details.get("address"))))}
    except ValueError:
        return None


def _whose(entry: audit.Entry) -> str:
    """Who signs in: of a credential that does not hold, whose it claims to be."""
    return str(entry.details.get("account") or entry.actor)


def _user(name: str) -> dict[str, Any]:
    return {"name": name, "uid": name}


def of_alert(feed: str, event: Event) -> dict[str, Any]:
    """An event of a feed `alerts.security`."""
    alert, note = event.data["alert"], event.data.get("note")
    finding: dict[str, Any] = {"uid": f"alert/{alert['id']}", "title": alert["summary"], "types": [alert["name"]]}
    finding["created_time"] = ocsf.milliseconds(datetime.fromisoformat(alert["pending_at"]))
    shown = _of_event(feed, event, _DETECTION, alert["severity"], alert["state"]) | {"finding_info": finding}
    shown |= {"comment": str(note)} if note else {}
    source = alert.get("data_source_id")
    return shown | ({"resources": [{"uid": f"data_source/{source}"}]} if source is not None else {})


def of_finding(feed: str, event: Event) -> dict[str, Any]:
    """An event of a feed `security.findings`."""
    data = event.data
    return _of_event(feed, event, _COMPLIANCE, data["severity"], data["state"]) | {
        "finding_info": {"uid": data["fingerprint"], "title": data["title"], "types": [data["category"]]},
        "compliance": {
            "control": data["check_id"],
            "standards": ["Collab Studio security checks"],
            "status_id": _PASS if data["state"] == "resolved" else _FAIL,
        },
        "resources": [{"uid": f"data_source/{data['source_id']}"}],
    }


def _of_event(feed: str, event: Event, class_uid: int, severity: str, state: str) -> dict[str, Any]:
    activity = _CREATED if event.type in _BEGINNINGS else _CLOSED if event.type in _ENDS else _UPDATED
    shown = ocsf.event(
        class_uid,
        activity,
        ocsf.SEVERITIES[severity],
        event.at,
        uid=f"{feed}/{event.offset}",
        sequence=event.offset,
        event_code=event.type,
    )
    return shown | {
        "message": event.type,
        "status_id": _STATUSES.get(state, 0),
        "unmapped": {"feed": feed, "actor": event.actor, "data": dict(event.data)},
    }
