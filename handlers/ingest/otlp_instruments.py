"""A metric of OpenTelemetry as series: which there are, of what kind, and what they are called.

What is counted since a beginning (cumulative, monotonic) is a counter, and what may also fall a gauge. Increments
(delta temporality) are stored as they come, as a gauge with the label `temporality="delta"`: summed over time they are
what was counted. To add them up here would count a repeated request twice, and one that was lost for ever too little;
and two nodes would have to agree on each sum. A sender that knows the sums is asked for those (its cumulative
temporality, which is the default).
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable, Sequence

from handlers.gathered_samples import Slot, refused_slot
from handlers.ingest.otlp_labels import Labels
from handlers.series_keys import MOST_LABELS, TOO_MANY_LABELS, UnfitSeries, check_metric, require_distinct, series_key

GAUGE, COUNTER = "gauge", "counter"
# The label of increments, and the one of a bucket's upper bound.
TEMPORALITY, DELTA = "temporality", "delta"
BUCKET = "le"

Attributes = Sequence[tuple[str, str]]


class Temporality(enum.IntEnum):
    """As numbered in OTLP."""

    UNSPECIFIED = 0
    DELTA = 1
    CUMULATIVE = 2


class Instrument:
    """A metric of one resource and scope. It remembers its series by what their points are told from others by."""

    __slots__ = ("_delta", "_labels", "_name", "_refusal", "_unit", "counts", "slots")

    def __init__(self, name: str, unit: str, labels: Labels, *, counts: bool, delta: bool = False) -> None:
        """`counts`: values are sums that never fall but when they begin anew; `delta`: they are increments of such."""
        self._name = name
        self._unit = unit
        self._labels = labels
        self._delta = delta
        self.counts = counts and not delta
        self.slots: dict[Hashable, Slot] = {}
        # What is wrong with all of its series is looked for once.
        self._refusal = _refusal(name, labels)

    def number(self, name: Hashable, attributes: Attributes) -> Slot:
        """The series of a plain number."""
        return self._slot(name, "", attributes, (), counts=self.counts, unit=self._unit)

    def bucket(self, name: Hashable, attributes: Attributes, bound: str) -> Slot:
        return self._slot((name, bound), "_bucket", attributes, ((BUCKET, bound),), counts=self.counts)

    def total(self, name: Hashable, attributes: Attributes) -> Slot:
        """The series of the sum of what was measured."""
        return self._slot((name, "sum"), "_sum", attributes, (), counts=self.counts, unit=self._unit)

    def count(self, name: Hashable, attributes: Attributes) -> Slot:
        """The series of how often was measured."""
        return self._slot((name, "count"), "_count", attributes, (), counts=self.counts)

    def quantile(self, name: Hashable, attributes: Attributes, quantile: str) -> Slot:
        labels = (("quantile", quantile),)
        return self._slot((name, "quantile", quantile), "", attributes, labels, counts=False, unit=self._unit)

    def _slot(
        self,
        name: Hashable,
        suffix: str,
        attributes: Attributes,
        own: Iterable[tuple[str, str]],
        *,
        counts: bool,
        unit: str = "",
    ) -> Slot:
        slot = self.slots.get(name)
        if slot is None:
            slot = self.slots[name] = self._make(suffix, attributes, own, counts=counts, unit=unit)
        return slot

    def _make(
        self, suffix: str, attributes: Attributes, own: Iterable[tuple[str, str]], *, counts: bool, unit: str
    ) -> Slot:
        if self._refusal is not None:
            return self._refusal
        try:
            require_distinct(attributes)
            labels = {**self._labels, **dict(attributes), **dict(own)}
            if self._delta:
                labels[TEMPORALITY] = DELTA
            kind = COUNTER if counts else GAUGE
            return Slot(series_key(f"{self._name}{suffix}", labels.items(), kind, unit))
        except UnfitSeries as error:
            return refused_slot(error)


def _refusal(name: str, labels: Labels) -> Slot | None:
    try:
        check_metric(name)
    except UnfitSeries as error:
        return refused_slot(error)
    return Slot(None, TOO_MANY_LABELS) if len(labels) > MOST_LABELS else None
