"""What a rule would have done over stored samples: the engine of the live evaluation, over a past that is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.alerting.engine import Engine
from analysis.alerting.judging import Judgement
from analysis.alerting.matching import Labels
from analysis.alerting.plans import Happened, Plan
from analysis.alerting.series import Floats, Times
from analysis.alerting.states import ALLOWANCE_MS, Kind, Reason
from analysis.time_budget import TimeBudget

# Rules over rules see each other's changes at the ends of slices.
_SLICES = 2_000
_LEAST_SLICE_MS = 10_000


@dataclass(slots=True)
class Episode:
    """An alert that would have been, times in ms; `ended_at` None: it would be open at the end."""

    source_id: int
    labels: Labels
    judgement: Judgement
    pending_at: int
    fired_at: int | None = None
    ended_at: int | None = None
    reason: Reason | None = None


@dataclass(slots=True)
class Replayed:
    """What would have been. `until_ms` is how far it was worked out: less than was asked for if time was up."""

    until_ms: int
    episodes: list[Episode] = field(default_factory=list)


def replay(
    engine: Engine,
    plans: Sequence[Plan],
    samples: tuple[Times, Times, Floats],
    start_ms: int,
    end_ms: int,
    budget: TimeBudget,
) -> Replayed:
    """`samples` (ids, times in ms, values) are all of the engine's series, those from before `start_ms` for windows."""
    order = np.argsort(samples[1], kind="stable")
    ids, times, values = samples[0][order], samples[1][order], samples[2][order]
    first = int(np.searchsorted(times, start_ms))
    _load(engine, ids[:first], times[:first], values[:first])
    engine.settle(start_ms)
    watched = {plan.key for plan in plans}
    open_ones: dict[tuple[tuple[int, int], Labels], Episode] = {}
    done = Replayed(start_ms)
    slice_ms = max(_LEAST_SLICE_MS, (end_ms - start_ms) // _SLICES)
    while done.until_ms < end_ms and not budget.spent():
        done.until_ms = min(end_ms, done.until_ms + slice_ms)
        beyond = int(np.searchsorted(times, done.until_ms, side="right"))
        happened = engine.take(ids[first:beyond], times[first:beyond], values[first:beyond]) if beyond > first else []
        first = beyond
        for one in (*happened, *engine.advance(done.until_ms + ALLOWANCE_MS)):
            if one.plan.key in watched:
                _note(done.episodes, open_ones, one)
    return done


def _load(engine: Engine, ids: Times, times: Times, values: Floats) -> None:
    order = np.argsort(ids, kind="stable")
    owners, starts = np.unique(ids[order], return_index=True)
    ends = [*starts.tolist(), ids.size][1:] if ids.size else []
    for owner, start, end in zip(owners.tolist(), starts.tolist(), ends, strict=True):
        engine.load(owner, times[order[start:end]], values[order[start:end]])


def _note(episodes: list[Episode], open_ones: dict[tuple[tuple[int, int], Labels], Episode], one: Happened) -> None:
    key, at = (one.plan.key, one.labels), one.transition.at
    match one.transition.kind:
        case Kind.PENDING | Kind.FIRED:
            episode = open_ones.get(key)
            if episode is None:
                episode = open_ones[key] = Episode(one.plan.source_id, one.labels, one.judgement, at)
                episodes.append(episode)
            if one.transition.kind is Kind.FIRED:
                episode.fired_at, episode.judgement = at, one.judgement
        case Kind.RESOLVED | Kind.DROPPED:
            if (over := open_ones.pop(key, None)) is not None:
                over.ended_at, over.reason = at, one.transition.reason
        case Kind.REMEMBERED:
            pass
