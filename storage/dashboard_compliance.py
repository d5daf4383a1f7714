"""What the rules of compliance are judged by: facts of each dataset, gathered in one statement, and of each source."""

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, case, exists, func, literal, or_, select, true, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.backup_tables import backups
from storage.catalog_labels import OWNER
from storage.catalog_tables import catalog_columns, catalog_datasets
from storage.dashboard_facts import (
    CLASSIFICATION,
    PERSONAL,
    QUALITY,
    found_in,
    full_name,
    is_described,
    is_live,
    json_text,
    json_true,
    last_reads,
    live_sources,
    of_catalog,
)
from storage.dashboard_metadata import has_label
from storage.governance_tables import data_sources
from storage.runs import SUCCEEDED
from storage.scan_tables import scan_results, scans
from storage.tables import Instant


class Fact(enum.IntFlag):
    """What is known of a dataset."""

    OWNED = enum.auto()
    DESCRIBED = enum.auto()
    # It has a sensitivity that people said.
    LABELLED = enum.auto()
    # It was looked at for sensitive data.
    CLASSIFIED = enum.auto()
    PERSONAL = enum.auto()
    # Of its columns with personal data, one has no sensitivity.
    UNLABELLED_COLUMN = enum.auto()
    # A rule was evaluated in it.
    CHECKED = enum.auto()
    # A rule of one of the severities that were asked for fails in it.
    FAILS = enum.auto()


@dataclass(frozen=True, slots=True)
class Group:
    """Datasets of which the same is known: how many there are, and the ids of the first."""

    facts: Fact
    count: int
    first: list[int]


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """When a source was last scanned with success, and when its newest backup that was verified was made."""

    id: int
    name: str
    kind: str
    scanned_at: datetime | None
    backed_up_at: datetime | None


async def dataset_groups(
    connection: AsyncConnection, workspace_id: str, severities: Collection[str], *, most: int
) -> list[Group]:
    """All datasets of the workspace by what is known of them, with the first `most` of each group.

    Facts of all kinds are put one below the other and then brought together by dataset, so that nothing is looked up
    in a table that PostgreSQL has no statistics of: it would do so row by row.
    """
    classified = of_catalog(last_reads(connection, workspace_id, CLASSIFICATION)).cte("classified")
    checked = of_catalog(last_reads(connection, workspace_id, QUALITY)).cte("checked")
    found = union_all(
        _said(workspace_id),
        _facts(classified.c.dataset_id, {Fact.CLASSIFIED: true()}).select_from(classified),
        _personal(connection, classified),
        _quality(connection, checked, severities),
    ).subquery()
    # The parts of a mask that are there in any row of the dataset.
    mask = sum((func.max(found.c[fact.name.lower()]) * fact.value for fact in Fact if fact.name), start=literal(0))
    each = select(found.c.id, mask.label("mask")).group_by(found.c.id).having(func.max(found.c.is_live) == 1).subquery()
    place = func.row_number().over(partition_by=each.c.mask, order_by=each.c.id).label("place")
    count = func.count().over(partition_by=each.c.mask).label("count")
    ranked = select(each.c.mask, each.c.id, count, place).subquery()
    query = select(ranked.c.mask, ranked.c.count, ranked.c.id).where(ranked.c.place <= most)
    groups: dict[int, Group] = {}
    for number, size, dataset_id in await connection.execute(query.order_by(ranked.c.mask, ranked.c.id)):
        groups.setdefault(number, Group(Fact(number), size, [])).first.append(dataset_id)
    return list(groups.values())


async def dataset_names(connection: AsyncConnection, ids: Collection[int]) -> dict[int, str]:
    query = select(catalog_datasets.c.id, full_name()).where(catalog_datasets.c.id.in_(ids))
    return {row[0]: row[1] for row in await connection.execute(query)}


async def source_facts(connection: AsyncConnection, workspace_id: str) -> list[SourceFacts]:
    """All sources of the workspace, by their ids."""
    scanned = (
        select(scans.c.source_id, func.max(scans.c.finished_at, type_=Instant()).label("at"))
        .where(scans.c.workspace_id == workspace_id, scans.c.state == SUCCEEDED)
        .group_by(scans.c.source_id)
        .subquery()
    )
    verified = (backups.c.state == SUCCEEDED) & json_true(connection, backups.c.verification, "ok")
    backed_up = (
        select(backups.c.source_id, func.max(backups.c.finished_at, type_=Instant()).label("at"))
        .where(backups.c.workspace_id == workspace_id, verified)
        .group_by(backups.c.source_id)
        .subquery()
    )
    query = (
        select(data_sources.c.id, data_sources.c.name, data_sources.c.kind, scanned.c.at, backed_up.c.at)
        .select_from(
            data_sources.outerjoin(scanned, scanned.c.source_id == data_sources.c.id).outerjoin(
                backed_up, backed_up.c.source_id == data_sources.c.id
            )
        )
        .where(data_sources.c.id.in_(live_sources(workspace_id)))
        .order_by(data_sources.c.id)
    )
    return [SourceFacts(*row) for row in await connection.execute(query)]


def _facts(dataset_id: ColumnElement[int], facts: dict[Fact, ColumnElement[bool]], *, is_live: bool = False) -> Any:
    """Rows of the facts that hold; those not named do not."""
    values = (
        (case((facts[fact], 1), else_=0) if fact in facts else literal(0)).label((fact.name or "").lower())
        for fact in Fact
    )
    return select(dataset_id.label("id"), literal(int(is_live)).label("is_live"), *values)


def _said(workspace_id: str) -> Select[Any]:
    """What people said of each dataset."""
    facts = {
        Fact.OWNED: has_label(OWNER),
        Fact.DESCRIBED: is_described(),
        Fact.LABELLED: catalog_datasets.c.sensitivity.is_not(None),
    }
    said: Select[Any] = _facts(catalog_datasets.c.id, facts, is_live=True).where(is_live(workspace_id))
    return said


def _personal(connection: AsyncConnection, classified: CTE) -> Select[Any]:
    """A row for each column with personal data."""
    columns = catalog_columns
    of_it = (columns.c.dataset_id == classified.c.dataset_id) & (columns.c.name == scan_results.c.column_name)
    labelled = exists(select(columns.c.name).where(of_it, columns.c.sensitivity.is_not(None)))
    category = json_text(connection, scan_results.c.body, "category")
    rows: Select[Any] = (
        _facts(classified.c.dataset_id, {Fact.PERSONAL: true(), Fact.UNLABELLED_COLUMN: ~labelled})
        .select_from(classified.join(scan_results, found_in(classified, CLASSIFICATION)))
        .where(category.in_(PERSONAL))
    )
    return rows


def _quality(connection: AsyncConnection, checked: CTE, severities: Collection[str]) -> Select[Any]:
    """A row for each rule that was evaluated."""
    verdict = json_text(connection, scan_results.c.body, "verdict")
    fails = (verdict == "fail") & json_text(connection, scan_results.c.body, "severity").in_(severities)
    rows: Select[Any] = (
        _facts(checked.c.dataset_id, {Fact.CHECKED: true(), Fact.FAILS: fails})
        .select_from(checked.join(scan_results, found_in(checked, QUALITY)))
        .where(or_(verdict == "pass", verdict == "fail"))
    )
    return rows
