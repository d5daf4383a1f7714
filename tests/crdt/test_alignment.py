"""Changes between sequences: always right, minimal where that is cheap, never slow."""

import itertools
import random
import time
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from crdt.alignment import MAX_DIFFERENCES, Change, find_changes


def applied(old: Sequence[int], new: Sequence[int], changes: list[Change]) -> list[int]:
    made: list[int] = []
    at = 0
    for change in changes:
        made += old[at : change.old_start]
        assert len(made) == change.new_start
        made += new[change.new_start : change.new_end]
        at = change.old_end
    return made + list(old[at:])


@given(st.lists(st.integers(0, 8), max_size=40), st.lists(st.integers(0, 8), max_size=40))
def test_the_changes_make_the_one_of_the_other(old: list[int], new: list[int]) -> None:
    changes = find_changes(old, new)
    assert applied(old, new, changes) == new
    assert all(change.old_end > change.old_start or change.new_end > change.new_start for change in changes)
    assert all(first.old_end < second.old_start for first, second in itertools.pairwise(changes))


def test_equal_sequences_have_no_changes() -> None:
    assert find_changes("same", "same") == []
    assert find_changes([], []) == []


def test_few_differences_are_found_exactly() -> None:
    changes = find_changes("aabbaabb", "aabxbaab")
    assert sum(change.old_end - change.old_start for change in changes) == 1
    assert sum(change.new_end - change.new_start for change in changes) == 1


def test_unique_elements_anchor_large_changes() -> None:
    old = list(range(10_000))
    new = [number if number % 10 else -number - 1 for number in old]
    assert len(find_changes(old, new)) == 1_000


def test_what_has_nothing_in_common_is_replaced_as_a_whole_and_quickly() -> None:
    rng = random.Random(1)
    old = [rng.randint(0, 3) for _ in range(50_000)]
    new = [rng.randint(4, 7) for _ in range(50_000 - 2 * MAX_DIFFERENCES)]
    started = time.process_time()
    assert find_changes(old, new) == [Change(0, len(old), 0, len(new))]
    assert time.process_time() - started < 5
