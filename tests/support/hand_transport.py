"""A transport by hand, under a real dialect: what the server writes is kept, and what it reads is given to it."""

from typing import Any

from server.visitors import NOBODY


class HandTransport:
    """Notes what the server sends and with which codes it closes."""

    def __init__(self) -> None:
        self.closing = self.is_congested = False
        self.share: Any = None
        self.visitor = NOBODY
        self.codes: list[int] = []
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def send(self, message: bytes) -> None:
        self.sent.append(message)

    def close(self, code: int, reason: str) -> None:
        self.closing = True
        self.codes.append(code)

    def shutdown(self) -> None:
        self.close(1012, "")

    def hold_reading(self) -> None:
        """Nothing is read here."""

    def release_reading(self) -> None:
        """Nothing is read here."""

    async def drained(self) -> None:
        """Everything is taken at once."""

    def check(self, now: float, slow_seconds: float) -> None:
        """Nobody looks here."""

    def count_for(self, user: str, limit: object) -> None:
        """Connections are not limited here."""
