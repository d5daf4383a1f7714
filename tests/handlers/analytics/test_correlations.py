"""Correlations over HTTP: computed over a real source, once for each content, by rows or by the source's own sums."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from analysed import SALES, Analyst, analyse, pairs_of
from catalog_sources import run_sqlite
from http_node import serving

from handlers.analytics import versions


def test_an_answer_says_on_what_and_how_it_was_computed(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        answer = await analyst.ask("correlations", sales)
        assert (answer["state"], answer["kind"], answer["dataset"]) == ("done", "correlations", "sales")
        assert answer["rows"] == {
            "read": 600,
            "total": 600,
            "total_is_estimate": False,
            "is_sample": False,
            "method": "all rows",
            "seed": None,
            "bound": None,
        }
        assert [column["name"] for column in answer["columns"]] == ["id", "price", "cost", "noise", "region", "day"]
        assert [ran["where"] for ran in answer["ran"]] == ["server", "server"]
        assert (answer["version"]["method"], answer["cached"]) == ("file", False)
        strongest = answer["result"]["pairs"][0]
        assert {strongest["a"], strongest["b"]} == {"price", "cost"}
        assert strongest["low"] > 0.8
        assert strongest["method"] == "spearman"
        weak = pairs_of(answer)["cost", "noise"]
        assert weak["strength"] == 0
        await _computed_once(analyst, sales, answer)

    analyse(sqlite_url, tmp_path, scenario)


async def _computed_once(analyst: Analyst, sales: int, answer: dict[str, object]) -> None:
    again = await analyst.ask("correlations", sales)
    assert again == {**answer, "cached": True}
    began = time.perf_counter()
    for _ in range(10):
        await analyst.ask("correlations", sales)
    print(f"{(time.perf_counter() - began) * 100:.1f} ms an answer")
    # Other parameters are another question; how long to wait for it is none.
    assert (await analyst.ask("correlations", sales, wait=3, seconds=20))["cached"]
    other = await analyst.ask("correlations", sales, method="pearson", columns=["price", "cost"])
    assert not other["cached"]
    assert list(pairs_of(other)) == [("cost", "price")]
    many = await asyncio.gather(*(analyst.ask("correlations", sales, seed=7) for _ in range(5)))
    assert len({each["result_id"] for each in many}) == 1


def test_other_nodes_have_the_answer_and_a_changed_content_has_another(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "MARKER_SECONDS", 0.0)

    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        first = await analyst.ask("correlations", sales, columns=["price", "noise"])
        async with serving(sqlite_url, node_id="other") as node:
            other = Analyst(node, node.client("ada"), tmp_path)
            assert await other.ask("correlations", sales, columns=["price", "noise"]) == {**first, "cached": True}
            assert node.parts.readers.pids == []
        run_sqlite(tmp_path / "shop.db", "UPDATE sales SET noise = price * 2;")
        second = await analyst.ask("correlations", sales, columns=["price", "noise"])
        assert not second["cached"]
        assert second["version"] != first["version"]
        assert pairs_of(second)["noise", "price"]["status"] == "deterministic"

    analyse(sqlite_url, tmp_path, scenario)


def test_a_sample_is_by_chance_with_a_seed_and_says_so(sqlite_url: str, tmp_path: Path) -> None:
    sql = "CREATE TABLE t AS SELECT i AS id, random() AS x, i * 2.5 + random() AS y FROM range(20000) r(i);"

    async def scenario(analyst: Analyst) -> None:
        table = (await analyst.duckdb(sql))["t"]
        answer = await analyst.ask("correlations", table, rows=2_000, seed=3)
        rows = answer["rows"]
        assert (rows["read"], rows["total"], rows["is_sample"], rows["seed"]) == (2_000, 20_000, True, 3)
        assert rows["bound"] == {"correlation": 0.067082, "rank": 0.036395, "confidence": 0.99}
        assert answer["result"]["rows"] == 2_000

    analyse(sqlite_url, tmp_path, scenario)


def test_sums_of_the_source_come_to_the_same_and_no_row_leaves_it(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        asked = {"method": "pearson", "columns": ["price", "cost", "noise"]}
        here = await analyst.ask("correlations", sales, **asked, at_source="never")
        there = await analyst.ask("correlations", sales, **asked, at_source="always")
        assert [(ran["where"], ran["rows"]) for ran in there["ran"]] == [("source", 600)]
        assert there["ran"][0]["statements"] == 2
        assert there["rows"]["method"] == "sums over all rows, made by the source"
        own, summed = pairs_of(here), pairs_of(there)
        assert own.keys() == summed.keys()
        for names, pair in own.items():
            for figure in ("effect", "p", "q"):
                assert summed[names][figure] == pytest.approx(pair[figure], abs=1e-9), (names, figure)
            assert summed[names]["n"] == pair["n"]
        # What no source can sum is read.
        mixed = await analyst.ask("correlations", sales, method="pearson", columns=["price", "day"], at_source="always")
        assert mixed["ran"][0]["where"] == "server"
        assert "sums up 2 to 40 columns" in mixed["notes"][0]

    analyse(sqlite_url, tmp_path, scenario)


def test_parameters_are_checked_one_clear_error_each(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        place = f"/analytics/correlations/{sales}"
        assert await analyst.refused(place, columns=["price", "prize"]) == (
            400,
            "no_such_column",
            "columns: 'sales' has no column 'prize'.",
        )
        assert (await analyst.refused(place, time="when"))[2] == "time: 'sales' has no column 'when'."
        for name, value in (("rows", 0), ("level", 2), ("method", "magic"), ("seconds", 0.1), ("seed", -1), ("x", 1)):
            status, code, said = await analyst.refused(place, **{name: value})
            assert (status, code) == (400, "invalid_request")
            assert name in said
        assert (await analyst.refused("/analytics/correlations/99999"))[:2] == (404, "not_found")
        await analyst.node.make_user("bob")
        stranger = await analyst.node.client("bob").get(place)
        assert stranger.status_code == 404

    analyse(sqlite_url, tmp_path, scenario)
