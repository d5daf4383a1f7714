"""Alerts show what keeps them from notifying, and are told of when that begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from handlers import alert_transitions as transitions
from handlers.alert_transitions import Move, Transition
from handlers.alerts.holding import Hold
from handlers.alerts.labels import written
from handlers.alerts.suppression import reasons
from handlers.parts import Parts
from storage import alert_silences, alerts
from storage.alert_silences import Silence

# As many as a workspace may have.
MAX_INHIBITIONS = 200
_AT_ONCE = 500


async def suppress(parts: Parts, hold: Hold, workspace_id: str, silences: Sequence[Silence], at: datetime) -> set[int]:
    """Notes on the workspace's open alerts what suppresses them at that time; `silences` are its own.

    The ids of the alerts of which that is known now.
    """
    async with parts.database.read() as connection:
        found = await alerts.open_of(connection, workspace_id=workspace_id)
        inhibitions = await alert_silences.inhibitions_of(connection, workspace_id, limit=MAX_INHIBITIONS)
    wanted = reasons(found, silences, inhibitions, at)
    changed = [alert for alert in found if (alert.suppressed_by or []) != wanted[alert.id]]
    # Alerts with the same reasons are one statement.
    shared: dict[str, Transition] = {}
    for start in range(0, len(changed), _AT_ONCE):
        moves = []
        for alert in changed[start : start + _AT_ONCE]:
            because = wanted[alert.id]
            moves.append(Move(alert.id, shared.setdefault(written(because), transitions.suppress(because))))
        async with hold.writing(parts) as (connection, outbox):
            await transitions.move_many(connection, outbox, moves, at=at)
    return set(wanted)
