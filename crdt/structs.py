"""The structs of a Yjs update one by one: what each is, what it refers to, and which bytes it is.

For updates that `crdt.update.inspect_update` has accepted, or that the engine has encoded: here nothing is checked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

from crdt.item_content import skip_content
from crdt.lib0 import read_var_string, read_varuint, write_varuint

Id = tuple[int, int]
"""Client and clock: the name of one unit of content, for ever."""

Range = tuple[int, int, int]
"""A run of ids: client, first clock, length."""

GC: Final = 0
SKIP: Final = 10


class Struct(NamedTuple):
    """One struct of an update.

    ``kind`` is GC, SKIP or a content kind of `crdt.item_content`. ``parent`` is the name of a root type, the id of
    the item that is the parent type, or None where it is that of ``origin`` or ``right_origin``. The encoded struct
    is ``data[start:end]``, its content ``data[content:end]``.
    """

    client: int
    clock: int
    length: int
    kind: int
    origin: Id | None
    right_origin: Id | None
    parent: str | Id | None
    parent_sub: str | None
    start: int
    content: int
    end: int

    @property
    def references(self) -> tuple[Id, ...]:
        """The ids that must be there before this struct."""
        found = (self.origin, self.right_origin, self.parent)
        return tuple(reference for reference in found if isinstance(reference, tuple))


def read_structs(data: bytes) -> tuple[dict[int, list[Struct]], list[Range]]:
    """The structs of each client, by clock, in the order of the update's sections; and what the update deletes."""
    sections: dict[int, list[Struct]] = {}
    clients, position = read_varuint(data, 0)
    for _ in range(clients):
        count, position = read_varuint(data, position)
        client, position = read_varuint(data, position)
        clock, position = read_varuint(data, position)
        section = sections.setdefault(client, [])
        for _ in range(count):
            struct = _read_struct(data, position, client, clock)
            section.append(struct)
            clock += struct.length
            position = struct.end
    return sections, read_deletions(data, position)


class StructIndex:
    """Finds the struct that holds an id."""

    def __init__(self, sections: dict[int, list[Struct]]) -> None:
        self._sections = sections
        self._clocks: dict[int, list[int]] = {}

    def holding(self, place: Id) -> Struct | None:
        """The struct that holds the id, if the update has one."""
        client, clock = place
        section = self._sections.get(client)
        if section is None:
            return None
        clocks = self._clocks.get(client)
        if clocks is None:
            clocks = self._clocks[client] = [struct.clock for struct in section]
        at = bisect_right(clocks, clock) - 1
        return section[at] if at >= 0 and clock < section[at].clock + section[at].length else None


def _read_struct(data: bytes, start: int, client: int, clock: int) -> Struct:
    info = data[start]
    position = start + 1
    if info in (GC, SKIP):
        length, end = read_varuint(data, position)
        return Struct(client, clock, length, info, None, None, None, None, start, position, end)
    origin = right_origin = None
    parent: str | Id | None = None
    parent_sub = None
    if info & 0x80:
        origin, position = _read_id(data, position)
    if info & 0x40:
        right_origin, position = _read_id(data, position)
    if not info & 0xC0:
        by_name, position = read_varuint(data, position)
        parent, position = read_var_string(data, position) if by_name else _read_id(data, position)
        if info & 0x20:
            parent_sub, position = read_var_string(data, position)
    length, end = skip_content(info & 31, data, position)
    return Struct(client, clock, length, info & 31, origin, right_origin, parent, parent_sub, start, position, end)


def _read_id(data: bytes, position: int) -> tuple[Id, int]:
    client, position = read_varuint(data, position)
    clock, position = read_varuint(data, position)
    return (client, clock), position


def read_deletions(data: bytes, position: int) -> list[Range]:
    """The delete set at `position`, range by range."""
    deletions: list[Range] = []
    clients, position = read_varuint(data, position)
    for _ in range(clients):
        client, position = read_varuint(data, position)
        count, position = read_varuint(data, position)
        for _ in range(count):
            clock, position = read_varuint(data, position)
            length, position = read_varuint(data, position)
            deletions.append((client, clock, length))
    return deletions


def write_update(data: bytes, structs: Iterable[Struct], deletions: Iterable[Range]) -> bytes:
    """An update of some of the structs of the update `data`, each client's in a row, and of some deletions."""
    sections: dict[int, list[Struct]] = {}
    for struct in structs:
        sections.setdefault(struct.client, []).append(struct)
    parts: list[bytes] = []
    count = 0
    # Higher clients first, as the engines write them: it makes integration cheaper.
    for client in sorted(sections, reverse=True):
        section = _without_outer_skips(sections[client])
        if section:
            count += 1
            parts += (write_varuint(len(section)), write_varuint(client), write_varuint(section[0].clock))
            parts += (data[struct.start : struct.end] for struct in section)
    return b"".join((write_varuint(count), *parts, write_deletions(deletions)))


def _without_outer_skips(section: list[Struct]) -> list[Struct]:
    first, last = 0, len(section)
    while first < last and section[first].kind == SKIP:
        first += 1
    while last > first and section[last - 1].kind == SKIP:
        last -= 1
    return section[first:last]


def write_deletions(deletions: Iterable[Range]) -> bytes:
    """Encode a delete set from ranges that are ascending for each client."""
    clients: dict[int, list[Range]] = {}
    for deletion in deletions:
        clients.setdefault(deletion[0], []).append(deletion)
    parts: list[bytes] = [write_varuint(len(clients))]
    for client, ranges in clients.items():
        parts += (write_varuint(client), write_varuint(len(ranges)))
        for _, clock, length in ranges:
            parts += (write_varuint(clock), write_varuint(length))
    return b"".join(parts)
