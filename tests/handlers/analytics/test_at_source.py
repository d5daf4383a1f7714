"""Sums that a server makes: by itself where it would only be sampled, and over HTTP, a batch and the feed alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from analysed import Analyst, analyse, pairs_of
from catalog_sources import found_in, ids_of, postgres_source, run_postgres

from handlers.analytics import events
from handlers.feed_names import is_reserved

ROWS = 3_000
FIGURES = f"""
CREATE TABLE figures AS SELECT i AS id, 1e9 + sin(i) AS near, 1e9 + sin(i) * 2 + cos(i * 7) AS far,
    CASE WHEN i % 10 = 0 THEN NULL ELSE cos(i * i) END AS gaps, 'x' || i % 3 AS region,
    CASE WHEN i % 7 = 0 THEN NULL WHEN i % 3 = 0 OR i % 5 = 0 THEN 'k0' ELSE 'k1' END AS kind, i % 2 = 0 AS flag
FROM generate_series(1, {ROWS}) AS s(i);
ANALYZE figures;
"""


def test_a_server_sums_what_would_only_be_sampled(
    sqlite_url: str, empty_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "QUIET_SECONDS", 0.0)

    async def scenario(analyst: Analyst) -> None:
        await run_postgres(empty_postgres_url, FIGURES)
        source = await postgres_source(analyst.node, empty_postgres_url)
        await found_in(analyst.node, source)
        figures = (await ids_of(analyst.ada, source.id))["figures"]
        asked = {"method": "pearson", "columns": ["near", "far", "gaps"]}
        summed = await analyst.ask("correlations", figures, **asked, rows=500)
        assert [(ran["where"], ran["rows"]) for ran in summed["ran"]] == [("source", ROWS)]
        assert not summed["rows"]["is_sample"]
        i = np.arange(1, ROWS + 1)
        r = float(np.corrcoef(np.sin(i), np.sin(i) * 2 + np.cos(i * 7.0))[0, 1])
        assert abs(pairs_of(summed)["far", "near"]["effect"] - r) < 1e-6
        read = await analyst.ask("correlations", figures, **asked, at_source="never")
        assert [ran["where"] for ran in read["ran"]] == ["server", "server"]
        assert read["rows"]["read"] == ROWS
        for names, pair in pairs_of(read).items():
            assert abs(pairs_of(summed)[names]["effect"] - pair["effect"]) < 1e-9, names
        await _categories(analyst, figures)
        sampled = await analyst.ask("correlations", figures, rows=500, seed=1)
        assert sampled["rows"]["method"] == "rows by chance"
        assert 350 < sampled["rows"]["read"] < 650
        await _batch(analyst, figures)
        await _feed(analyst, figures)

    analyse(sqlite_url, tmp_path, scenario)


async def _categories(analyst: Analyst, figures: int) -> None:
    """From counts of groups as from rows, nulls and all."""
    asked = {"method": "cramers_v", "columns": ["region", "kind", "flag"]}
    counted = await analyst.ask("correlations", figures, **asked, rows=500)
    assert [(ran["where"], ran["rows"], ran["statements"]) for ran in counted["ran"]] == [("source", ROWS, 3)]
    read = await analyst.ask("correlations", figures, **asked, at_source="never")
    assert pairs_of(counted).keys() == pairs_of(read).keys()
    assert len(pairs_of(read)) == 3
    for names, pair in pairs_of(read).items():
        other = pairs_of(counted)[names]
        for figure in ("effect", "low", "high", "q", "strength"):
            assert other[figure] == pytest.approx(pair[figure], abs=1e-9), (names, figure)
        assert (other["n"], other["status"]) == (pair["n"], pair["status"])
    assert [column["nulls"] for column in counted["columns"] if column["name"] == "kind"] == [ROWS // 7]


async def _batch(analyst: Analyst, figures: int) -> None:
    """Several questions in one request, those that are wrong among them."""
    calls = [
        {"id": 1, "operation": "analytics.correlations", "parameters": {"dataset_id": figures, "rows": 500, "seed": 1}},
        {"id": 2, "operation": "analytics.insights", "parameters": {"dataset_id": figures, "limit": 3}},
        {"id": 3, "operation": "analytics.correlations", "parameters": {"dataset_id": figures, "columns": ["x"]}},
    ]
    answer = await analyst.ada.post("/batch", json=calls)
    assert answer.status_code == 200, answer.text
    text = answer.text
    assert "no_such_column" in text
    assert "tests_performed" in text


async def _feed(analyst: Analyst, figures: int) -> None:
    told = await analyst.get(f"/feeds/lab/analytics.{figures}", limit=100)
    types = {event["type"] for event in told["items"]}
    assert types == {"analytics.progress", "analytics.finished"}
    finished = [event["data"] for event in told["items"] if event["type"] == "analytics.finished"]
    stored = await analyst.get("/analytics/results", workspace_id="lab", dataset_id=figures)
    assert {each["result_id"] for each in finished} == {row["id"] for row in stored["items"]}
    notes = {event["data"]["note"] for event in told["items"] if event["type"] == "analytics.progress"}
    assert notes
    # Nobody else publishes there.
    assert is_reserved(f"analytics.{figures}")
