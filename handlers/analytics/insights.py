"""Ranked, explained findings about a dataset."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from analysis.insights.findings import Insights
from connectors.pushdown.dialects import DIALECTS
from handlers.analytics.answers import Analysis
from handlers.analytics.asking import answer
from handlers.analytics.events import watched
from handlers.analytics.grounds import Ground, ground_of, require_columns
from handlers.analytics.questions import ColumnName, Question
from handlers.analytics.rephrasing import rephrased
from handlers.analytics.tasks import AnalysisKind
from handlers.names import RowId
from handlers.registry import Conflict, Context, Forbidden, InvalidRequest, Operation, Permission
from storage import scan_results, scans

_MOST_RESULTS = 50_000
# What is said to a reader must fit between two processes at once.
_MOST_REFERENCE_BYTES = 48 * 1024
_ALL_ROWS = "No earlier profile was compared with: it is of all rows, and access policies keep some back."


class GetInsights(Question, frozen=True, kw_only=True):
    """The best `limit` findings, at a false discovery rate of `level` over all that was tested.

    `types` limits the search to some types of findings. `time` names the column of time. Changed distributions are
    looked for beside the profile that a scan has stored: that of `reference_scan`, or else the last one.
    `rephrase` lets the language model of the server's settings put the sentences in other words, if there is one.
    """

    level: Annotated[float, Meta(ge=0.001, le=0.5)] = 0.05
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    types: Annotated[tuple[Annotated[str, Meta(pattern=r"^[a-z_]{1,40}$(?!\n)")], ...], Meta(max_length=50)] = ()
    time: ColumnName | None = None
    reference_scan: RowId | None = None
    subspaces: bool = True
    rephrase: bool = False


@dataclass(frozen=True, slots=True)
class _Reference:
    scan_id: int
    packed: bytes


async def get_insights(context: Context, request: GetInsights) -> Analysis[Insights]:
    ground = await ground_of(context, request.dataset_id, request.columns)
    _check(request, ground)
    reference, notes = await _reference(context, request, ground)
    if reference is not None and ground.view.rows:
        reference, notes = None, [_ALL_ROWS]
    more: dict[str, Any] = {
        "dialect": DIALECTS[ground.kind],
        "reference_label": f"scan {reference.scan_id}" if reference else "the earlier profile",
        # By the day: an answer of today is not another one each second.
        "now": f"{context.now():%Y-%m-%d}",
    }
    return await answer(
        context,
        AnalysisKind.INSIGHTS,
        request,
        ground,
        more=more,
        reference=reference.packed if reference else None,
        notes=notes,
        finish=rephrased if request.rephrase else None,
    )


def _check(request: GetInsights, ground: Ground) -> None:
    if request.time is not None:
        require_columns("time", [request.time], ground.columns, ground.dataset)
    if request.types:
        from analysis.insights.registry import TYPES  # noqa: PLC0415 - all the finders

        for name in request.types:
            if name not in TYPES:
                raise InvalidRequest(
                    f"types: there is no type {name!r}; there are {', '.join(sorted(TYPES))}.",
                    details={"parameter": "types", "known": sorted(TYPES)},
                )


async def _reference(context: Context, request: GetInsights, ground: Ground) -> tuple[_Reference | None, list[str]]:
    """The profile to compare with, as a scan has stored it."""
    dataset = ground.dataset
    async with context.parts.database.read() as connection:
        scan_id = request.reference_scan
        if scan_id is None:
            digest = scans.digest_of(dataset.schema or None, dataset.name)
            mark = await scans.mark_of(connection, dataset.source_id, digest)
            if mark is None:
                return None, []
            scan_id = mark.scan_id
        else:
            scan = await scans.get(connection, scan_id)
            if scan is None or scan.source_id != dataset.source_id:
                raise InvalidRequest(
                    f"reference_scan: {scan_id} is no scan of the dataset's source.",
                    details={"parameter": "reference_scan"},
                )
        found = await scan_results.list_of(
            connection, scan_id, dataset=dataset.full_name, kind="profile", limit=_MOST_RESULTS
        )
    whole = next((msgspec.json.decode(result.body) for result in found if result.column_name is None), None)
    if whole is None:
        return None, []
    columns = [msgspec.Raw(result.body.encode()) for result in found if result.column_name is not None]
    packed = zlib.compress(msgspec.json.encode({**whole, "columns": columns}), 9)
    if len(packed) > _MOST_REFERENCE_BYTES:
        return None, [f"The profile of scan {scan_id} is of too many columns to be compared with; name some columns."]
    return _Reference(scan_id, packed), []


OPERATIONS = (
    Operation(
        "analytics.insights",
        GetInsights,
        Analysis[Insights],
        get_insights,
        "GET /analytics/insights/{dataset_id}",
        Permission.SIGNED_IN,
        "Find what in a dataset is worth a look.",
        errors=(Conflict, Forbidden),
        watched=watched(GetInsights),
        stops_with_caller=True,
    ),
)
