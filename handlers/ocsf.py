"""What all events of OCSF that we write have in common: version, product, severities, times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

VERSION = "1.3.0"
PRODUCT = {"name": "Collab Studio", "vendor_name": "Collab Studio"}
INFORMATIONAL, LOW, MEDIUM, HIGH, CRITICAL = 1, 2, 3, 4, 5
SEVERITIES = {"info": INFORMATIONAL, "low": LOW, "medium": MEDIUM, "high": HIGH, "critical": CRITICAL}


def event(class_uid: int, activity: int, severity: int, at: datetime, **metadata: Any) -> dict[str, Any]:
    """What every event has to have. The hundreds of a class tell its category."""
    return {
        "activity_id": activity,
        "category_uid": class_uid // 1000,
        "class_uid": class_uid,
        "type_uid": class_uid * 100 + activity,
        "severity_id": severity,
        "time": milliseconds(at),
        "metadata": {"version": VERSION, "product": PRODUCT, **metadata},
    }


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
