"""The views that a PostgreSQL server itself has, as it writes them: a hundred and more that nobody wrote for a test."""

from __future__ import annotations

import asyncio
import pickle
from collections import Counter

import asyncpg  # type: ignore[import-untyped]

from analysis.lineage.names import Catalog, TableName
from analysis.lineage.statements import lineage_of

COLUMNS = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'v') AND NOT a.attisdropped AND (a.attnum > 0 OR a.attname IN ('ctid', 'xmin', 'tableoid'))
GROUP BY 1, 2
"""

Found = tuple[dict[TableName, list[str]], dict[TableName, str]]


async def read(url: str) -> Found:
    """The columns of all tables and views, and the text of the views."""
    connection = await asyncpg.connect(url)
    try:
        tables: dict[TableName, list[str]] = {(row[0], row[1]): list(row[2]) for row in await connection.fetch(COLUMNS)}
        rows = await connection.fetch("SELECT schemaname, viewname, definition FROM pg_views")
    finally:
        await connection.close()
    return tables, {(row[0], row[1]): row[2] for row in rows}


def test_each_is_followed_to_its_last_column_or_says_that_it_could_not_be_parsed(postgres_server: str) -> None:
    tables, views = asyncio.run(read(postgres_server.format(name="postgres")))
    catalog = Catalog(tables, search_path=[("pg_catalog",)], database="postgres")
    codes: Counter[str] = Counter()
    for name, text in views.items():
        [lineage] = lineage_of(text, catalog, target=name)
        codes.update(problem.code for problem in lineage.problems)
        if lineage.is_complete:
            assert list(lineage.columns) == tables[name], name
            assert {edge.target.table for edge in lineage.edges} <= {name}
            assert all(edge.source.column in tables[edge.source.table] for edge in lineage.edges), name
        # They are followed in other processes.
        assert pickle.loads(pickle.dumps(lineage)) == lineage
    assert len(views) > 100
    assert set(codes) <= {"not_parsed"}
    assert codes["not_parsed"] <= len(views) / 20
