"""Points of OpenTelemetry's kinds as samples: numbers, histograms with bounds, exponential ones, summaries.

A histogram becomes what Prometheus makes of one: `<name>_bucket` counts what was at most `le`, `<name>_sum` and
`<name>_count`. The buckets of an exponential one, whose bounds are powers of a base near 1, are joined to powers of
the square root of 2: that is exact, and its series stay the same whatever base the sender goes over to. The least and
greatest value are not kept, nor are exemplars.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from handlers.gathered_samples import GAP, Gathered, Slot, milliseconds
from handlers.ingest.otlp_instruments import Attributes, Instrument

NO_RECORDED_VALUE = 1

# Far above what libraries have by default (15), far below what would fill a source's series with one histogram.
MOST_BUCKETS = 500
# Powers of 2^(1/2): a quantile that is read from them is off by a fifth at most, and a spread from a millisecond to
# ten seconds is 27 series.
FINEST_SCALE = 1
MOST_EXPONENTIAL_BUCKETS = 160

BAD_BUCKETS = "its bounds do not rise, or are not one fewer than its counts"
TOO_MANY_BUCKETS = f"it has more than {MOST_BUCKETS} buckets"
# As OpenTelemetry has it; no number needs others.
SCALES = range(-10, 21)
BAD_SCALE = "its scale is not between -10 and 20"
NEGATIVE_BUCKETS = "it is an exponential histogram of negative values, for which there are no series"


@dataclass(frozen=True, slots=True)
class Point:
    """What all points have. `name` tells its series from others of its metric; times are ns since 1970, 0 unknown."""

    name: Hashable
    attributes: Attributes
    start: int
    time: int
    flags: int = 0

    @property
    def is_gap(self) -> bool:
        return bool(self.flags & NO_RECORDED_VALUE)


@dataclass(frozen=True, slots=True)
class Measured:
    """How often and how much in all was measured; `total` is None where it is not told."""

    count: int
    total: float | None


@dataclass(frozen=True, slots=True)
class Buckets:
    """One side of an exponential histogram: `counts` of the buckets from the number `offset` on."""

    offset: int
    counts: Sequence[int]


class Points:
    """Takes the points of a request."""

    def __init__(self, gathered: Gathered) -> None:
        self._gathered = gathered

    def number(self, instrument: Instrument, point: Point, value: float) -> None:
        at_ms = milliseconds(point.time)
        if self._gathered.admits(at_ms):
            slot = instrument.number(point.name, point.attributes)
            self._add(slot, point, at_ms, value, counts=instrument.counts)

    def histogram(
        self,
        instrument: Instrument,
        point: Point,
        measured: Measured,
        counts: Sequence[int],
        bounds: Sequence[float],
    ) -> None:
        """A histogram may have no buckets at all."""
        if len(counts) > MOST_BUCKETS:
            self._gathered.refusals.add(TOO_MANY_BUCKETS)
            return
        if (counts or bounds) and (len(counts) != len(bounds) + 1 or not _rises(bounds)):
            self._gathered.refusals.add(BAD_BUCKETS)
            return
        named = [bound_text(bound) for bound in bounds]
        self._measured(instrument, point, measured, list(zip([*named, "+Inf"], counts, strict=bool(counts))))

    def exponential(
        self,
        instrument: Instrument,
        point: Point,
        measured: Measured,
        scale: int,
        zeros: tuple[float, int],
        positive: Buckets,
        negative: Buckets,
    ) -> None:
        """`zeros` are the greatest value that counts as zero, and how many did."""
        if any(negative.counts):
            self._gathered.refusals.add(NEGATIVE_BUCKETS)
            return
        if scale not in SCALES:
            self._gathered.refusals.add(BAD_SCALE)
            return
        threshold, count = zeros
        joined = [(bound_text(threshold), count), *joined_buckets(scale, positive)]
        rest = measured.count - sum(count for _, count in joined)
        self._measured(instrument, point, measured, [*joined, ("+Inf", max(rest, 0))])

    def summary(
        self, instrument: Instrument, point: Point, measured: Measured, quantiles: Sequence[tuple[float, float]]
    ) -> None:
        """The quantiles are of a while that its sender chose, and gauges."""
        if len(quantiles) > MOST_BUCKETS:
            self._gathered.refusals.add(TOO_MANY_BUCKETS)
            return
        at_ms = milliseconds(point.time)
        if not self._gathered.admits(at_ms):
            return
        for quantile, value in quantiles:
            slot = instrument.quantile(point.name, point.attributes, bound_text(quantile))
            self._add(slot, point, at_ms, value, counts=False)
        self._totals(instrument, point, at_ms, measured)

    def _measured(
        self, instrument: Instrument, point: Point, measured: Measured, buckets: Sequence[tuple[str, int]]
    ) -> None:
        at_ms = milliseconds(point.time)
        if not self._gathered.admits(at_ms):
            return
        counts = itertools.accumulate(count for _, count in buckets)
        for (bound, _), count in zip(buckets, counts, strict=True):
            slot = instrument.bucket(point.name, point.attributes, bound)
            self._add(slot, point, at_ms, count, counts=instrument.counts)
        self._totals(instrument, point, at_ms, measured)

    def _totals(self, instrument: Instrument, point: Point, at_ms: int, measured: Measured) -> None:
        count = instrument.count(point.name, point.attributes)
        self._add(count, point, at_ms, measured.count, counts=instrument.counts)
        if measured.total is not None:
            total = instrument.total(point.name, point.attributes)
            self._add(total, point, at_ms, measured.total, counts=instrument.counts)

    def _add(self, slot: Slot, point: Point, at_ms: int, value: float, *, counts: bool) -> None:
        self._gathered.add(slot, at_ms, GAP if point.is_gap else float(value), point.start if counts else 0)


def bound_text(bound: float) -> str:
    """A number as a label has it: the shortest text that is that number, whole ones without a point."""
    if math.isinf(bound):
        return "+Inf" if bound > 0 else "-Inf"
    return repr(float(bound)).removesuffix(".0")


def _rises(bounds: Sequence[float]) -> bool:
    return all(before < after for before, after in itertools.pairwise(bounds)) and not any(map(math.isnan, bounds))


def joined_buckets(scale: int, buckets: Buckets) -> list[tuple[str, int]]:
    """The upper bounds and counts, joined until they are coarse and few enough, without those outside that are empty.

    A bucket of the scale s and the number i holds what is above 2^(i·2^-s) and at most 2^((i+1)·2^-s); going to the
    scale s-1 joins two.
    """
    numbers = [buckets.offset + at for at, count in enumerate(buckets.counts) if count]
    if not numbers:
        return []
    coarser = max(scale - FINEST_SCALE, 0)
    while (numbers[-1] >> coarser) - (numbers[0] >> coarser) >= MOST_EXPONENTIAL_BUCKETS:
        coarser += 1
    first, last = numbers[0] >> coarser, numbers[-1] >> coarser
    joined = [0] * (last - first + 1)
    for at, count in enumerate(buckets.counts):
        if count:
            joined[((buckets.offset + at) >> coarser) - first] += count
    return [(_power(first + at + 1, scale - coarser), count) for at, count in enumerate(joined)]


def _power(number: int, scale: int) -> str:
    """2^(number·2^-scale), to six digits."""
    try:
        return bound_text(float(f"{2.0 ** (number * 2.0**-scale):.6g}"))
    except OverflowError:
        return "+Inf"
