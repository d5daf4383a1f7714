"""Silences, maintenance windows and inhibitions: when each is in force, and which alerts it makes silent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opened_alerts import START, alert, new_alert

from handlers.alerts.suppression import reasons
from handlers.alerts.windows import in_force_until, next_change
from storage.alert_silences import Inhibition, Silence
from storage.alerts import ACKNOWLEDGED, PENDING

HOUR = timedelta(hours=1)
ALL = '[{"label":"alertname","op":"=~","value":".*"}]'


def silence(**changes: Any) -> Silence:
    values: dict[str, Any] = {
        "id": 5,
        "workspace_id": "lab",
        "matchers": ALL,
        "starts_at": START,
        "ends_at": None,
        "cron": None,
        "time_zone": None,
        "seconds": None,
        "comment": "work",
        "created_by": "ada",
        "created_at": START,
        "ended_at": None,
        "ended_by": None,
    }
    return Silence(**values | changes)


def inhibition(source: str, target: str, *equal: str) -> Inhibition:
    names = ",".join(f'"{name}"' for name in equal)
    return Inhibition(3, "lab", matcher(source), matcher(target), f"[{names}]", "ada", START)


def matcher(text: str) -> str:
    label, value = text.split("=")
    return f'[{{"label":"{label}","value":"{value}"}}]'


def test_a_silence_is_from_its_beginning_to_its_end() -> None:
    one = silence(starts_at=START + HOUR, ends_at=START + 2 * HOUR)
    moments = [START, START + HOUR, START + 1.5 * HOUR, START + 2 * HOUR]
    assert [in_force_until(one, at) for at in moments] == [None, one.ends_at, one.ends_at, None]
    assert [next_change(one, at) for at in moments] == [one.starts_at, one.ends_at, one.ends_at, None]
    ended = silence(ends_at=START + 2 * HOUR, ended_at=START + HOUR)
    assert in_force_until(ended, START + 1.5 * HOUR) is None
    assert next_change(ended, START + 1.5 * HOUR) is None


@pytest.mark.parametrize(
    ("day", "begins"),
    [
        # On the 29th of March clocks in Berlin are put forward, from 2:00 to 3:00; on the 25th of October back.
        (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 28, 1, 30, tzinfo=UTC)),
        (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 3, 30, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 12, tzinfo=UTC), datetime(2026, 10, 26, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_maintenance_window_follows_the_clock_on_the_wall(day: datetime, begins: datetime) -> None:
    nightly = silence(cron="30 2 * * *", time_zone="Europe/Berlin", seconds=2 * 3600)
    ends = begins + 2 * HOUR
    moment = timedelta(microseconds=1)
    assert next_change(nightly, day) == begins
    assert in_force_until(nightly, begins - moment) is None
    assert in_force_until(nightly, begins) == ends
    assert in_force_until(nightly, ends - moment) == ends
    assert in_force_until(nightly, ends) is None


def test_a_maintenance_window_is_none_before_its_beginning_and_cut_at_its_end() -> None:
    daily = silence(cron="0 8 * * *", seconds=3 * 3600, ends_at=START + 2 * 24 * HOUR)
    # The one of 8:00 had begun when it was made.
    assert in_force_until(daily, START + HOUR) is None
    assert in_force_until(daily, START + 23 * HOUR) == START + 26 * HOUR
    assert in_force_until(daily, START + 47 * HOUR) == START + 48 * HOUR
    assert next_change(daily, START + 48 * HOUR) is None


def test_a_silence_is_shown_with_its_end() -> None:
    cpu, disk = alert(1, name="cpu"), alert(2, name="disk")
    only_disk = silence(matchers='[{"label":"alertname","op":"!~","value":"c.*"}]', ends_at=START + HOUR)
    shown = [{"kind": "silence", "id": 5, "until": "2026-03-01T10:00:00Z", "alert_id": None}]
    assert reasons([cpu, disk], [only_disk], [], START) == {1: [], 2: shown}
    assert reasons([cpu, disk], [only_disk], [], START + HOUR) == {1: [], 2: []}
    window = silence(cron="0 9 * * *", seconds=60)
    assert [each["kind"] for each in reasons([cpu], [window], [], START)[1]] == ["maintenance"]


def test_matchers_look_at_what_an_alert_is_known_by() -> None:
    one = alert(1, name="cpu", severity="critical", source_id=7, labels={"host": "a", "severity": "mine"})
    for text in ("alertname=cpu", "severity=critical", "source=7", "domain=performance", "host=a", "gone="):
        matching = silence(matchers=matcher(text), ends_at=START + HOUR)
        assert reasons([one], [matching], [], START)[1], text
    assert new_alert().labels == {"host": "a"}


def test_an_alert_that_fires_keeps_those_silent_that_follow_from_it() -> None:
    down = alert(9, name="down", source_id=7)
    slow, other, elsewhere = alert(1, name="slow", source_id=7), alert(2, source_id=7), alert(3, name="slow")
    rule = inhibition("alertname=down", "alertname=slow", "source")
    found = reasons([slow, other, elsewhere, down], [], [rule], START)
    assert found[1] == [{"kind": "inhibition", "id": 3, "until": None, "alert_id": 9}]
    assert found[2] == found[3] == found[9] == []
    for state, is_silent in ((PENDING, False), (ACKNOWLEDGED, True)):
        source = alert(9, state, name="down", source_id=7)
        assert bool(reasons([slow, source], [], [rule], START)[1]) is is_silent


def test_alerts_that_match_both_sides_do_not_keep_each_other_silent() -> None:
    both = inhibition("host=a", "host=a")
    one, two = alert(1, labels={"host": "a"}), alert(2, labels={"host": "a"})
    assert reasons([one, two], [], [both], START) == {1: [], 2: []}
    rule = inhibition("severity=high", "host=a")
    only_source, of_both, only_target = (
        alert(1, severity="high"),
        alert(2, severity="high", labels={"host": "a"}),
        alert(3, severity="low", labels={"host": "a"}),
    )
    found = reasons([only_source, of_both, only_target], [], [rule], START)
    assert [(key, [each["alert_id"] for each in value]) for key, value in found.items()] == [
        (1, []),
        (2, [1]),
        (3, [1]),
    ]
