"""The datasets of sources with their columns, as they were found last.

A dataset keeps its id when it vanishes and comes back, and so do its columns what was said of them. What people say of
them is in catalog_labels.py, how they are found in catalog_search.py.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_tables import catalog_columns, catalog_datasets, catalog_sources
from storage.governance_tables import data_sources
from storage.upsert import insert

T = TypeVar("T")
Name = tuple[str, str]
"""Schema and name; the schema is empty where there is none."""

# Below the number of parameters that a statement may have, in both databases.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it was found. `default_value` is SQL; `sensitivity` is what people say."""

    name: str
    ordinal: int
    native_type: str
    logical_type: str
    nullable: bool
    default_value: str | None = None
    comment: str | None = None
    sensitivity: str | None = None
    missing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A row of catalog_datasets. `keys` and `lineage_problems` are what their JSON says."""

    id: int
    workspace_id: str
    source_id: int
    schema: str
    name: str
    kind: str
    estimated_rows: int | None
    bytes: int | None
    comment: str | None
    modified_at: datetime | None
    definition: str | None
    keys: dict[str, Any]
    lineage_problems: list[dict[str, str]]
    sensitivity: str | None
    error_code: str | None
    error_message: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    changed_at: datetime
    missing_since: datetime | None
    description_number: int

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class Found:
    """A dataset as a source has it now. One that could not be described has an error, and keeps what it had."""

    schema: str
    name: str
    kind: str
    estimated_rows: int | None = None
    bytes: int | None = None
    comment: str | None = None
    modified_at: datetime | None = None
    definition: str | None = None
    keys: Mapping[str, Any] = field(default_factory=dict)
    columns: Sequence[Column] = ()
    error_code: str | None = None
    error_message: str | None = None


@dataclass(slots=True)
class Stored:
    """What storing what was found did. `ids` are of all that is there; the others say what is different now."""

    ids: dict[Name, int] = field(default_factory=dict)
    added: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    vanished: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SourceState:
    """A row of catalog_sources."""

    source_id: int
    discovered_at: datetime | None
    lineage_digest: str | None


# Compared to tell what changed, in this order: what a schema is, and what only passes.
_SHAPE = ("kind", "definition", "keys", "comment")
_FIGURES = ("estimated_rows", "bytes", "modified_at", "error_code", "error_message")
_COLUMN = ("ordinal", "native_type", "logical_type", "nullable", "default_value", "comment")


async def lock(connection: AsyncConnection, source_id: int) -> SourceState:
    """Keeps other discoveries of the source from storing until the transaction ends; what the last one left."""
    await connection.execute(insert(connection, catalog_sources).values(source_id=source_id).on_conflict_do_nothing())
    query = select(catalog_sources).where(catalog_sources.c.source_id == source_id).with_for_update()
    return SourceState(*(await connection.execute(query)).one())


async def state_of(connection: AsyncConnection, source_id: int) -> SourceState | None:
    """None if the source was never discovered."""
    row = (await connection.execute(select(catalog_sources).where(catalog_sources.c.source_id == source_id))).first()
    return SourceState(*row) if row else None


async def note_discovery(
    connection: AsyncConnection, source_id: int, *, at: datetime, lineage_digest: str | None
) -> None:
    values = {"discovered_at": at, "lineage_digest": lineage_digest}
    await connection.execute(update(catalog_sources).where(catalog_sources.c.source_id == source_id).values(values))


async def store(
    connection: AsyncConnection, workspace_id: str, source_id: int, found: Sequence[Found], *, at: datetime
) -> Stored:
    """Makes the catalog hold what was found in the source, all of it. `lock` the source first."""
    known = {(row.schema, row.name): row for row in await list_of_source(connection, source_id)}
    stored = Stored()
    new = [each for each in found if (each.schema, each.name) not in known]
    await _insert(connection, catalog_datasets, [_new(each, workspace_id, source_id, at) for each in new])
    rows = {(row.schema, row.name): row for row in await list_of_source(connection, source_id)} if new else known
    columns = await columns_of(connection, [row.id for row in rows.values()], missing=None)
    stored.ids = {(each.schema, each.name): rows[each.schema, each.name].id for each in found}
    stored.added = [stored.ids[each.schema, each.name] for each in new]
    reshaped = await _store_columns(connection, found, stored.ids, columns, at)
    await _update_datasets(connection, found, known, reshaped, stored, at)
    present = set(stored.ids.values())
    stored.vanished = [row.id for row in known.values() if row.missing_since is None and row.id not in present]
    for some in _portions(stored.vanished):
        await connection.execute(
            update(catalog_datasets).where(catalog_datasets.c.id.in_(some)).values(missing_since=at, changed_at=at)
        )
    there = (catalog_datasets.c.source_id == source_id) & catalog_datasets.c.missing_since.is_(None)
    await connection.execute(update(catalog_datasets).where(there).values(last_seen_at=at))
    return stored


def _new(found: Found, workspace_id: str, source_id: int, at: datetime) -> dict[str, Any]:
    return {
        "workspace_id": workspace_id,
        "source_id": source_id,
        "schema": found.schema,
        "name": found.name,
        **_shape(found),
        **{name: getattr(found, name) for name in _FIGURES},
        "lineage_problems": "[]",
        "first_seen_at": at,
        "last_seen_at": at,
        "changed_at": at,
        "missing_since": None,
        "description_number": 0,
    }


def _shape(found: Found) -> dict[str, Any]:
    keys = json.dumps(found.keys, sort_keys=True)
    return {"kind": found.kind, "definition": found.definition, "keys": keys, "comment": found.comment}


async def _update_datasets(
    connection: AsyncConnection,
    found: Sequence[Found],
    known: Mapping[Name, Dataset],
    reshaped: set[int],
    stored: Stored,
    at: datetime,
) -> None:
    changes = []
    for each in found:
        row = known.get((each.schema, each.name))
        if row is None:
            continue
        before = {"kind": row.kind, "definition": row.definition, "keys": _dumped(row.keys), "comment": row.comment}
        after = _shape(each) if each.error_code is None else before
        if row.missing_since is not None:
            stored.returned.append(row.id)
        is_changed = before != after or row.id in reshaped
        if is_changed:
            stored.changed.append(row.id)
        figures = {name: getattr(each, name) for name in _FIGURES}
        same = figures == {name: getattr(row, name) for name in _FIGURES}
        if is_changed or row.missing_since is not None or not same:
            changed_at = at if is_changed or row.missing_since is not None else row.changed_at
            changes.append({"key": row.id, **after, **figures, "changed_at": changed_at, "missing_since": None})
    await _update(connection, catalog_datasets, ("id",), changes)


def _dumped(keys: Mapping[str, Any]) -> str:
    return json.dumps(keys, sort_keys=True)


async def _store_columns(
    connection: AsyncConnection,
    found: Sequence[Found],
    ids: Mapping[Name, int],
    known: Mapping[int, Sequence[Column]],
    at: datetime,
) -> set[int]:
    """The ids of datasets whose columns are others now."""
    added, changed = [], []
    reshaped: set[int] = set()
    for each in found:
        if each.error_code is not None:
            continue
        dataset_id = ids[each.schema, each.name]
        before = {column.name: column for column in known.get(dataset_id, ())}
        now = {column.name: column for column in each.columns}
        for name, column in now.items():
            values = {key: getattr(column, key) for key in _COLUMN}
            old = before.get(name)
            if old is None:
                added.append({"dataset_id": dataset_id, "name": name, **values, "missing_since": None})
            elif old.missing_since is not None or {key: getattr(old, key) for key in _COLUMN} != values:
                changed.append({"key": dataset_id, "key_name": name, **values, "missing_since": None})
            else:
                continue
            reshaped.add(dataset_id)
        for name, old in before.items():
            if name not in now and old.missing_since is None:
                kept = {key: getattr(old, key) for key in _COLUMN}
                changed.append({"key": dataset_id, "key_name": name, **kept, "missing_since": at})
                reshaped.add(dataset_id)
    await _insert(connection, catalog_columns, added)
    await _update(connection, catalog_columns, ("dataset_id", "name"), changed)
    return reshaped


async def _insert(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        await connection.execute(table.insert(), rows)


async def _update(
    connection: AsyncConnection, table: Table, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Each row's values by name; `key`, and `key_name` for a second one, say which row it is."""
    if not rows:
        return
    parameters = ("key", "key_name")[: len(keys)]
    names = [name for name in rows[0] if name not in parameters]
    conditions = [table.c[key] == bindparam(parameter) for key, parameter in zip(keys, parameters, strict=True)]
    # A column's own name may not be a parameter's.
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    renamed = [{(key if key in parameters else f"new_{key}"): value for key, value in row.items()} for row in rows]
    await connection.execute(update(table).where(*conditions).values(values), renamed)


# Reading


async def get(connection: AsyncConnection, dataset_id: int) -> Dataset | None:
    """The dataset, missing or not, unless its source is deleted."""
    query = (
        select(catalog_datasets)
        .join(data_sources, data_sources.c.id == catalog_datasets.c.source_id)
        .where(catalog_datasets.c.id == dataset_id, data_sources.c.deleted_at.is_(None))
    )
    row = (await connection.execute(query)).first()
    return dataset_of(row) if row else None


async def get_many(connection: AsyncConnection, dataset_ids: Iterable[int]) -> dict[int, Dataset]:
    """Those of the datasets that exist, those of deleted sources as well."""
    found = {}
    for some in _portions(dataset_ids):
        rows = await connection.execute(select(catalog_datasets).where(catalog_datasets.c.id.in_(some)))
        found.update({row.id: dataset_of(row) for row in rows})
    return found


async def find(connection: AsyncConnection, source_id: int, schema: str | None, name: str) -> Dataset | None:
    """The dataset of that name, missing or not."""
    condition = (catalog_datasets.c.source_id == source_id) & (catalog_datasets.c.schema == (schema or ""))
    query = select(catalog_datasets).where(condition, catalog_datasets.c.name == name)
    row = (await connection.execute(query)).first()
    return dataset_of(row) if row else None


async def list_of_source(connection: AsyncConnection, source_id: int) -> list[Dataset]:
    """All that the source has or had, by schema and name."""
    query = select(catalog_datasets).where(catalog_datasets.c.source_id == source_id)
    rows = await connection.execute(query.order_by(catalog_datasets.c.schema, catalog_datasets.c.name))
    return [dataset_of(row) for row in rows]


async def counts_of_source(connection: AsyncConnection, source_id: int) -> dict[tuple[str, bool], int]:
    """How many datasets the source has by kind, and whether they are missing."""
    is_missing = catalog_datasets.c.missing_since.is_not(None)
    query = select(catalog_datasets.c.kind, is_missing, func.count()).where(catalog_datasets.c.source_id == source_id)
    rows = await connection.execute(query.group_by(catalog_datasets.c.kind, is_missing))
    return {(row[0], bool(row[1])): row[2] for row in rows}


async def failed_of_source(connection: AsyncConnection, source_id: int, *, limit: int) -> list[Dataset]:
    """Those that are there and could not be described the last time."""
    there = (catalog_datasets.c.source_id == source_id) & catalog_datasets.c.missing_since.is_(None)
    query = select(catalog_datasets).where(there, catalog_datasets.c.error_code.is_not(None))
    return [dataset_of(row) for row in await connection.execute(query.order_by(catalog_datasets.c.id).limit(limit))]


async def columns_of(
    connection: AsyncConnection, dataset_ids: Iterable[int], *, missing: bool | None = False
) -> dict[int, list[Column]]:
    """The columns of datasets in their order; those that are gone with `missing=None` as well, or alone."""
    found: dict[int, list[Column]] = {}
    for some in _portions(dataset_ids):
        query = select(catalog_columns).where(catalog_columns.c.dataset_id.in_(some))
        if missing is not None:
            gone = catalog_columns.c.missing_since
            query = query.where(gone.is_not(None) if missing else gone.is_(None))
        for row in await connection.execute(query.order_by(catalog_columns.c.dataset_id, catalog_columns.c.ordinal)):
            found.setdefault(row.dataset_id, []).append(_column(row))
    return found


async def set_sensitivity(
    connection: AsyncConnection, dataset_id: int, level: str | None, *, column: str | None = None
) -> None:
    """How sensitive a dataset, or one column of it, is said to be; None takes it back."""
    table = catalog_datasets if column is None else catalog_columns
    condition = table.c.id == dataset_id if column is None else table.c.dataset_id == dataset_id
    statement = update(table).where(condition).values(sensitivity=level)
    await connection.execute(statement if column is None else statement.where(table.c.name == column))


async def note_lineage_problems(
    connection: AsyncConnection, source_id: int, problems: Mapping[int, Sequence[Mapping[str, str]]]
) -> None:
    """What could not be followed, by dataset; all others of the source have nothing."""
    condition = (catalog_datasets.c.source_id == source_id) & (catalog_datasets.c.lineage_problems != "[]")
    await connection.execute(update(catalog_datasets).where(condition).values(lineage_problems="[]"))
    rows = [{"key": key, "lineage_problems": json.dumps(list(each))} for key, each in problems.items() if each]
    await _update(connection, catalog_datasets, ("id",), rows)


def dataset_of(row: Any) -> Dataset:
    """A row of catalog_datasets, which may have more columns after its own."""
    values = {column.name: row._mapping[column] for column in catalog_datasets.c}
    values["keys"] = json.loads(values["keys"])
    values["lineage_problems"] = json.loads(values["lineage_problems"])
    return Dataset(**values)


def _column(row: Any) -> Column:
    return Column(
        row.name,
        row.ordinal,
        row.native_type,
        row.logical_type,
        row.nullable,
        row.default_value,
        row.comment,
        row.sensitivity,
        row.missing_since,
    )


def _portions(items: Iterable[T]) -> Iterator[Collection[T]]:
    whole = list(items)
    for start in range(0, len(whole), _AT_ONCE):
        yield whole[start : start + _AT_ONCE]
