"""The WebSockets of a node in numbers: opened and open by dialect, refused by status, ended by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

HOCUSPOCUS, Y_WEBSOCKET = DIALECTS = ("hocuspocus", "y-websocket")

CLIENT, LOST, SILENT, SLOW, RESTART, UNAVAILABLE, PROTOCOL, REFUSED, OTHER = REASONS = (
    "client",  # the client said goodbye
    "lost",  # the connection broke off
    "silent",  # the client did not answer pings
    "slow",  # the client did not read what it was sent
    "restart",
    "unavailable",
    "protocol",  # frames that are not as agreed, or too large
    "refused",  # no valid credential, not allowed, too many connections, a document that was closed
    "other",
)

_REASONS_OF_CODES: Mapping[int, str] = {
    1001: RESTART,
    1002: PROTOCOL,
    1003: PROTOCOL,
    1009: PROTOCOL,
    1012: RESTART,
    1013: UNAVAILABLE,
    **dict.fromkeys((4400, 4401, 4403, 4404, 4408, 4429), REFUSED),
}


def dialect_of(path: str) -> str:
    """What is spoken at this path."""
    return HOCUSPOCUS if path == "/ws" else Y_WEBSOCKET


def reason_of(code: int) -> str:
    """The class of a close code that the server sent."""
    return _REASONS_OF_CODES.get(code, OTHER)


class ConnectionCounts:
    """Counts since the start, but for `open`, which is now."""

    def __init__(self) -> None:
        self.accepted = Counter(dict.fromkeys(DIALECTS, 0))
        self.open = Counter(dict.fromkeys(DIALECTS, 0))
        self.refused: Counter[int] = Counter()
        self.ended = Counter(dict.fromkeys(REASONS, 0))
        # Members that were sent nothing for a while, and then one merged update.
        self.caught_up = 0

    def opened(self, dialect: str) -> None:
        self.accepted[dialect] += 1
        self.open[dialect] += 1

    def closed(self, dialect: str, reason: str) -> None:
        """A connection that was counted as opened is gone."""
        self.open[dialect] -= 1
        self.ended[reason] += 1

    def refuse(self, status: int) -> None:
        """A handshake was answered with this HTTP status."""
        self.refused[status] += 1
