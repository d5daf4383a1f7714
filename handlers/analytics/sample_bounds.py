"""How far figures of a sample are from those of all rows."""

from __future__ import annotations

import math

from handlers.analytics.tasks import SampleBound

_CONFIDENCE = 0.99


def bound_of(rows: int) -> SampleBound | None:
    """What a sample of so many rows can be off by; None for none."""
    if rows < 1:
        return None
    rank = math.sqrt(math.log(2 / (1 - _CONFIDENCE)) / (2 * rows))
    return SampleBound(
        correlation=round(min(1.0, 3 / math.sqrt(rows)), 6), rank=round(min(1.0, rank), 6), confidence=_CONFIDENCE
    )
