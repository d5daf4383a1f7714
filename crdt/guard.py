"""Well-formed updates that would break this one document, refused before the engine sees them.

Three things depend on what the document holds already. Shared types nested some ten thousand deep end the process,
for the engine deletes and reads them by recursion, and each of many small updates may add a level. An item placed
inside of what is no shared type makes the engine stop half-way in the update. And an edit between the two halves of
a surrogate pair - half of an emoji deleted - makes it lose count of the clocks: the document it then encodes is
broken for everybody who loads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from crdt.item_content import DELETED, STRING, TYPE
from crdt.lib0 import read_var_bytes, write_varuint
from crdt.split import causal_order
from crdt.structs import GC, SKIP, Id, Range, Struct, StructIndex, read_structs
from crdt.update import MalformedUpdate, UpdateShape

# Editors nest some twenty levels; JavaScript's and Python's recursion ends at a thousand, the engine's at ten thousand.
MAX_NESTING: Final = 128

# Parents that updates out of order may wait for.
MAX_EXPECTED: Final = 1_000

_NO_TYPE: Final = "an item is placed inside of what is no shared type"

_LONG_CHARACTER: Final = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")

Sections = dict[int, list[Struct]]
Pairs = dict[int, set[int]]
"""The clocks of the second halves of surrogate pairs, by client."""


class Guard:
    """Remembers of a document what it takes to judge the updates that are to be applied to it.

    ``state`` gives the document as an update, as the engine encodes it. It is asked for once, and again in the rare
    cases where what is remembered does not suffice.
    """

    def __init__(self, state: Callable[[], bytes]) -> None:
        self._state = state
        self._pairs: Pairs | None = None
        self._depths: dict[Id, int] | None = None
        # What updates that wait place something in without it being there yet: it must turn out to be a shared type.
        self._expected: set[Id] = set()

    def check(self, data: bytes, shape: UpdateShape, clocks: Mapping[int, int]) -> None:
        """Raise MalformedUpdate for an update that this document must not get; remember the others as applied.

        To be asked right before an update is applied. `shape` is what `inspect_update` said, `clocks` the state vector
        of the document, which may lag behind.
        """
        pairs = self._known_pairs()
        if shape.notable or self._expected or self._touches_pairs(pairs, shape):
            self._check_closely(data, shape, clocks, pairs)

    def may_cut(self, shape: UpdateShape) -> bool:
        """Whether the update touches what clients wrote that have written such characters: seldom, and cheap to ask."""
        return self._touches_pairs(self._known_pairs(), shape)

    def cut_characters(self, data: bytes, shape: UpdateShape, clocks: Mapping[int, int]) -> set[Id]:
        """The characters of the document, by the ids of their second halves, that the update goes between."""
        pairs = self._known_pairs()
        if not self._touches_pairs(pairs, shape):
            return set()
        sections, deletions = read_structs(data)
        return {
            (client, clock) for client, clock in _cuts(sections, deletions, clocks) if clock in pairs.get(client, ())
        }

    def forget(self, characters: set[Id]) -> None:
        """These were deleted as a whole: nothing can be cut there any more."""
        pairs = self._known_pairs()
        for client, clock in characters:
            pairs[client].discard(clock)

    def _known_pairs(self) -> Pairs:
        if self._pairs is None:
            state = self._state()
            self._pairs = pairs_in(state, read_structs(state)[0]) if _LONG_CHARACTER.search(state) else {}
        return self._pairs

    @staticmethod
    def _touches_pairs(pairs: Pairs, shape: UpdateShape) -> bool:
        if not pairs:
            return False
        clients = (*(run[0] for run in shape.structs), *(run[0] for run in shape.deletions), *dict(shape.needs))
        return not pairs.keys().isdisjoint(clients)

    def _check_closely(self, data: bytes, shape: UpdateShape, clocks: Mapping[int, int], pairs: Pairs) -> None:
        sections, deletions = read_structs(data)
        new_pairs = pairs_in(data, sections) if shape.notable else {}
        _check_cuts(sections, deletions, (pairs, new_pairs), clocks)
        if shape.notable or self._expected:
            self._check_types(sections, clocks)
        for client, seconds in new_pairs.items():
            pairs.setdefault(client, set()).update(seconds)

    def _check_types(self, sections: Sections, clocks: Mapping[int, int]) -> None:
        remembered = self._depths
        if remembered is not None and self._fits(remembered, sections, clocks):
            return
        # Where a depth is not known it is overestimated: if it seems too great, once more with all of them. What
        # waits for its parent has no depth yet, so that nothing is certain then.
        waiting = remembered is not None and self._expected
        if waiting or not self._fits(depths_in(read_structs(self._state())[0]), sections, clocks):
            raise MalformedUpdate(f"shared types are nested more than {MAX_NESTING} deep")

    def _fits(self, depths: dict[Id, int], sections: Sections, clocks: Mapping[int, int]) -> bool:
        check = _TypeCheck(self._state, depths, self._expected, sections, clocks)
        if check.deepest > MAX_NESTING:
            return False
        depths.update(check.new)
        self._depths = depths
        self._expected = check.expected
        return True


class _TypeCheck:
    """The shared types of one update, and whether everything in it is placed in a shared type."""

    def __init__(
        self,
        state: Callable[[], bytes],
        depths: dict[Id, int],
        expected: set[Id],
        sections: Sections,
        clocks: Mapping[int, int],
    ) -> None:
        self.new: dict[Id, int] = {}
        self.deepest = max(depths.values(), default=1)
        self.expected = {place for place in expected if place[1] >= clocks.get(place[0], 0)}
        self._state = state
        self._document: StructIndex | None = None
        self._depths = depths
        self._index = StructIndex(sections)
        for struct in causal_order(sections):
            if struct.kind not in (GC, SKIP) and struct.clock + struct.length > clocks.get(struct.client, 0):
                self._check(struct)

    def _check(self, struct: Struct) -> None:
        if isinstance(struct.parent, tuple):
            depth = self._depth_inside(struct.parent) + 1
        elif struct.parent is not None:
            depth = 1
        else:
            neighbour = struct.origin or struct.right_origin
            known = self._known(neighbour) if neighbour else None
            depth = self.deepest if known is None else known
        if struct.kind == TYPE:
            self.new[struct.client, struct.clock] = depth
            self.deepest = max(self.deepest, depth)
            self.expected.discard((struct.client, struct.clock))
        elif struct.kind != DELETED and any(_holds(struct, place) for place in self.expected):
            raise MalformedUpdate(_NO_TYPE)

    def _depth_inside(self, parent: Id) -> int:
        known = self._known(parent)
        if known is not None:
            return known
        struct = self._index.holding(parent) or self._in_document(parent)
        if struct is None or struct.kind == SKIP:
            self.expected.add(parent)
            if len(self.expected) > MAX_EXPECTED:
                raise MalformedUpdate("too many items wait for what they are placed in")
            return self.deepest
        if struct.kind not in (TYPE, GC, DELETED):
            raise MalformedUpdate(_NO_TYPE)
        # A type that is there without being remembered waited for something that came before it.
        depth = self.new[parent] = self.deepest if struct.kind == TYPE else 0
        return depth

    def _in_document(self, place: Id) -> Struct | None:
        if self._document is None:
            self._document = StructIndex(read_structs(self._state())[0])
        return self._document.holding(place)

    def _known(self, place: Id) -> int | None:
        return self.new.get(place, self._depths.get(place))


def _holds(struct: Struct, place: Id) -> bool:
    return struct.client == place[0] and struct.clock <= place[1] < struct.clock + struct.length


def pairs_in(data: bytes, sections: Sections) -> Pairs:
    """The surrogate pairs in the text of an update."""
    pairs: Pairs = {}
    for section in sections.values():
        for struct in section:
            if struct.kind == STRING:
                encoded, _ = read_var_bytes(data, struct.content)
                if _LONG_CHARACTER.search(encoded):
                    pairs.setdefault(struct.client, set()).update(_second_halves(encoded.decode(), struct.clock))
    return pairs


def _second_halves(text: str, clock: int) -> Iterator[int]:
    for character in text:
        if character > "\uffff":
            yield clock + 1
            clock += 1
        clock += 1


def _check_cuts(
    sections: Sections, deletions: list[Range], pairs: tuple[Pairs, Pairs], clocks: Mapping[int, int]
) -> None:
    """Refuse an update that cuts the text of the document, or its own, inside of a surrogate pair."""
    cuts = _cuts(sections, deletions, clocks)
    if any(clock in known.get(client, ()) for client, clock in cuts for known in pairs):
        raise MalformedUpdate("a character is cut in half")


def _cuts(sections: Sections, deletions: list[Range], clocks: Mapping[int, int]) -> list[Id]:
    """Where an update parts what is one run of text: between each of these ids and the one before it."""
    cuts: list[Id] = []
    for client, section in sections.items():
        cuts += ((client, section[0].clock), (client, clocks.get(client, 0)))
        for struct in section:
            if struct.origin:
                cuts.append((struct.origin[0], struct.origin[1] + 1))
            if struct.right_origin:
                cuts.append(struct.right_origin)
    for client, clock, length in deletions:
        cuts += ((client, clock), (client, clock + length))
    return cuts


def deletion_of(characters: set[Id]) -> bytes:
    """An update that deletes characters of two units, given by the ids of their second halves."""
    clients: dict[int, list[int]] = {}
    for client, clock in sorted(characters):
        clients.setdefault(client, []).append(clock)
    parts = [b"\x00", write_varuint(len(clients))]
    for client, clocks in clients.items():
        parts += (write_varuint(client), write_varuint(len(clocks)))
        parts += (write_varuint(clock - 1) + b"\x02" for clock in clocks)
    return b"".join(parts)


def depths_in(sections: Sections) -> dict[Id, int]:
    """How deep each shared type of a document lies: 1 directly in a root type."""
    index = StructIndex(sections)
    levels: dict[Id, int] = {}
    return {
        (struct.client, struct.clock): _level(struct, index, levels)
        for section in sections.values()
        for struct in section
        if struct.kind == TYPE
    }


def _level(struct: Struct, index: StructIndex, levels: dict[Id, int]) -> int:
    """How deep an item lies: that of its parent and one more, or that of its neighbour."""
    path: list[tuple[Id, int]] = []
    level = 0
    current: Struct | None = struct
    while current is not None:
        here = (current.client, current.clock)
        if here in levels:
            level = levels[here]
            break
        if isinstance(current.parent, str):
            path.append((here, 1))
            break
        path.append((here, 0 if current.parent is None else 1))
        following = current.parent or current.origin or current.right_origin
        current = index.holding(following) if isinstance(following, tuple) else None
    for here, step in reversed(path):
        level += step
        levels[here] = level
    return level
