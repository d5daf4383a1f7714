"""What becomes of the open alerts of a rule that is changed or deleted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.alert_transitions import Move, Transition, move_many, resolve, set_severity
from handlers.outbox import Outbox
from storage import alerts


async def end_alerts(connection: AsyncConnection, outbox: Outbox, rule_id: int, reason: str, *, at: datetime) -> None:
    """All of them are resolved, and say why."""
    over = resolve(reason, at=at)
    still_open = await alerts.open_of(connection, rule_id=rule_id)
    await move_many(connection, outbox, [Move(alert.id, over) for alert in still_open], at=at)


async def raise_severity(
    connection: AsyncConnection, outbox: Outbox, rule_id: int, severity: str, *, at: datetime
) -> None:
    """All of them are of the severity from now on."""
    shared: dict[tuple[str, str], Transition] = {}
    moves = []
    for alert in await alerts.open_of(connection, rule_id=rule_id):
        if alert.severity != severity:
            transition = shared.setdefault((alert.severity, alert.state), set_severity(alert, severity))
            moves.append(Move(alert.id, transition))
    await move_many(connection, outbox, moves, at=at)
