"""The columns and rows of one table of a DuckDB, for files as for databases."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from connectors.connector import chosen_columns
from connectors.datasets import Column, ColumnBatch, Description, Sample, Watermark
from connectors.duckdb_engine import Engine
from connectors.duckdb_types import expression_of, meaning_of
from connectors.sql_text import quoted, quoted_ref


async def columns_of(engine: Engine, source: str) -> tuple[Column, ...]:
    """As DESCRIBE tells them; `source` is the quoted name of a table or view."""
    found = await engine.run(lambda connection: connection.execute(f"DESCRIBE {source}").fetchall())
    return tuple(
        Column(row[0], row[1], meaning_of(row[1]), row[2] != "NO", number) for number, row in enumerate(found, 1)
    )


async def count_of(engine: Engine, description: Description, after: Watermark | None) -> int:
    where, arguments = _where(description, after)
    sql = f"SELECT count(*) FROM {quoted_ref(description.dataset.ref)}{where}"  # noqa: S608 - quoted
    [(count,)] = await engine.run(lambda connection: connection.execute(sql, arguments).fetchall())
    return int(count)


async def highest_of(engine: Engine, description: Description, name: str) -> str | None:
    """The greatest value of a column, as text that compares as the column does once it is cast back."""
    [column] = chosen_columns(description, (name,))
    sql = f"SELECT max({quoted(column.name)})::VARCHAR FROM {quoted_ref(description.dataset.ref)}"  # noqa: S608 - quoted
    [(highest,)] = await engine.run(lambda connection: connection.execute(sql).fetchall())
    return None if highest is None else str(highest)


def rows_of(
    engine: Engine,
    description: Description,
    names: Sequence[str] | None,
    *,
    batch_rows: int,
    cap: int,
    after: Watermark | None,
    sample: Sample | None,
    text_limit: int | None,
) -> AsyncGenerator[ColumnBatch, None]:
    chosen = chosen_columns(description, names)
    where, arguments = _where(description, after)
    source = f"{quoted_ref(description.dataset.ref)}{where}"
    if sample is not None:
        picked = f"reservoir({sample.rows} ROWS) REPEATABLE ({sample.seed})"
        source = f"(SELECT * FROM {source}) USING SAMPLE {picked}"  # noqa: S608 - quoted
    expressions = ", ".join(f"{expression_of(column, text_limit)} AS c{column.ordinal}" for column in chosen)
    sql = f"SELECT {expressions} FROM {source} LIMIT {cap + 1}"  # noqa: S608 - quoted
    return engine.stream(sql, arguments, chosen, text_limit=text_limit, rows=batch_rows, cap=cap)


def _where(description: Description, after: Watermark | None) -> tuple[str, list[Any]]:
    if after is None:
        return "", []
    [column] = chosen_columns(description, (after.column,))
    return f" WHERE {quoted(column.name)} > CAST($1 AS {column.native_type})", [after.value]
