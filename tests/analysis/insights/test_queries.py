"""The rows behind an insight: SQL that compiles for every dialect, and that gives these very rows."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pytest
import sqlglot

from analysis.frames import FrameColumn, frame_of
from analysis.insights.discover import find_insights
from analysis.insights.findings import Condition, Measure, Query
from analysis.insights.options import InsightOptions
from analysis.insights.queries import with_sql
from benchmarks.insights_data import PLANTS

DIALECTS = (
    "",
    "postgres",
    "mysql",
    "duckdb",
    "sqlite",
    "trino",
    "spark",
    "snowflake",
    "bigquery",
    "databricks",
    "tsql",
)
QUERY = Query(
    where=[
        Condition(column="region", operator="=", value="O'Brien"),
        Condition(column="amount", operator=">=", value=1.5),
        Condition(column="day", operator="<=", value="2024-01-31T00:00:00"),
        Condition(column="note", operator="is null"),
        Condition(column="kind", operator="in", value=["a", "b"]),
    ],
    group_by=["region"],
    time="day",
    period="month",
    measures=[Measure(function="sum", column="amount")],
    order_by="measure",
    descending=True,
    limit=10,
)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_sql_compiles_for_every_dialect(dialect: str) -> None:
    sql = with_sql(QUERY, ("shop", "sales"), dialect, {}, frozenset({"day"})).sql
    (statement,) = sqlglot.parse(sql, dialect=dialect or None)
    assert statement is not None
    assert "O'Brien" not in sql.replace("O''Brien", "").replace("O\\'Brien", "")
    assert {table.name for table in statement.find_all(sqlglot.exp.Table)} == {"sales"}


def test_names_of_the_source_are_quoted() -> None:
    query = Query(where=[Condition(column="a (2)", operator="is null")], limit=5)
    sql = with_sql(query, ('we"ird', "t; DROP TABLE x"), "postgres", {"a (2)": 'a"; --'}).sql
    assert sql == 'SELECT * FROM "we""ird"."t; DROP TABLE x" WHERE "a""; --" IS NULL LIMIT 5'


def test_a_dialect_that_nobody_knows_costs_the_sql_only() -> None:
    assert with_sql(QUERY, ("sales",), "klingon", {}).sql == ""


@pytest.mark.parametrize("kind", ["null_stand_in", "sentinel", "outliers", "future_dates", "null_together"])
def test_sql_gives_the_rows_that_the_insight_counts(kind: str) -> None:
    made = PLANTS[kind](np.random.default_rng(2001), 2)
    found = find_insights(made.frame, InsightOptions(dialect="duckdb", table=("t",), now=made.options.now, seconds=60))
    insight = next(insight for insight in found.insights if insight.type == kind)
    rows = int(next(insight.numbers[name].value for name in ("outliers", "rows") if name in insight.numbers) or 0)
    columns = {column.name: _objects(column) for column in made.frame.columns}
    connection = duckdb.connect()
    names = ", ".join(f'"{name}" {_type(made.frame.column(name).role.value)}' for name in columns)
    connection.execute(f"CREATE TABLE t ({names})")
    connection.executemany(
        f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", list(zip(*columns.values(), strict=True))
    )
    assert rows > 0
    assert len(connection.execute(insight.query.sql.replace("LIMIT 100", "LIMIT 5000")).fetchall()) == rows


def _objects(column: FrameColumn) -> list[Any]:
    values = column.values if column.levels is None else np.array([*column.levels, None], dtype=object)[column.values]
    return [value if there else None for value, there in zip(values.tolist(), column.present, strict=True)]


def _type(role: str) -> str:
    return {"numeric": "DOUBLE", "category": "VARCHAR", "time": "TIMESTAMP"}[role]


def test_groups_are_those_of_the_chart() -> None:
    rng = np.random.default_rng(1)
    by = np.where(rng.random(500) < 0.8, "big", "small").astype(object)
    insight = next(i for i in find_insights(frame_of({"by": by})).insights if i.type == "majority")
    assert insight.query.sql == 'SELECT "by", COUNT(*) AS "rows" FROM "data" GROUP BY "by" ORDER BY "rows" DESC'
