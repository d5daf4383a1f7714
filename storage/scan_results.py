"""What scans found, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.scan_tables import scan_datasets, scan_results
from storage.upsert import insert

_ROWS_AT_ONCE = 500


class Found(NamedTuple):
    """One thing that was found about a dataset, or a column of it; `body` is JSON."""

    kind: str
    column_name: str | None
    body: str


@dataclass(frozen=True, slots=True)
class Result:
    """A row of scan_results, with its dataset's name."""

    ordinal: int
    place: int
    kind: str
    column_name: str | None
    body: str
    schema_name: str | None
    name: str


async def put(connection: AsyncConnection, scan_id: int, ordinal: int, found: Sequence[Found]) -> None:
    """These are the results of the dataset, whatever was there before."""
    mine = (scan_results.c.scan_id == scan_id) & (scan_results.c.ordinal == ordinal)
    await connection.execute(delete(scan_results).where(mine))
    rows: list[dict[str, Any]] = [
        {"scan_id": scan_id, "ordinal": ordinal, "place": place, **one._asdict()} for place, one in enumerate(found)
    ]
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        await connection.execute(insert(connection, scan_results).values(rows[first : first + _ROWS_AT_ONCE]))


async def list_of(
    connection: AsyncConnection,
    scan_id: int,
    *,
    dataset: str | None = None,
    column: str | None = None,
    kind: str | None = None,
    after: tuple[int, int] | None = None,
    limit: int,
) -> list[Result]:
    """In the order of datasets and places; `after` is that of the last one seen. `dataset` is a full name."""
    columns = ("ordinal", "place", "kind", "column_name", "body")
    named = (scan_datasets.c.scan_id == scan_results.c.scan_id) & (scan_datasets.c.ordinal == scan_results.c.ordinal)
    place = (scan_results.c.ordinal, scan_results.c.place)
    query = (
        select(*(scan_results.c[name] for name in columns), scan_datasets.c.schema_name, scan_datasets.c.name)
        .join(scan_datasets, named)
        .where(scan_results.c.scan_id == scan_id)
        .order_by(*place)
        .limit(limit)
    )
    if dataset is not None:
        with_schema = scan_datasets.c.schema_name + "." + scan_datasets.c.name
        plain = scan_datasets.c.schema_name.is_(None) & (scan_datasets.c.name == dataset)
        query = query.where((with_schema == dataset) | plain)
    if column is not None:
        query = query.where(scan_results.c.column_name == column)
    if kind is not None:
        query = query.where(scan_results.c.kind == kind)
    if after is not None:
        query = query.where(tuple_(*place) > after)
    rows: Any = await connection.execute(query)
    return [Result(*row) for row in rows]
