"""Which parts of one sequence were replaced to get another: exact where that is cheap, coarser where it is not.

Longest-common-subsequence algorithms are quadratic on sequences that have little in common. Here the elements that
are unique in both sequences anchor the comparison, what lies between is compared by Myers' algorithm up to a number
of differences, and what differs more than that counts as replaced as a whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

# Differences that the exact algorithm may find in one gap: its cost is their square, some milliseconds here.
MAX_DIFFERENCES = 100


class Change(NamedTuple):
    """``old[old_start:old_end]`` became ``new[new_start:new_end]``."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def find_changes(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Change]:
    """The changes from one sequence to another: ascending, apart, none empty on both sides."""
    changes: list[Change] = []
    gaps = [Change(0, len(old), 0, len(new))]
    while gaps:
        gap = _trimmed(old, new, gaps.pop())
        if gap.old_start == gap.old_end and gap.new_start == gap.new_end:
            continue
        if gap.old_start == gap.old_end or gap.new_start == gap.new_end:
            changes.append(gap)
            continue
        anchors = _anchors(old, new, gap)
        if anchors:
            gaps += _between(gap, anchors)
        else:
            changes += _few_differences(old, new, gap) or [gap]
    return sorted(changes)


def _trimmed(old: Sequence[Hashable], new: Sequence[Hashable], gap: Change) -> Change:
    """The gap without what both sides begin with and end with."""
    old_start, old_end, new_start, new_end = gap
    while old_start < old_end and new_start < new_end and old[old_start] == new[new_start]:
        old_start += 1
        new_start += 1
    while old_start < old_end and new_start < new_end and old[old_end - 1] == new[new_end - 1]:
        old_end -= 1
        new_end -= 1
    return Change(old_start, old_end, new_start, new_end)


def _anchors(old: Sequence[Hashable], new: Sequence[Hashable], gap: Change) -> list[tuple[int, int]]:
    """Positions of elements that are unique on both sides, in the longest run that ascends on both."""
    old_counts = Counter(old[gap.old_start : gap.old_end])
    new_counts = Counter(new[gap.new_start : gap.new_end])
    places = {new[at]: at for at in range(gap.new_start, gap.new_end) if new_counts[new[at]] == 1}
    pairs = [
        (at, places[old[at]])
        for at in range(gap.old_start, gap.old_end)
        if old_counts[old[at]] == 1 and old[at] in places
    ]
    return _longest_ascending(pairs)


def _longest_ascending(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose second members ascend, by patience sorting."""
    tops: list[int] = []
    piles: list[int] = []
    before: list[int] = []
    for at, (_, place) in enumerate(pairs):
        pile = bisect_left(tops, place)
        before.append(piles[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(place)
            piles.append(at)
        else:
            tops[pile], piles[pile] = place, at
    found: list[tuple[int, int]] = []
    at = piles[-1] if piles else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]


def _between(gap: Change, anchors: list[tuple[int, int]]) -> list[Change]:
    gaps = []
    old_at, new_at = gap.old_start, gap.new_start
    for old_anchor, new_anchor in [*anchors, (gap.old_end, gap.new_end)]:
        gaps.append(Change(old_at, old_anchor, new_at, new_anchor))
        old_at, new_at = old_anchor + 1, new_anchor + 1
    return gaps


def _few_differences(old: Sequence[Hashable], new: Sequence[Hashable], gap: Change) -> list[Change] | None:
    """The least changes within a gap by Myers' greedy algorithm, or None if they are too many."""
    old_length, new_length = gap.old_end - gap.old_start, gap.new_end - gap.new_start
    if abs(old_length - new_length) > MAX_DIFFERENCES:
        return None
    reach = {1: 0}
    rounds: list[dict[int, int]] = []
    for differences in range(min(MAX_DIFFERENCES, old_length + new_length) + 1):
        rounds.append(dict(reach))
        for diagonal in range(-differences, differences + 1, 2):
            x = _step(reach, diagonal, differences)
            y = x - diagonal
            while x < old_length and y < new_length and old[gap.old_start + x] == new[gap.new_start + y]:
                x += 1
                y += 1
            reach[diagonal] = x
            if x >= old_length and y >= new_length:
                return _trace(rounds, gap)
    return None


def _step(reach: dict[int, int], diagonal: int, differences: int) -> int:
    """How far one more difference gets on a diagonal: down from the one above, or right from the one below."""
    down = diagonal == -differences or (
        diagonal != differences and reach.get(diagonal - 1, -1) < reach.get(diagonal + 1, -1)
    )
    return reach[diagonal + 1] if down else reach[diagonal - 1] + 1


def _trace(rounds: list[dict[int, int]], gap: Change) -> list[Change]:
    """Walk back from the end through the rounds; neighbouring differences are joined into one change."""
    x, y = gap.old_end - gap.old_start, gap.new_end - gap.new_start
    changes: list[Change] = []
    for differences in range(len(rounds) - 1, 0, -1):
        reach = rounds[differences]
        diagonal = x - y
        down = diagonal == -differences or (
            diagonal != differences and reach.get(diagonal - 1, -1) < reach.get(diagonal + 1, -1)
        )
        from_x = reach[diagonal + 1] if down else reach[diagonal - 1]
        from_y = from_x - (diagonal + 1 if down else diagonal - 1)
        to_x, to_y = (from_x, from_y + 1) if down else (from_x + 1, from_y)
        change = Change(gap.old_start + from_x, gap.old_start + to_x, gap.new_start + from_y, gap.new_start + to_y)
        last = changes[-1] if changes else None
        if last and last.old_start == change.old_end and last.new_start == change.new_end:
            changes[-1] = Change(change.old_start, last.old_end, change.new_start, last.new_end)
        else:
            changes.append(change)
        x, y = from_x, from_y
    return changes
