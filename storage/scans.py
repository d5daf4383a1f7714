"""Scans of data sources: what they go through, how far they are, and how each dataset was when it was last scanned."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import AlreadyExists
from storage.run_tables import runs
from storage.runs import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, WAITING
from storage.scan_tables import scan_datasets, scan_marks, scans
from storage.tables import Instant
from storage.upsert import insert

PENDING, UNCHANGED, SKIPPED = "pending", "unchanged", "skipped"
_STATES_THAT_LAST = (SUCCEEDED, FAILED, UNCHANGED, SKIPPED)
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Scan:
    """A row of scans. `state` is that of the run until the scan has ended; `options` and `summary` are JSON."""

    id: int
    workspace_id: str
    source_id: int
    run_id: str
    mode: str
    options: str
    state: str
    error_code: str | None
    error_message: str | None
    summary: str | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ScanDataset:
    """A row of scan_datasets. `outcome` is JSON."""

    scan_id: int
    ordinal: int
    schema_name: str | None
    name: str
    kind: str
    estimated_rows: int | None
    state: str
    attempts: int
    outcome: str | None

    @property
    def full_name(self) -> str:
        return f"{self.schema_name}.{self.name}" if self.schema_name else self.name


@dataclass(frozen=True, slots=True)
class Listed:
    """A dataset that a scan is to go through."""

    schema_name: str | None
    name: str
    kind: str
    estimated_rows: int | None


@dataclass(frozen=True, slots=True)
class Mark:
    """How a dataset was when a scan last finished it: its marker as JSON, and a digest of what was asked."""

    scan_id: int
    marker: str
    asked: str


# A scan whose run is gone, and that did not end, was lost with it.
_STATE = case(
    (scans.c.state.is_not(None), scans.c.state),
    (runs.c.state == WAITING, QUEUED),
    else_=func.coalesce(runs.c.state, FAILED),
)
_SCAN = select(
    *(_STATE.label("state") if field.name == "state" else scans.c[field.name] for field in fields(Scan))
).select_from(scans.outerjoin(runs, runs.c.id == scans.c.run_id))


async def create(
    connection: AsyncConnection,
    *,
    workspace_id: str,
    source_id: int,
    run_id: str,
    mode: str,
    options: str,
    created_by: str,
    at: datetime,
) -> int:
    """The id of a new scan. Raises AlreadyExists while the source has one that has not ended."""
    values = {
        "workspace_id": workspace_id,
        "source_id": source_id,
        "run_id": run_id,
        "mode": mode,
        "options": options,
        "created_by": created_by,
        "created_at": at,
    }
    statement = insert(connection, scans).values(values).on_conflict_do_nothing().returning(scans.c.id)
    scan_id: int | None = await connection.scalar(statement)
    if scan_id is None:
        raise AlreadyExists(f"the source {source_id} is being scanned")
    return scan_id


async def get(connection: AsyncConnection, scan_id: int) -> Scan | None:
    row = (await connection.execute(_SCAN.where(scans.c.id == scan_id))).first()
    return Scan(*row) if row else None


async def of_run(connection: AsyncConnection, run_id: str) -> Scan | None:
    row = (await connection.execute(_SCAN.where(scans.c.run_id == run_id))).first()
    return Scan(*row) if row else None


async def unfinished_of(connection: AsyncConnection, source_id: int) -> Scan | None:
    """The scan of the source that has not ended."""
    query = _SCAN.where(scans.c.source_id == source_id, scans.c.finished_at.is_(None))
    row = (await connection.execute(query)).first()
    return Scan(*row) if row else None


async def list_of(
    connection: AsyncConnection,
    workspace_id: str,
    *,
    source_id: int | None = None,
    mode: str | None = None,
    state: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[Scan]:
    """The newest first; `before` is the last id seen."""
    query = _SCAN.where(scans.c.workspace_id == workspace_id).order_by(scans.c.id.desc()).limit(limit)
    if source_id is not None:
        query = query.where(scans.c.source_id == source_id)
    if mode is not None:
        query = query.where(scans.c.mode == mode)
    if state is not None:
        query = query.where(_STATE.in_((state,)))
    if before is not None:
        query = query.where(scans.c.id < before)
    return [Scan(*row) for row in await connection.execute(query)]


async def begin(connection: AsyncConnection, scan_id: int, *, at: datetime) -> None:
    """Somebody works on it."""
    started = func.coalesce(scans.c.started_at, literal(at, Instant()))
    await connection.execute(update(scans).where(scans.c.id == scan_id).values(started_at=started))


async def blame(connection: AsyncConnection, scan_id: int, code: str, message: str) -> None:
    """What keeps all datasets that are left from being scanned; the first reason stays."""
    condition = (scans.c.id == scan_id) & scans.c.error_code.is_(None) & scans.c.finished_at.is_(None)
    await connection.execute(update(scans).where(condition).values(error_code=code, error_message=message))


async def end(connection: AsyncConnection, scan_id: int, state: str, summary: str, *, at: datetime) -> bool:
    """Whether the scan had not ended before."""
    condition = (scans.c.id == scan_id) & scans.c.finished_at.is_(None)
    values = {"state": state, "summary": summary, "finished_at": at}
    return (await connection.execute(update(scans).where(condition).values(values))).rowcount > 0


async def abandoned(connection: AsyncConnection, *, source_id: int | None = None, limit: int) -> list[Scan]:
    """Scans that have not ended, and nobody is to go on with: their run was cancelled, failed or is gone."""
    over = runs.c.id.is_(None) | runs.c.state.in_((CANCELLED, FAILED, SUCCEEDED))
    query = _SCAN.where(scans.c.finished_at.is_(None), over).order_by(scans.c.id).limit(limit)
    if source_id is not None:
        query = query.where(scans.c.source_id == source_id)
    return [Scan(*row) for row in await connection.execute(query)]


# Datasets


async def plan(connection: AsyncConnection, scan_id: int, listed: Sequence[Listed]) -> None:
    """What the scan goes through, in this order. What is there already stays."""
    for first in range(0, len(listed), _ROWS_AT_ONCE):
        rows = [
            {
                "scan_id": scan_id,
                "ordinal": first + place,
                "schema_name": dataset.schema_name,
                "name": dataset.name,
                "kind": dataset.kind,
                "estimated_rows": dataset.estimated_rows,
                "state": PENDING,
                "attempts": 0,
            }
            for place, dataset in enumerate(listed[first : first + _ROWS_AT_ONCE])
        ]
        await connection.execute(insert(connection, scan_datasets).values(rows).on_conflict_do_nothing())


async def dataset(connection: AsyncConnection, scan_id: int, ordinal: int) -> ScanDataset | None:
    row = (await connection.execute(select(scan_datasets).where(_at(scan_id, ordinal)))).first()
    return ScanDataset(*row) if row else None


async def datasets_of(connection: AsyncConnection, scan_id: int, ordinals: Collection[int]) -> dict[int, ScanDataset]:
    condition = (scan_datasets.c.scan_id == scan_id) & scan_datasets.c.ordinal.in_(list(ordinals))
    rows = await connection.execute(select(scan_datasets).where(condition))
    return {row.ordinal: ScanDataset(*row) for row in rows}


async def counts(connection: AsyncConnection, scan_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """How many datasets of each scan are in which state."""
    query = (
        select(scan_datasets.c.scan_id, scan_datasets.c.state, func.count())
        .where(scan_datasets.c.scan_id.in_(list(scan_ids)))
        .group_by(scan_datasets.c.scan_id, scan_datasets.c.state)
    )
    found: dict[int, dict[str, int]] = {}
    for scan_id, state, count in await connection.execute(query):
        found.setdefault(scan_id, {})[state] = count
    return found


async def outcomes(connection: AsyncConnection, scan_id: int) -> list[str]:
    """What came of each dataset that is done, as JSON."""
    condition = (scan_datasets.c.scan_id == scan_id) & scan_datasets.c.outcome.is_not(None)
    return list(await connection.scalars(select(scan_datasets.c.outcome).where(condition)))


async def begin_dataset(connection: AsyncConnection, scan_id: int, ordinal: int) -> ScanDataset | None:
    """The dataset, which is being read from here on; None if it is done, or the scan is."""
    is_open = select(scans.c.id).where(scans.c.id == scan_id, scans.c.finished_at.is_(None)).exists()
    statement = (
        update(scan_datasets)
        .where(_at(scan_id, ordinal), scan_datasets.c.state.not_in(_STATES_THAT_LAST), is_open)
        .values(state=RUNNING, attempts=scan_datasets.c.attempts + 1)
        .returning(*scan_datasets.c)
    )
    row = (await connection.execute(statement)).first()
    return ScanDataset(*row) if row else None


async def end_dataset(
    connection: AsyncConnection, scan_id: int, ordinal: int, state: str, outcome: str, *, attempt: int
) -> bool:
    """Whether this attempt was the newest at a dataset that was not done, of a scan that has not ended."""
    is_open = select(scans.c.id).where(scans.c.id == scan_id, scans.c.finished_at.is_(None)).exists()
    mine = _at(scan_id, ordinal) & (scan_datasets.c.state == RUNNING) & (scan_datasets.c.attempts == attempt)
    statement = update(scan_datasets).where(mine, is_open).values(state=state, outcome=outcome)
    return (await connection.execute(statement)).rowcount > 0


def _at(scan_id: int, ordinal: int) -> ColumnElement[bool]:
    return (scan_datasets.c.scan_id == scan_id) & (scan_datasets.c.ordinal == ordinal)


# Marks


def digest_of(schema_name: str | None, name: str) -> str:
    """What a dataset is called in scan_marks."""
    return hashlib.sha256(f"{schema_name or ''}\0{name}".encode()).hexdigest()[:32]


async def mark_of(connection: AsyncConnection, source_id: int, dataset_digest: str) -> Mark | None:
    columns = (scan_marks.c.scan_id, scan_marks.c.marker, scan_marks.c.asked)
    condition = (scan_marks.c.source_id == source_id) & (scan_marks.c.dataset == dataset_digest)
    row = (await connection.execute(select(*columns).where(condition))).first()
    return Mark(*row) if row else None


async def set_mark(connection: AsyncConnection, source_id: int, dataset_digest: str, mark: Mark) -> None:
    values: dict[str, Any] = {"scan_id": mark.scan_id, "marker": mark.marker, "asked": mark.asked}
    statement = insert(connection, scan_marks).values(source_id=source_id, dataset=dataset_digest, **values)
    keys = (scan_marks.c.source_id, scan_marks.c.dataset)
    await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))
