"""Sets of (client, clock) ids, held as sorted ranges: what a document has deleted, or what an update brings."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from pycrdt import Doc, Snapshot

from crdt.lib0 import read_varuint
from crdt.update import Range


class IdRanges:
    """An immutable set of ids, asked for containment of ranges."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, ranges: Iterable[Range]) -> None:
        gathered: dict[int, list[tuple[int, int]]] = {}
        for client, clock, length in ranges:
            gathered.setdefault(client, []).append((clock, clock + length))
        self._starts: dict[int, list[int]] = {}
        self._ends: dict[int, list[int]] = {}
        for client, pairs in gathered.items():
            starts: list[int] = []
            ends: list[int] = []
            self._starts[client], self._ends[client] = starts, ends
            for start, end in sorted(pairs):
                if ends and start <= ends[-1]:
                    ends[-1] = max(ends[-1], end)
                else:
                    starts.append(start)
                    ends.append(end)

    def holds(self, client: int, clock: int, length: int) -> bool:
        starts = self._starts.get(client)
        if starts is None:
            return False
        at = bisect_right(starts, clock) - 1
        return at >= 0 and clock + length <= self._ends[client][at]


def deleted_in(doc: "Doc[Any]") -> IdRanges:
    """What a document has deleted: its snapshot starts with the delete set, encoded by the engine at native speed."""
    data = Snapshot.from_doc(doc).encode()
    ranges: list[Range] = []
    clients, at = read_varuint(data, 0)
    for _ in range(clients):
        client, at = read_varuint(data, at)
        count, at = read_varuint(data, at)
        for _ in range(count):
            clock, at = read_varuint(data, at)
            length, at = read_varuint(data, at)
            ranges.append((client, clock, length))
    return IdRanges(ranges)
