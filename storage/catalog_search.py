"""Finding datasets: by the words of their names, columns, tags, terms and descriptions, and by what they are.

The index holds a dataset's words as of the last change of it; descriptions are documents, and `catch_up` takes in what
was written into them since.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, func, literal, or_, select, text, update
from sqlalchemy import column as sql_column
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import catalog, catalog_labels, words
from storage.catalog import Dataset
from storage.catalog_tables import (
    catalog_columns,
    catalog_dataset_terms,
    catalog_datasets,
    data_source_tags,
)
from storage.catalog_tables import catalog_labels as labels_table
from storage.governance_tables import data_sources
from storage.search import bounded, match_of, tsquery_of
from storage.tables import document_texts, documents

DOCUMENT_PREFIX = "catalog-"
# What is after this is not found, so that one dataset does not fill the index.
_MOST_TEXT = 50_000
_AT_ONCE = 100

Sort = Literal["relevance", "name", "rows", "changed"]
_BETWEEN_CASES = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_FOUND_SQLITE = text("""
    SELECT rowid AS id, -bm25(catalog_words, 8.0, 3.0, 1.0) AS rank FROM catalog_words WHERE catalog_words MATCH :query
""")
_FOUND_POSTGRESQL = text("""
    SELECT w.dataset_id AS id, CAST(ts_rank(w.words, CAST(:query AS tsquery)) AS double precision) AS rank
    FROM catalog_words AS w WHERE w.words @@ CAST(:query AS tsquery)
""")
_INDEX_SQLITE = text(
    "INSERT OR REPLACE INTO catalog_words (rowid, name, details, text) VALUES (:id, :name, :details, :text)"
)
_INDEX_POSTGRESQL = text("""
    INSERT INTO catalog_words (dataset_id, words) VALUES (:id, CAST(:words AS tsvector))
    ON CONFLICT (dataset_id) DO UPDATE SET words = excluded.words
""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; None and empty ask for nothing. `missing` is None for both."""

    q: str = ""
    source_id: int | None = None
    kind: str | None = None
    tag: str | None = None
    owner: str | None = None
    term_id: int | None = None
    sensitivity: str | None = None
    missing: bool | None = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A dataset that was found, the name of its source, and where it is in the list."""

    dataset: Dataset
    source_name: str
    key: float | int | str


@dataclass(frozen=True, slots=True)
class DescriptionText:
    """The text of a dataset's document as of the update of this number."""

    text: str
    number: int
    updated_at: datetime


def document_name(dataset_id: int) -> str:
    """The name, in the workspace, of the document that describes the dataset."""
    return f"{DOCUMENT_PREFIX}{dataset_id}"


def _named_document() -> ColumnElement[bool]:
    name = literal(DOCUMENT_PREFIX) + cast(catalog_datasets.c.id, String)
    is_there = documents.c.trashed_at.is_(None)
    return and_(documents.c.workspace_id == catalog_datasets.c.workspace_id, documents.c.name == name, is_there)


async def descriptions(connection: AsyncConnection, dataset_ids: Collection[int]) -> dict[int, DescriptionText]:
    """The texts of the documents that describe these datasets, where there are such."""
    query = (
        select(catalog_datasets.c.id, document_texts.c.text, document_texts.c.number, documents.c.updated_at)
        .join(documents, _named_document())
        .join(document_texts, document_texts.c.document_id == documents.c.id)
        .where(catalog_datasets.c.id.in_(list(dataset_ids)))
    )
    return {row[0]: DescriptionText(row[1], row[2], row[3]) for row in await connection.execute(query)}


async def behind(connection: AsyncConnection, workspace_id: str, *, limit: int) -> list[int]:
    """The ids of datasets whose descriptions were changed, made or deleted since they were indexed."""
    current = func.coalesce(document_texts.c.number, 0)
    query = (
        select(catalog_datasets.c.id)
        .outerjoin(documents, _named_document())
        .outerjoin(document_texts, document_texts.c.document_id == documents.c.id)
        .where(catalog_datasets.c.workspace_id == workspace_id, current != catalog_datasets.c.description_number)
        .order_by(catalog_datasets.c.id)
        .limit(limit)
    )
    return list(await connection.scalars(query))


async def reindex(connection: AsyncConnection, dataset_ids: Sequence[int]) -> None:
    """Makes the datasets be found by what is known of them now."""
    for start in range(0, len(dataset_ids), _AT_ONCE):
        await _reindex(connection, dataset_ids[start : start + _AT_ONCE])


async def _reindex(connection: AsyncConnection, dataset_ids: Sequence[int]) -> None:
    rows = await catalog.get_many(connection, dataset_ids)
    columns = await catalog.columns_of(connection, dataset_ids)
    labels = await catalog_labels.of_datasets(connection, dataset_ids)
    texts = await descriptions(connection, dataset_ids)
    for dataset_id, row in rows.items():
        details = [row.schema, row.comment or ""]
        for column in columns.get(dataset_id, ()):
            details += [_split(column.name), column.comment or ""]
        for said in labels.get(dataset_id, {}).values():
            details += [*said.tags, *(name for _, name in said.terms)]
        written = texts.get(dataset_id)
        await _index(connection, dataset_id, _split(row.name), " ".join(details), written.text if written else "")
        number = written.number if written else 0
        if number != row.description_number:
            condition = catalog_datasets.c.id == dataset_id
            await connection.execute(update(catalog_datasets).where(condition).values(description_number=number))


def _split(name: str) -> str:
    """The name, and what it says in `camelCase`: whoever looks for a part of it finds it."""
    parts = _BETWEEN_CASES.sub(" ", name)
    return name if parts == name else f"{name} {parts}"


async def _index(connection: AsyncConnection, dataset_id: int, name: str, details: str, body: str) -> None:
    cut = [list(bounded(words.cut(words.normalize(part)))) for part in (name, details, body[:_MOST_TEXT])]
    if connection.dialect.name == "sqlite":
        name, details, body = (" ".join(part) for part in cut)
        await connection.execute(_INDEX_SQLITE, {"id": dataset_id, "name": name, "details": details, "text": body})
    else:
        await connection.execute(_INDEX_POSTGRESQL, {"id": dataset_id, "words": _vector(cut)})


def _vector(parts: Iterable[list[str]]) -> str:
    """The text form of a tsvector; a gap between the parts keeps phrases from reaching over."""
    places: dict[str, list[str]] = {}
    place = 0
    for weight, part in zip("ABD", parts, strict=True):
        for word in part:
            place += 1
            # PostgreSQL keeps so many, and counts no further than this.
            if len(kept := places.setdefault(word, [])) < 256 and place < 16_383:
                kept.append(f"{place}{weight}")
        place += 1
    return " ".join(f"'{word}':{','.join(where)}" if where else f"'{word}'" for word, where in places.items())


async def find(
    connection: AsyncConnection,
    workspace_id: str,
    wanted: Wanted,
    *,
    sort: Sort,
    after: tuple[float | int | str, int] | None = None,
    limit: int,
) -> list[Hit]:
    """The workspace's datasets that are all that is asked for; none for a text without words.

    `relevance`, for which there has to be a text, and `rows` and `changed` list the greatest first. `after` is the key
    and the id of the last one seen.
    """
    query = (
        select(catalog_datasets, data_sources.c.name.label("source_name"))
        .join(data_sources, data_sources.c.id == catalog_datasets.c.source_id)
        .where(catalog_datasets.c.workspace_id == workspace_id, data_sources.c.deleted_at.is_(None))
    )
    rank: ColumnElement[Any] = literal(0.0)
    if wanted.q:
        parsed = words.parse_query(wanted.q)
        if parsed is None:
            return []
        is_sqlite = connection.dialect.name == "sqlite"
        statement = (_FOUND_SQLITE if is_sqlite else _FOUND_POSTGRESQL).bindparams(
            query=match_of(parsed) if is_sqlite else tsquery_of(parsed)
        )
        found = statement.columns(sql_column("id"), sql_column("rank")).cte("found")
        query = query.join(found, found.c.id == catalog_datasets.c.id)
        rank = found.c.rank
    query = query.where(*_conditions(wanted))
    key, is_descending = _key_of(sort, rank)
    query = _paged(query.add_columns(key.label("sort_key")), key, after, is_descending=is_descending)
    rows = await connection.execute(query.limit(limit))
    return [Hit(catalog.dataset_of(row), row.source_name, row.sort_key) for row in rows]


def _key_of(sort: Sort, rank: ColumnElement[Any]) -> tuple[ColumnElement[Any], bool]:
    match sort:
        case "relevance":
            return rank, True
        case "name":
            return catalog_datasets.c.name, False
        case "rows":
            return func.coalesce(catalog_datasets.c.estimated_rows, -1), True
        case "changed":
            # As the number that is stored, so that a cursor loses nothing of it.
            return cast(catalog_datasets.c.changed_at, catalog_datasets.c.bytes.type), True


def _paged(
    query: Select[Any], key: ColumnElement[Any], after: tuple[Any, int] | None, *, is_descending: bool
) -> Select[Any]:
    number = catalog_datasets.c.id
    if after is not None:
        beyond = key < after[0] if is_descending else key > after[0]
        query = query.where(or_(beyond, and_(key == after[0], number > after[1])))
    return query.order_by(key.desc() if is_descending else key, number)


def _conditions(wanted: Wanted) -> Iterable[ColumnElement[bool]]:
    if wanted.source_id is not None:
        yield catalog_datasets.c.source_id == wanted.source_id
    if wanted.kind is not None:
        yield catalog_datasets.c.kind == wanted.kind
    if wanted.missing is not None:
        gone = catalog_datasets.c.missing_since
        yield gone.is_not(None) if wanted.missing else gone.is_(None)
    if wanted.tag is not None:
        of_source = (data_source_tags.c.source_id == catalog_datasets.c.source_id) & (
            data_source_tags.c.tag == wanted.tag
        )
        yield or_(_labelled(catalog_labels.TAG, wanted.tag), exists().where(of_source))
    if wanted.owner is not None:
        yield _labelled(catalog_labels.OWNER, wanted.owner)
    if wanted.term_id is not None:
        terms = catalog_dataset_terms
        yield exists().where(terms.c.dataset_id == catalog_datasets.c.id, terms.c.term_id == wanted.term_id)
    if wanted.sensitivity is not None:
        of_column = exists().where(
            catalog_columns.c.dataset_id == catalog_datasets.c.id,
            catalog_columns.c.sensitivity == wanted.sensitivity,
            catalog_columns.c.missing_since.is_(None),
        )
        yield or_(catalog_datasets.c.sensitivity == wanted.sensitivity, of_column)


def _labelled(kind: str, value: str) -> ColumnElement[bool]:
    return exists().where(
        labels_table.c.dataset_id == catalog_datasets.c.id, labels_table.c.kind == kind, labels_table.c.value == value
    )
