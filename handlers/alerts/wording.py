"""What a notification says, to programs and to people."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from handlers.alert_shapes import Severity, rank_of
from handlers.alerts.grouping import Message
from handlers.alerts.routing import Gathered
from storage.alerts import Alert
from storage.feeds import MAX_DATA_BYTES

# So many alerts are told in full; the others are counted.
MAX_SHOWN = 20
_MAX_LINE = 300


def data_of(workspace_id: str, group: Gathered, key: str, message: Message, public_url: str | None) -> dict[str, Any]:
    """The data of the event: counts, the group, the first alerts, and a title and a text for people."""
    firing = sorted(message.firing, key=lambda alert: (-rank_of(alert.severity), alert.id))
    alerts = [*firing, *message.resolved]
    shown = MAX_SHOWN
    while True:
        data = {
            "workspace_id": workspace_id,
            "status": "firing" if firing else "resolved",
            "title": _title(firing, message.resolved, group.labels),
            "text": _text(alerts[:shown], len(alerts) - min(shown, len(alerts)), public_url),
            "counts": {"firing": len(firing), "resolved": len(message.resolved)},
            "route_id": group.way.id,
            "route": group.way.name,
            "group": group.labels,
            "group_key": key,
            "number": message.number,
            "alerts": [_alert(alert, public_url) for alert in alerts[:shown]],
            "omitted": max(0, len(alerts) - shown),
        }
        if len(msgspec.json.encode(data)) <= MAX_DATA_BYTES or shown == 0:
            return data
        shown //= 2


def _title(firing: list[Alert], resolved: list[Alert], labels: dict[str, str]) -> str:
    worst = Severity(firing[0].severity).value.upper() if firing else "RESOLVED"
    alerts = firing or resolved
    if len(firing) + len(resolved) == 1:
        return _line(f"{worst}: {alerts[0].summary}")
    counted = [f"{len(each)} {word}" for each, word in ((firing, "firing"), (resolved, "resolved")) if each]
    names = Counter(alert.name for alert in alerts)
    others = len(names) - 1
    name = names.most_common(1)[0][0] + (f" and {others} more" if others else "")
    where = ", ".join(f"{label}={value}" for label, value in labels.items() if label != "alertname" and value)
    return _line(f"{worst}: {name}: {', '.join(counted)}" + (f" ({where})" if where else ""))


def _text(alerts: list[Alert], omitted: int, public_url: str | None) -> str:
    blocks = [_block(alert, public_url) for alert in alerts]
    if omitted:
        blocks.append(f"and {omitted} more")
    return "\n\n".join(blocks)


def _block(alert: Alert, public_url: str | None) -> str:
    over = alert.resolved_at is not None
    lines = [f"{'Resolved' if over else alert.severity.capitalize()}: {_line(alert.summary)}"]
    if over and alert.resolved_reason:
        lines.append(_line(alert.resolved_reason))
    if alert.value is not None:
        limit = "" if alert.threshold is None else f", threshold {alert.threshold:.6g}"
        lines.append(f"Value {alert.value:.6g}{limit}")
    if alert.labels:
        lines.append(_line("Labels " + ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))))
    if alert.fired_at is not None:
        lines.append(f"Since {alert.fired_at:%Y-%m-%d %H:%M:%S} UTC")
    if alert.runbook:
        lines.append(f"Runbook {_line(alert.runbook)}")
    if (link := _link(alert, public_url)) is not None:
        lines.append(link)
    return "\n".join(lines)


def _alert(alert: Alert, public_url: str | None) -> dict[str, Any]:
    same = ("id", "name", "summary", "severity", "state", "labels", "value", "threshold", "runbook", "fingerprint")
    times = {name: getattr(alert, name) for name in ("fired_at", "resolved_at")}
    told: dict[str, Any] = msgspec.to_builtins({name: getattr(alert, name) for name in same} | times)
    return told | {
        "data_source_id": alert.source_id,
        "resolved_reason": alert.resolved_reason,
        "version": alert.version,
        "link": _link(alert, public_url),
    }


def _link(alert: Alert, public_url: str | None) -> str | None:
    return None if public_url is None else f"{public_url.rstrip('/')}/{alert.domain}/alerts/{alert.id}"


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_LINE else line[: _MAX_LINE - 1] + "…"
