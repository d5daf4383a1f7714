"""Which metrics there are, of which sources, and by which labels they are told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.event_patterns import matches
from handlers.measured_sources import SERVER, MeasuredId, require_measured
from handlers.names import RowId, WorkspaceId
from handlers.paging import Cursor, decode_cursor, page_of
from handlers.performance.answers import instant
from handlers.performance.following import reader_of
from handlers.registry import Context, Forbidden, Instant, NotFound, Operation, Page, Permission
from storage import data_sources, metric_facts
from storage.metric_facts import SourceFacts
from storage.samples.columns import Series

_LIST = "metrics"
_MOST_SOURCES = 50
# Enough to choose from; whoever has more types the value.
_MOST_VALUES = 50


class ListMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Of the sources of a workspace, or of one: then `workspace_id` does not matter. `search` is a part of metrics'
    names, or a pattern with `*`."""

    workspace_id: WorkspaceId = "default"
    data_source_id: MeasuredId | None = None
    search: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    cursor: Cursor | None = None
    limit: Annotated[int, Meta(ge=1, le=_MOST_SOURCES, description="How many sources a page holds at most.")] = 20


class LabelValues(msgspec.Struct, frozen=True, kw_only=True):
    """The first values of a label in their order, and how many there are."""

    count: int
    values: list[str]


class MetricFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A metric: `kind` is gauge or counter; `series` are told apart by `labels`."""

    metric: str
    kind: str
    unit: str
    series: int
    first_at: Instant
    last_at: Instant
    labels: dict[str, LabelValues]


class SourceMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of a source. `refused_samples` were of series beyond the source's limit, and are not there."""

    data_source_id: MeasuredId
    name: str
    series: int
    refused_samples: int
    metrics: list[MetricFacts]


async def list_metrics(context: Context, request: ListMetrics) -> Page[SourceMetrics]:
    sources, next_cursor = await _sources(context, request)
    async with context.parts.database.read() as connection:
        facts = await metric_facts.of_sources(connection, list(sources))
    reader = reader_of(context.parts, context.now())
    items = []
    for source_id, name in sources.items():
        series = await reader.find(source_id, None)
        metrics = await asyncio.to_thread(_metrics, series, request.search)
        known = facts.get(source_id, SourceFacts(len(series), 0))
        items.append(
            SourceMetrics(
                data_source_id=source_id,
                name=name,
                series=known.series,
                refused_samples=known.refused,
                metrics=metrics,
            )
        )
    return Page(items=items, next_cursor=next_cursor)


async def _sources(context: Context, request: ListMetrics) -> tuple[dict[int, str], str | None]:
    """The names of the sources by their ids, and the cursor behind them."""
    if request.data_source_id is not None:
        workspace_id = await require_measured(context, request.data_source_id, Permission.READ)
        if workspace_id is None:
            return {SERVER: "server"}, None
        async with context.parts.database.read() as connection:
            source = await data_sources.get(connection, request.data_source_id)
        return {source.id: source.name} if source is not None else {}, None
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    after = decode_cursor(_LIST, request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await data_sources.list_of(connection, request.workspace_id, after=after, limit=request.limit + 1)
    page = page_of(rows, request.limit, _LIST, key=lambda row: row.id, item=lambda row: (row.id, row.name))
    return dict(page.items), page.next_cursor


def _metrics(series: Sequence[Series], search: str | None) -> list[MetricFacts]:
    by_metric: dict[str, list[Series]] = {}
    for each in series:
        by_metric.setdefault(each.key.metric, []).append(each)
    return [_facts(metric, by_metric[metric]) for metric in sorted(by_metric) if _is_found(metric, search)]


def _is_found(metric: str, search: str | None) -> bool:
    if search is None or search.casefold() in metric.casefold():
        return True
    return "*" in search and matches(metric, [search])


def _facts(metric: str, series: Sequence[Series]) -> MetricFacts:
    values: dict[str, set[str]] = {}
    for each in series:
        for name, value in each.key.labels:
            values.setdefault(name, set()).add(value)
    newest = max(series, key=lambda each: each.last_ms)
    return MetricFacts(
        metric=metric,
        kind=newest.key.kind,
        unit=newest.key.unit,
        series=len(series),
        first_at=instant(min(each.first_ms for each in series)),
        last_at=instant(newest.last_ms),
        labels={
            name: LabelValues(count=len(found), values=sorted(found)[:_MOST_VALUES])
            for name, found in sorted(values.items())
        },
    )


OPERATIONS = (
    Operation(
        "metrics.list",
        ListMetrics,
        Page[SourceMetrics],
        list_metrics,
        "GET /performance/metrics",
        Permission.SIGNED_IN,
        "List which metrics there are.",
        errors=(Forbidden, NotFound),
    ),
)
