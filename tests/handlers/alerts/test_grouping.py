"""When groups are told of: a clock that is stepped, and what must hold whatever happens to alerts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from opened_alerts import START, alert

from handlers.alerts.grouping import Message, Pace, Standing, step
from storage.alerts import ACKNOWLEDGED, FIRING, PENDING, RESOLVED, Alert

SECOND = timedelta(seconds=1)
PACE = Pace(30 * SECOND, 300 * SECOND, 4 * 3600 * SECOND)


@dataclass
class Clock:
    """A group that is looked at each second, as a node does, and what was told when."""

    alerts: dict[int, Alert] = field(default_factory=dict)
    standing: Standing = field(default_factory=lambda: Standing({}))
    at: datetime = START
    told: list[tuple[float, list[int], list[int]]] = field(default_factory=list)

    def have(self, *alerts: Alert) -> None:
        self.alerts |= {each.id: each for each in alerts}

    def look(self) -> Message | None:
        members = [each for each in self.alerts.values() if each.state != RESOLVED]
        self.standing, message = step(self.standing, members, self.alerts, PACE, self.at)
        if message is not None:
            firing, resolved = ([each.id for each in some] for some in (message.firing, message.resolved))
            self.told.append(((self.at - START).total_seconds(), firing, resolved))
        return message

    def run(self, seconds: float) -> None:
        """Looks at once, whenever something is due, and at the end."""
        until = self.at + seconds * SECOND
        self.look()
        while (due := self.standing.due_at) is not None and due <= until:
            self.at = max(due, self.at)
            self.look()
        self.at = until
        self.look()


def test_what_fires_together_is_told_together_and_again_after_the_repeat_interval() -> None:
    clock = Clock()
    clock.have(alert(1))
    clock.run(10)
    clock.have(alert(2), alert(3))
    clock.run(10 * 3600)
    assert clock.told == [(30, [1, 2, 3], []), (14430, [1, 2, 3], []), (28830, [1, 2, 3], [])]


def test_what_is_new_waits_for_the_interval_and_what_ends_is_told_to_who_knew() -> None:
    clock = Clock()
    clock.have(alert(1))
    clock.run(40)
    clock.have(alert(2))
    clock.run(60)
    clock.have(alert(1, RESOLVED))
    clock.run(400)
    clock.have(alert(2, RESOLVED))
    clock.run(3600)
    assert clock.told == [(30, [1], []), (330, [2], [1]), (630, [], [2])]
    assert clock.standing.is_over


def test_what_is_over_before_anybody_was_told_is_not_told() -> None:
    clock = Clock()
    clock.have(alert(1))
    clock.run(20)
    clock.have(alert(1, RESOLVED))
    clock.run(3600)
    assert clock.told == []
    assert clock.standing.is_over


def test_a_late_one_in_an_old_group_gathers_company_first() -> None:
    clock = Clock()
    clock.have(alert(1))
    clock.run(3600)
    clock.have(alert(2))
    clock.run(20)
    clock.have(alert(3))
    clock.run(300)
    assert clock.told == [(30, [1], []), (3630, [1, 2, 3], [])]


def test_nothing_is_repeated_of_what_somebody_sees_to_until_it_fires_again() -> None:
    clock = Clock()
    clock.have(alert(1))
    clock.run(60)
    clock.have(alert(1, ACKNOWLEDGED))
    clock.run(10 * 3600)
    assert clock.told == [(30, [1], [])]
    clock.have(alert(1))
    clock.run(100)
    assert clock.told[1:] == [(36090, [1], [])]
    clock.have(alert(1, ACKNOWLEDGED))
    clock.run(10)
    clock.have(alert(1, RESOLVED))
    clock.run(3600)
    assert clock.told[2:] == [(36390, [], [1])]


def test_a_raised_severity_and_a_reopening_are_news_and_a_lowered_severity_is_not() -> None:
    clock = Clock()
    clock.have(alert(1))
    clock.run(400)
    clock.have(alert(1, severity="low"))
    clock.run(400)
    assert len(clock.told) == 1
    clock.have(alert(1, severity="critical"))
    clock.run(400)
    assert len(clock.told) == 2
    clock.have(alert(1, severity="critical", fired_at=START + 1000 * SECOND, reopened=1))
    clock.run(400)
    assert [firing for _, firing, _ in clock.told] == [[1], [1], [1]]


def test_the_silenced_and_the_snoozed_are_told_once_that_is_over() -> None:
    clock = Clock()
    clock.have(alert(1, suppressed_by=[{"kind": "silence", "id": 1}]), alert(2, snoozed_until=START + 600 * SECOND))
    clock.run(599)
    assert clock.told == []
    clock.have(alert(1), alert(2))
    clock.run(100)
    assert clock.told == [(629, [1, 2], [])]


STATES = st.sampled_from([PENDING, FIRING, FIRING, ACKNOWLEDGED, RESOLVED])
STEPS = st.lists(st.tuples(st.integers(1, 4), STATES, st.integers(0, 1_000)), min_size=1, max_size=30)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_happens(steps: list[tuple[int, str, int]]) -> None:
    """Nobody is told sooner than the pace allows; what fires is told in the end, and so is what is over."""
    clock = Clock()
    for number, state, seconds in steps:
        before = clock.alerts.get(number)
        fired_at = START if before is None or before.state != RESOLVED else clock.at
        clock.have(alert(number, state, fired_at=fired_at))
        clock.run(seconds)
    told_before_the_end = len(clock.told)
    clock.run(3600)
    times = [at for at, _, _ in clock.told]
    assert all(later - earlier >= 300 for earlier, later in itertools.pairwise(times))
    known: dict[int, str] = {}
    for _, firing, resolved in clock.told:
        assert set(resolved) <= set(known)
        known |= dict.fromkeys(firing, FIRING)
        for number in resolved:
            del known[number]
    fires = {each.id for each in clock.alerts.values() if each.state == FIRING}
    over = {each.id for each in clock.alerts.values() if each.state == RESOLVED}
    assert fires <= set(known)
    assert not over & set(known)
    assert len(clock.told) - told_before_the_end <= 2
