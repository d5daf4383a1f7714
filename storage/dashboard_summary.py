"""How much there is in a workspace, and what was found of it last: each question one statement."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import BigInteger, case, cast, func, literal, null, select, type_coerce, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_tables import catalog_columns, catalog_datasets, catalog_sources
from storage.dashboard_facts import (
    CLASSIFICATION,
    QUALITY,
    as_integer,
    found_in,
    how_many,
    is_live,
    json_number,
    json_text,
    json_true,
    last_reads,
    last_reads_once,
    live_sources,
    of_catalog,
)
from storage.governance_tables import data_sources
from storage.run_tables import runs, schedules
from storage.runs import FAILED
from storage.scan_tables import scan_datasets, scan_results, scans
from storage.tables import Instant, documents, members, to_microseconds, updates

UNTESTED, PASSED, BROKEN = "untested", "ok", "failed"
UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Catalogued:
    """What discovery found; `oldest_at` and `newest_at` are when sources were last discovered."""

    datasets: dict[str, int]
    columns: int
    with_errors: int
    undiscovered_sources: int
    oldest_at: datetime | None
    newest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows counted by scans, those that sources estimate where none were, and datasets of which neither is known."""

    counted: int
    counted_datasets: int
    estimated: int
    estimated_datasets: int
    unknown_datasets: int
    oldest_at: datetime | None
    newest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Findings:
    """Counts by what was found, of the datasets as they were when they were last looked at for it."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    datasets: int = 0
    oldest_at: datetime | None = None
    newest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    documents: int
    changed_documents: int
    active_people: int
    members: int


@dataclass(frozen=True, slots=True)
class Schedules:
    enabled: int
    disabled: int
    failing: int
    next_run_at: datetime | None


async def sources(connection: AsyncConnection, workspace_id: str) -> dict[tuple[str, str], int]:
    """How many there are, by kind and by how the last test went."""
    outcome = case(
        (data_sources.c.last_test.is_(None), UNTESTED),
        (json_true(connection, data_sources.c.last_test, "ok"), PASSED),
        else_=BROKEN,
    ).label("outcome")
    query = select(data_sources.c.kind, outcome, func.count()).where(data_sources.c.id.in_(live_sources(workspace_id)))
    rows = await connection.execute(query.group_by(data_sources.c.kind, outcome))
    return {(kind, tested): count for kind, tested, count in rows}


async def catalogued(connection: AsyncConnection, workspace_id: str) -> Catalogued:
    live = is_live(workspace_id)
    errors = how_many(catalog_datasets.c.error_code.is_not(None))
    by_kind = select(catalog_datasets.c.kind, func.count(), errors).where(live).group_by(catalog_datasets.c.kind)
    kinds = (await connection.execute(by_kind)).all()
    there = catalog_columns.c.missing_since.is_(None)
    joined = catalog_columns.join(catalog_datasets, catalog_datasets.c.id == catalog_columns.c.dataset_id)
    columns = await connection.scalar(select(func.count()).select_from(joined).where(live, there))
    discovered = catalog_sources.c.discovered_at
    query = (
        select(how_many(discovered.is_(None)), func.min(discovered), func.max(discovered))
        .select_from(data_sources.outerjoin(catalog_sources, catalog_sources.c.source_id == data_sources.c.id))
        .where(data_sources.c.id.in_(live_sources(workspace_id)))
    )
    undiscovered, oldest, newest = (await connection.execute(query)).one()
    counts = {kind: count for kind, count, _ in kinds}
    return Catalogued(counts, columns or 0, sum(row[2] for row in kinds), undiscovered, oldest, newest)


async def rows_known(connection: AsyncConnection, workspace_id: str) -> Rows:
    """A count is taken from the newest reading of a dataset, if that was of all its rows."""
    reads = of_catalog(last_reads(connection, workspace_id)).subquery()
    same = (scan_datasets.c.scan_id == reads.c.scan_id) & (scan_datasets.c.ordinal == reads.c.ordinal)
    rows = json_number(connection, scan_datasets.c.outcome, "rows")
    counted = (
        select(reads.c.dataset_id, cast(null(), BigInteger), rows, reads.c.read_at)
        .select_from(reads.join(scan_datasets, same))
        .where(json_true(connection, scan_datasets.c.outcome, "is_exact"))
    )
    estimate = catalog_datasets.c.estimated_rows
    unread = cast(null(), BigInteger).label("rows"), cast(null(), BigInteger).label("read_at")
    estimated = select(catalog_datasets.c.id.label("dataset_id"), estimate.label("estimate"), *unread)
    # Both one below the other, then by dataset: joined, PostgreSQL without statistics would look row by row.
    both = union_all(estimated.where(is_live(workspace_id)), counted).subquery()
    values = (func.max(both.c.estimate).label("estimate"), func.max(both.c.rows).label("rows"))
    read_at = func.max(both.c.read_at, type_=Instant()).label("read_at")
    each = select(*values, read_at).group_by(both.c.dataset_id).subquery()
    uncounted = each.c.read_at.is_(None)
    query = select(
        as_integer(func.sum(each.c.rows)),
        func.count(each.c.read_at),
        as_integer(func.sum(case((uncounted, each.c.estimate)))),
        how_many(uncounted & each.c.estimate.is_not(None)),
        how_many(uncounted & each.c.estimate.is_(None)),
        func.min(each.c.read_at, type_=Instant()),
        func.max(each.c.read_at, type_=Instant()),
    )
    return Rows(*(await connection.execute(query)).one())


async def scans_by_state(connection: AsyncConnection, workspace_id: str) -> tuple[dict[str, int], datetime | None]:
    """How many scans ended how, those that have not as UNFINISHED; when the last one ended."""
    state = func.coalesce(scans.c.state, UNFINISHED).label("state")
    query = (
        select(state, func.count(), func.max(scans.c.finished_at))
        .where(scans.c.source_id.in_(live_sources(workspace_id)))
        .group_by(state)
    )
    found = (await connection.execute(query)).all()
    return {row[0]: row[1] for row in found}, max((row[2] for row in found if row[2] is not None), default=None)


async def sensitive(connection: AsyncConnection, workspace_id: str) -> Findings:
    """Columns with sensitive data, by category and type."""
    return await _findings(connection, workspace_id, CLASSIFICATION, ("category", "type"))


async def quality(connection: AsyncConnection, workspace_id: str) -> Findings:
    """Rules that were checked, by verdict and severity."""
    return await _findings(connection, workspace_id, QUALITY, ("verdict", "severity"))


async def _findings(connection: AsyncConnection, workspace_id: str, part: str, names: tuple[str, str]) -> Findings:
    reads = last_reads_once(connection, workspace_id, part)
    body = scan_results.c.body
    keys = [json_text(connection, body, name).label(name) for name in names]
    # Both from the same readings, which are found once.
    unread = cast(null(), BigInteger).label("oldest"), cast(null(), BigInteger).label("newest")
    found = select(literal(0).label("is_whole"), *keys, func.count().label("count"), *unread)
    whole = select(literal(1), null(), null(), func.count(), func.min(reads.c.read_at), func.max(reads.c.read_at))
    whole = whole.select_from(reads)
    both = union_all(found.join_from(reads, scan_results, found_in(reads, part)).group_by(*keys), whole).subquery()
    ends = type_coerce(both.c.oldest, Instant()), type_coerce(both.c.newest, Instant())
    findings = Findings()
    for is_whole, *key, count, oldest, newest in await connection.execute(select(*list(both.c)[:4], *ends)):
        if is_whole:
            findings = replace(findings, datasets=count, oldest_at=oldest, newest_at=newest)
        else:
            findings.counts[key[0], key[1]] = count
    return findings


async def activity(connection: AsyncConnection, workspace_id: str, since: datetime) -> Activity:
    """Documents, and who wrote in them since then."""
    changed = documents.c.updated_at >= since
    there = (documents.c.workspace_id == workspace_id) & documents.c.trashed_at.is_(None)
    counts = (
        await connection.execute(select(func.count(), how_many(changed)).select_from(documents).where(there))
    ).one()
    wrote = (
        select(func.count(updates.c.author.distinct()))
        .join_from(updates, documents, documents.c.id == updates.c.document_id)
        .where(documents.c.workspace_id == workspace_id, changed, updates.c.created_at >= to_microseconds(since))
    )
    people = await connection.scalar(wrote)
    belonging = select(func.count()).select_from(members).where(members.c.workspace_id == workspace_id)
    return Activity(counts[0], counts[1], people or 0, await connection.scalar(belonging) or 0)


async def schedules_of(connection: AsyncConnection, workspace_id: str) -> Schedules:
    """A schedule fails while its last run did."""
    is_failing = schedules.c.enabled & (runs.c.state == FAILED)
    query = (
        select(
            how_many(schedules.c.enabled),
            how_many(~schedules.c.enabled),
            how_many(is_failing),
            func.min(schedules.c.next_run_at),
        )
        .select_from(schedules.outerjoin(runs, runs.c.id == schedules.c.last_run_id))
        .where(schedules.c.workspace_id == workspace_id)
    )
    return Schedules(*(await connection.execute(query)).one())
