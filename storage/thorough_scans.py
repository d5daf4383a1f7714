"""What scans looked at since one of them read all rows: a scan of a few rows finds less, and takes nothing back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Subquery, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.dashboard_facts import json_text, looked_for
from storage.runs import SUCCEEDED
from storage.scan_tables import scan_datasets, scans

_FULL = "full"


def reads_since_whole(connection: AsyncConnection, part: str, sources: Select[tuple[int]]) -> Subquery:
    """Each time that a dataset was looked at for the part, from the newest scan that read all of its rows on.

    With all times, of a dataset of which no scan did. `schema` is empty where there is none.
    """
    dataset = scan_datasets.c
    looked = select(scans.c.id).where(scans.c.source_id.in_(sources), looked_for(connection, part))
    is_sample = json_text(connection, scans.c.options, "sample_rows").is_not(None)
    whole_scans = looked.where(scans.c.mode == _FULL, ~is_sample)
    of: tuple[Any, ...] = (scans.c.source_id, func.coalesce(dataset.schema_name, "").label("schema"), dataset.name)
    of_scan = scan_datasets.join(scans, scans.c.id == dataset.scan_id)
    whole = (
        select(*of, func.max(dataset.scan_id).label("since"))
        .select_from(of_scan)
        .where(dataset.scan_id.in_(whole_scans), dataset.state == SUCCEEDED)
        .group_by(*of)
        .subquery()
    )
    same = (whole.c.source_id == scans.c.source_id) & (whole.c.name == dataset.name)
    same &= whole.c.schema == func.coalesce(dataset.schema_name, "")
    read_at = func.coalesce(scans.c.finished_at, scans.c.started_at, scans.c.created_at).label("read_at")
    return (
        select(*of, dataset.schema_name, dataset.scan_id, dataset.ordinal, read_at)
        .select_from(of_scan.outerjoin(whole, same))
        .where(dataset.scan_id.in_(looked), dataset.state == SUCCEEDED)
        .where(dataset.scan_id >= func.coalesce(whole.c.since, 0))
        .subquery()
    )
