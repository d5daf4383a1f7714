"""When a group of alerts is told of, and what is told: arithmetic over the clock.

A new group waits `group_wait`, so that what fires together is told together; what is new in one that was told of waits
until `group_interval` after that; what stays as it is is told again after `repeat_interval`. Alerts that somebody sees
to, or that are snoozed or suppressed, are not told of; once they are resolved, whoever was told of them is told that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from handlers.alert_shapes import rank_of
from storage.alerts import FIRING, RESOLVED, Alert


@dataclass(frozen=True, slots=True)
class Pace:
    group_wait: timedelta
    group_interval: timedelta
    repeat_interval: timedelta


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What was said of an alert last. `is_quiet`: since then somebody sees to it, or it is snoozed or suppressed."""

    severity: str
    fired_at: datetime | None
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a group is. `due_at` is when there is, or may be, something to say."""

    told: Mapping[int, Told]
    due_at: datetime | None = None
    sent_at: datetime | None = None
    number: int = 0

    @property
    def is_over(self) -> bool:
        return not self.told and self.due_at is None


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told: alerts that fire, and those that are resolved since they were told of."""

    firing: list[Alert]
    resolved: list[Alert]
    number: int


def notifies(alert: Alert, at: datetime) -> bool:
    """Whether people are to be told of it."""
    is_snoozed = alert.snoozed_until is not None and alert.snoozed_until > at
    return alert.state == FIRING and not alert.suppressed_by and not is_snoozed


def step(
    before: Standing, members: Sequence[Alert], known: Mapping[int, Alert], pace: Pace, at: datetime
) -> tuple[Standing, Message | None]:
    """How far the group is now, and what is to be told at once.

    `members` are the alerts that belong to the group now, `known` holds all that were told of and are still stored.
    """
    firing = [alert for alert in members if notifies(alert, at)]
    gone = {alert_id for alert_id in before.told if _is_gone(known.get(alert_id))}
    is_news = any(_is_news(alert, before.told.get(alert.id)) for alert in firing)
    due_at = _due(before, pace, at, is_news=is_news, is_over=bool(gone), is_firing=bool(firing))
    if due_at is None or due_at > at:
        active = {alert.id for alert in firing}
        told = {
            alert_id: said if alert_id in active or alert_id in gone else msgspec.structs.replace(said, is_quiet=True)
            for alert_id, said in before.told.items()
        }
        return Standing(told, due_at, before.sent_at, before.number), None
    resolved = [known[alert_id] for alert_id in sorted(gone) if alert_id in known]
    quiet = {
        alert_id: msgspec.structs.replace(said, is_quiet=True)
        for alert_id, said in before.told.items()
        if alert_id not in gone
    }
    told = quiet | {alert.id: Told(alert.severity, alert.fired_at) for alert in firing}
    following = at + pace.repeat_interval if firing else None
    if not firing and not resolved:
        # All that was told of is deleted: there is nothing left to say.
        return Standing(told, following, before.sent_at, before.number), None
    return Standing(told, following, at, before.number + 1), Message(firing, resolved, before.number + 1)


def _due(
    before: Standing, pace: Pace, at: datetime, *, is_news: bool, is_over: bool, is_firing: bool
) -> datetime | None:
    if is_news or is_over:
        wanted = at + pace.group_wait if is_news else at
        if before.sent_at is not None:
            wanted = max(wanted, before.sent_at + pace.group_interval)
        # What has been waited for already goes along.
        return wanted if before.due_at is None else min(wanted, before.due_at)
    if is_firing and before.sent_at is not None:
        return before.sent_at + pace.repeat_interval
    return None


def _is_news(alert: Alert, told: Told | None) -> bool:
    if told is None or told.is_quiet:
        return True
    return told.fired_at != alert.fired_at or rank_of(alert.severity) > rank_of(told.severity)


def _is_gone(alert: Alert | None) -> bool:
    return alert is None or alert.state == RESOLVED
