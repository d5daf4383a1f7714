"""What data policies are judged by, of one source: asked once for all of them, by questions that only read."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from analysis.access_policies.policies import Policy
from connectors.connector import Connector
from connectors.datasets import DatasetRef, Kind
from connectors.errors import ConnectorError
from connectors.paths import resolve
from connectors.sql_text import quoted, quoted_ref
from handlers.registry import Context, OperationError
from handlers.security.policy_requirements import (
    EncryptedAtRest,
    EncryptedInTransit,
    NotReadableBy,
    Requirement,
    Retained,
)
from handlers.security.readable_by import Column, Readers, SourceAccess, source_readers
from handlers.security.sensitive_columns import SensitiveDataset
from handlers.source_access import answering_for_source, use_source
from storage.data_sources import DataSource

_SQLITE = b"SQLite format 3\x00"
_OF_POSTGRESQL = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
# Of MariaDB and of MySQL: each has what the other has not.
_OF_MYSQL = (
    "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'",
    "SELECT variable_value FROM performance_schema.session_status WHERE variable_name = 'Ssl_cipher'",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether something holds, None where that cannot be told; and why."""

    holds: bool | None
    why: str


_NOT_ASKED = Answer(None, "It was not asked.")
_NO_READERS = Readers(SourceAccess(state="not_evaluated", reason="It was not asked."))


@dataclass(slots=True)
class Evidence:
    """`oldest` says by schema, dataset, column of dates and days whether no row is older."""

    access_policies: Sequence[Policy]
    source_tags: frozenset[str]
    readers: Readers = _NO_READERS
    in_transit: Answer = _NOT_ASKED
    at_rest: Answer = _NOT_ASKED
    oldest: dict[tuple[str, str, str, int], Answer] = field(default_factory=dict)


async def gather_evidence(
    context: Context,
    source: DataSource,
    wanted: Sequence[tuple[Requirement, SensitiveDataset, str]],
    access_policies: Sequence[Policy],
    source_tags: Collection[str],
) -> Evidence:
    """For `wanted`: what must hold of which column. What cannot be asked is evidence of nothing."""
    evidence = Evidence(access_policies, frozenset(source_tags))
    readers = [(each.schema, each.name, name) for one, each, name in wanted if isinstance(one, NotReadableBy)]
    if readers:
        columns: list[Column] = list(dict.fromkeys(readers))
        evidence.readers = await source_readers(context, source, columns)
    if any(isinstance(one, EncryptedInTransit) for one, _, _ in wanted):
        evidence.in_transit = await _in_transit(context, source)
    if any(isinstance(one, EncryptedAtRest) for one, _, _ in wanted):
        evidence.at_rest = await _at_rest(context, source)
    for one, dataset, _ in wanted:
        if isinstance(one, Retained):
            key = (dataset.schema, dataset.name, one.date_column, one.days)
            if key not in evidence.oldest:
                evidence.oldest[key] = await _retained(context, source, dataset, one)
    return evidence


async def _in_transit(context: Context, source: DataSource) -> Answer:
    if source.kind not in (Kind.POSTGRESQL, Kind.MYSQL):
        return Answer(None, "It is read from a file; whether what lies between is encrypted cannot be seen.")
    try:
        async with use_source(context, source.id) as connector:
            encrypted = await _is_encrypted(connector, source.kind)
    except OperationError as error:
        return Answer(None, error.message)
    if encrypted is None:
        return Answer(None, "The source does not tell whether the connection is encrypted.")
    return Answer(encrypted, "The connection is encrypted." if encrypted else "The connection is not encrypted.")


async def _is_encrypted(connector: Connector, kind: str) -> bool | None:
    if kind == Kind.POSTGRESQL:
        rows = (await connector.query(_OF_POSTGRESQL, max_rows=1)).rows
        return bool(rows[0][0]) if rows else None
    for statement in _OF_MYSQL:
        try:
            rows = (await connector.query(statement, max_rows=1)).rows
        except ConnectorError:
            continue
        if rows:
            return bool(rows[0][0])
    return None


async def _at_rest(context: Context, source: DataSource) -> Answer:
    if source.kind != Kind.SQLITE:
        return Answer(None, "A source of this kind does not tell how its disk is encrypted.")
    try:
        with answering_for_source():
            path = resolve(Path(source.settings["path"]), context.parts.sources.roots)
            is_plain = await asyncio.to_thread(_is_plain_sqlite, path)
    except OperationError as error:
        return Answer(None, error.message)
    except OSError:
        return Answer(None, "The file cannot be read.")
    if is_plain:
        return Answer(False, "The file is read without a key; an encrypted disk below it is not seen from here.")
    return Answer(None, "The file does not begin as an SQLite file does.")


def _is_plain_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


async def _retained(context: Context, source: DataSource, dataset: SensitiveDataset, wanted: Retained) -> Answer:
    if source.kind == Kind.FILES:
        return Answer(None, "Dates in files are not asked for.")
    mark = "`" if source.kind == Kind.MYSQL else '"'
    try:
        async with use_source(context, source.id) as connector:
            column = quoted(wanted.date_column, mark)
            table = quoted_ref(DatasetRef(dataset.schema or None, dataset.name), mark)
            statement = f"SELECT min({column}), count(*) - count({column}) FROM {table}"  # noqa: S608 - quoted
            [[oldest, without]] = (await connector.query(statement, max_rows=1)).rows
    except OperationError as error:
        return Answer(None, f"The oldest row cannot be asked for: {error.message}")
    return _judged(oldest, without, wanted, context.now())


def _judged(oldest: object, without: int, wanted: Retained, now: datetime) -> Answer:
    if oldest is not None:
        at = _instant(oldest)
        if at is None:
            return Answer(None, f"{wanted.date_column} holds no dates.")
        if at < now - timedelta(days=wanted.days):
            return Answer(False, f"Rows are older than {wanted.days} days by {wanted.date_column}.")
    if without:
        return Answer(None, f"{without} rows have no {wanted.date_column}.")
    return Answer(True, f"No row is older than {wanted.days} days by {wanted.date_column}.")


def _instant(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
