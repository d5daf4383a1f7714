"""What statements came to in a stretch of time: differences of what the database sums up since it began to count.

The statements that took the most time are kept one by one, all others together: sums are those of the whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from connectors.performance.figures import StatementSnapshot
from storage.statements import Window

Counters = NDArray[np.float64]

_LEVEL = 6
# Enough for a time; what counts in bytes and rows is whole.
_DIGITS = 7


@dataclass(frozen=True, slots=True)
class StatementWindow:
    """What each of `keys` did from `start_ms` to `end_ms`: a row of `counters` each, a column for each of `names`.

    `other` is what all other statements did together, `others` how many these were; `evicted` how many the database
    forgot meanwhile, None where it does not say.
    """

    start_ms: int
    end_ms: int
    names: tuple[str, ...]
    keys: tuple[str, ...]
    databases: tuple[str, ...]
    users: tuple[str, ...]
    counters: Counters
    other: Counters
    others: int = 0
    evicted: int | None = None

    @property
    def total(self) -> Counters:
        summed: Counters = self.counters.sum(axis=0) + self.other
        return summed


def difference(before: StatementSnapshot, now: StatementSnapshot, top: int) -> StatementWindow | None:
    """What happened between two snapshots. None where nothing can be said: of two epochs, or not one after the other.

    A statement that was not there before, or began to be counted anew, has done since then what it is counted with.
    """
    if before.epoch != now.epoch or before.names != now.names or now.at_ms <= before.at_ms:
        return None
    places = {key: place for place, key in enumerate(before.keys)}
    place = np.array([places.get(key, -1) for key in now.keys], np.int64)
    known = place >= 0
    old = np.zeros_like(now.counters)
    old[known] = before.counters[place[known]]
    since = np.zeros_like(now.since)
    since[known] = before.since[place[known]]
    # Times at which counting began tell it surely; without them, what has become less has begun anew.
    anew = known & ((now.since != since) | (now.counters < old).any(axis=1))
    old[anew] = 0.0
    return _window(before, now, np.maximum(now.counters - old, 0.0), top)


def _window(before: StatementSnapshot, now: StatementSnapshot, did: Counters, top: int) -> StatementWindow:
    active = np.flatnonzero(did[:, now.names.index("calls")] > 0)
    order = active[np.argsort(-did[active, now.names.index("seconds")], kind="stable")]
    # What the database itself sums up as the rest begins with a dot (connectors/performance).
    kept = [int(place) for place in order if not now.keys[place].startswith(".")][:top]
    rest = np.setdiff1d(active, kept)
    evicted = None if now.evicted is None or before.evicted is None else max(0, now.evicted - before.evicted)
    return StatementWindow(
        before.at_ms,
        now.at_ms,
        now.names,
        tuple(now.keys[place] for place in kept),
        tuple(now.databases[place] for place in kept),
        tuple(now.users[place] for place in kept),
        did[kept],
        did[rest].sum(axis=0),
        len(rest),
        evicted,
    )


def merged(windows: Sequence[StatementWindow], top: int | None = None) -> StatementWindow | None:
    """Windows one after the other as one; None of none. Names are those of the newest: others are not counted there."""
    if not windows:
        return None
    names = windows[-1].names
    sums: dict[str, Counters] = {}
    about: dict[str, tuple[str, str]] = {}
    other = np.zeros(len(names))
    for window in windows:
        columns = [window.names.index(name) if name in window.names else -1 for name in names]
        counters = np.where(np.array(columns) >= 0, window.counters[:, columns], 0.0)
        other += np.where(np.array(columns) >= 0, window.other[columns], 0.0)
        for place, key in enumerate(window.keys):
            sums[key] = sums[key] + counters[place] if key in sums else counters[place]
            about[key] = (window.databases[place], window.users[place])
    seconds = names.index("seconds")
    order = sorted(sums, key=lambda key: (-sums[key][seconds], key))
    kept, rest = order[:top], order[len(order) if top is None else top :]
    other += sum((sums[key] for key in rest), np.zeros(len(names)))
    told = [window.evicted for window in windows if window.evicted is not None]
    return StatementWindow(
        windows[0].start_ms,
        windows[-1].end_ms,
        names,
        tuple(kept),
        tuple(about[key][0] for key in kept),
        tuple(about[key][1] for key in kept),
        np.array([sums[key] for key in kept]).reshape(len(kept), len(names)),
        other,
        max(window.others for window in windows) + len(rest),
        sum(told) if told else None,
    )


class _Body(msgspec.Struct, frozen=True, array_like=True):
    names: tuple[str, ...]
    keys: tuple[str, ...]
    databases: tuple[str, ...]
    users: tuple[str, ...]
    counters: list[list[float]]
    other: list[float]
    others: int
    evicted: int | None


def encoded(window: StatementWindow) -> Window:
    """As it is stored."""
    body = _Body(
        window.names,
        window.keys,
        window.databases,
        window.users,
        np.round(window.counters, _DIGITS).tolist(),
        np.round(window.other, _DIGITS).tolist(),
        window.others,
        window.evicted,
    )
    return Window(window.start_ms, window.end_ms, zlib.compress(msgspec.json.encode(body), _LEVEL))


def decoded(rows: Iterable[Window]) -> list[StatementWindow]:
    """As they were stored. To be called in a thread where there are many."""
    found = []
    for row in rows:
        body = msgspec.json.decode(zlib.decompress(row.body), type=_Body)
        counters = np.array(body.counters).reshape(len(body.keys), len(body.names))
        rest = (np.array(body.other), body.others, body.evicted)
        about = (body.names, body.keys, body.databases, body.users)
        found.append(StatementWindow(row.start_ms, row.end_ms, *about, counters, *rest))
    return found
