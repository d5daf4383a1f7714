"""How an answer goes on from the one before: which times left, and what the columns are from a time on.

Whoever has the answer before keeps its columns from the place of `start` to below the place of `from`, and appends.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Any

from handlers.merge_patch import NotPatchable, patch_between

# When an answer was made, and of which time: alone no change.
PASSING = frozenset({"as_of", "start", "end"})
_COLUMNS = ("times", "series")


def points_between(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any] | None:
    """The points that turn one answer into the other, both as JSON has them.

    Empty if nothing changed; None where it is not the same series in the same steps, or they have nothing in common.
    """
    old, new = before["times"], after["times"]
    if not old or not new or before["step_seconds"] != after["step_seconds"]:
        return None
    drop = bisect.bisect_left(old, new[0])
    if drop == len(old) or old[drop] != new[0] or not _same_lines(before["series"], after["series"]):
        return None
    try:
        patch = patch_between(_rest(before), _rest(after))
    except NotPatchable:
        return None
    keep = _common(old, new, drop)
    for one, other in zip(before["series"], after["series"], strict=True):
        for was, now in _pairs(one, other):
            keep = min(keep, _common(was, now, drop, keep))
    if not drop and keep == len(old) == len(new) and patch.keys() <= PASSING:
        return {}
    return {
        "start": new[0],
        "from": new[keep] if keep < len(new) else new[-1] + 1,
        "times": new[keep:],
        "series": [_cut(each, keep) for each in after["series"]],
        "patch": patch,
    }


def _rest(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in _COLUMNS}


def _same_lines(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    """Whether both are the same series with the same columns."""
    return len(one) == len(other) and all(map(_same_line, one, other))


def _same_line(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return isinstance(other, list)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_line(one[name], other[name]) for name in one)
    return bool(one == other)


def _pairs(one: dict[str, Any], other: dict[str, Any]) -> Iterator[tuple[list[Any], list[Any]]]:
    """The columns of both, at any depth."""
    for name, value in one.items():
        if isinstance(value, list):
            yield value, other[name]
        elif isinstance(value, dict):
            yield from _pairs(value, other[name])


def _common(was: list[Any], now: list[Any], drop: int, most: int | None = None) -> int:
    """How many items, of `most`, are the same as those of the other column from `drop` on."""
    size = min(len(was) - drop, len(now)) if most is None else most
    if was[drop : drop + size] == now[:size]:
        return size
    low, high = 0, size
    while low < high:  # the first `low` are the same, the first `high` are not
        middle = (low + high) // 2
        if was[drop + low : drop + middle + 1] == now[low : middle + 1]:
            low = middle + 1
        else:
            high = middle
    return low


def _cut(line: dict[str, Any], keep: int) -> dict[str, Any]:
    """Its columns from a place on."""
    made: dict[str, Any] = {}
    for name, value in line.items():
        if isinstance(value, list):
            made[name] = value[keep:]
        elif isinstance(value, dict) and (inner := _cut(value, keep)):
            made[name] = inner
    return made
