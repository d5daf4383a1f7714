"""Acknowledgements and snoozes whose time is over end."""

from __future__ import annotations

from datetime import datetime

from handlers import alert_transitions as transitions
from handlers.alert_transitions import Move, Transition
from handlers.alerts.holding import Hold
from handlers.parts import Parts
from storage import alert_lists

_AT_ONCE = 500
_ENDS = (
    ("acknowledged_until", transitions.ACKNOWLEDGEMENT_ENDS, "The acknowledgement ended."),
    ("snoozed_until", transitions.SNOOZE_ENDS, "The snooze ended."),
)


async def end_what_is_over(parts: Parts, hold: Hold, at: datetime) -> None:
    """An acknowledged alert fires again, a snoozed one notifies again."""
    for column, transition, note in _ENDS:
        while await _end(parts, hold, column, transition, note, at) == _AT_ONCE:
            pass


async def _end(parts: Parts, hold: Hold, column: str, transition: Transition, note: str, at: datetime) -> int:
    async with parts.database.read() as connection:
        due = await alert_lists.overdue(connection, column, at=at, limit=_AT_ONCE)
    if due:
        async with hold.writing(parts) as (connection, outbox):
            moves = [Move(alert.id, transition, note=note) for alert in due]
            await transitions.move_many(connection, outbox, moves, at=at)
    return len(due)
