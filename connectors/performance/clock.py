"""The time of a source on our own time line."""

from __future__ import annotations

# Clocks that are kept right differ by less; then the source's own is taken, as the more exact one.
TOLERATED_MS = 1000.0


class SourceClock:
    """Turns times of the source's clock into ours.

    The source says when exactly it was read; when we asked and were answered differs from that by as much as either
    side had to wait, which would falsify rates. So our clock only decides by how much the other is off.
    """

    def __init__(self) -> None:
        self._offset_ms = 0.0

    def ours(self, source_ms: float, asked_ms: float, answered_ms: float) -> int:
        """The moment `source_ms` in ms since 1970 by our clock; it lies between the question and the answer."""
        off = (asked_ms + answered_ms) / 2 - (source_ms + self._offset_ms)
        if abs(off) > TOLERATED_MS + (answered_ms - asked_ms) / 2:
            self._offset_ms += off
        return round(source_ms + self._offset_ms)
