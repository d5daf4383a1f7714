"""What a rule, saved or not, would have fired on over the samples that are stored: bounded, and it says so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np

from analysis.alerting import specs
from analysis.alerting.engine import Engine
from analysis.alerting.plans import Plan
from analysis.alerting.replay import Episode, Replayed, replay
from analysis.alerting.rules import Rule
from analysis.alerting.wording import summary_of
from analysis.time_budget import TimeBudget
from handlers.alert_rules.loading import add_rules
from handlers.alert_rules.preview_shapes import Preview, PreviewRule, PreviewUnsaved, WouldHaveFired
from handlers.alert_rules.reading import instant, milliseconds, rules_of
from handlers.alert_rules.rules import ONE, PATH
from handlers.alert_rules.standing import check_rule, evaluated, require_rule
from handlers.registry import Conflict, Context, Forbidden, Instant, InvalidRequest, NotFound, Operation, Permission
from storage import alert_rules
from storage.samples.columns import COUNTER, Series

# A day of a thousand series at ten seconds is 8.6 million samples; this takes a second or two.
MOST_SAMPLES = 2_000_000
MOST_SERIES = 5_000
MOST_SHOWN = 500
MOST_SECONDS = 10.0
# What is asked of the store in one go.
_AT_ONCE = 200


async def preview_rule(context: Context, request: PreviewRule) -> Preview:
    row = await require_rule(context, request.rule_id, Permission.READ)
    return await _preview(context, evaluated(row), request.seconds, request.end)


async def preview_unsaved(context: Context, request: PreviewUnsaved) -> Preview:
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    async with context.parts.database.read() as connection:
        await check_rule(context, connection, request.workspace_id, request.data_source_id, request.spec)
    rule = Rule(
        id=0,
        name=request.name,
        severity=request.severity.value,
        spec=request.spec,
        workspace_id=request.workspace_id,
        source_id=request.data_source_id,
    )
    return await _preview(context, rule, request.seconds, request.end)


@dataclass(slots=True)
class _Past:
    """The samples that a preview is of, as columns."""

    ids: list[np.ndarray] = field(default_factory=list)
    at_ms: list[np.ndarray] = field(default_factory=list)
    value: list[np.ndarray] = field(default_factory=list)
    series: int = 0
    samples: int = 0
    left_out: int = 0

    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        nothing = np.zeros(0, dtype=np.int64)
        return (
            np.concatenate([nothing, *self.ids]),
            np.concatenate([nothing, *self.at_ms]),
            np.concatenate([nothing.astype(np.float64), *self.value]),
        )


async def _preview(context: Context, rule: Rule, seconds: int, end: Instant | None) -> Preview:
    now = context.now()
    last = min(end or now, now)
    if last.year < 2000:
        raise InvalidRequest("end: no samples are that old; leave it out to look at the newest.")
    start_ms, end_ms = milliseconds(last - timedelta(seconds=seconds)), milliseconds(last)
    engine = Engine()
    plans = await _planned(context, engine, replace(rule, since_ms=start_ms))
    past = await _past(context, engine, start_ms, end_ms)
    budget = TimeBudget(MOST_SECONDS, lambda: None)
    done = await asyncio.to_thread(replay, engine, plans, past.columns(), start_ms, end_ms, budget)
    return _told(rule, past, done, start_ms, end_ms)


async def _planned(context: Context, engine: Engine, rule: Rule) -> list[Plan]:
    """The rule, and those that it is made of."""
    rules = [rule]
    async with context.parts.database.read() as connection:
        if isinstance(rule.spec.query, specs.Composite):
            parts = await alert_rules.get_many(connection, set(rule.spec.query.rules.values()))
            rules = [*(replace(each, since_ms=rule.since_ms) for each in rules_of(parts)), rule]
        of_workspaces = await alert_rules.sources_of(connection, {rule.workspace_id})
    add_rules(engine, rules, of_workspaces)
    return [plan for (rule_id, _), plan in engine.plans.items() if rule_id == rule.id]


async def _past(context: Context, engine: Engine, start_ms: int, end_ms: int) -> _Past:
    store, past = context.parts.samples, _Past()
    for source_id in sorted({source_id for _, source_id in engine.plans}):
        horizons: dict[int, list[Series]] = {}
        for metric in sorted(engine.metrics_of(source_id)):
            for each in await store.series(source_id, metric):
                is_counter = each.key.kind == COUNTER
                if past.series >= MOST_SERIES or past.samples >= MOST_SAMPLES:
                    past.left_out += 1
                    continue
                horizon = engine.add_series(
                    source_id, each.id, metric, each.key.labels, is_counter=is_counter, last_ms=each.last_ms
                )
                if horizon is not None:
                    past.series += 1
                    horizons.setdefault(horizon, []).append(each)
        for horizon, series in horizons.items():
            for begin in range(0, len(series), _AT_ONCE):
                await _read(context, past, series[begin : begin + _AT_ONCE], start_ms - horizon, end_ms + 1)
    return past


async def _read(context: Context, past: _Past, series: list[Series], start_ms: int, end_ms: int) -> None:
    if past.samples >= MOST_SAMPLES:
        past.left_out += len(series)
        return
    for series_id, samples in (await context.parts.samples.read(series, start_ms, end_ms)).items():
        past.ids.append(np.full(samples.at_ms.size, series_id, dtype=np.int64))
        past.at_ms.append(samples.at_ms)
        past.value.append(samples.value)
        past.samples += samples.at_ms.size


def _told(rule: Rule, past: _Past, done: Replayed, start_ms: int, end_ms: int) -> Preview:
    fired = [each for each in done.episodes if each.fired_at is not None]
    why = []
    if past.left_out:
        why.append(f"{past.left_out} series were left out: a preview looks at {MOST_SAMPLES:,} samples at most")
    if done.until_ms < end_ms:
        why.append(f"it was stopped after {MOST_SECONDS:g} s, at {instant(done.until_ms).isoformat()}")
    if len(done.episodes) > MOST_SHOWN:
        why.append(f"only the first {MOST_SHOWN} of {len(done.episodes)} alerts are listed")
    return Preview(
        start=instant(start_ms),
        end=instant(end_ms),
        series=past.series,
        samples=past.samples,
        fired=len(fired),
        pending_only=len(done.episodes) - len(fired),
        firing_seconds=_union_seconds(fired, done.until_ms),
        alerts=[_episode(rule, each) for each in done.episodes[:MOST_SHOWN]],
        is_partial=bool(why),
        why_partial=why,
    )


def _union_seconds(fired: list[Episode], until_ms: int) -> float:
    total, reached = 0, 0
    for start, end in sorted((each.fired_at or 0, each.ended_at or until_ms) for each in fired):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total / 1000


def _episode(rule: Rule, one: Episode) -> WouldHaveFired:
    labels, judgement = dict(one.labels), one.judgement
    return WouldHaveFired(
        data_source_id=one.source_id,
        labels=labels,
        summary=summary_of(rule.spec, rule.name, rule.severity, labels, judgement),
        value=judgement.value,
        threshold=judgement.threshold,
        pending_at=instant(one.pending_at),
        fired_at=None if one.fired_at is None else instant(one.fired_at),
        resolved_at=None if one.ended_at is None else instant(one.ended_at),
        reason=None if one.reason is None else str(one.reason),
    )


OPERATIONS = (
    Operation(
        "alert_rules.preview",
        PreviewRule,
        Preview,
        preview_rule,
        f"POST {ONE}/preview",
        Permission.SIGNED_IN,
        "See what a rule would have fired on over the stored history.",
        audited=False,
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "alert_rules.preview_unsaved",
        PreviewUnsaved,
        Preview,
        preview_unsaved,
        f"POST {PATH}/preview",
        Permission.SIGNED_IN,
        "See what a rule that is not saved would have fired on over the stored history.",
        audited=False,
        errors=(Forbidden, NotFound),
    ),
)
