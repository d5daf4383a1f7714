"""The items of a document in their order, with their ids: what the engine knows and does not tell.

From the document's state as an update, by the same rules as every Yjs engine (YATA): an item goes between its
origins, and among items with the same origins the lower client id comes first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from crdt import item_content
from crdt.split import causal_order
from crdt.structs import GC, SKIP, Id, Range, Struct, read_structs

Parent = str | Id
"""A root type by its name, another by the id of its item."""

# Placing an item looks at what others placed between the same neighbours. Documents that people write have little
# there; one that was made to be slow has not to be answered.
MAX_COMPARISONS = 5_000_000


class TooInvolvedError(Exception):
    """The order of the document's items takes too long to work out."""


class Item:
    """A run of content in its place. Its content is that of ``struct`` from the unit ``offset`` on."""

    __slots__ = (
        "client", "clock", "deleted", "left", "length", "offset", "origin", "parent", "right", "right_origin", "struct",
        "sub",
    )  # fmt: skip

    def __init__(self, struct: Struct, offset: int, length: int, origin: Id | None) -> None:
        self.struct = struct
        self.offset = offset
        self.client = struct.client
        self.clock = struct.clock + offset
        self.length = length
        self.origin = origin
        self.right_origin = struct.right_origin
        self.parent: Parent | None = struct.parent
        self.sub = struct.parent_sub
        self.left: Item | None = None
        self.right: Item | None = None
        self.deleted = struct.kind == item_content.DELETED


class ItemOrder:
    """All items of a document that are in a place, by the type that they are in."""

    def __init__(self, state: bytes) -> None:
        self.state = state
        self._items: dict[int, list[Item]] = {}
        self._clocks: dict[int, list[int]] = {}
        self._starts: dict[Parent, Item] = {}
        self._entries: dict[Parent, dict[str, Item]] = {}
        self._comparisons = MAX_COMPARISONS
        sections, deletions = read_structs(state)
        for struct in causal_order(sections):
            if struct.kind not in (GC, SKIP):
                self._place(Item(struct, 0, struct.length, struct.origin))
        self._mark_deleted(deletions)

    def sequence(self, parent: Parent) -> Iterator[Item]:
        """The items of a list or text that are not deleted, in their order."""
        item = self._starts.get(parent)
        while item is not None:
            if not item.deleted:
                yield item
            item = item.right

    def entries(self, parent: Parent) -> Iterator[tuple[str, Item]]:
        """The keys of a map that hold something, sorted, each with its item."""
        for key, item in sorted(self._entries.get(parent, {}).items()):
            if not item.deleted:
                yield key, item

    def _place(self, item: Item) -> None:
        left = self._ending_at(item.origin) if item.origin else None
        right = self._starting_at(item.right_origin) if item.right_origin else None
        if (item.origin and left is None) or (item.right_origin and right is None):
            return  # beside what is collected as garbage: it is garbage too
        neighbour = left or right
        if item.parent is None and neighbour is not None:
            item.parent, item.sub = neighbour.parent, neighbour.sub
        if item.parent is None:
            return
        if left.right is not right if left else (right is None or right.left is not None):
            left = self._after_conflicts(item, left, right)
        self._link(item, left)
        self._keep(item)

    def _after_conflicts(self, item: Item, left: Item | None, right: Item | None) -> Item | None:
        """The left neighbour of an item among those that others placed between its origins."""
        other = left.right if left else self._first(item)
        before_origin: set[int] = set()
        conflicting: set[int] = set()
        while other is not None and other is not right:
            self._comparisons -= 1
            if self._comparisons < 0:
                raise TooInvolvedError("too many items stand between the same neighbours")
            before_origin.add(id(other))
            conflicting.add(id(other))
            if other.origin == item.origin:
                if other.client < item.client:
                    left = other
                    conflicting.clear()
                elif other.right_origin == item.right_origin:
                    break
            else:
                origin = self._holding(other.origin) if other.origin else None
                if origin is None or id(origin) not in before_origin:
                    break
                if id(origin) not in conflicting:
                    left = other
                    conflicting.clear()
            other = other.right
        return left

    def _first(self, item: Item) -> Item | None:
        assert item.parent is not None
        if item.sub is None:
            return self._starts.get(item.parent)
        first = self._entries.get(item.parent, {}).get(item.sub)
        while first is not None and first.left is not None:
            first = first.left
        return first

    def _link(self, item: Item, left: Item | None) -> None:
        assert item.parent is not None
        item.left = left
        if left is not None:
            item.right, left.right = left.right, item
        else:
            item.right = self._first(item)
            if item.sub is None:
                self._starts[item.parent] = item
        if item.right is not None:
            item.right.left = item
        if item.sub is not None:
            if item.right is None:
                self._entries.setdefault(item.parent, {})[item.sub] = item
                if left is not None:
                    left.deleted = True
            else:
                item.deleted = True

    def _keep(self, item: Item) -> None:
        self._items.setdefault(item.client, []).append(item)
        self._clocks.setdefault(item.client, []).append(item.clock)

    def _index(self, client: int, clock: int) -> int:
        """The place of the item that holds an id among those of its client; -1 if there is none."""
        at = bisect_right(self._clocks.get(client, ()), clock) - 1
        return at if at >= 0 and clock < self._clocks[client][at] + self._items[client][at].length else -1

    def _holding(self, place: Id) -> Item | None:
        at = self._index(*place)
        return self._items[place[0]][at] if at >= 0 else None

    def _ending_at(self, place: Id) -> Item | None:
        """The item whose last unit has this id, cut there if need be."""
        client, clock = place
        at = self._index(client, clock)
        if at < 0:
            return None
        item = self._items[client][at]
        if clock + 1 < item.clock + item.length:
            self._cut(item, at, clock + 1)
        return item

    def _starting_at(self, place: Id) -> Item | None:
        """The item whose first unit has this id, cut there if need be."""
        client, clock = place
        at = self._index(client, clock)
        if at < 0:
            return None
        item = self._items[client][at]
        return self._cut(item, at, clock) if item.clock < clock else item

    def _cut(self, item: Item, at: int, clock: int) -> Item:
        kept = clock - item.clock
        rest = Item(item.struct, item.offset + kept, item.length - kept, (item.client, clock - 1))
        item.length = kept
        rest.parent, rest.sub, rest.deleted = item.parent, item.sub, item.deleted
        rest.left, rest.right = item, item.right
        if rest.right is not None:
            rest.right.left = rest
        elif rest.sub is not None and rest.parent is not None:
            self._entries[rest.parent][rest.sub] = rest
        item.right = rest
        self._items[item.client].insert(at + 1, rest)
        self._clocks[item.client].insert(at + 1, clock)
        return rest

    def _mark_deleted(self, deletions: list[Range]) -> None:
        for client, clock, length in deletions:
            self._starting_at((client, clock))
            self._ending_at((client, clock + length - 1))
            clocks, items = self._clocks.get(client, []), self._items.get(client, [])
            for at in range(bisect_left(clocks, clock), bisect_left(clocks, clock + length)):
                items[at].deleted = True
