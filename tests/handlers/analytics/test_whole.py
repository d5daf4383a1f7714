"""Whether there was time for all of a result: what was stopped is not the last word, what was bounded is."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.forecast.answers import ForecastOptions, Forecasts, ForecastStatus
from analysis.forecast.predict import forecast
from analysis.frames import frame_of
from analysis.insights.discover import find_insights
from analysis.insights.findings import Part
from analysis.insights.options import InsightOptions
from analysis.relationships.discover import discover
from analysis.relationships.findings import RelationshipOptions
from handlers.analytics import finding, predicting, relating
from handlers.analytics.result_types import Prediction

FRAME = frame_of({"a": list(range(200)), "b": [i * i % 17 for i in range(200)], "c": ["x", "y"] * 100})


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_relationships(seconds: float) -> None:
    options = RelationshipOptions(seconds=seconds)
    found = discover({"t": FRAME}, options, lambda _, __: None, lambda: None)
    assert relating.is_whole(found) is (seconds > 0)


def test_insights() -> None:
    found = find_insights(FRAME, InsightOptions(seconds=60.0))
    assert finding.is_whole(found)
    ticks = iter(range(1_000_000))
    stopped = find_insights(FRAME, InsightOptions(seconds=5.0, clock=lambda: float(next(ticks))))
    assert not finding.is_whole(stopped)
    # A table that is too wide is so every time.
    found.parts.append(Part(part="measures", status="budget", detail="the first 40; 60 left out"))
    assert finding.is_whole(found)


def test_forecasts() -> None:
    days = [f"2024-{month:02d}-{day:02d}" for month in range(1, 5) for day in range(1, 29)]
    frame = frame_of({"day": np.array(days, dtype="datetime64[us]"), "sold": [float(i % 7) for i in range(len(days))]})
    options = ForecastOptions(target="sold", time="day", horizon=2)
    found: Forecasts = forecast(frame, options, lambda _, __: None, lambda: None)
    assert found.series[0].status is not ForecastStatus.OUT_OF_TIME
    assert predicting.is_whole(Prediction(forecast=found))
    ticks = iter(range(1_000_000))
    late = ForecastOptions(target="sold", time="day", horizon=2, budget_seconds=0.5)
    stopped = forecast(frame, late, lambda _, __: None, lambda: None, clock=lambda: float(next(ticks)))
    assert not predicting.is_whole(Prediction(forecast=stopped))
