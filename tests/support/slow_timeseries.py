"""What answers over time have to be, in plain loops over one series: no numpy, no runs, no searches."""

from __future__ import annotations

import math

Sample = tuple[int, float]


def longest(step: int) -> int:
    return max(900_000, 5 * step)


def hold(samples: list[Sample], i: int, step: int) -> float:
    """For how long the i-th sample stands for what follows."""
    if math.isnan(samples[i][1]):
        return 0.0
    if i < 2 or any(math.isnan(value) for _, value in samples[i - 2 : i]):
        return longest(step)
    one, other = samples[i][0] - samples[i - 1][0], samples[i - 1][0] - samples[i - 2][0]
    if one + other > longest(step):
        return longest(step)
    return min(longest(step), 2.5 * min(one, other))


def gauge(samples: list[Sample], start: int, step: int, summary: str) -> float:
    own = [value for at, value in samples if start <= at < start + step and not math.isnan(value)]
    if own:
        return {
            "avg": lambda: math.fsum(own) / len(own),
            "min": lambda: min(own),
            "max": lambda: max(own),
            "sum": lambda: math.fsum(own),
            "last": lambda: own[-1],
            "count": lambda: float(len(own)),
        }[summary]()
    before = [i for i, (at, _) in enumerate(samples) if at < start + step]
    if summary in ("sum", "count") or not before:
        return math.nan
    at, value = samples[before[-1]]
    return value if at < start and start - at < hold(samples, before[-1], step) else math.nan


def counter(samples: list[Sample], start: int, step: int, growth: str) -> float:
    grown, seconds, ended = 0.0, 0.0, False
    for i in range(1, len(samples)):
        if start <= samples[i][0] < start + step and known(samples, i, step):
            grown += samples[i][1] - samples[i - 1][1]
            seconds += (samples[i][0] - samples[i - 1][0]) / 1000
            ended = True
    if growth == "increase":
        return grown if ended else math.nan
    if ended:
        return grown / seconds
    for i in range(1, len(samples)):
        before, after = samples[i - 1][0], samples[i][0]
        spans = before < start and after >= start + step
        if spans and known(samples, i, step) and after - before <= hold(samples, i - 1, step):
            return (samples[i][1] - samples[i - 1][1]) / (after - before) * 1000
    return math.nan


def known(samples: list[Sample], i: int, step: int) -> bool:
    (before_ms, before), (at_ms, at) = samples[i - 1], samples[i]
    return at >= before and at_ms - before_ms <= longest(step)
