"""The shapes of what is measured over time: series, and columns of samples.

Times are whole milliseconds since 1970 in UTC. NaN is a marker of a gap: from here on nothing is known, or a counter
began anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GAUGE = "gauge"
COUNTER = "counter"

Times = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What a series is called within its source. `labels` are sorted by name; `kind` is gauge or counter."""

    metric: str
    labels: tuple[tuple[str, str], ...] = ()
    kind: str = GAUGE
    unit: str = ""


@dataclass(frozen=True, slots=True)
class SampleColumns:
    """n samples of k series, in any order; of two of the same series and time the later one counts.

    `index` (n) points into `keys` (k); whoever brings the same series again saves time with the same objects as keys.
    """

    keys: Sequence[SeriesKey]
    index: NDArray[np.int32]
    at_ms: Times
    value: Values

    def __post_init__(self) -> None:
        if not len(self.index) == len(self.at_ms) == len(self.value):
            raise ValueError("the columns of samples are of different lengths")
        if len(self.index) and not 0 <= self.index.min() <= self.index.max() < len(self.keys):
            raise ValueError("a sample is of a series that is not among the keys")


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of samples that were appended: `seq` is the number of the batch they are in, 0 if none was taken.

    Refused are samples of new series beyond the source's limit, and of times outside of what is kept.
    """

    seq: int
    stored: int
    refused_series: int = 0
    refused_times: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """A series that has samples, from `first_ms` to `last_ms`."""

    id: int
    source_id: int
    key: SeriesKey
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one series by time, each time once."""

    at_ms: Times
    value: Values


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples as they came, of series of one source: `series_ids`, `at_ms` and `value` have one item each a sample."""

    seq: int
    series_ids: NDArray[np.int64]
    at_ms: Times
    value: Values
