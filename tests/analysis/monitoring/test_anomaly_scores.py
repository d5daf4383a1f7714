"""What bands are measured with: the score of the Numenta benchmark as it is published, its files, and made series."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from analysis.columns import Array
from benchmarks.anomaly_data import Labelled, made, numenta
from benchmarks.anomaly_scores import scored

SERIES = Labelled("", "", 300_000 * np.arange(1000, dtype=np.int64), np.zeros(1000), ((400, 449), (700, 749)))


def at(*places: int) -> Array:
    flags = np.zeros(1000, dtype=bool)
    flags[list(places)] = True
    return flags


def sigmoid(position: float) -> float:
    return 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


@pytest.mark.parametrize(
    ("alarms", "score"),
    [
        (at(), -2.0),
        (at(400, 700), 2.0),
        (at(400, 410, 700), 2.0),  # only the first within a window counts
        (at(300, 400, 700), 1.89),  # before any window: all of a false alarm
        (at(449, 700), sigmoid(-1 / 50) / sigmoid(-1.0) + 1.0),  # at a window's last value it earns next to nothing
        (at(459), -2.0 + 0.11 * sigmoid(10 / 49)),  # just after a window a false alarm costs less
        (at(400, 650, 700), 1.89),  # long after it: all
        (at(100, 400, 700), 2.0),  # not judged: only learned from
    ],
)
def test_the_score_is_the_published_one(alarms: Array, score: float) -> None:
    found = scored(SERIES, alarms)
    assert found.numenta == pytest.approx(score)
    assert found.numenta_percent == pytest.approx(100.0 * (score + 2.0) / 4.0)


def test_events_are_runs() -> None:
    found = scored(SERIES, at(200, 201, 202, 390, 391, 399, 400, 401, 740))
    assert (found.alarms, found.false_alarms, found.found, found.windows) == (4, 2, 2, 2)
    assert found.precision == 0.5
    assert found.recall == 1.0


def test_files_of_the_numenta_benchmark_are_read(tmp_path: Path) -> None:
    (tmp_path / "data" / "kind").mkdir(parents=True)
    (tmp_path / "labels").mkdir()
    rows = ["timestamp,value", *(f"2014-04-01 00:{minute:02}:00,{minute}.5" for minute in (0, 10, 5, 15))]
    (tmp_path / "data" / "kind" / "a.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    windows = {"kind/a.csv": [["2014-04-01 00:05:00.000000", "2014-04-01 00:10:00.000000"]]}
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps(windows), encoding="utf-8")
    (series,) = numenta(tmp_path)
    assert (series.name, series.group, series.windows) == ("kind/a.csv", "kind", ((1, 2),))
    assert series.values.tolist() == [0.5, 5.5, 10.5, 15.5]
    assert np.diff(series.at_ms).tolist() == [300_000] * 3


def test_made_series_are_58_and_the_same_each_time() -> None:
    one, again, other = list(made(1)), list(made(1)), list(made(2))
    assert len(one) == 58
    assert all(np.array_equal(each.values, same.values) for each, same in zip(one, again, strict=True))
    assert not any(
        np.array_equal(each.values, same.values) for each, same in zip(one, other, strict=True) if each.starts
    )
    for each in one:
        assert all(first <= start <= last for start, (first, last) in zip(each.starts, each.windows, strict=True))
        assert all(each.probation < start for start in each.starts)
