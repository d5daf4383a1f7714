"""What sources compute themselves, beside what is computed of their rows here."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlglot
from sources import Source, quoted

from connectors.connector import Connector
from connectors.datasets import DatasetRef, Kind
from connectors.pushdown import statements
from connectors.pushdown.dialects import DIALECTS
from connectors.pushdown.statements import Shifted
from connectors.pushdown.statistics import CannotPushDown, Moments, counts_by, moments, numeric_columns

SEED = 20261127
ROWS = 1_000
WAREHOUSES = ("trino", "spark", "snowflake", "bigquery", "databricks")
NAME = "fig'ures"
NUMBERS = ("near", 'o"f`f%', "gaps", "holes", "huge", "tiny", "whole", "constant", "nothing")
Rows = dict[str, list[Any]]


def made(kind: Kind, seed: int = SEED) -> Rows:
    """Numbers near each other and far from zero, with gaps, huge, tiny; infinities and NaN where a source has them."""
    print(f"seed {seed}")
    chance = np.random.default_rng(seed)
    near = 1e9 + chance.normal(size=ROWS)
    offset = 0.7 * (near - 1e9) + chance.normal(size=ROWS)
    gaps = [None if chance.random() < 0.1 else float(x) for x in offset + chance.normal(size=ROWS)]
    holes = [None if chance.random() < 0.2 else float(x) for x in near * 2]
    if kind in (Kind.POSTGRESQL, Kind.DUCKDB):
        gaps[5], gaps[6], holes[7] = math.inf, -math.inf, math.nan
    return {
        "near": near.tolist(),
        'o"f`f%': offset.tolist(),
        "gaps": gaps,
        "holes": holes,
        "huge": (1e200 * chance.normal(size=ROWS)).tolist(),
        "tiny": (1e-120 * chance.normal(size=ROWS)).tolist(),
        "whole": chance.integers(-1000, 1000, ROWS).tolist(),
        "constant": [3.25] * ROWS,
        "nothing": [None] * ROWS,
        "group": [None if chance.random() < 0.05 else str(x) for x in chance.choice(["a", "b", "ü'"], ROWS)],
        "other": chance.choice(["x", "y"], ROWS).tolist(),
    }


def literal(value: Any, kind: Kind) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, float) and not math.isfinite(value):
        return f"'{value}'" + ("::float8" if kind is Kind.POSTGRESQL else "::DOUBLE")
    return repr(value)


def ddl(kind: Kind, data: Rows) -> list[str]:
    mark = "`" if kind is Kind.MYSQL else '"'
    number = {Kind.POSTGRESQL: "double precision", Kind.SQLITE: "REAL"}.get(kind, "DOUBLE")
    types = {"whole": "BIGINT", "group": "VARCHAR(10)", "other": "VARCHAR(10)"}
    columns = ", ".join(f"{quoted(name, mark)} {types.get(name, number)}" for name in data)
    rows = [f"({', '.join(literal(value, kind) for value in row)})" for row in zip(*data.values(), strict=True)]
    table = quoted(NAME, mark)
    return [
        f"CREATE TABLE {table} ({columns})",
        *(f"INSERT INTO {table} VALUES {', '.join(some)}" for some in batched(rows)),
    ]


def batched(rows: list[str], size: int = 250) -> list[list[str]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@pytest.fixture
def figures(source: Source, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Source, Rows]:
    """A table of figures in the source, and what is in it."""
    data = made(source.kind)
    if source.kind is Kind.FILES:
        path = tmp_path / "deep" / "figures.json"
        path.write_text(json.dumps([dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]))
        return replace(source, ref=DatasetRef(None, "deep/figures.json")), data
    statements_ = ddl(source.kind, data)
    if source.kind is Kind.POSTGRESQL:
        source.write(*statements_, f"GRANT SELECT ON {quoted(NAME)} TO {source.settings.user}")
    elif source.kind is Kind.MYSQL:
        for statement in statements_:
            source.write(statement)
    else:
        source.write(*statements_)
    return replace(source, ref=DatasetRef(source.ref.schema, NAME)), data


def play(source: Source, scenario: Callable[[Connector], Awaitable[None]]) -> None:
    async def run() -> None:
        async with await source.open() as connector:
            await scenario(connector)

    asyncio.run(run())


def numbers(data: Rows, name: str) -> np.ndarray[Any, Any]:
    found = np.array([math.nan if value is None else value for value in data[name]], dtype=np.longdouble)
    found[~np.isfinite(found)] = np.nan
    return found


def test_moments_are_those_of_the_rows(figures: tuple[Source, Rows]) -> None:
    source, data = figures

    async def scenario(connector: Connector) -> None:
        description = await connector.describe(source.ref)
        names = [name for name in numeric_columns(description) if name in NUMBERS]
        assert set(names) >= set(NUMBERS) - {"nothing"}
        found = await moments(connector, description, names)
        assert found.rows == ROWS
        assert found.statements >= 2
        for i, j in itertools.product(range(len(names)), repeat=2):
            _compare(found, data, names, i, j)

    play(source, scenario)


def _compare(found: Moments, data: Rows, names: list[str], i: int, j: int) -> None:
    a, b = numbers(data, names[i]), numbers(data, names[j])
    both = ~np.isnan(a) & ~np.isnan(b)
    if {"constant", "nothing"} & {names[i], names[j]}:
        assert math.isnan(found.correlation[i, j])
        return
    a, b = a[both], b[both]
    assert found.n[i, j] == len(a)
    spread = a.std()
    assert abs(found.mean[i, j] - float(a.mean())) <= 1e-9 * float(spread), (names[i], names[j])
    assert found.deviation[i, j] == pytest.approx(float(spread), rel=1e-9)
    r = float(((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std()))
    assert abs(found.correlation[i, j] - r) < 1e-9, (names[i], names[j])


def test_counts_by_group_are_those_of_the_rows(figures: tuple[Source, Rows]) -> None:
    source, data = figures

    async def scenario(connector: Connector) -> None:
        description = await connector.describe(source.ref)
        expected = Counter(zip(data["group"], data["other"], strict=True))
        found = await counts_by(connector, description, ["group", "other"])
        assert (found.counts, found.complete) == (expected, True)
        few = await counts_by(connector, description, ["group", "other"], most=4)
        assert not few.complete
        assert sorted(few.counts.values()) == sorted(count for _, count in expected.most_common(4))

    play(source, scenario)


def test_numbers_that_reach_too_far_are_left_to_rows(source: Source) -> None:
    if source.is_file and source.kind is Kind.FILES:
        pytest.skip("the same engine as DuckDB")
    mark = "`" if source.kind is Kind.MYSQL else '"'
    number = {Kind.POSTGRESQL: "double precision", Kind.SQLITE: "REAL"}.get(source.kind, "DOUBLE")
    for statement in (
        f"CREATE TABLE {quoted('far', mark)} (x {number})",
        f"INSERT INTO {quoted('far', mark)} VALUES (1.7e308), {', '.join(['(-1.7e308)'] * 9)}",
    ):
        source.write(statement)
    if source.kind is Kind.POSTGRESQL:
        source.write(f"GRANT SELECT ON far TO {source.settings.user}")

    async def scenario(connector: Connector) -> None:
        description = await connector.describe(DatasetRef(source.ref.schema, "far"))
        with pytest.raises(CannotPushDown, match="further apart"):
            await moments(connector, description, ["x"])

    play(source, scenario)


@pytest.mark.parametrize("dialect", [*WAREHOUSES, *sorted(set(DIALECTS.values()))])
def test_statements_are_sql_of_every_dialect(dialect: str) -> None:
    """They parse in the dialect that they are written for, and mean the same tables and columns there."""
    ref = DatasetRef("sch", 'ta"b`le')
    columns = [Shifted('x"`', -1.5, 2.0, complete=False), Shifted("y", 1e-300, 1e300, complete=False)]
    made_ = [
        *(each.sql for each in statements.summaries(ref, [column.name for column in columns], dialect)),
        *(each.sql for each in statements.products(ref, columns, dialect)),
        statements.group_counts(ref, ['x"`', "y"], dialect, most=5),
    ]
    for sql in made_:
        tree = sqlglot.parse_one(sql, dialect=dialect)
        assert tree.sql(dialect=dialect) == sql
        [table] = [table for table in tree.find_all(sqlglot.exp.Table) if table.db]
        assert (table.db, table.name) == ("sch", 'ta"b`le')
        assert {"y"} <= {column.name for column in tree.find_all(sqlglot.exp.Column)}


def test_statements_stay_short_enough_for_every_source() -> None:
    names = [f"column {number}" for number in range(20)]
    made_ = statements.products(
        DatasetRef(None, "t"), [Shifted(name, 1.5, 2.5, complete=False) for name in names], "sqlite"
    )
    assert max(len(each.sql) for each in made_) < 100_000
    assert sum(len(each.names) for each in made_) == len({name for each in made_ for name in each.names})
    assert all(len(each.names) <= statements.MOST_EXPRESSIONS for each in made_)
