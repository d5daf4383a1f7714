"""Which routes an alert takes, and with which others it is told of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from analysis.alerting.matching import selects
from analysis.alerting.specs import Matcher
from handlers.alerts.grouping import Pace
from handlers.alerts.labels import key_of, labels_of, read_matchers
from handlers.alerts.receivers import AdministratorsReceiver, Receiver
from storage.alert_routes import Route
from storage.alerts import Alert

GROUP_WAIT_SECONDS = 30
GROUP_INTERVAL_SECONDS = 300
REPEAT_INTERVAL_SECONDS = 4 * 3600
GROUP_BY = ("alertname",)
# The route of workspaces that have none.
DEFAULT_ROUTE = 0


@dataclass(frozen=True, slots=True)
class Way:
    """A route as alerts take it."""

    id: int
    name: str
    matchers: tuple[Matcher, ...]
    receivers: list[Receiver]
    group_by: tuple[str, ...]
    pace: Pace
    goes_on: bool


@dataclass(frozen=True, slots=True)
class Gathered:
    """The alerts of one group: those that have the same `labels` on one route."""

    way: Way
    labels: dict[str, str]
    alerts: list[Alert] = field(default_factory=list)


_DEFAULT = Way(
    DEFAULT_ROUTE,
    "default",
    (),
    [AdministratorsReceiver()],
    GROUP_BY,
    Pace(
        timedelta(seconds=GROUP_WAIT_SECONDS),
        timedelta(seconds=GROUP_INTERVAL_SECONDS),
        timedelta(seconds=REPEAT_INTERVAL_SECONDS),
    ),
    goes_on=False,
)


def ways_of(routes: Sequence[Route]) -> list[Way]:
    """In the order of the routes. Where there are none, not even disabled ones, those who manage are told of all."""
    if not routes:
        return [_DEFAULT]
    return [_way(route) for route in routes if route.enabled]


def _way(route: Route) -> Way:
    return Way(
        route.id,
        route.name,
        read_matchers(route.matchers),
        msgspec.json.decode(route.receivers, type=list[Receiver]),
        msgspec.json.decode(route.group_by, type=tuple[str, ...]),
        Pace(
            timedelta(seconds=route.group_wait_seconds),
            timedelta(seconds=route.group_interval_seconds),
            timedelta(seconds=route.repeat_interval_seconds),
        ),
        route.goes_on,
    )


def gather(alerts: Iterable[Alert], ways: Sequence[Way]) -> dict[tuple[int, str], Gathered]:
    """The groups of the alerts, by route and key. An alert takes the first way that fits, and more if that goes on."""
    groups: dict[tuple[int, str], Gathered] = {}
    for alert in alerts:
        labels = labels_of(alert)
        for way in ways:
            if not selects(way.matchers, labels):
                continue
            common = {name: labels.get(name, "") for name in way.group_by}
            group = groups.setdefault((way.id, key_of(common)), Gathered(way, common))
            group.alerts.append(alert)
            if not way.goes_on:
                break
    return groups
