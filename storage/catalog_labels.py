"""What people say of datasets and columns besides descriptions: owners, tags and terms of the glossary."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_tables import catalog_dataset_terms, catalog_labels, catalog_terms, data_source_tags
from storage.errors import AlreadyExists
from storage.governance_tables import data_sources
from storage.upsert import insert

OWNER, TAG = "owner", "tag"
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Term:
    """A row of catalog_terms."""

    id: int
    workspace_id: str
    name: str
    definition: str
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime


@dataclass(slots=True)
class Labels:
    """Of a dataset or a column, each sorted; terms as (id, name)."""

    owners: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    terms: list[tuple[int, str]] = field(default_factory=list)


NOTHING = Labels()


async def of_datasets(connection: AsyncConnection, dataset_ids: Iterable[int]) -> dict[int, dict[str, Labels]]:
    """By dataset and column; under the empty name what is said of the dataset itself."""
    found: dict[int, dict[str, Labels]] = {}

    def labels(dataset_id: int, column: str) -> Labels:
        return found.setdefault(dataset_id, {}).setdefault(column, Labels())

    ids = list(dataset_ids)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        query = select(catalog_labels).where(catalog_labels.c.dataset_id.in_(some)).order_by(catalog_labels.c.value)
        for row in await connection.execute(query):
            of = labels(row.dataset_id, row.column_name)
            (of.owners if row.kind == OWNER else of.tags).append(row.value)
        joined = catalog_dataset_terms.join(catalog_terms, catalog_terms.c.id == catalog_dataset_terms.c.term_id)
        named = (
            select(catalog_dataset_terms, catalog_terms.c.name)
            .select_from(joined)
            .where(catalog_dataset_terms.c.dataset_id.in_(some))
            .order_by(catalog_terms.c.name)
        )
        for row in await connection.execute(named):
            labels(row.dataset_id, row.column_name).terms.append((row.term_id, row.name))
    return found


async def set_labels(
    connection: AsyncConnection, dataset_id: int, kind: str, values: Collection[str], *, column: str = ""
) -> None:
    """Makes these the owners or tags, instead of those that there were."""
    condition = (catalog_labels.c.dataset_id == dataset_id) & (catalog_labels.c.column_name == column)
    await connection.execute(delete(catalog_labels).where(condition, catalog_labels.c.kind == kind))
    rows = [
        {"dataset_id": dataset_id, "column_name": column, "kind": kind, "value": value} for value in sorted(set(values))
    ]
    if rows:
        await connection.execute(catalog_labels.insert(), rows)


async def set_terms(
    connection: AsyncConnection, dataset_id: int, term_ids: Collection[int], *, column: str = ""
) -> None:
    """Makes these the terms. Raises BrokenReference for one that there is not."""
    terms = catalog_dataset_terms
    condition = (terms.c.dataset_id == dataset_id) & (terms.c.column_name == column)
    await connection.execute(delete(terms).where(condition))
    rows = [{"dataset_id": dataset_id, "column_name": column, "term_id": term_id} for term_id in sorted(set(term_ids))]
    if rows:
        await connection.execute(terms.insert(), rows)


async def source_tags(connection: AsyncConnection, source_id: int) -> list[str]:
    query = select(data_source_tags.c.tag).where(data_source_tags.c.source_id == source_id)
    return list(await connection.scalars(query.order_by(data_source_tags.c.tag)))


async def sources_with_tag(connection: AsyncConnection, workspace_id: str, tag: str, *, limit: int) -> list[int]:
    """The workspace's sources that have the tag and are not deleted, the oldest first."""
    joined = data_source_tags.join(data_sources, data_sources.c.id == data_source_tags.c.source_id)
    query = (
        select(data_sources.c.id)
        .select_from(joined)
        .where(
            data_source_tags.c.tag == tag,
            data_sources.c.workspace_id == workspace_id,
            data_sources.c.deleted_at.is_(None),
        )
    )
    return list(await connection.scalars(query.order_by(data_sources.c.id).limit(limit)))


async def set_source_tags(connection: AsyncConnection, source_id: int, tags: Collection[str]) -> None:
    """Makes these the tags of the source."""
    await connection.execute(delete(data_source_tags).where(data_source_tags.c.source_id == source_id))
    if tags:
        rows = [{"source_id": source_id, "tag": tag} for tag in sorted(set(tags))]
        await connection.execute(data_source_tags.insert(), rows)


# The glossary


async def create_term(
    connection: AsyncConnection, workspace_id: str, name: str, definition: str, *, by: str, at: datetime
) -> Term:
    """Raises AlreadyExists if the workspace has a term of the name."""
    values = {
        "workspace_id": workspace_id,
        "name": name,
        "definition": definition,
        "created_by": by,
        "created_at": at,
        "updated_by": by,
        "updated_at": at,
    }
    statement = insert(connection, catalog_terms).values(values).on_conflict_do_nothing()
    row = (await connection.execute(statement.returning(*catalog_terms.c))).first()
    if row is None:
        raise AlreadyExists(f"the workspace {workspace_id!r} has a term {name!r}")
    return Term(*row)


async def get_term(connection: AsyncConnection, term_id: int) -> Term | None:
    row = (await connection.execute(select(catalog_terms).where(catalog_terms.c.id == term_id))).first()
    return Term(*row) if row else None


async def get_terms(connection: AsyncConnection, workspace_id: str, term_ids: Collection[int]) -> dict[int, Term]:
    """Those of the terms that the workspace has."""
    condition = catalog_terms.c.id.in_(list(term_ids)) & (catalog_terms.c.workspace_id == workspace_id)
    return {row.id: Term(*row) for row in await connection.execute(select(catalog_terms).where(condition))}


async def list_terms(
    connection: AsyncConnection, workspace_id: str, *, after: tuple[str, int] | None = None, limit: int
) -> list[Term]:
    """By name; `after` is the name and the id of the last one seen."""
    query = select(catalog_terms).where(catalog_terms.c.workspace_id == workspace_id)
    if after is not None:
        query = query.where(catalog_terms.c.name > after[0])
    rows = await connection.execute(query.order_by(catalog_terms.c.name).limit(limit))
    return [Term(*row) for row in rows]


async def change_term(
    connection: AsyncConnection, term_id: int, *, name: str | None, definition: str | None, by: str, at: datetime
) -> Term | None:
    """Sets what is not None; None if there is no such term. Raises AlreadyExists for a taken name."""
    values = {"name": name, "definition": definition}
    statement = (
        update(catalog_terms)
        .where(catalog_terms.c.id == term_id)
        .values(updated_by=by, updated_at=at, **{key: value for key, value in values.items() if value is not None})
        .returning(*catalog_terms.c)
    )
    try:
        # A conflict ends PostgreSQL's transaction, but not if it is in one of its own.
        async with connection.begin_nested():
            row = (await connection.execute(statement)).first()
    except IntegrityError as error:
        raise AlreadyExists(f"there is a term {name!r} in this workspace") from error
    return Term(*row) if row else None


async def delete_term(connection: AsyncConnection, term_id: int) -> bool:
    """Takes it from everything that has it, too. Whether there was one."""
    return (await connection.execute(delete(catalog_terms).where(catalog_terms.c.id == term_id))).rowcount > 0


async def datasets_with_term(connection: AsyncConnection, term_id: int) -> Sequence[int]:
    """The ids of the datasets that have it, or a column of which does."""
    query = select(catalog_dataset_terms.c.dataset_id).where(catalog_dataset_terms.c.term_id == term_id).distinct()
    return list(await connection.scalars(query.order_by(catalog_dataset_terms.c.dataset_id)))


async def term_uses(connection: AsyncConnection, term_ids: Collection[int]) -> dict[int, int]:
    """How many datasets have each of the terms, or a column of which does."""
    count = func.count(catalog_dataset_terms.c.dataset_id.distinct())
    query = select(catalog_dataset_terms.c.term_id, count).where(catalog_dataset_terms.c.term_id.in_(list(term_ids)))
    rows = await connection.execute(query.group_by(catalog_dataset_terms.c.term_id))
    return {row[0]: row[1] for row in rows}
