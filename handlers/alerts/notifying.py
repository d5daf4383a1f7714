"""Groups of alerts are told to their receivers: the message and what is known of it are one transaction.

Whatever was to be told is worked out from the alerts as they are, never from what happened: who dies before the commit
has told nothing, who dies after it has told all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from handlers.alerts.grouping import Message, Standing, Told, step
from handlers.alerts.holding import Hold
from handlers.alerts.labels import written
from handlers.alerts.receivers import hand_out
from handlers.alerts.routing import Gathered, gather, ways_of
from handlers.alerts.wording import data_of
from handlers.parts import Parts
from storage import alert_routes, alerts
from storage.alert_routes import Group
from storage.alerts import Alert

_Key = tuple[int, str]
# A transaction of a fraction of a second: others write meanwhile.
_GROUPS_AT_ONCE = 100


async def notify(parts: Parts, hold: Hold, workspace_id: str, judged: Collection[int], at: datetime) -> int:
    """Tells what is due in the workspace, and notes when there is more to tell: how many messages were handed out.

    Of alerts that are not `judged` it is not known yet whether something silences them: nobody is told of those.
    """
    async with parts.database.read() as connection:
        routes = await alert_routes.list_of(connection, workspace_id)
        stored = {(row.route_id, row.key): row for row in await alert_routes.groups_of(connection, workspace_id)}
        open_alerts = await alerts.open_of(connection, workspace_id=workspace_id)
        known = {alert.id: alert for alert in open_alerts}
        before = {key: _standing(row) for key, row in stored.items()}
        told = {alert_id for standing in before.values() for alert_id in standing.told} - set(known)
        known |= {alert.id: alert for alert in await alerts.get_many(connection, sorted(told))}
    groups = gather((alert for alert in open_alerts if alert.id in judged), ways_of(routes))
    ways = {way.id: way for way in ways_of(routes)}
    for key, row in stored.items():
        # Groups that no open alert belongs to any more; of a route that is disabled nothing is told.
        if key not in groups and row.route_id in ways:
            labels = msgspec.json.decode(row.labels, type=dict[str, str])
            groups[key] = Gathered(ways[row.route_id], labels)
    told_of = 0
    keys = sorted(groups)
    for start in range(0, len(keys), _GROUPS_AT_ONCE):
        some = {key: groups[key] for key in keys[start : start + _GROUPS_AT_ONCE]}
        told_of += await _notify_some(parts, hold, workspace_id, some, before, known, at)
    orphaned = [(workspace_id, *key) for key in stored if key not in groups]
    if orphaned:
        async with hold.writing(parts) as (connection, _):
            await alert_routes.remove_groups(connection, orphaned)
    return told_of


async def _notify_some(
    parts: Parts,
    hold: Hold,
    workspace_id: str,
    groups: Mapping[_Key, Gathered],
    before: Mapping[_Key, Standing],
    known: Mapping[int, Alert],
    at: datetime,
) -> int:
    changed: dict[_Key, Standing] = {}
    messages: dict[_Key, Message] = {}
    for key, group in groups.items():
        was = before.get(key, _NOTHING)
        now, message = step(was, group.alerts, known, group.way.pace, at)
        if now != was:
            changed[key] = now
        if message is not None:
            messages[key] = message
    if not changed:
        return 0
    async with hold.writing(parts) as (connection, outbox):
        for key, message in messages.items():
            group = groups[key]
            data = data_of(workspace_id, group, key[1], message, parts.outgoing.public_url)
            await hand_out(connection, outbox, workspace_id, group.way.receivers, data)
        kept = [_row(workspace_id, key, groups[key], now) for key, now in changed.items() if not now.is_over]
        await alert_routes.put_groups(connection, kept)
        over = [(workspace_id, *key) for key, now in changed.items() if now.is_over]
        await alert_routes.remove_groups(connection, over)
    return len(messages)


_NOTHING = Standing({})


def _standing(row: Group) -> Standing:
    return Standing(msgspec.json.decode(row.sent, type=dict[int, Told]), row.due_at, row.sent_at, row.number)


def _row(workspace_id: str, key: _Key, group: Gathered, now: Standing) -> Group:
    sent = written(dict(now.told))
    return Group(workspace_id, *key, written(group.labels), now.due_at, now.sent_at, sent, now.number)
