"""Bounds of shares."""

from __future__ import annotations

import math

_DEVIATIONS = 1.96  # of a normal distribution, for 95 % between both sides


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """Bounds of a share with 95 % confidence (Wilson, 1927); 0 and 1 where nothing was tried."""
    if not tries:
        return 0.0, 1.0
    share, square = hits / tries, _DEVIATIONS**2
    centre = (share + square / (2 * tries)) / (1 + square / tries)
    spread = _DEVIATIONS / (1 + square / tries) * math.sqrt(share * (1 - share) / tries + square / (4 * tries**2))
    return max(0.0, centre - spread) if hits else 0.0, min(1.0, centre + spread) if hits < tries else 1.0
