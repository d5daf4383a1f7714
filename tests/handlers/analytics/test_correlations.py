"""Correlations over HTTP: computed over a real source, once for each content, hidden where they must be."""

from __future__ import annotations

from pathlib import Path

from catalog_sources import found_in, get, ids_of, lab, run_sqlite, sqlite_shop
from http_node import Node, play

NUMBERS = """
CREATE TABLE sales (id INTEGER PRIMARY KEY, price REAL, cost REAL, noise REAL, region TEXT, day DATE);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO sales SELECT i, (i * 7919) % 1000, ((i * 7919) % 1000) * 0.6 + (i * 104729) % 97, (i * 31337) % 541,
    CASE i % 3 WHEN 0 THEN 'north' WHEN 1 THEN 'south' ELSE 'east' END, date('2024-01-01', (i % 360) || ' days') FROM n;
"""


def test_correlations_of_a_table(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path, NUMBERS)
        await found_in(node, source)
        sales = (await ids_of(ada, source.id))["sales"]
        answer = await get(ada, f"/analytics/correlations/{sales}")
        print(answer)
        assert answer["state"] == "done", answer

    play(database_url, scenario)
