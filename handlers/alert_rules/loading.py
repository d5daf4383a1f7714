"""An evaluation out of the database: rules, windows, what is open, how far it went. It may begin anew at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.alerting.engine import Engine
from analysis.alerting.matching import Labels
from analysis.alerting.rules import Rule
from analysis.alerting.states import Instance, Phase
from handlers.alert_rules.reading import DOMAIN, milliseconds, rules_of, sources_for
from handlers.alert_rules.recording import Subject
from handlers.measurements import OWN_SOURCE
from handlers.parts import Parts
from storage import alert_rules, alerts
from storage.alerts import Alert
from storage.errors import TrimmedTail
from storage.samples.columns import COUNTER, Batch, Samples, Series
from storage.samples.store import SampleStore

# Older batches than these are in windows only: an evaluation that was away for so long judges what is, not what was.
MOST_BATCHES = 500
# Senders may be that far ahead of us.
_AHEAD_MS = 15 * 60_000


@dataclass(slots=True)
class Loaded:
    """What an evaluation holds. `cursors`: by source, the number of the newest batch that was judged; `unseen` are the
    batches after it that were there when this was loaded."""

    engine: Engine
    cursors: dict[int, int] = field(default_factory=dict)
    stored_cursors: dict[int, int] = field(default_factory=dict)
    unseen: dict[int, list[Batch]] = field(default_factory=dict)
    alert_ids: dict[Subject, int] = field(default_factory=dict)
    # Alerts of these rules over sources that there are no more.
    without_source: list[int] = field(default_factory=list)
    # Series that no rule is about.
    others: set[int] = field(default_factory=set)

    @property
    def sources(self) -> set[int]:
        return {source_id for _, source_id in self.engine.plans}


async def load(parts: Parts, now_ms: int) -> Loaded:
    """All enabled rules, as if they had been evaluated all along."""
    async with parts.database.read() as connection:
        rows = await alert_rules.enabled(connection, DOMAIN)
        still_open = await alerts.open_of(connection, domain=DOMAIN)
    # Thousands of rules take a second, which nobody else is to wait for.
    rules = await asyncio.to_thread(rules_of, rows)
    return await load_rules(parts, rules, still_open, now_ms)


async def load_rules(
    parts: Parts, rules: Sequence[Rule], still_open: Sequence[Alert], now_ms: int, *, is_all_seen: bool = False
) -> Loaded:
    """These rules, with what is open of them. `is_all_seen`: what was not judged yet is part of the windows, too."""
    async with parts.database.read() as connection:
        of_workspaces = await alert_rules.sources_of(connection, {rule.workspace_id for rule in rules})
        cursors = await alert_rules.cursors(connection)
    loaded = Loaded(Engine(), stored_cursors=cursors)
    await asyncio.to_thread(add_rules, loaded.engine, rules, of_workspaces)
    rule_ids = {rule.id for rule in rules}
    for alert in still_open:
        if _key_of(alert) in loaded.engine.plans:
            _restore(loaded, alert)
        elif alert.rule_id in rule_ids:
            loaded.without_source.append(alert.id)
    for source_id, head in (await parts.samples.heads(loaded.sources)).items():
        cursor = head if is_all_seen else loaded.stored_cursors.get(source_id, 0)
        await _load_source(parts.samples, loaded, source_id, (cursor, head), now_ms)
    await asyncio.to_thread(loaded.engine.settle, now_ms)
    return loaded


def add_rules(engine: Engine, rules: Iterable[Rule], of_workspaces: Mapping[str, Sequence[int]]) -> None:
    for rule in rules:
        for source_id in sources_for(rule, of_workspaces):
            engine.add(rule, source_id)


def _restore(loaded: Loaded, alert: Alert) -> None:
    """An alert that is open. One of a label set that cannot be told from its row is left to people."""
    labels = labels_of(alert.evidence)
    if labels is None:
        return
    plan = loaded.engine.plans[_key_of(alert)]
    plan.restore(labels, instance_of(alert), alert.value)
    loaded.alert_ids[plan.key, labels] = alert.id


def _key_of(alert: Alert) -> tuple[int, int]:
    return alert.rule_id or 0, OWN_SOURCE if alert.source_id is None else alert.source_id


def labels_of(evidence: Mapping[str, Any]) -> Labels | None:
    """The labels of the group that an alert is about."""
    series = evidence.get("series")
    return tuple(sorted(series.items())) if isinstance(series, dict) else None


def instance_of(alert: Alert) -> Instance:
    times = (alert.pending_at, alert.fired_at, alert.last_true_at, alert.false_since, alert.missing_since)
    return Instance(
        phase=Phase.PENDING if alert.state == alerts.PENDING else Phase.FIRING,
        pending_at=milliseconds(alert.pending_at),
        last_true_at=milliseconds(alert.last_true_at),
        false_since=None if alert.false_since is None else milliseconds(alert.false_since),
        missing_since=None if alert.missing_since is None else milliseconds(alert.missing_since),
        seen_at=max(milliseconds(at) for at in times if at is not None),
    )


async def _load_source(
    store: SampleStore, loaded: Loaded, source_id: int, stretch: tuple[int, int], now_ms: int
) -> None:
    cursor, head = stretch
    unseen = await _unseen(store, source_id, cursor, head)
    loaded.unseen[source_id] = unseen
    loaded.cursors[source_id] = unseen[0].seq - 1 if unseen else head
    await add_series(store, loaded, source_id, now_ms, unseen, after=unseen[-1].seq if unseen else head)


async def _unseen(store: SampleStore, source_id: int, cursor: int, head: int) -> list[Batch]:
    """The batches up to `head` that were not judged; none, if too many were not, or some are not there any more."""
    if not 0 < head - cursor <= MOST_BATCHES:
        return []
    try:
        batches = await store.batches_after(source_id, cursor, MOST_BATCHES)
    except TrimmedTail:
        return []
    return [batch for batch in batches if batch.seq <= head]


async def add_series(
    store: SampleStore, loaded: Loaded, source_id: int, now_ms: int, batches: Sequence[Batch] = (), *, after: int
) -> None:
    """Follows the series of a source that are not known yet, with their past but for what is in `batches`.

    `after` is the number of the last batch that is past or among those: what is stored while the past is read is yet
    to be judged, too.
    """
    found: list[Series] = []
    for metric in loaded.engine.metrics_of(source_id):
        found += await store.series(source_id, metric)
    horizons = await asyncio.to_thread(_follow, loaded, source_id, found)
    past: dict[int, Samples] = {}
    for horizon, series in horizons.items():
        past |= await store.read(series, now_ms - horizon, now_ms + _AHEAD_MS)
    if not past:
        return
    unseen = _Unseen([*batches, *await _since(store, source_id, after)])
    await asyncio.to_thread(_load, loaded.engine, past, unseen)


async def _since(store: SampleStore, source_id: int, after: int) -> list[Batch]:
    """All batches after this one."""
    found: list[Batch] = []
    while some := await store.batches_after(source_id, found[-1].seq if found else after, MOST_BATCHES):
        found += some
    return found


def _follow(loaded: Loaded, source_id: int, series: Iterable[Series]) -> dict[int, list[Series]]:
    """Those that rules are about and that are new, by how much of their past is needed."""
    horizons: dict[int, list[Series]] = {}
    for each in series:
        if each.id in loaded.engine.series or each.id in loaded.others:
            continue
        horizon = loaded.engine.add_series(
            source_id,
            each.id,
            each.key.metric,
            each.key.labels,
            is_counter=each.key.kind == COUNTER,
            last_ms=each.last_ms,
        )
        if horizon is None:
            loaded.others.add(each.id)
        else:
            horizons.setdefault(horizon, []).append(each)
    return horizons


def _load(engine: Engine, past: Mapping[int, Samples], unseen: _Unseen) -> None:
    for series_id, samples in past.items():
        seen = unseen.without(series_id, samples)
        engine.load(series_id, seen.at_ms, seen.value)


class _Unseen:
    """The samples of some batches, by series."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        nothing = np.zeros(0, dtype=np.int64)
        owner = np.concatenate([nothing, *(batch.series_ids for batch in batches)])
        order = np.argsort(owner, kind="stable")
        self._owner = owner[order]
        self._at_ms = np.concatenate([nothing, *(batch.at_ms for batch in batches)])[order]

    def without(self, series_id: int, samples: Samples) -> Samples:
        """The samples of a series that are in none of the batches."""
        first, beyond = np.searchsorted(self._owner, [series_id, series_id + 1])
        if first == beyond:
            return samples
        seen = ~np.isin(samples.at_ms, self._at_ms[first:beyond])
        return Samples(samples.at_ms[seen], samples.value[seen])
