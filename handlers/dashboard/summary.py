"""A workspace in numbers: its sources, what they hold, what was found in them, and who is at work."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.names import WorkspaceId
from handlers.registry import Context, Instant, Operation, Permission, Watched
from storage import dashboard_summary as facts

ACTIVE = timedelta(hours=24)


class GetSummary(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId = "default"


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """When it was measured, the oldest and the newest of it; null where nothing was."""

    oldest: Instant | None
    newest: Instant | None


class KindOfSource(msgspec.Struct, frozen=True, kw_only=True):
    """Sources of a kind by how their last test went."""

    kind: str
    total: int
    ok: int = 0
    failed: int = 0
    untested: int = 0


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    as_of: Instant
    total: int
    kinds: list[KindOfSource]


class Datasets(msgspec.Struct, frozen=True, kw_only=True):
    """What discovery found in the sources; `undiscovered_sources` were never looked into."""

    measured: Measured
    total: int
    by_kind: dict[str, int]
    columns: int
    with_errors: int
    undiscovered_sources: int


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that the newest scan of a dataset counted; where none did, what the source estimates.

    Of `unknown_datasets` neither is known. `measured` is of what was counted.
    """

    measured: Measured
    counted: int
    counted_datasets: int
    estimated: int
    estimated_datasets: int
    unknown_datasets: int


class Scans(msgspec.Struct, frozen=True, kw_only=True):
    as_of: Instant
    by_state: dict[str, int]
    last_finished_at: Instant | None


class SensitiveType(msgspec.Struct, frozen=True, kw_only=True):
    category: str
    type: str
    columns: int


class SensitiveData(msgspec.Struct, frozen=True, kw_only=True):
    """Columns with sensitive data in the `datasets` that were looked at for it, each as it was last."""

    measured: Measured
    datasets: int
    types: list[SensitiveType]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What rules came to in the `datasets` that were checked, each as it was last. `failed` is by severity."""

    measured: Measured
    datasets: int
    passed: int
    not_evaluated: int
    failed: dict[str, int]


class People(msgspec.Struct, frozen=True, kw_only=True):
    """Documents, and who wrote in them `since`."""

    as_of: Instant
    since: Instant
    documents: int
    changed_documents: int
    active_people: int
    members: int


class Schedules(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule is `failing` while its last run failed."""

    as_of: Instant
    enabled: int
    disabled: int
    failing: int
    next_run_at: Instant | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`as_of` is when it was read; what was measured before says when."""

    workspace_id: WorkspaceId
    as_of: Instant
    sources: Sources
    datasets: Datasets
    rows: Rows
    scans: Scans
    sensitive_data: SensitiveData
    rules: Rules
    people: People
    schedules: Schedules


async def get_summary(context: Context, request: GetSummary) -> Summary:
    workspace_id, now = request.workspace_id, context.now()
    async with context.parts.database.read() as connection:
        return Summary(
            workspace_id=workspace_id,
            as_of=now,
            sources=await _sources(connection, workspace_id, now),
            datasets=await _datasets(connection, workspace_id),
            rows=await _rows(connection, workspace_id),
            scans=await _scans(connection, workspace_id, now),
            sensitive_data=await _sensitive(connection, workspace_id),
            rules=await _rules(connection, workspace_id),
            people=await _people(connection, workspace_id, now),
            schedules=await _schedules(connection, workspace_id, now),
        )


async def _sources(connection: AsyncConnection, workspace_id: str, now: datetime) -> Sources:
    kinds: dict[str, dict[str, int]] = {}
    for (kind, outcome), count in (await facts.sources(connection, workspace_id)).items():
        kinds.setdefault(kind, {})[outcome] = count
    shown = [KindOfSource(kind=kind, total=sum(tests.values()), **tests) for kind, tests in sorted(kinds.items())]
    return Sources(as_of=now, total=sum(kind.total for kind in shown), kinds=shown)


async def _datasets(connection: AsyncConnection, workspace_id: str) -> Datasets:
    found = await facts.catalogued(connection, workspace_id)
    return Datasets(
        measured=Measured(oldest=found.oldest_at, newest=found.newest_at),
        total=sum(found.datasets.values()),
        by_kind=dict(sorted(found.datasets.items())),
        columns=found.columns,
        with_errors=found.with_errors,
        undiscovered_sources=found.undiscovered_sources,
    )


async def _rows(connection: AsyncConnection, workspace_id: str) -> Rows:
    found = await facts.rows_known(connection, workspace_id)
    return Rows(
        measured=Measured(oldest=found.oldest_at, newest=found.newest_at),
        counted=found.counted,
        counted_datasets=found.counted_datasets,
        estimated=found.estimated,
        estimated_datasets=found.estimated_datasets,
        unknown_datasets=found.unknown_datasets,
    )


async def _scans(connection: AsyncConnection, workspace_id: str, now: datetime) -> Scans:
    by_state, last = await facts.scans_by_state(connection, workspace_id)
    return Scans(as_of=now, by_state=dict(sorted(by_state.items())), last_finished_at=last)


async def _sensitive(connection: AsyncConnection, workspace_id: str) -> SensitiveData:
    found = await facts.sensitive(connection, workspace_id)
    return SensitiveData(
        measured=Measured(oldest=found.oldest_at, newest=found.newest_at),
        datasets=found.datasets,
        types=[
            SensitiveType(category=category, type=type_, columns=count)
            for (category, type_), count in sorted(found.counts.items())
        ],
    )


async def _rules(connection: AsyncConnection, workspace_id: str) -> Rules:
    found = await facts.quality(connection, workspace_id)
    by_verdict: dict[str, dict[str, int]] = {}
    for (verdict, severity), count in sorted(found.counts.items()):
        by_verdict.setdefault(verdict, {})[severity] = count
    return Rules(
        measured=Measured(oldest=found.oldest_at, newest=found.newest_at),
        datasets=found.datasets,
        passed=sum(by_verdict.get("pass", {}).values()),
        not_evaluated=sum(by_verdict.get("not_evaluated", {}).values()),
        failed=by_verdict.get("fail", {}),
    )


async def _people(connection: AsyncConnection, workspace_id: str, now: datetime) -> People:
    found = await facts.activity(connection, workspace_id, now - ACTIVE)
    return People(
        as_of=now,
        since=now - ACTIVE,
        documents=found.documents,
        changed_documents=found.changed_documents,
        active_people=found.active_people,
        members=found.members,
    )


async def _schedules(connection: AsyncConnection, workspace_id: str, now: datetime) -> Schedules:
    found = await facts.schedules_of(connection, workspace_id)
    return Schedules(
        as_of=now,
        enabled=found.enabled,
        disabled=found.disabled,
        failing=found.failing,
        next_run_at=found.next_run_at,
    )


OPERATIONS = (
    Operation(
        "dashboard.summary",
        GetSummary,
        Summary,
        get_summary,
        "GET /dashboard/summary",
        Permission.READ,
        "Get a workspace in numbers.",
        watched=Watched(
            frozenset({"data_sources", "catalog", "scans", "documents", "members", "schedules", "runs"}),
            passing=frozenset({"as_of", "since"}),
        ),
    ),
)
