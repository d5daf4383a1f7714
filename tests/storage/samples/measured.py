"""What the tests of samples share: series, columns, stores whose clock is set by hand, and a model of them all."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from storage.database import Database
from storage.samples.columns import SampleColumns, Series, SeriesKey
from storage.samples.policy import Policy
from storage.samples.store import SampleStore
from tests.storage.opened import NOW

NOW_MS = int(NOW.timestamp() * 1000)
CPU = SeriesKey("cpu", (("host", "a"),), unit="1")
CALLS = SeriesKey("calls", (("host", "a"),), kind="counter", unit="{calls}")


def columns(*samples: tuple[SeriesKey, int, float]) -> SampleColumns:
    """Samples of series, so many milliseconds before or after NOW, with these values."""
    keys = list(dict.fromkeys(key for key, _, _ in samples))
    index = np.array([keys.index(key) for key, _, _ in samples], np.int32)
    at_ms = np.array([NOW_MS + at for _, at, _ in samples], np.int64)
    return SampleColumns(keys, index, at_ms, np.array([value for _, _, value in samples], np.float64))


@dataclass
class Clock:
    """The time, moved by hand."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


def store(database: Database, policy: Policy | None = None, clock: Clock | None = None) -> SampleStore:
    return SampleStore(database, clock or Clock(), policy)


async def everything(samples: SampleStore, source_id: int) -> dict[SeriesKey, dict[int, float]]:
    """All samples of a source, times relative to NOW."""
    series = await samples.series(source_id)
    read = await samples.read(series, 0, NOW_MS * 2)
    return {
        one.key: dict(zip((read[one.id].at_ms - NOW_MS).tolist(), read[one.id].value.tolist(), strict=True))
        for one in series
    }


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as the model has it."""

    count: int
    sum: float
    min: float
    max: float
    last: float
    increase: float
    observed_ms: int
    gaps: int


@dataclass
class Model:
    """Samples in plain dictionaries."""

    samples: dict[SeriesKey, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, *samples: tuple[SeriesKey, int, float]) -> None:
        for key, at, value in samples:
            self.samples[key][NOW_MS + at] = value

    def buckets(self, key: SeriesKey, step_ms: int) -> dict[int, Bucket]:
        """By the start of the bucket."""
        grouped: dict[int, list[tuple[int, float, float, int, bool]]] = defaultdict(list)
        before: tuple[int, float] | None = None
        for at, value in sorted(self.samples[key].items()):
            grown, observed, fell = 0.0, 0, False
            if (
                before is not None
                and not math.isnan(value)
                and not math.isnan(before[1])
                and at - before[0] <= 21_600_000
            ):
                fell = key.kind == "counter" and value < before[1]
                observed = 0 if fell else at - before[0]
                grown = value - before[1] if key.kind == "counter" and not fell else 0.0
            grouped[at // step_ms * step_ms].append((at, value, grown, observed, fell))
            before = at, value
        return {start: bucket(rows) for start, rows in grouped.items()}


def bucket(rows: list[tuple[int, float, float, int, bool]]) -> Bucket:
    known = [value for _, value, *_ in rows if not math.isnan(value)]
    nan = math.nan
    gaps = (len(known) < len(rows)) * 1 + math.isnan(rows[-1][1]) * 2 + any(row[4] for row in rows) * 4
    lowest, highest, last = (min(known), max(known), known[-1]) if known else (nan, nan, nan)
    return Bucket(
        len(known), sum(known), lowest, highest, last, sum(row[2] for row in rows), sum(row[3] for row in rows), gaps
    )


async def assert_as_in_model(samples: SampleStore, source_id: int, model: Model) -> None:
    """Samples and the buckets of all tiers are those of the model."""
    found = {one.key: one for one in await samples.series(source_id)}
    assert found.keys() == model.samples.keys()
    everything = list(found.values())
    raw = await samples.read(everything, 0, NOW_MS * 2)
    for key, expected in model.samples.items():
        one = found[key]
        at_ms, value = raw[one.id].at_ms, raw[one.id].value
        assert at_ms.tolist() == sorted(expected), key
        wanted = np.array([expected[at] for at in sorted(expected)])
        assert value.view(np.int64).tolist() == wanted.view(np.int64).tolist(), key
        assert (one.first_ms, one.last_ms) == (min(expected), max(expected))
    for tier in samples.tiers()[1:]:
        rollups = await samples.read_rollup(everything, 0, NOW_MS * 2, tier)
        for one in found.values():
            assert_buckets(model, one, rollups[one.id].start_ms.tolist(), rollups[one.id], tier.step_ms)


def assert_buckets(model: Model, one: Series, starts: list[int], rollup: object, step_ms: int) -> None:
    expected = model.buckets(one.key, step_ms)
    assert starts == sorted(expected), (one.key, step_ms)
    for name in Bucket.__dataclass_fields__:
        wanted = np.array([getattr(expected[start], name) for start in starts], np.float64)
        found = np.asarray(getattr(rollup, name), np.float64)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9, err_msg=f"{name} of {one.key} at {step_ms}")
