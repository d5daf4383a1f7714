"""Forecasts and predictions of a column over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from analysed import Analyst, analyse

pytest.importorskip("sklearn")

# A year of days with a week's season, in two shops; a cost that follows from the sales.
DAYS = """
CREATE TABLE days AS
SELECT DATE '2024-01-01' + d::INT AS day, shop, 100 + d * 0.2 + 30 * (d % 7 IN (5, 6))::INT + (hash(d) % 10) AS sold,
    CASE WHEN (hash(d * 31) % 100) < 50 THEN 'rain' ELSE 'sun' END AS weather,
    (100 + d * 0.2 + (hash(d) % 10)) * 2 + (hash(d * 7) % 9) AS cost
FROM range(365) r(d), (VALUES ('north'), ('south')) s(shop);
CREATE TABLE people (id INTEGER, birth_date DATE, visits DOUBLE);
INSERT INTO people SELECT i, DATE '1960-01-01' + (i * 7)::INT, i FROM range(200) r(i);
"""


def test_forecasts_and_predictions(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        ids = await analyst.duckdb(DAYS)
        days = ids["days"]
        await _forecasts(analyst, days)
        await _columns(analyst, days)
        await _refusals(analyst, ids)

    analyse(sqlite_url, tmp_path, scenario)


async def _forecasts(analyst: Analyst, days: int) -> None:
    asked = {"target": "sold", "time": "day", "aggregate": "sum", "horizon": 14, "group_by": ["shop"], "level": [0.9]}
    answer = await analyst.ask("predictions", days, **asked)
    assert answer["state"] == "done", answer
    assert [column["name"] for column in answer["columns"]] == ["day", "sold", "shop"]
    found = answer["result"]["forecast"]
    assert answer["result"]["column"] is None
    assert [(each["group"]["shop"], each["status"]) for each in found["series"]] == [("north", "ok"), ("south", "ok")]
    series = found["series"][0]
    assert series["facts"]["step"] == "day"
    assert 7 in [season["period"] for season in series["seasons"]]
    assert [point["stamp"][:10] for point in series["points"]][:2] == ["2024-12-31", "2025-01-01"]
    assert {interval["level"] for point in series["points"] for interval in point["intervals"]} == {0.9}
    assert series["backtest"]["beats_seasonal_naive"]
    counted = await analyst.ask("predictions", days, time="day", aggregate="count", horizon=3)
    assert [point["value"] for point in counted["result"]["forecast"]["series"][0]["points"]] == [2, 2, 2]


async def _columns(analyst: Analyst, days: int) -> None:
    answer = await analyst.ask("predictions", days, target="cost", columns=["cost", "sold", "weather"], seconds=60)
    found = answer["result"]["column"]
    assert (found["status"], found["task"]) == ("ok", "regression"), answer
    best = next(model for model in found["models"] if model["model"] == found["best"])
    assert best["verdict"] == "better"
    assert found["importances"][0]["column"] == "sold"


async def _refusals(analyst: Analyst, ids: dict[str, int]) -> None:
    place = f"/analytics/predictions/{ids['days']}"
    for said, asked in (
        ("target: Name the column to predict", {}),
        ("target: 'main.days' has no column 'x'", {"target": "x"}),
        ("step: 'fortnight' is no step", {"target": "sold", "time": "day", "step": "fortnight"}),
        ("zone: 'Mars/North' is no time zone", {"target": "sold", "time": "day", "zone": "Mars/North"}),
        ("columns: 'cost' is named twice", {"target": "cost", "columns": ["cost", "sold", "cost"]}),
        ("group_by: 'shop' is named twice", {"target": "sold", "time": "day", "group_by": ["shop", "shop"]}),
        ("columns: The target has to be among them", {"target": "sold", "columns": ["cost"]}),
        ("horizon", {"target": "sold", "time": "day", "horizon": 0}),
    ):
        status, _, text = await analyst.refused(place, **asked)
        assert status == 400
        assert text.startswith(said), text
    # A time that is none is no error of the request: the answer says so.
    wrong = await analyst.ask("predictions", ids["days"], target="sold", time="shop")
    assert wrong["result"]["forecast"]["status"] == "not_a_time"
    born = await analyst.ask("predictions", ids["people"], target="visits", time="birth_date")
    assert (born["state"], born["error"]["code"], born["result"]) == ("failed", "hidden_column", None)
