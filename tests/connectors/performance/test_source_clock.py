"""Times of a source are told by our clock, without what either side waited."""

from connectors.performance.clock import SourceClock


def test_a_clock_that_is_right_is_believed() -> None:
    clock = SourceClock()
    # We waited long for the answer: when the source was read is what it says.
    assert clock.ours(10_000.4, 9_900, 10_800) == 10_000
    assert clock.ours(20_300, 19_000, 20_400) == 20_300


def test_a_clock_that_is_wrong_is_put_right_once() -> None:
    clock = SourceClock()
    hour = 3_600_000.0
    first = clock.ours(hour + 10_000, 9_990, 10_010)
    assert first == 10_000
    # An answer that comes late does not move the time line.
    assert clock.ours(hour + 20_000, 19_990, 20_900) == 20_000


def test_a_clock_that_was_set_is_followed() -> None:
    clock = SourceClock()
    assert clock.ours(10_000, 9_990, 10_010) == 10_000
    assert clock.ours(80_000, 19_990, 20_010) == 20_000
    assert clock.ours(90_000, 29_990, 30_010) == 30_000
