"""The states of a label set, against a plain model that walks through time second by second."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.alerting.states import ALLOWANCE_MS, Instance, Kind, Phase, Reason, Timing, Truth, advance, step

SECOND = 1_000
UNTIL = 300
ALLOWANCE = ALLOWANCE_MS // SECOND

Samples = dict[int, Truth]
Event = tuple[Kind, int]

SAMPLES = st.dictionaries(st.integers(0, UNTIL - 20), st.sampled_from(list(Truth)), max_size=40)
TIMINGS = st.builds(
    lambda hold, keep, missing, stale, policy: Timing(
        hold * SECOND, keep * SECOND, None if missing is None else missing * SECOND, stale * SECOND, policy
    ),
    st.sampled_from([0, 0, 5, 20, 60]),
    st.sampled_from([0, 0, 5, 30]),
    st.sampled_from([None, 10, 40]),
    st.sampled_from([15, 50, 1000]),
    st.sampled_from(["keep_last", "alert", "ok"]),
)


@dataclass
class Model:
    """Told second by second. Times by the clock wait where a sample follows within the allowance: it decides."""

    timing: Timing
    phase: str = "inactive"
    since: int = 0
    heard: int | None = None
    false: int | None = None
    lost: int | None = None
    events: list[Event] = field(default_factory=list)

    def run(self, samples: Samples) -> list[Event]:
        for now in range(UNTIL + 1):
            if now in samples:
                self.moment(samples[now], now)
            elif not any(now < at < now + ALLOWANCE for at in samples):
                while self.phase != "inactive" and (due := self.due()) is not None and due[0] <= now:
                    self.come(*due)
        return self.events

    def tell(self, kind: Kind, at: int, phase: str | None = None) -> None:
        self.events.append((kind, at * SECOND))
        self.phase = phase or self.phase

    def moment(self, truth: Truth, at: int) -> None:
        unknown = truth is Truth.UNKNOWN
        self.heard = None if unknown else at
        if unknown and self.timing.no_data == "keep_last":
            self.lose(at)
        elif self.timing.no_data == "alert" if unknown else truth is Truth.TRUE:
            self.bad(at)
        else:
            self.good(at)

    def lose(self, at: int) -> None:
        if self.phase == "pending":
            self.tell(Kind.DROPPED, at, "inactive")
        elif self.phase == "firing" and self.lost is None:
            self.lost = at
            self.tell(Kind.REMEMBERED, at)

    def bad(self, at: int) -> None:
        hold = self.timing.for_ms // SECOND
        if self.phase == "inactive":
            self.since, self.false, self.lost = at, None, None
            self.tell(Kind.PENDING if hold else Kind.FIRED, at, "pending" if hold else "firing")
        elif self.phase == "pending":
            if at - self.since >= hold:
                self.tell(Kind.FIRED, at, "firing")
        elif self.false is not None or self.lost is not None:
            self.false = self.lost = None
            self.tell(Kind.REMEMBERED, at)

    def good(self, at: int) -> None:
        keep = self.timing.keep_ms // SECOND
        if self.phase == "pending":
            self.tell(Kind.DROPPED, at, "inactive")
        elif self.phase == "firing":
            if keep == 0 or (self.false is not None and at - self.false >= keep):
                self.tell(Kind.RESOLVED, at, "inactive")
            elif self.false is None or self.lost is not None:
                self.false, self.lost = at if self.false is None else self.false, None
                self.tell(Kind.REMEMBERED, at)

    def due(self) -> tuple[int, int] | None:
        """When something comes by the clock first, and whether it is (0) that there was no data for too long."""
        dues = [] if self.heard is None else [(self.heard + self.timing.stale_ms // SECOND, 0)]
        if self.phase == "pending":
            dues.append((self.since + self.timing.for_ms // SECOND, 1))
        elif self.lost is not None:
            dues += [] if self.timing.missing_ms is None else [(self.lost + self.timing.missing_ms // SECOND, 1)]
        elif self.false is not None:
            dues.append((self.false + self.timing.keep_ms // SECOND, 1))
        return min(dues, default=None)

    def come(self, at: int, is_state: int) -> None:
        if not is_state:
            self.moment(Truth.UNKNOWN, at)
        elif self.phase == "pending":
            self.tell(Kind.FIRED, at, "firing")
        else:
            self.tell(Kind.RESOLVED, at, "inactive")


def played(timing: Timing, samples: Samples, looks: dict[int, bool]) -> list[Event]:
    """The transitions, with looks at the clock in between; at some of them all is read back from what is stored."""
    one, events = Instance(), []
    for now in range(UNTIL + ALLOWANCE + 1):
        found = step(one, timing, samples[now], now * SECOND) if now in samples else []
        if now in looks:
            found += advance(one, timing, now * SECOND - ALLOWANCE_MS)
            one = restored(one, samples, now) if looks[now] else one
        events += [(each.kind, each.at) for each in found]
    return events + [(each.kind, each.at) for each in advance(one, timing, UNTIL * SECOND)]


def restored(one: Instance, samples: Samples, now: int) -> Instance:
    """As after a restart: the row, and when there was data last, which the samples tell."""
    if one.phase is Phase.INACTIVE:
        return Instance()
    times = (one.pending_at, one.last_true_at, one.false_since, one.missing_since)
    again = Instance(one.phase, one.pending_at, one.last_true_at, one.false_since, one.missing_since)
    again.seen_at = max(at for at in times if at is not None)
    newest = max(at for at in samples if at <= now)
    if one.missing_since is None and samples[newest] is not Truth.UNKNOWN:
        again.heard_at = one.heard_at and newest * SECOND
    return again


def by_time(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda event: event[1])


@given(TIMINGS, SAMPLES)
def test_it_is_as_the_model_says(timing: Timing, samples: Samples) -> None:
    assert by_time(played(timing, samples, {})) == by_time(Model(timing).run(samples))


@given(TIMINGS, SAMPLES, st.dictionaries(st.integers(0, UNTIL), st.booleans(), max_size=30))
def test_when_it_is_looked_at_makes_no_difference(timing: Timing, samples: Samples, looks: dict[int, bool]) -> None:
    """Nor how often everything but what is stored is forgotten in between."""
    assert played(timing, samples, looks) == played(timing, samples, {})


@given(TIMINGS, SAMPLES)
def test_nothing_fires_twice_without_an_end_between(timing: Timing, samples: Samples) -> None:
    open_kinds = [kind for kind, _ in played(timing, samples, {}) if kind is not Kind.REMEMBERED]
    for before, after in pairwise(open_kinds):
        if before is Kind.FIRED:
            assert after is Kind.RESOLVED
        if after is Kind.PENDING:
            assert before in (Kind.RESOLVED, Kind.DROPPED)


def run(timing: Timing, *samples: tuple[float, Truth], until: float = 0) -> list[tuple[str, float, Any]]:
    one, found = Instance(), []
    for at, truth in samples:
        found += step(one, timing, truth, round(at * SECOND))
    found += advance(one, timing, round(until * SECOND))
    return [(str(each.kind), each.at / SECOND, each.reason) for each in found if each.kind is not Kind.REMEMBERED]


def test_a_late_sample_changes_nothing() -> None:
    one = Instance()
    step(one, Timing(), Truth.TRUE, 10_000)
    assert step(one, Timing(), Truth.FALSE, 9_000) == []
    assert one.phase is Phase.FIRING


def test_for_is_over_by_the_clock_unless_a_sample_says_otherwise_just_then() -> None:
    timing = Timing(for_ms=60_000)
    assert run(timing, (0, Truth.TRUE), until=59)[-1][0] == "pending"
    assert run(timing, (0, Truth.TRUE), until=60)[-1] == ("fired", 60, None)
    assert run(timing, (0, Truth.TRUE), (60.5, Truth.FALSE), until=100)[-1] == ("dropped", 60.5, Reason.RECOVERED)
    assert run(timing, (0, Truth.TRUE), (63, Truth.FALSE), until=100)[1:] == [
        ("fired", 60, None),
        ("resolved", 63, Reason.RECOVERED),
    ]


@pytest.mark.parametrize("gap", [Truth.UNKNOWN, None])
def test_a_gap_is_no_time_in_which_the_condition_held(gap: Truth | None) -> None:
    """By a marker, or because nothing came for too long."""
    timing = Timing(for_ms=600_000, stale_ms=300_000)
    before = [(0.0, Truth.TRUE), (10.0, Truth.TRUE)]
    samples = before if gap is None else [*before, (310.0, gap)]
    assert run(timing, *samples, until=700) == [
        ("pending", 0, None),
        ("dropped", 310, Reason.BROKEN_WHILE_PENDING),
    ]


def test_flapping_does_not_flap_what_keeps_firing() -> None:
    timing = Timing(keep_ms=30_000)
    flapping = [(at, Truth.TRUE if at % 20 == 0 else Truth.FALSE) for at in range(0, 600, 10)]
    assert run(timing, *[(float(at), truth) for at, truth in flapping], until=619) == [("fired", 0, None)]
    assert run(timing, *[(float(at), truth) for at, truth in flapping], until=620)[-1][:2] == ("resolved", 620)
