"""Which numbers of a log were taken in: checked against a plain set of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from crdt.log_position import LogPosition

RANGES = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 6)), max_size=30)


@given(st.integers(0, 5), RANGES)
def test_it_knows_what_it_holds_and_up_to_where_nothing_is_missing(start: int, ranges: list[tuple[int, int]]) -> None:
    position, numbers = LogPosition(start), set(range(start + 1))
    for first, length in ranges:
        position.add(first, first + length)
        numbers |= set(range(first, first + length + 1))
        complete = next(number for number in range(100) if number not in numbers) - 1
        assert position.until == complete
        assert position.has_gap == any(number > complete for number in numbers)
        assert all(position.holds(number) == (number in numbers) for number in range(1, 40))
