"""Discovery: what a source holds is looked up and stored in the catalog, with its history and its lineage.

What is wrong with one dataset stays with that dataset. Everything is stored in one transaction, or nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.lineage.edges import ForeignKey as LineageKey
from analysis.lineage.names import TableName
from connectors.connector import Undescribed
from connectors.datasets import Dataset, Description
from handlers import schema_snapshots, view_lineage
from handlers.feed_names import activity_of
from handlers.lineage_nodes import KnownTables, Nodes
from handlers.outbox import Outbox
from handlers.parts import Parts
from handlers.registry import Instant
from handlers.source_naming import sql_names, table_name
from storage import catalog, catalog_search, lineage_edges, schema_versions
from storage.catalog import Found, Stored
from storage.data_sources import DataSource

VIEW, FOREIGN_KEY = "view", "foreign_key"
# What an answer and an event show; all of them are in the version history.
MOST_SHOWN = 100
_MOST_TOLD = 20
_LONGEST_SENTENCE = 300
# What both databases take into an index.
_LONGEST_NAME_BYTES = 2000
_NO_CHANGES = "The first version."


class FailedDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that could not be described, and why."""

    schema: str | None
    name: str
    code: str
    message: str


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """What a discovery came to.

    `datasets` counts what the source has; the next four, how many of them are different from before. `version` is the
    number of the schema version that was stored, null if nothing changed. `sentences` are up to 100 of its changes.
    """

    source_id: int
    discovered_at: Instant
    datasets: int
    added: int
    changed: int
    returned: int
    vanished: int
    version: int | None
    change_count: int
    breaking_count: int
    sentences: list[str]
    edges: int
    failed_count: int
    failed: list[FailedDataset]


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was found in a source, in the forms in which it is needed."""

    found: list[Found]
    descriptions: list[Description]
    failed: list[FailedDataset]


@dataclass(frozen=True, slots=True)
class _Version:
    """What the schema is now: `content` is None where it is as in the version of the digest `since`."""

    since: str | None
    content: bytes | None
    changes: list[dict[str, Any]]
    summary: str
    datasets: int


@dataclass(frozen=True, slots=True)
class _Lineage:
    digest: str
    views: list[view_lineage.Followed]
    keys: list[view_lineage.Dependency]


async def discover(
    parts: Parts,
    source: DataSource,
    *,
    by: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Discovery:
    """Looks up what the source holds, and stores it. `by` is who is named in the workspace's activity.

    Raises ConnectorError and storage.sealing.WrongKey for what is wrong with the source as a whole: then nothing is
    stored. The caller has asked whether it may.
    """
    async with parts.sources.use(source.id) as connector:
        described = await connector.describe_all()
    looked = await asyncio.to_thread(_looked, described)
    while True:
        version, lineage = await _computed(parts, source, looked)
        async with parts.feeds.writing() as (connection, outbox):
            state = await catalog.lock(connection, source.id)
            latest = await schema_versions.last(connection, source.id)
            if (latest.digest if latest else None) != version.since:
                continue  # another discovery was quicker
            at = now()
            stored = await catalog.store(connection, source.workspace_id, source.id, looked.found, at=at)
            number = await _store_version(connection, outbox, source, version, by, at)
            edges = 0
            if lineage is not None:
                edges = await _store_lineage(connection, source, lineage, stored.ids, at)
            digest = lineage.digest if lineage is not None else state.lineage_digest
            await catalog.note_discovery(connection, source.id, at=at, lineage_digest=digest)
            await catalog_search.reindex(connection, [*stored.added, *stored.changed, *stored.returned])
        parts.changes.tell("catalog", source.workspace_id)
        return _told(source, at, looked, stored, version, number, edges)


def _told(
    source: DataSource,
    at: datetime,
    looked: _Looked,
    stored: Stored,
    version: _Version,
    number: int | None,
    edges: int,
) -> Discovery:
    return Discovery(
        source_id=source.id,
        discovered_at=at,
        datasets=len(looked.found),
        added=len(stored.added),
        changed=len(stored.changed),
        returned=len(stored.returned),
        vanished=len(stored.vanished),
        version=number,
        change_count=len(version.changes),
        breaking_count=sum(bool(change["breaks"]) for change in version.changes),
        sentences=[change["sentence"][:_LONGEST_SENTENCE] for change in version.changes[:MOST_SHOWN]],
        edges=edges,
        failed_count=len(looked.failed),
        failed=looked.failed[:MOST_SHOWN],
    )


# What was found


def _looked(described: Sequence[Description | Undescribed]) -> _Looked:
    looked = _Looked([], [], [])
    for each in described:
        if isinstance(each, Undescribed):
            _add_failed(looked, each.dataset, each.error.code, str(each.error), each.definition)
        elif (wrong := _unusable([each.dataset.ref.schema or "", *(column.name for column in each.columns)])) is None:
            looked.descriptions.append(each)
            looked.found.append(_found(each))
        else:
            _add_failed(looked, each.dataset, "bad_name", f"a column's {wrong}", None)
    return looked


def _add_failed(looked: _Looked, dataset: Dataset, code: str, message: str, definition: str | None) -> None:
    ref = dataset.ref
    wrong = _unusable([f"{ref.schema or ''}.{ref.name}"])
    message = _clean(" ".join(message.split())) or code
    failed = FailedDataset(schema=_clean(ref.schema), name=_clean(ref.name) or "", code=code, message=message)
    looked.failed.append(failed)
    if wrong is None:
        looked.found.append(_bare(dataset, definition=definition, error_code=code, error_message=message))


def _unusable(names: Iterable[str]) -> str | None:
    """What is wrong with names that no database of ours can keep."""
    for name in names:
        try:
            size = len(name.encode())
        except UnicodeEncodeError:
            return "name is not Unicode"
        if size > _LONGEST_NAME_BYTES:
            return f"name has {size} bytes; at most {_LONGEST_NAME_BYTES} are kept"
        if "\0" in name:
            return "name holds a NUL character"
    return None


def _clean(text: str | None) -> str | None:
    """Without what databases refuse in texts."""
    return None if text is None else text.replace("\0", "�").encode(errors="replace").decode()


def _bare(dataset: Dataset, **more: Any) -> Found:
    return Found(
        schema=dataset.ref.schema or "",
        name=dataset.ref.name,
        kind=dataset.kind.value,
        estimated_rows=dataset.estimated_rows,
        bytes=dataset.bytes,
        comment=_clean(dataset.comment),
        modified_at=dataset.modified_at,
        **more,
    )


def _found(description: Description) -> Found:
    columns = [
        catalog.Column(
            name=column.name,
            ordinal=column.ordinal,
            native_type=_clean(column.native_type) or "",
            logical_type=column.logical_type.value,
            nullable=column.nullable,
            default_value=_clean(column.default),
            comment=_clean(column.comment),
        )
        for column in description.columns
    ]
    keys = {
        "primary_key": list(description.primary_key),
        "unique_keys": [list(key.columns) for key in description.unique_keys],
        "foreign_keys": [
            {
                "name": key.name,
                "columns": list(key.columns),
                "target_schema": key.target.schema,
                "target": key.target.name,
                "target_columns": list(key.target_columns),
            }
            for key in description.foreign_keys
        ],
        "indexes": [
            {"name": index.name, "columns": list(index.columns), "unique": index.unique}
            for index in description.indexes
        ],
    }
    return _bare(description.dataset, definition=_clean(description.definition), keys=keys, columns=columns)


# The version and the lineage


async def _computed(parts: Parts, source: DataSource, looked: _Looked) -> tuple[_Version, _Lineage | None]:
    """Outside of any transaction, as it may take seconds. No lineage means that it is as it was."""
    before = None
    async with parts.database.read() as connection:
        state = await catalog.state_of(connection, source.id)
        latest = await schema_versions.last(connection, source.id)
        if latest is not None:
            before = await schema_versions.content_of(connection, latest.digest)
    old = await asyncio.to_thread(schema_versions.unpacked, before) if before is not None else None
    content, count = await asyncio.to_thread(_content, looked, old)
    since = latest.digest if latest else None
    version = await _version(parts, since, old, content, count)
    views = _views(looked)
    digest = hashlib.sha256(msgspec.json.encode([content.decode(), views])).hexdigest()
    if state is not None and state.lineage_digest == digest:
        return version, None
    tables = {_name(each): [column.name for column in each.columns] for each in looked.descriptions}
    names = sql_names(source, (each.dataset.ref.schema or "" for each in looked.descriptions))
    followed = await view_lineage.follow_views(parts.workers, names, tables, views)
    return version, _Lineage(digest, followed, view_lineage.key_dependencies(_keys(looked.descriptions)))


def _content(looked: _Looked, old: bytes | None) -> tuple[bytes, int]:
    """The snapshot. What could not be described is in it as it was before: nobody knows that it changed."""
    datasets = [schema_snapshots.dataset_of(each) for each in looked.descriptions]
    if old is not None and looked.failed:
        failed = {f"{each.schema}.{each.name}" if each.schema else each.name for each in looked.failed}
        datasets += [each for each in schema_snapshots.decode(old).datasets if each.name in failed]
    return schema_snapshots.encode(datasets), len(datasets)


async def _version(parts: Parts, since: str | None, old: bytes | None, content: bytes, count: int) -> _Version:
    if old is None:
        return _Version(since, content, [], _NO_CHANGES, count)
    if schema_versions.digest_of(content) == since:
        return _Version(since, None, [], "", count)
    changes, summary = await parts.workers.run(schema_snapshots.compared, old, content)
    return _Version(since, content, changes, summary, count)


def _views(looked: _Looked) -> list[tuple[TableName, str]]:
    return [(table_name(each.schema, each.name), each.definition) for each in looked.found if each.definition]


def _name(description: Description) -> TableName:
    return table_name(description.dataset.ref.schema, description.dataset.ref.name)


def _keys(descriptions: Iterable[Description]) -> Iterable[LineageKey]:
    for each in descriptions:
        for key in each.foreign_keys:
            target = table_name(key.target.schema, key.target.name)
            yield LineageKey(_name(each), key.columns, target, key.target_columns)


# Storing


async def _store_version(
    connection: AsyncConnection, outbox: Outbox, source: DataSource, version: _Version, by: str | None, at: datetime
) -> int | None:
    if version.content is None:
        return None
    row = await schema_versions.add(
        connection,
        source.id,
        version.content,
        datasets=version.datasets,
        changes=version.changes,
        summary=version.summary,
        at=at,
    )
    if version.changes:
        outbox.add(activity_of(source.workspace_id), "catalog.schema_changed", _event(source, row, version), actor=by)
    return row.number


def _event(source: DataSource, row: schema_versions.Version, version: _Version) -> Mapping[str, Any]:
    # What breaks something comes first: the event holds only some of them.
    ordered = sorted(version.changes, key=lambda change: not change["breaks"])
    return {
        "source_id": source.id,
        "source": source.name,
        "version": row.number,
        "summary": version.summary,
        "change_count": row.change_count,
        "breaking_count": row.breaking_count,
        "sentences": [change["sentence"][:_LONGEST_SENTENCE] for change in ordered[:_MOST_TOLD]],
    }


async def _store_lineage(
    connection: AsyncConnection,
    source: DataSource,
    lineage: _Lineage,
    ids: Mapping[catalog.Name, int],
    at: datetime,
) -> int:
    known = KnownTables(ids)
    nodes = Nodes(connection, source, known, at)
    views = [each for view in lineage.views for each in view.dependencies]
    edges = 0
    for origin, dependencies in ((VIEW, views), (FOREIGN_KEY, lineage.keys)):
        made = [await nodes.edge(each) for each in dependencies]
        edges += await lineage_edges.replace(connection, source.workspace_id, origin, str(source.id), made)
    problems = {
        known.ids[view.target]: [
            {"code": problem.code, "message": problem.message, "name": problem.name} for problem in view.problems
        ]
        for view in lineage.views
    }
    await catalog.note_lineage_problems(connection, source.id, problems)
    return edges
