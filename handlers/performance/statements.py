"""Statements of a source over a time: which took the most, compared with the time before, each with its history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from handlers.performance.blocking import may_manage
from handlers.performance.collection_shapes import CannotTell
from handlers.performance.ranges import Asked, read_range
from handlers.performance.statement_shapes import (
    Figures,
    GetStatement,
    ListStatements,
    Plan,
    Sort,
    Statement,
    StatementHistory,
    Statements,
    Stretch,
)
from handlers.performance.statement_windows import Counters, StatementWindow, decoded, merged
from handlers.performance.visit_memory import unsupported_of
from handlers.registry import Context, Forbidden, InvalidRequest, NotFound, Operation, Permission
from handlers.source_access import require_source
from storage import metric_collections
from storage import statements as stored
from storage.statements import Text

PATH = "/performance/statements/{data_source_id}"
# A window is kept for so long; a longer range holds nothing more.
LONGEST_MS = 15 * 86_400_000
MOST_STRETCHES = 500
_READS = ("blocks_read", "temp_blocks_read", "rows_examined")
_WRITES = ("blocks_written", "temp_blocks_written", "wal_bytes", "temp_disk_tables")


async def list_statements(context: Context, request: ListStatements) -> Statements:
    source = await require_source(context, request.data_source_id, Permission.READ)
    shows_text = await may_manage(context, source.workspace_id)
    asked = _range(request.time_range, context.now())
    span = asked.end_ms - asked.start_ms
    async with context.parts.database.read() as connection:
        rows = await stored.windows(connection, source.id, asked.start_ms, asked.end_ms)
        rows_before = await stored.windows(connection, source.id, asked.start_ms - span, asked.start_ms)
    windows, before = await asyncio.to_thread(lambda: (decoded(rows), decoded(rows_before)))
    now, past = merged(windows), merged(before)
    keys = now.keys if now is not None else ()
    async with context.parts.database.read() as connection:
        texts = await stored.texts(connection, source.id, keys)
        visits = await metric_collections.visits(connection, [source.id])
    told = [each for each in unsupported_of(visits[source.id]) if each.what == "statements"] if visits else []
    items = _items(now, past, texts, shows_text=shows_text)
    matching = [item for item in items if _matches(item, request.search)]
    matching.sort(key=_order(request.sort), reverse=True)
    shown = matching[: request.limit]
    left = {item.key for item in items} - {item.key for item in shown}
    return Statements(
        data_source_id=source.id,
        start=_instant(asked.start_ms),
        end=_instant(asked.end_ms),
        covered_seconds=sum(each.end_ms - each.start_ms for each in windows) / 1000,
        items=shown,
        other=_rest(now, left),
        total=_figures(now.names, now.total, None) if now is not None else _nothing(),
        total_previous=_figures(past.names, past.total, None) if past is not None else None,
        matching=len(matching),
        evicted=now.evicted if now is not None else None,
        cannot_tell=CannotTell(what=told[0].what, reason=told[0].reason, remedy=told[0].remedy) if told else None,
    )


async def get_statement(context: Context, request: GetStatement) -> StatementHistory:
    source = await require_source(context, request.data_source_id, Permission.READ)
    shows_text = await may_manage(context, source.workspace_id)
    asked = _range(request.time_range, context.now())
    async with context.parts.database.read() as connection:
        text = (await stored.texts(connection, source.id, [request.key])).get(request.key)
        rows = await stored.windows(connection, source.id, asked.start_ms, asked.end_ms)
        plans = await stored.plans(connection, source.id, request.key)
    windows = await asyncio.to_thread(decoded, rows)
    if text is None and not any(request.key in window.keys for window in windows):
        raise NotFound(f"No statement {request.key!r} of the source was seen in this time.")
    return StatementHistory(
        data_source_id=source.id,
        key=request.key,
        text=_text(text, shows_text=shows_text),
        is_normalised=not shows_text,
        first_seen_at=text.first_at if text is not None else None,
        last_seen_at=text.last_at if text is not None else None,
        total=_of_key(merged(windows), request.key),
        history=[
            Stretch(start=_instant(each.start_ms), end=_instant(each.end_ms), figures=_of_key(each, request.key))
            for each in _stretches(windows, asked)
        ],
        plans=[
            Plan(
                shape=each.shape, cost=each.cost, first_seen_at=each.first_at, last_seen_at=each.last_at, plan=each.plan
            )
            for each in plans
        ],
    )


def _plan(seen: stored.Plan) -> Plan:
    return Plan(
        shape=seen.shape, cost=seen.cost, first_seen_at=seen.first_at, last_seen_at=seen.last_at, plan=seen.plan
    )


def _range(text: str, now: datetime) -> Asked:
    asked = read_range(text, now)
    if asked.end_ms - asked.start_ms > LONGEST_MS:
        raise InvalidRequest("Statements are kept for 15 days; ask for at most `15d`.", code="bad_time_range")
    return asked


def _items(
    now: StatementWindow | None, past: StatementWindow | None, texts: Mapping[str, Text], *, shows_text: bool
) -> list[Statement]:
    if now is None:
        return []
    total = now.total
    before = {key: place for place, key in enumerate(past.keys)} if past is not None else {}
    found = []
    for place, key in enumerate(now.keys):
        previous = None
        if past is not None and key in before:
            previous = _figures(past.names, past.counters[before[key]], past.total)
        found.append(
            Statement(
                key=key,
                database=now.databases[place],
                user=now.users[place],
                text=_text(texts.get(key), shows_text=shows_text),
                is_normalised=not shows_text,
                figures=_figures(now.names, now.counters[place], total),
                previous=previous,
            )
        )
    return found


def _text(text: Text | None, *, shows_text: bool) -> str | None:
    if text is None:
        return None
    return text.text if shows_text else text.normalised


def _matches(item: Statement, search: str | None) -> bool:
    return search is None or search.lower() in (item.text or "").lower()


def _order(sort: Sort) -> Callable[[Statement], float]:
    def value(item: Statement) -> float:
        figures = item.figures
        match sort:
            case Sort.TOTAL_SECONDS:
                return figures.total_seconds
            case Sort.MEAN_SECONDS:
                return figures.mean_seconds or 0.0
            case Sort.CALLS:
                return figures.calls
            case Sort.ROWS:
                return figures.rows or 0.0
            case Sort.READS:
                return sum(figures.more.get(name, 0.0) for name in _READS)
            case Sort.WRITES:
                return sum(figures.more.get(name, 0.0) for name in _WRITES)
            case Sort.CHANGE:
                return figures.total_seconds - (item.previous.total_seconds if item.previous is not None else 0.0)

    return value


def _rest(window: StatementWindow | None, keys: set[str]) -> Figures:
    """Those that are not shown, and those that were not kept one by one."""
    if window is None:
        return _nothing()
    rows = [place for place, key in enumerate(window.keys) if key in keys]
    return _figures(window.names, window.counters[rows].sum(axis=0) + window.other, window.total)


def _of_key(window: StatementWindow | None, key: str) -> Figures | None:
    if window is None or key not in window.keys:
        return None
    return _figures(window.names, window.counters[window.keys.index(key)], window.total)


def _figures(names: Sequence[str], counters: Counters, total: Counters | None) -> Figures:
    by_name = dict(zip(names, counters.tolist(), strict=True))
    calls, seconds = by_name.pop("calls"), by_name.pop("seconds")
    all_seconds = float(total[list(names).index("seconds")]) if total is not None else 0.0
    return Figures(
        calls=calls,
        total_seconds=seconds,
        mean_seconds=seconds / calls if calls else None,
        rows=by_name.pop("rows", None),
        share=seconds / all_seconds if all_seconds > 0 else None,
        more=by_name,
    )


def _nothing() -> Figures:
    return Figures(calls=0.0, total_seconds=0.0, mean_seconds=None, rows=None, share=None, more={})


def _stretches(windows: Sequence[StatementWindow], asked: Asked) -> list[StatementWindow]:
    """The windows, put together where there are more than a chart can show."""
    step = max(1, (asked.end_ms - asked.start_ms) // MOST_STRETCHES)
    groups: dict[int, list[StatementWindow]] = {}
    for window in windows:
        groups.setdefault((window.start_ms - asked.start_ms) // step, []).append(window)
    return [whole for group in groups.values() if (whole := merged(group)) is not None]


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


OPERATIONS = (
    Operation(
        "metrics.statements.top",
        ListStatements,
        Statements,
        list_statements,
        f"GET {PATH}",
        Permission.SIGNED_IN,
        "List the statements of a data source that took the most.",
        errors=(Forbidden,),
    ),
    Operation(
        "metrics.statements.get",
        GetStatement,
        StatementHistory,
        get_statement,
        f"GET {PATH}" + "/{key}",
        Permission.SIGNED_IN,
        "Tell what a statement did over time, and the plans that were seen of it.",
        errors=(Forbidden,),
    ),
)
