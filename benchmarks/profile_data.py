"""What is profiled: twenty columns of numbers as arrays, and a large Parquet file of many kinds."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np

COLUMNS = 20
LARGE_COLUMNS = ("id", "amount", "ratio", "price", "quantity", "country", "email", "paid", "ordered_at", "shipped_on")
SEED = 7


def write_columns(folder: Path, rows: int) -> None:
    """Continuous, rounded to about 100 and 10,000 different values, and log-normal, in turn; one in a hundred null."""
    chance = np.random.default_rng(SEED)
    makers = (
        lambda: chance.normal(size=rows),
        lambda: np.round(chance.normal(size=rows) * 15),
        lambda: np.round(chance.normal(size=rows) * 1500),
        lambda: chance.lognormal(size=rows),
    )
    for number in range(COLUMNS):
        np.save(folder / f"values-{number}.npy", makers[number % len(makers)]())
        np.save(folder / f"nulls-{number}.npy", chance.random(rows) < 0.01)


def write_large(path: Path, rows: int) -> None:
    path.parent.mkdir(parents=True)
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GiB"}) as connection:
        connection.execute("SELECT setseed(0.5)")
        connection.execute(
            f"""COPY (SELECT
              i AS id,
              CASE WHEN random() < 0.99 THEN random() * 1000 END AS amount,
              sqrt(random()) AS ratio,
              round(exp(random() * 6), 2) AS price,
              (random() * 50)::INTEGER AS quantity,
              ['de', 'fr', 'it', 'es', 'nl'][1 + (random() * 4)::INTEGER] AS country,
              'user' || i || '@example.com' AS email,
              random() < 0.7 AS paid,
              TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND AS ordered_at,
              DATE '2020-01-01' + (random() * 1000)::INTEGER AS shipped_on
            FROM range({rows}) t(i)) TO '{path}' (FORMAT parquet)"""
        )
