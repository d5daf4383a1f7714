"""What statements came to between two looks, whatever the database does with its counters meanwhile."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from statement_snapshots import NAMES, snapshot

from connectors.performance.figures import StatementSnapshot
from handlers.performance.statement_windows import decoded, difference, encoded, merged


def calls(before: StatementSnapshot, now: StatementSnapshot, top: int = 10) -> dict[str, float]:
    window = difference(before, now, top)
    assert window is not None
    return dict(zip(window.keys, window.counters[:, 0].tolist(), strict=True))


def test_what_was_counted_before_is_taken_off_and_what_is_new_counts_whole() -> None:
    before = snapshot(1000, {"a": (10, 1.0, 5), "b": (7, 9.0, 0)})
    now = snapshot(2000, {"c": (3, 0.5, 3), "b": (7, 9.0, 0), "a": (15, 1.5, 9)})
    assert calls(before, now) == {"a": 5, "c": 3}


def test_of_two_epochs_nothing_is_told() -> None:
    before = snapshot(1000, {"a": (10, 1.0, 5)})
    assert difference(before, snapshot(2000, {"a": (20, 2.0, 9)}, epoch="two"), 10) is None
    assert difference(before, snapshot(1000, {"a": (20, 2.0, 9)}), 10) is None


def test_a_statement_that_was_forgotten_and_came_back_leaves_no_negative_and_no_spike() -> None:
    before = snapshot(1000, {"a": (1000, 50.0, 5), "b": (10, 1.0, 5)}, since={"a": 1, "b": 1})
    # By its time of birth it has begun anew, although it is beyond its old value.
    now = snapshot(2000, {"a": (4, 0.1, 4), "b": (12, 1.5, 9)}, since={"a": 1, "b": 500})
    assert calls(before, now) == {"a": 4, "b": 12}


def test_the_rest_is_counted_together() -> None:
    before = snapshot(1000, {})
    now = snapshot(2000, {f"k{number}": (1.0, float(number), 2.0) for number in range(100)})
    window = difference(before, now, 10)
    assert window is not None
    assert window.keys == tuple(f"k{number}" for number in range(99, 89, -1))
    assert window.others == 90
    assert window.other.tolist() == [90.0, sum(range(90)), 180.0]
    assert window.total.tolist() == now.counters.sum(axis=0).tolist()


def test_what_the_database_has_no_room_for_is_among_the_rest() -> None:
    window = difference(snapshot(1000, {}), snapshot(2000, {".0": (5, 9.0, 0), "a": (1, 0.1, 0)}), 10)
    assert window is not None
    assert window.keys == ("a",)
    assert window.other.tolist() == [5, 9, 0]


@pytest.mark.parametrize("seed", range(5))
def test_windows_put_together_are_what_happened(seed: int) -> None:
    """Whatever the top is, sums are those of the whole, also after they were stored and merged by the hour."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    counted: dict[str, list[float]] = {}
    before, windows = snapshot(0, {}), []
    for number in range(1, 30):
        for _ in range(chance.randint(0, 40)):
            row = counted.setdefault(f"k{chance.randint(0, 60)}", [0.0, 0.0, 0.0])
            row[0] += 1
            row[1] += chance.random()
            row[2] += chance.randint(0, 9)
        now = snapshot(number * 60_000, {key: (one, two, three) for key, (one, two, three) in counted.items()})
        window = difference(before, now, top=5)
        assert window is not None
        windows.append(window)
        before = now
    whole = merged(decoded(encoded(window) for window in windows))
    assert whole is not None
    assert (whole.start_ms, whole.end_ms) == (0, 29 * 60_000)
    np.testing.assert_allclose(whole.total, np.sum(list(counted.values()), axis=0), rtol=1e-5)
    in_two_steps = merged([part for part in (merged(windows[:13], 7), merged(windows[13:], 7)) if part is not None])
    assert in_two_steps is not None
    np.testing.assert_allclose(in_two_steps.total, whole.total, rtol=1e-5)


def test_windows_of_a_database_that_counts_more_since_an_upgrade() -> None:
    one = difference(snapshot(0, {}), snapshot(1, {"a": (1, 1.0, 1)}), 5)
    more = replace(
        snapshot(2, {"a": (2, 2.0, 2)}), names=(*NAMES, "wal_bytes"), counters=np.array([[2.0, 2.0, 2.0, 7.0]])
    )
    two = difference(replace(snapshot(1, {}), names=more.names, counters=np.empty((0, 4))), more, 5)
    assert one is not None
    assert two is not None
    whole = merged([one, two])
    assert whole is not None
    assert whole.total.tolist() == [3, 3, 3, 7]
