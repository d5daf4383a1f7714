"""Samples of SQLite tables: seeded, of about as many rows as asked for, and of all parts of the table alike."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import Any

import numpy as np
import pytest

from connectors.datasets import DatasetRef, Kind, Sample
from connectors.opening import open_connector
from connectors.settings import SourceSettings

ROWS = 20_000
SQL = f"""
CREATE TABLE t (id INTEGER PRIMARY KEY, x REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) INSERT INTO t SELECT i, i FROM n;
CREATE TABLE named (rowid TEXT, oid TEXT, x REAL);
INSERT INTO named SELECT 'a', 'b', id FROM t;
CREATE TABLE bare (id INTEGER PRIMARY KEY, x REAL) WITHOUT ROWID;
INSERT INTO bare SELECT id, x FROM t;
CREATE VIEW seen AS SELECT * FROM t;
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> SourceSettings:
    path = tmp_path_factory.mktemp("sampling") / "t.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SQL)
    return SourceSettings(path=path)


def drawn(settings: SourceSettings, table: str, sample: Sample) -> Any:
    async def run() -> Any:
        async with await open_connector(Kind.SQLITE, settings) as connector:
            batches = connector.fetch(DatasetRef(None, table), ["x"], sample=sample)
            async with contextlib.aclosing(batches):
                return np.concatenate([batch.columns["x"].values async for batch in batches])

    return asyncio.run(run())


@pytest.mark.parametrize("table", ["t", "named"])
def test_the_same_seed_draws_the_same_rows(settings: SourceSettings, table: str) -> None:
    first = drawn(settings, table, Sample(2_000, seed=5))
    assert np.array_equal(first, drawn(settings, table, Sample(2_000, seed=5)))
    other = drawn(settings, table, Sample(2_000, seed=6))
    # Two independent draws of a tenth have a tenth of their rows in common.
    assert 100 < len(np.intersect1d(first, other)) < 320
    assert len(drawn(settings, table, Sample(ROWS * 2))) == ROWS


@pytest.mark.parametrize("table", ["t", "named", "bare", "seen"])
def test_about_as_many_as_asked_for_from_everywhere(settings: SourceSettings, table: str) -> None:
    found = drawn(settings, table, Sample(4_000, seed=1))
    assert abs(len(found) - 4_000) < 5 * np.sqrt(ROWS * 0.2 * 0.8)
    parts = np.histogram(found, bins=20, range=(1, ROWS + 1))[0]
    assert np.all(np.abs(parts - 200) < 6 * np.sqrt(1000 * 0.2 * 0.8))


def test_rows_that_follow_each_other_are_drawn_independently(settings: SourceSettings) -> None:
    """A hash that only counted on would take every fifth row."""
    found = np.zeros(ROWS + 1, dtype=bool)
    found[drawn(settings, "t", Sample(4_000, seed=2)).astype(int)] = True
    for lag in range(1, 11):
        together = np.count_nonzero(found[1:-lag] & found[1 + lag :])
        assert abs(together - ROWS * 0.04) < 6 * np.sqrt(ROWS * 0.04), lag
