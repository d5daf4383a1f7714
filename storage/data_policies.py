"""Data policies, and what they last came to in each source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.data_policy_tables import data_policies, data_policy_evaluations, data_policy_results
from storage.errors import AlreadyExists
from storage.governance_tables import data_sources
from storage.runs import SUCCEEDED
from storage.scan_tables import scans
from storage.security_tables import security_scans
from storage.tables import Instant
from storage.upsert import insert

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class DataPolicy:
    """A row of data_policies."""

    id: int
    workspace_id: str
    name: str
    severity: str
    enabled: bool
    body: str
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A row of data_policy_evaluations."""

    policy_id: int
    source_id: int
    evaluated_at: datetime
    outcome: str
    reason: str | None
    passed: int
    failed: int
    not_evaluated: int
    unseen: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row of data_policy_results, without its keys."""

    dataset_id: int | None
    dataset: str
    column_name: str
    requirement: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class DatasetOutcome:
    """What a policy came to in a dataset of the catalog: the worst of its columns."""

    policy_id: int
    dataset_id: int
    dataset: str
    outcome: str


async def create(
    connection: AsyncConnection, workspace_id: str, values: Mapping[str, Any], *, by: str, at: datetime
) -> DataPolicy:
    """`values` are columns. Raises AlreadyExists if the workspace has a policy of the name."""
    stamped = {"workspace_id": workspace_id, "created_by": by, "created_at": at, "updated_by": by, "updated_at": at}
    made = insert(connection, data_policies).values({**values, **stamped}).on_conflict_do_nothing()
    row = (await connection.execute(made.returning(*data_policies.c))).first()
    if row is None:
        raise _taken(values["name"])
    return DataPolicy(*row)


async def get(connection: AsyncConnection, policy_id: int) -> DataPolicy | None:
    row = (await connection.execute(select(data_policies).where(data_policies.c.id == policy_id))).first()
    return DataPolicy(*row) if row else None


async def list_of(
    connection: AsyncConnection, workspace_id: str, *, after: int | None = None, limit: int
) -> list[DataPolicy]:
    """By id; `after` is the last one seen."""
    query = select(data_policies).where(data_policies.c.workspace_id == workspace_id)
    if after is not None:
        query = query.where(data_policies.c.id > after)
    return [DataPolicy(*row) for row in await connection.execute(query.order_by(data_policies.c.id).limit(limit))]


async def in_force(connection: AsyncConnection, workspace_id: str, *, locked: bool = False) -> list[DataPolicy]:
    """All that are enabled, by id. `locked`: nobody else changes or judges them until the transaction ends."""
    query = select(data_policies).where(data_policies.c.workspace_id == workspace_id, data_policies.c.enabled.is_(True))
    query = query.order_by(data_policies.c.id)
    return [DataPolicy(*row) for row in await connection.execute(query.with_for_update() if locked else query)]


async def change(
    connection: AsyncConnection, policy_id: int, values: Mapping[str, Any], *, by: str, at: datetime
) -> DataPolicy | None:
    """`values` are columns; None if there is no such policy. Raises AlreadyExists for a taken name."""
    statement = update(data_policies).where(data_policies.c.id == policy_id)
    changed = statement.values({**values, "updated_by": by, "updated_at": at}).returning(*data_policies.c)
    try:
        # A conflict ends PostgreSQL's transaction, but not if it is in one of its own.
        async with connection.begin_nested():
            row = (await connection.execute(changed)).first()
    except IntegrityError as error:
        raise _taken(values.get("name")) from error
    return DataPolicy(*row) if row else None


async def remove(connection: AsyncConnection, policy_id: int) -> bool:
    """With what it came to. Whether there was one."""
    return (await connection.execute(delete(data_policies).where(data_policies.c.id == policy_id))).rowcount > 0


def _taken(name: object) -> AlreadyExists:
    return AlreadyExists(f"the workspace has a data policy {name!r}")


# What they came to


async def put_evaluation(connection: AsyncConnection, evaluation: Evaluation, verdicts: Sequence[Verdict]) -> None:
    """This is what the policy comes to in the source from now on."""
    key = (evaluation.policy_id, evaluation.source_id)
    evaluations = data_policy_evaluations.c
    of_it = (evaluations.policy_id == key[0]) & (evaluations.source_id == key[1])
    await connection.execute(delete(data_policy_evaluations).where(of_it))
    await connection.execute(data_policy_evaluations.insert(), asdict(evaluation))
    rows = [
        {"policy_id": key[0], "source_id": key[1], "ordinal": ordinal, **asdict(verdict)}
        for ordinal, verdict in enumerate(verdicts)
    ]
    for start in range(0, len(rows), _AT_ONCE):
        await connection.execute(data_policy_results.insert(), rows[start : start + _AT_ONCE])


async def forget_evaluations(connection: AsyncConnection, policy_id: int) -> None:
    evaluations = data_policy_evaluations
    await connection.execute(delete(evaluations).where(evaluations.c.policy_id == policy_id))


async def evaluations_of(connection: AsyncConnection, policy_ids: Sequence[int]) -> dict[int, list[Evaluation]]:
    """By policy, those of sources that are not deleted, by source."""
    query = (
        select(data_policy_evaluations)
        .join(data_sources, data_sources.c.id == data_policy_evaluations.c.source_id)
        .where(data_policy_evaluations.c.policy_id.in_(policy_ids), data_sources.c.deleted_at.is_(None))
        .order_by(data_policy_evaluations.c.source_id)
    )
    found: dict[int, list[Evaluation]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.policy_id, []).append(Evaluation(*row))
    return found


async def verdicts_of(
    connection: AsyncConnection,
    policy_id: int,
    *,
    outcome: str | None = None,
    after: tuple[int, int] | None = None,
    limit: int,
) -> list[tuple[int, int, Verdict]]:
    """With their source and ordinal, in that order; `after` is that of the last one seen."""
    result = data_policy_results.c
    place = (result.source_id, result.ordinal)
    query = (
        select(*place, *(result[field.name] for field in fields(Verdict)))
        .join(data_sources, data_sources.c.id == result.source_id)
        .where(result.policy_id == policy_id, data_sources.c.deleted_at.is_(None))
        .order_by(*place)
        .limit(limit)
    )
    if outcome is not None:
        query = query.where(result.outcome == outcome)
    if after is not None:
        query = query.where(tuple_(*place) > after)
    return [(row[0], row[1], Verdict(*row[2:])) for row in await connection.execute(query)]


async def dataset_outcomes(connection: AsyncConnection, workspace_id: str) -> list[DatasetOutcome]:
    """Of the policies that are enabled, by policy and dataset."""
    result = data_policy_results.c
    rank = case((result.outcome == "fail", 2), (result.outcome == "not_evaluated", 1), else_=0)
    query = (
        select(result.policy_id, result.dataset_id, func.min(result.dataset), func.max(rank))
        .join(data_policies, data_policies.c.id == result.policy_id)
        .join(data_sources, data_sources.c.id == result.source_id)
        .where(data_policies.c.workspace_id == workspace_id, data_policies.c.enabled.is_(True))
        .where(data_sources.c.deleted_at.is_(None), result.dataset_id.is_not(None))
        .group_by(result.policy_id, result.dataset_id)
        .order_by(result.policy_id, result.dataset_id)
    )
    names = ("pass", "not_evaluated", "fail")
    return [DatasetOutcome(*row[:3], names[row[3]]) for row in await connection.execute(query)]


async def stale_sources(connection: AsyncConnection, *, before: datetime, limit: int) -> list[int]:
    """Sources in which an enabled policy was not judged since it or the source's scans and audits are what they are.

    Those that were last judged before `before` as well, as grants and dates change by themselves.
    """
    scanned, audited = _newest(scans), _newest(security_scans)
    evaluated_at = data_policy_evaluations.c.evaluated_at
    same = data_policy_evaluations.c.policy_id == data_policies.c.id
    query = (
        select(data_sources.c.id)
        .join(data_policies, data_policies.c.workspace_id == data_sources.c.workspace_id)
        .outerjoin(data_policy_evaluations, same & (data_policy_evaluations.c.source_id == data_sources.c.id))
        .outerjoin(scanned, scanned.c.source_id == data_sources.c.id)
        .outerjoin(audited, audited.c.source_id == data_sources.c.id)
        .where(data_sources.c.deleted_at.is_(None), data_policies.c.enabled.is_(True), data_sources.c.kind != "metrics")
        .where(
            or_(
                evaluated_at.is_(None),
                evaluated_at < before,
                evaluated_at < data_policies.c.updated_at,
                evaluated_at < scanned.c.at,
                evaluated_at < audited.c.at,
            )
        )
        .distinct()
        .order_by(data_sources.c.id)
        .limit(limit)
    )
    return list(await connection.scalars(query))


def _newest(table: Any) -> Any:
    """When the newest of each source that succeeded had ended."""
    at = func.max(table.c.finished_at, type_=Instant()).label("at")
    return select(table.c.source_id, at).where(table.c.state == SUCCEEDED).group_by(table.c.source_id).subquery()
