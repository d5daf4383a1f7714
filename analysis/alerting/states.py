"""The states of one label set of a rule: inactive, pending for a while, firing, and a while longer, inactive again.

All of it is arithmetic over times that are handed in, in whole ms since 1970: the same samples lead to the same
transitions at the same times, whenever they are looked at and however often the evaluation begins anew in between.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from analysis.alerting.specs import Policy

# A sample that is at most so late decides whether a time that has come by the clock is over.
ALLOWANCE_MS = 2_000


class Truth(enum.IntEnum):
    """What a moment says of a condition. UNKNOWN: there is no data."""

    FALSE = 0
    TRUE = 1
    UNKNOWN = 2


class Phase(enum.StrEnum):
    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


class Kind(enum.StrEnum):
    """What becomes of an alert. DROPPED: it was pending, and is no more. REMEMBERED: what the next evaluation has to
    know is different."""

    PENDING = "pending"
    FIRED = "fired"
    RESOLVED = "resolved"
    DROPPED = "dropped"
    REMEMBERED = "remembered"


class Reason(enum.StrEnum):
    """Why an alert is over."""

    RECOVERED = "The condition does not hold any more."
    NO_DATA_IS_OK = "There is no data, which this rule takes for good."
    MISSING = "There has been no data for longer than the rule waits; whether it is over is not known."
    BROKEN_WHILE_PENDING = "The data ended before the condition had held for long enough."


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things have to last, in ms. `missing_ms` None: what fires stays so for as long as there is no data."""

    for_ms: int = 0
    keep_ms: int = 0
    missing_ms: int | None = None
    stale_ms: int = 300_000
    no_data: Policy = "keep_last"


@dataclass(slots=True)
class Instance:
    """One label set. `seen_at` is the newest moment that was judged, `heard_at` the newest at which there was data."""

    phase: Phase = Phase.INACTIVE
    pending_at: int = 0
    last_true_at: int = 0
    false_since: int | None = None
    missing_since: int | None = None
    seen_at: int = -(2**62)
    heard_at: int | None = None

    def copy(self) -> Instance:
        return replace(self)


@dataclass(frozen=True, slots=True)
class Transition:
    """What happened, and when; `reason` of what is over."""

    kind: Kind
    at: int
    reason: Reason | None = None


def step(one: Instance, timing: Timing, truth: Truth, at: int, *, unknown_is: Policy | None = None) -> list[Transition]:
    """Judges a moment, after what came by the clock before it. A moment before the newest judged one is too late.

    `unknown_is` is what UNKNOWN comes to at this moment, if not what the rule has for times without data.
    """
    if at < one.seen_at:
        return []
    passed = advance(one, timing, at - ALLOWANCE_MS)
    one.seen_at = at
    if truth is not Truth.UNKNOWN:
        one.heard_at = at
    return passed + _judge(one, timing, truth, at, unknown_is or timing.no_data)


def advance(one: Instance, timing: Timing, until: int) -> list[Transition]:
    """What comes by the clock alone, up to `until`: each at its own time."""
    passed: list[Transition] = []
    while (due := next_due(one, timing)) is not None and due <= until:
        passed += _come(one, timing, due)
    return passed


def resume(one: Instance, timing: Timing, away_since: int, now: int) -> list[Transition]:
    """Goes on after a time in which nobody judged anything: that is no time without data, and nothing fires of it."""
    if one.phase is Phase.PENDING and one.pending_at + timing.for_ms <= now:
        return _end(one, Kind.DROPPED, max(one.seen_at, away_since), Reason.BROKEN_WHILE_PENDING)
    if one.heard_at is not None:
        one.heard_at = max(one.heard_at, now)
    return []


def next_due(one: Instance, timing: Timing) -> int | None:
    """When the clock alone changes something; None if never."""
    if one.phase is Phase.INACTIVE:
        return None
    dues = [due for due in (_stale_at(one, timing), _ends_at(one, timing)) if due is not None]
    return min(dues, default=None)


def _stale_at(one: Instance, timing: Timing) -> int | None:
    return None if one.heard_at is None else one.heard_at + timing.stale_ms


def _ends_at(one: Instance, timing: Timing) -> int | None:
    if one.phase is Phase.PENDING:
        return one.pending_at + timing.for_ms
    if one.missing_since is not None:
        return None if timing.missing_ms is None else one.missing_since + timing.missing_ms
    return None if one.false_since is None else one.false_since + timing.keep_ms


def _come(one: Instance, timing: Timing, due: int) -> list[Transition]:
    one.seen_at = max(one.seen_at, due)
    if _stale_at(one, timing) == due:
        one.heard_at = None
        return _judge(one, timing, Truth.UNKNOWN, due, timing.no_data)
    if one.phase is Phase.PENDING:
        return _fire(one, due)
    return _end(one, Kind.RESOLVED, due, Reason.RECOVERED if one.missing_since is None else Reason.MISSING)


def _judge(one: Instance, timing: Timing, truth: Truth, at: int, unknown_is: Policy) -> list[Transition]:
    if truth is Truth.UNKNOWN:
        if unknown_is == "keep_last":
            return _lose(one, at)
        one.heard_at = None
    if truth is Truth.TRUE or (truth is Truth.UNKNOWN and unknown_is == "alert"):
        return _hold(one, timing, at)
    return _fail(one, timing, at, Reason.RECOVERED if truth is Truth.FALSE else Reason.NO_DATA_IS_OK)


def _hold(one: Instance, timing: Timing, at: int) -> list[Transition]:
    if one.phase is Phase.INACTIVE:
        one.phase, one.pending_at, one.last_true_at = Phase.PENDING, at, at
        return [Transition(Kind.PENDING, at)] if timing.for_ms else _fire(one, at)
    one.last_true_at = at
    if one.phase is Phase.PENDING:
        return _fire(one, at) if at - one.pending_at >= timing.for_ms else []
    if one.false_since is None and one.missing_since is None:
        return []
    one.false_since = one.missing_since = None
    return [Transition(Kind.REMEMBERED, at)]


def _fail(one: Instance, timing: Timing, at: int, reason: Reason) -> list[Transition]:
    if one.phase is Phase.INACTIVE:
        return []
    if one.phase is Phase.PENDING:
        return _end(one, Kind.DROPPED, at, reason)
    if timing.keep_ms == 0 or (one.false_since is not None and at - one.false_since >= timing.keep_ms):
        return _end(one, Kind.RESOLVED, at, reason)
    if one.false_since is not None and one.missing_since is None:
        return []
    one.false_since, one.missing_since = one.false_since or at, None
    return [Transition(Kind.REMEMBERED, at)]


def _lose(one: Instance, at: int) -> list[Transition]:
    """There is no data: nothing that was not true for all of its time fires, and nothing that fires ends."""
    one.heard_at = None
    if one.phase is Phase.PENDING:
        return _end(one, Kind.DROPPED, at, Reason.BROKEN_WHILE_PENDING)
    if one.phase is Phase.INACTIVE or one.missing_since is not None:
        return []
    one.missing_since = at
    return [Transition(Kind.REMEMBERED, at)]


def _fire(one: Instance, at: int) -> list[Transition]:
    one.phase, one.false_since, one.missing_since = Phase.FIRING, None, None
    return [Transition(Kind.FIRED, at)]


def _end(one: Instance, kind: Kind, at: int, reason: Reason) -> list[Transition]:
    one.phase, one.false_since, one.missing_since, one.heard_at = Phase.INACTIVE, None, None, None
    return [Transition(kind, at, reason)]
