"""Results of analyses of datasets, newest first, and what people say of their findings."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.analytics_tables import analytics_results, analytics_verdicts
from storage.upsert import insert

# A month of daily answers to one question; a panel that asks ten questions of a dataset does not fill the disk.
KEPT_OF_QUESTION = 30
KEPT_OF_DATASET = 200


@dataclass(frozen=True, slots=True)
class Result:
    """A row of analytics_results without its body. `findings` counts them, `bytes` is the size of the JSON."""

    id: int
    workspace_id: str
    dataset_id: int
    kind: str
    key: str
    version: str
    parameters: str
    state: str
    findings: int
    seconds: float
    bytes: int
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row of analytics_verdicts."""

    dataset_id: int
    fingerprint: str
    verdict: str
    reason: str
    decided_by: str
    decided_at: datetime


_RESULT = select(*(analytics_results.c[field.name] for field in fields(Result)))


async def put(
    connection: AsyncConnection,
    *,
    workspace_id: str,
    dataset_id: int,
    kind: str,
    key: str,
    version: str,
    parameters: str,
    state: str,
    findings: int,
    seconds: float,
    body: bytes,
    created_by: str,
    at: datetime,
) -> int:
    """Stores a result and lets go of those beyond what is kept; its id."""
    values = {
        "workspace_id": workspace_id,
        "dataset_id": dataset_id,
        "kind": kind,
        "key": key,
        "version": version,
        "parameters": parameters,
        "state": state,
        "findings": findings,
        "seconds": seconds,
        "bytes": len(body),
        "created_by": created_by,
        "created_at": at,
        "body": zlib.compress(body, 3),
    }
    made = insert(connection, analytics_results).values(values).returning(analytics_results.c.id)
    result_id = int((await connection.execute(made)).scalar_one())
    await _trim(connection, dataset_id, key)
    return result_id


async def _trim(connection: AsyncConnection, dataset_id: int, key: str) -> None:
    table = analytics_results
    of_dataset = table.c.dataset_id == dataset_id
    for condition, kept in ((of_dataset & (table.c.key == key), KEPT_OF_QUESTION), (of_dataset, KEPT_OF_DATASET)):
        newest = select(table.c.id).where(condition).order_by(table.c.id.desc()).offset(kept).limit(1)
        last = (await connection.execute(newest)).scalar_one_or_none()
        if last is not None:
            await connection.execute(delete(table).where(condition, table.c.id <= last))


async def latest(connection: AsyncConnection, dataset_id: int, key: str, version: str) -> tuple[Result, bytes] | None:
    """The newest answer to the question of this content, with its JSON."""
    table = analytics_results
    condition = (table.c.dataset_id == dataset_id) & (table.c.key == key) & (table.c.version == version)
    query = _RESULT.add_columns(table.c.body).where(condition).order_by(table.c.id.desc()).limit(1)
    row = (await connection.execute(query)).first()
    return (Result(*row[:-1]), zlib.decompress(row[-1])) if row else None


async def get(connection: AsyncConnection, result_id: int) -> tuple[Result, bytes] | None:
    query = _RESULT.add_columns(analytics_results.c.body).where(analytics_results.c.id == result_id)
    row = (await connection.execute(query)).first()
    return (Result(*row[:-1]), zlib.decompress(row[-1])) if row else None


async def list_of(
    connection: AsyncConnection,
    workspace_id: str,
    *,
    dataset_id: int | None = None,
    kind: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[Result]:
    """The newest first; `before` is the last id seen."""
    table = analytics_results
    query = _RESULT.where(table.c.workspace_id == workspace_id).order_by(table.c.id.desc()).limit(limit)
    if dataset_id is not None:
        query = query.where(table.c.dataset_id == dataset_id)
    if kind is not None:
        query = query.where(table.c.kind == kind)
    if before is not None:
        query = query.where(table.c.id < before)
    return [Result(*row) for row in await connection.execute(query)]


async def decide(connection: AsyncConnection, verdict: Verdict) -> None:
    """In place of what was said before."""
    values = {field.name: getattr(verdict, field.name) for field in fields(Verdict)}
    made = insert(connection, analytics_verdicts).values(values)
    changed = {name: values[name] for name in ("verdict", "reason", "decided_by", "decided_at")}
    await connection.execute(made.on_conflict_do_update(index_elements=["dataset_id", "fingerprint"], set_=changed))


async def take_back(connection: AsyncConnection, dataset_id: int, fingerprint: str) -> bool:
    """Whether there was a verdict."""
    table = analytics_verdicts
    condition = (table.c.dataset_id == dataset_id) & (table.c.fingerprint == fingerprint)
    return bool((await connection.execute(delete(table).where(condition))).rowcount)


async def verdicts_of(
    connection: AsyncConnection, dataset_id: int, *, after: str | None = None, limit: int = 10_000
) -> Sequence[Verdict]:
    """By fingerprint; `after` is the last one seen."""
    table = analytics_verdicts
    columns = [table.c[field.name] for field in fields(Verdict)]
    query = select(*columns).where(table.c.dataset_id == dataset_id).order_by(table.c.fingerprint).limit(limit)
    if after is not None:
        query = query.where(table.c.fingerprint > after)
    return [Verdict(*row) for row in await connection.execute(query)]
