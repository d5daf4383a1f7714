"""What the dashboards' questions have in common: which sources and datasets count, and what was found of them last."""

from typing import Any

from sqlalchemy import (
    CTE,
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    FromClause,
    Select,
    String,
    Subquery,
    Text,
    case,
    cast,
    exists,
    func,
    select,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_search import DOCUMENT_PREFIX
from storage.catalog_tables import catalog_datasets
from storage.governance_tables import data_sources
from storage.runs import SUCCEEDED
from storage.scan_tables import scan_datasets, scan_results, scans
from storage.tables import document_texts, documents

DAY = 86_400_000_000
CLASSIFICATION, QUALITY = "classification", "quality"
# What is about people; the others are about money and about secrets.
PERSONAL = ("PII", "PHI")
# The catalog's datasets once more, for questions within a question about them.
READ = catalog_datasets.alias("read_datasets")


def json_text(connection: AsyncConnection, column: ColumnElement[str], name: str) -> ColumnElement[str]:
    """A field of a JSON object that is stored as text."""
    is_sqlite = connection.dialect.name == "sqlite"
    document = type_coerce(column, JSON) if is_sqlite else cast(column, JSON)
    return cast(document[name].as_string(), Text)


def json_number(connection: AsyncConnection, column: ColumnElement[str], name: str) -> ColumnElement[int]:
    return cast(json_text(connection, column, name), BigInteger)


def json_true(connection: AsyncConnection, column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether the field is true: 1 in SQLite, `true` in PostgreSQL."""
    return json_text(connection, column, name).in_(("true", "1"))


def day_of(column: Column[object]) -> ColumnElement[int]:
    """The day of an instant, counted from 1970, in UTC."""
    return type_coerce(column, BigInteger) // DAY


def how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """Of how many rows it is true."""
    return cast(func.coalesce(func.sum(case((condition, 1), else_=0)), 0), BigInteger)


def looked_for(connection: AsyncConnection, part: str) -> ColumnElement[bool]:
    """Whether a scan looked for the part, whatever it found."""
    return json_text(connection, scans.c.options, "parts").contains(f'"{part}"', autoescape=True)


def live_sources(workspace_id: str) -> Select[tuple[int]]:
    """The ids of the workspace's sources."""
    condition = (data_sources.c.workspace_id == workspace_id) & data_sources.c.deleted_at.is_(None)
    return select(data_sources.c.id).where(condition)


def is_live(workspace_id: str) -> ColumnElement[bool]:
    """Whether a dataset of the catalog is there, in a source that is."""
    in_workspace = (catalog_datasets.c.workspace_id == workspace_id) & catalog_datasets.c.missing_since.is_(None)
    return in_workspace & catalog_datasets.c.source_id.in_(live_sources(workspace_id))


def full_name() -> ColumnElement[str]:
    """What people call a dataset of the catalog."""
    with_schema = catalog_datasets.c.schema + "." + catalog_datasets.c.name
    return case((catalog_datasets.c.schema == "", catalog_datasets.c.name), else_=with_schema)


def is_described() -> ColumnElement[bool]:
    """Whether there is something in the document that describes a dataset of the catalog."""
    name = DOCUMENT_PREFIX + cast(catalog_datasets.c.id, String)
    of_it = (documents.c.workspace_id == catalog_datasets.c.workspace_id) & (documents.c.name == name)
    joined = documents.join(document_texts, document_texts.c.document_id == documents.c.id)
    text = func.length(func.trim(document_texts.c.text)) > 0
    return exists(select(documents.c.id).select_from(joined).where(of_it, documents.c.trashed_at.is_(None), text))


def last_reads(connection: AsyncConnection, workspace_id: str, part: str | None = None) -> Subquery:
    """The newest time that each dataset was read in a scan, or was looked at for the part.

    A dataset of which the catalog says that it is gone does not count.
    """
    return _last_reads(connection, workspace_id, part).subquery()


def last_reads_once(connection: AsyncConnection, workspace_id: str, part: str | None = None) -> CTE:
    """`last_reads`, for statements that look at them more than once: databases find them once."""
    return _last_reads(connection, workspace_id, part).cte("reads")


def _last_reads(connection: AsyncConnection, workspace_id: str, part: str | None) -> Select[Any]:
    newest = func.row_number().over(
        partition_by=(scans.c.source_id, scan_datasets.c.schema_name, scan_datasets.c.name),
        order_by=scans.c.id.desc(),
    )
    columns = (scan_datasets.c.scan_id, scan_datasets.c.ordinal, scan_datasets.c.schema_name, scan_datasets.c.name)
    read_at = func.coalesce(scans.c.finished_at, scans.c.started_at, scans.c.created_at).label("read_at")
    # Which scans count is asked once, not for each of their datasets.
    counting = select(scans.c.id).where(scans.c.source_id.in_(live_sources(workspace_id)))
    if part is not None:
        counting = counting.where(looked_for(connection, part))
    ranked = (
        select(*columns, scans.c.source_id, read_at, newest.label("place"))
        .join(scans, scans.c.id == scan_datasets.c.scan_id)
        .where(scan_datasets.c.scan_id.in_(counting), scan_datasets.c.state == SUCCEEDED)
        .subquery()
    )
    is_gone = catalog_datasets.c.missing_since.is_not(None)
    gone = exists(select(catalog_datasets.c.id).where(same_dataset(ranked), is_gone))
    return select(ranked).where(ranked.c.place == 1, ~gone)


def same_dataset(reads: Subquery, datasets: FromClause = catalog_datasets) -> ColumnElement[bool]:
    """Whether a row of `last_reads` is of the catalog's dataset."""
    same = datasets.c.source_id == reads.c.source_id
    same &= datasets.c.schema == func.coalesce(reads.c.schema_name, "")
    return same & (datasets.c.name == reads.c.name)


def datasets_of(reads: Subquery) -> Select[Any]:
    """The ids of the catalog's datasets that were read: asked for once, found one by one through the index of names."""
    return select(READ.c.id).select_from(READ.join(reads, same_dataset(reads, READ)))


def of_catalog(reads: Subquery) -> Select[Any]:
    """The rows of `last_reads` with the id of the catalog's dataset."""
    joined = READ.join(reads, same_dataset(reads, READ))
    columns = READ.c.id.label("dataset_id"), reads.c.scan_id, reads.c.ordinal, reads.c.read_at
    return select(*columns).select_from(joined)


def found_in(reads: FromClause, kind: str) -> ColumnElement[bool]:
    """Whether a result of this kind is of a row of `last_reads`."""
    same = (scan_results.c.scan_id == reads.c.scan_id) & (scan_results.c.ordinal == reads.c.ordinal)
    return same & (scan_results.c.kind == kind)


def as_integer(value: ColumnElement[int]) -> ColumnElement[int]:
    """A sum as a number, which PostgreSQL makes a decimal."""
    return cast(func.coalesce(value, 0), BigInteger)
