"""Which alerts notify nobody, and why: silences in force, and other alerts that make them pointless."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from analysis.alerting.matching import selects
from analysis.alerting.specs import Matcher
from handlers.alert_shapes import Suppression
from handlers.alerts.labels import labels_of, read_matchers
from handlers.alerts.windows import in_force_until
from storage.alert_silences import Inhibition, Silence
from storage.alerts import ACTIVE, Alert


@dataclass(frozen=True, slots=True)
class _InForce:
    matchers: tuple[Matcher, ...]
    shown: Suppression


def reasons(
    alerts: Sequence[Alert], silences: Iterable[Silence], inhibitions: Iterable[Inhibition], at: datetime
) -> dict[int, list[dict[str, Any]]]:
    """Why each alert is suppressed at that time, by its id; an empty list for those that are not."""
    labels = {alert.id: labels_of(alert) for alert in alerts}
    found: dict[int, list[Suppression]] = {alert.id: [] for alert in alerts}
    for silence in _in_force(silences, at):
        for alert_id, its in labels.items():
            if selects(silence.matchers, its):
                found[alert_id].append(silence.shown)
    for inhibition in inhibitions:
        for alert_id, by in _inhibited(alerts, labels, inhibition).items():
            found[alert_id].append(Suppression(kind="inhibition", id=inhibition.id, alert_id=by))
    return {alert_id: msgspec.to_builtins(each) for alert_id, each in found.items()}


def _in_force(silences: Iterable[Silence], at: datetime) -> list[_InForce]:
    found = []
    for silence in silences:
        if (until := in_force_until(silence, at)) is not None:
            kind: Any = "silence" if silence.cron is None else "maintenance"
            found.append(_InForce(read_matchers(silence.matchers), Suppression(kind=kind, id=silence.id, until=until)))
    return found


def _inhibited(alerts: Sequence[Alert], labels: dict[int, dict[str, str]], inhibition: Inhibition) -> dict[int, int]:
    """Which alerts are, and by which other one: the one with the least id, so that it stays the same.

    Of what matches both sides none inhibits another: else two such alerts would keep each other silent.
    """
    source, target = read_matchers(inhibition.source), read_matchers(inhibition.target)
    equal = msgspec.json.decode(inhibition.equal, type=tuple[str, ...])
    is_target = {alert_id for alert_id, its in labels.items() if selects(target, its)}
    is_source = {alert.id for alert in alerts if alert.state in ACTIVE and selects(source, labels[alert.id])}

    def common(alert_id: int) -> tuple[str, ...]:
        return tuple(labels[alert_id].get(name, "") for name in equal)

    only_sources: dict[tuple[str, ...], int] = {}
    all_sources: dict[tuple[str, ...], int] = {}
    for alert_id in sorted(is_source, reverse=True):
        all_sources[common(alert_id)] = alert_id
        if alert_id not in is_target:
            only_sources[common(alert_id)] = alert_id
    found = {}
    for alert_id in is_target:
        sources = only_sources if alert_id in is_source else all_sources
        if (by := sources.get(common(alert_id))) is not None:
            found[alert_id] = by
    return found
