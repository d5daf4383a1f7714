"""How much of the catalog people have said something of."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_labels import OWNER, TAG
from storage.catalog_tables import catalog_columns, catalog_dataset_terms, catalog_datasets, catalog_labels
from storage.dashboard_facts import CLASSIFICATION, datasets_of, how_many, is_described, is_live, last_reads


@dataclass(frozen=True, slots=True)
class DatasetCoverage:
    """Of `total` datasets. A comment is what the source itself says; `scanned` were looked at for sensitive data."""

    total: int
    described: int
    commented: int
    described_or_commented: int
    owned: int
    tagged: int
    with_terms: int
    labelled: int
    scanned: int


@dataclass(frozen=True, slots=True)
class ColumnCoverage:
    """Of `total` columns."""

    total: int
    commented: int
    tagged: int
    with_terms: int
    labelled: int


def has_label(kind: str) -> ColumnElement[bool]:
    """Whether the dataset itself has an owner or a tag."""
    of_it = (catalog_labels.c.dataset_id == catalog_datasets.c.id) & (catalog_labels.c.column_name == "")
    return exists(select(catalog_labels.c.value).where(of_it, catalog_labels.c.kind == kind))


async def dataset_coverage(connection: AsyncConnection, workspace_id: str) -> DatasetCoverage:
    reads = last_reads(connection, workspace_id, CLASSIFICATION)
    terms, commented = catalog_dataset_terms, func.length(catalog_datasets.c.comment) > 0
    of_it = (terms.c.dataset_id == catalog_datasets.c.id) & (terms.c.column_name == "")
    facts = {
        "described": is_described(),
        "commented": func.coalesce(commented, False),
        "owned": has_label(OWNER),
        "tagged": has_label(TAG),
        "with_terms": exists(select(terms.c.term_id).where(of_it)),
        "labelled": catalog_datasets.c.sensitivity.is_not(None),
        "scanned": catalog_datasets.c.id.in_(datasets_of(reads)),
    }
    each = (
        select(catalog_datasets.c.id, *(fact.label(name) for name, fact in facts.items()))
        .where(is_live(workspace_id))
        .subquery()
    )
    counts = {name: how_many(each.c[name].is_(True)) for name in facts}
    counts["described_or_commented"] = how_many(or_(each.c.described.is_(True), each.c.commented.is_(True)))
    query = select(func.count().label("total"), *(count.label(name) for name, count in counts.items()))
    row = (await connection.execute(query.select_from(each))).one()
    return DatasetCoverage(**row._mapping)


async def column_coverage(connection: AsyncConnection, workspace_id: str) -> ColumnCoverage:
    columns, labels, terms = catalog_columns, catalog_labels, catalog_dataset_terms
    of_label = (labels.c.dataset_id == columns.c.dataset_id) & (labels.c.column_name == columns.c.name)
    of_term = (terms.c.dataset_id == columns.c.dataset_id) & (terms.c.column_name == columns.c.name)
    each = (
        select(
            columns.c.name,
            func.coalesce(func.length(columns.c.comment) > 0, False).label("commented"),
            exists(select(labels.c.value).where(of_label, labels.c.kind == TAG)).label("tagged"),
            exists(select(terms.c.term_id).where(of_term)).label("with_terms"),
            columns.c.sensitivity.is_not(None).label("labelled"),
        )
        .join_from(columns, catalog_datasets, catalog_datasets.c.id == columns.c.dataset_id)
        .where(is_live(workspace_id), columns.c.missing_since.is_(None))
        .subquery()
    )
    names = ("commented", "tagged", "with_terms", "labelled")
    query = select(func.count().label("total"), *(how_many(each.c[name].is_(True)).label(name) for name in names))
    row = (await connection.execute(query.select_from(each))).one()
    return ColumnCoverage(**row._mapping)
