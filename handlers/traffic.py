"""What the rooms of a node take in and send out, in numbers. Reading them is somebody else's matter."""

from __future__ import annotations

import time

from crdt.room import Arrival, Room
from handlers.histogram import Histogram

MALFORMED, TOO_COSTLY, READ_ONLY, DOCUMENT_FULL, BY_ENGINE = REASONS = (
    "malformed",
    "too_costly",
    "read_only",
    "document_full",
    "engine",
)
"""Why an update was not taken. The first four are found before the engine sees it."""


class Traffic:
    """Counts since the start. A message counts once as received, also where it is applied as several updates."""

    __slots__ = (
        "deliveries",
        "fanout",
        "presence_received",
        "presence_sent",
        "received",
        "refused",
        "repeated",
        "turns",
    )

    def __init__(self) -> None:
        self.received = 0
        self.repeated = 0
        self.refused = dict.fromkeys(REASONS, 0)
        self.turns = 0
        # Members to whom the updates of a turn went.
        self.deliveries = 0
        # From the arrival of a turn's oldest update until all members were written to.
        self.fanout = Histogram()
        self.presence_received = 0
        self.presence_sent = 0

    def refuse(self, reason: str) -> None:
        """An update that was counted as received is not taken."""
        self.refused[reason] += 1

    def turn_away(self, reason: str) -> None:
        """An update is refused before anything else was counted of it."""
        self.received += 1
        self.refused[reason] += 1

    def flush(self, room: Room) -> None:
        """End the room's turn, and count it. This runs for nearly every edit."""
        arrivals, outbox = room.inbox, room.outbox
        before = len(outbox)
        room.flush()
        accepted = outbox[before:] if before else outbox
        if accepted:
            self.turns += 1
            late = time.time() - arrivals[0].created_at * 1e-6
            # The clock may have been put back.
            self.fanout.observe(max(0.0, late))
            # Whose turn it was alone is not written to; most turns are of one update.
            sent = -1 if len(accepted) == 1 and accepted[0].member is not None else -_is_ones_own(accepted)
            for group in room.members.values():
                sent += len(group)
            self.deliveries += sent
        if accepted != arrivals:
            self.refused[BY_ENGINE] += _missing(arrivals, accepted)


def _missing(arrivals: list[Arrival], accepted: list[Arrival]) -> int:
    """How many were not accepted. The room may have added some of its own."""
    taken = set(map(id, accepted))
    return sum(id(arrival) not in taken for arrival in arrivals)


def _is_ones_own(accepted: list[Arrival]) -> bool:
    """Whether one member wrote all of it, who is then not written to."""
    author = accepted[0].member
    return author is not None and all(arrival.member is author for arrival in accepted)
