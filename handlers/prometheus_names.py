"""A series of Prometheus as one of ours: its name is a label there, and what kind it is stands elsewhere, or nowhere.

Where nothing says what a series is, the endings of its name do: `_total`, `_bucket`, `_count` and `_sum` are counted.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from handlers.gathered_samples import Slot, refused_slot
from handlers.series_keys import UnfitSeries, require_distinct, series_key

NAME = "__name__"
_COUNTED = ("_total", "_bucket", "_count", "_sum")


class MetricType(enum.IntEnum):
    """As remote-write numbers them, 1.0 and 2.0 alike."""

    UNKNOWN = 0
    COUNTER = 1
    GAUGE = 2
    HISTOGRAM = 3
    GAUGE_HISTOGRAM = 4
    SUMMARY = 5
    INFO = 6
    STATE_SET = 7


def family_of(name: str) -> str:
    """The family that a series of this name belongs to, if it is one of a histogram's or summary's."""
    return next((name.removesuffix(ending) for ending in _COUNTED if name.endswith(ending)), name)


def kind_of(name: str, metric_type: MetricType) -> str:
    match metric_type:
        case MetricType.COUNTER:
            return "counter"
        case MetricType.HISTOGRAM | MetricType.SUMMARY | MetricType.UNKNOWN:
            return "counter" if name.endswith(_COUNTED) else "gauge"
        case _:
            return "gauge"


def type_of(number: int) -> MetricType:
    return MetricType(number) if number <= MetricType.STATE_SET else MetricType.UNKNOWN


def slot_of(labels: Sequence[tuple[str, str]], metric_type: MetricType, unit: str) -> Slot:
    """The series of these labels, its name among them; or why there is none."""
    try:
        require_distinct(labels)
        name = dict(labels).get(NAME, "")
        rest = (pair for pair in labels if pair[0] != NAME)
        return Slot(series_key(name, rest, kind_of(name, metric_type), unit))
    except UnfitSeries as error:
        return refused_slot(error)
