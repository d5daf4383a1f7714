"""What could be better with the indexes of a data source: told, never done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.performance.figures import AdviceKind
from connectors.performance.figures import IndexAdvice as Found
from handlers.performance.collection_shapes import CannotTell, DataSourceId
from handlers.registry import Conflict, Context, Forbidden, Instant, InvalidRequest, Operation, Permission, Unavailable
from handlers.source_access import answering_for_source, require_source


class IndexAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """`sql` would do it. `bytes` is what would be won; `evidence` are the figures it stands on, `caveats` what else has
    to be thought of. `index` is null where one is missing.
    """

    kind: AdviceKind
    schema: str
    table: str
    index: str | None
    columns: list[str]
    bytes: int | None
    reason: str
    sql: str
    evidence: dict[str, Any]
    caveats: list[str]


class IndexAdvices(msgspec.Struct, frozen=True, kw_only=True):
    """`counted_since` is since when the database counts what this stands on: what is used once a month, a younger
    count does not know of.
    """

    data_source_id: int
    as_of: Instant
    counted_since: Instant | None
    items: list[IndexAdvice]
    cannot_tell: list[CannotTell]


class GetIndexAdvice(msgspec.Struct, frozen=True, kw_only=True):
    data_source_id: DataSourceId


async def get_index_advice(context: Context, request: GetIndexAdvice) -> IndexAdvices:
    source = await require_source(context, request.data_source_id, Permission.READ)
    with answering_for_source():
        async with context.parts.sources.monitors.use(source.id) as reader:
            found = await reader.index_advice()
    return IndexAdvices(
        data_source_id=source.id,
        as_of=datetime.fromtimestamp(found.at_ms / 1000, UTC),
        counted_since=None if found.since_ms is None else datetime.fromtimestamp(found.since_ms / 1000, UTC),
        items=[_shown(each) for each in found.advices],
        cannot_tell=[CannotTell(what=each.what, reason=each.reason, remedy=each.remedy) for each in found.unsupported],
    )


def _shown(found: Found) -> IndexAdvice:
    return IndexAdvice(
        kind=found.kind,
        schema=found.schema,
        table=found.table,
        index=found.index,
        columns=list(found.columns),
        bytes=found.bytes,
        reason=found.reason,
        sql=found.sql,
        evidence=dict(found.evidence),
        caveats=list(found.caveats),
    )


OPERATIONS = (
    Operation(
        "metrics.index_advice",
        GetIndexAdvice,
        IndexAdvices,
        get_index_advice,
        "GET /performance/index-advice/{data_source_id}",
        Permission.SIGNED_IN,
        "Tell which indexes of a data source are unused, redundant, broken or missing.",
        errors=(Forbidden, Conflict, InvalidRequest, Unavailable),
        stops_with_caller=True,
    ),
)
