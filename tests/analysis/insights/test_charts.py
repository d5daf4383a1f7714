"""Charts are Vega-Lite that its schema accepts and that its compiler draws, with their data inside."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
import vl_convert

from analysis.frames import frame_of
from analysis.insights.discover import find_insights
from benchmarks.insights_data import PLANTS


@pytest.fixture(scope="module")
def schema() -> Any:
    path = files("altair") / "vegalite" / "v6" / "schema" / "vega-lite-schema.json"
    return jsonschema.Draft7Validator(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind", PLANTS)
def test_charts_are_drawn_as_they_are(kind: str, schema: Any) -> None:
    made = PLANTS[kind](np.random.default_rng(2001), 2)
    found = find_insights(made.frame, made.options)
    chart = next(
        insight.chart for insight in found.insights if insight.type == kind or kind in {a.type for a in insight.also}
    )
    size = len(json.dumps(chart, allow_nan=False))
    assert size < 100_000, f"{size} bytes"
    few = chart | {"data": {"values": chart["data"]["values"][:3]}}
    assert [error.message for error in schema.iter_errors(few)] == []
    svg = vl_convert.vegalite_to_svg(chart, vl_version="6.4", allowed_base_urls=[])
    assert svg.count("<path") > 5


def test_gaps_in_a_series_are_null_in_its_chart() -> None:
    values = 0.1 * np.arange(200) + np.random.default_rng(1).standard_normal(200)
    stamps = np.datetime64("2024-01-01") + np.arange(200).astype("timedelta64[D]")
    kept = np.delete(np.arange(200), [20, 21, 90])
    frame = frame_of({"day": stamps[kept], "value": values[kept]})
    chart = next(i.chart for i in find_insights(frame).insights if i.type == "trend")
    told = [row["value"] for row in chart["data"]["values"]]
    assert told.count(None) == 3
    json.dumps(chart, allow_nan=False)


def test_the_schema_finds_mistakes(schema: Any) -> None:
    """Else the test above would show nothing."""
    wrong = {"data": {"values": []}, "mark": "bar", "encoding": {"x": {"field": "a", "type": "numeric"}}}
    assert list(schema.iter_errors(wrong)) != []
