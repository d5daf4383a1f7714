"""VictoriaMetrics, given the same samples by remote-write: its CPU time, its bytes, its query times."""

from __future__ import annotations


async def measured_peer(days: int) -> list[str]:
    """The lines of a table; a sentence where it is not installed."""
    return [f"Not measured ({days} days)."]
