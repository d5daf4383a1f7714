"""What the rules of compliance are judged by: for each rule whom it is about, and whether it holds there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_labels import OWNER
from storage.catalog_tables import catalog_columns, catalog_datasets
from storage.dashboard_facts import (
    CLASSIFICATION,
    PERSONAL,
    QUALITY,
    READ,
    datasets_of,
    found_in,
    full_name,
    how_many,
    is_described,
    is_live,
    json_text,
    last_reads,
    live_sources,
)
from storage.dashboard_metadata import has_label
from storage.governance_tables import data_sources
from storage.runs import SUCCEEDED
from storage.scan_tables import scan_results, scans

# Of each subject: its id, its name, and whether the rule holds there.
Judged = Select[Any]


@dataclass(frozen=True, slots=True)
class Failing:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of `judged` subjects the rule holds for `passed`; `failing` are the first of the others."""

    judged: int
    passed: int
    failing: list[Failing]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many datasets there are, and how many were looked at for sensitive data and checked against rules."""

    datasets: int
    classified: int
    checked: int


async def evidence(connection: AsyncConnection, judged: Judged, *, most: int) -> Evidence:
    each = judged.subquery()
    holds = each.c.holds.is_(True)
    total, passed = (await connection.execute(select(func.count(), how_many(holds)).select_from(each))).one()
    query = select(each.c.id, each.c.name).where(~holds).order_by(each.c.id).limit(most)
    return Evidence(total, passed, [Failing(row[0], row[1]) for row in await connection.execute(query)])


async def coverage(connection: AsyncConnection, workspace_id: str) -> Coverage:
    classified = last_reads(connection, workspace_id, CLASSIFICATION)
    checked = _checked(connection, workspace_id)
    query = (
        select(func.count(), how_many(_is_among(datasets_of(classified))), how_many(checked))
        .select_from(catalog_datasets)
        .where(is_live(workspace_id))
    )
    return Coverage(*(await connection.execute(query)).one())


def personal_with_owner(connection: AsyncConnection, workspace_id: str) -> Judged:
    return _personal(connection, workspace_id, has_label(OWNER))


def personal_described(connection: AsyncConnection, workspace_id: str) -> Judged:
    return _personal(connection, workspace_id, is_described())


def personal_labelled(connection: AsyncConnection, workspace_id: str) -> Judged:
    """All columns with personal data have a sensitivity that people said, or their dataset has."""
    columns = catalog_columns
    of_it = (columns.c.dataset_id == READ.c.id) & (columns.c.name == scan_results.c.column_name)
    labelled = exists(select(columns.c.name).where(of_it, columns.c.sensitivity.is_not(None)))
    unlabelled = _is_among(_with_personal(connection, workspace_id).where(~labelled))
    return _personal(connection, workspace_id, or_(catalog_datasets.c.sensitivity.is_not(None), ~unlabelled))


def quality_holds(connection: AsyncConnection, workspace_id: str, severities: tuple[str, ...]) -> Judged:
    """No rule of these severities fails in a dataset that was checked."""
    body = scan_results.c.body
    fails = (json_text(connection, body, "verdict") == "fail") & json_text(connection, body, "severity").in_(severities)
    failing = _is_among(_with_results(last_reads(connection, workspace_id, QUALITY), QUALITY).where(fails))
    return _datasets(~failing).where(is_live(workspace_id), _checked(connection, workspace_id))


def sources_scanned(workspace_id: str, since: datetime) -> Judged:
    """Every source was scanned since then, with success."""
    of_it = (scans.c.source_id == data_sources.c.id) & (scans.c.state == SUCCEEDED) & (scans.c.finished_at >= since)
    scanned = exists(select(scans.c.id).where(of_it, scans.c.workspace_id == workspace_id))
    live = data_sources.c.id.in_(live_sources(workspace_id))
    return select(data_sources.c.id, data_sources.c.name, scanned.label("holds")).where(live)


def _personal(connection: AsyncConnection, workspace_id: str, holds: ColumnElement[bool]) -> Judged:
    return _datasets(holds).where(is_live(workspace_id), _is_among(_with_personal(connection, workspace_id)))


def _checked(connection: AsyncConnection, workspace_id: str) -> ColumnElement[bool]:
    verdict = json_text(connection, scan_results.c.body, "verdict")
    reads = last_reads(connection, workspace_id, QUALITY)
    return _is_among(_with_results(reads, QUALITY).where(verdict.in_(("pass", "fail"))))


def _with_personal(connection: AsyncConnection, workspace_id: str) -> Select[Any]:
    category = json_text(connection, scan_results.c.body, "category")
    reads = last_reads(connection, workspace_id, CLASSIFICATION)
    return _with_results(reads, CLASSIFICATION).where(category.in_(PERSONAL))


def _with_results(reads: Subquery, kind: str) -> Select[Any]:
    return datasets_of(reads).join(scan_results, found_in(reads, kind))


def _is_among(ids: Select[Any]) -> ColumnElement[bool]:
    return catalog_datasets.c.id.in_(ids)


def _datasets(holds: ColumnElement[bool]) -> Judged:
    return select(catalog_datasets.c.id, full_name().label("name"), holds.label("holds"))
