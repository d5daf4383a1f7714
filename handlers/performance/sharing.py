"""Which sources a node takes, and which it leaves to others: each node decides alone, by the nodes that it hears."""

from __future__ import annotations

import math
from collections.abc import Collection


class Share:
    """What one node has decided. Sources are known by their ids."""

    def __init__(self) -> None:
        self._nodes: frozenset[str] = frozenset()
        self._share = 0
        self._seen_free: set[int] = set()
        # What was taken beyond the share, as long as the nodes are the same: nobody else takes it.
        self._beyond: set[int] = set()

    def look(self, nodes: Collection[str], wanted: int) -> None:
        """There are these nodes, and so many sources to share."""
        if frozenset(nodes) != self._nodes:
            self._nodes, self._beyond = frozenset(nodes), set()
        self._share = math.ceil(wanted / max(1, len(self._nodes)))

    def to_take(self, free: Collection[int], held: int) -> list[int]:
        """Those of the free sources to take: up to the share, and what nobody has taken since the last look."""
        room, left = max(0, self._share - held), sorted(free)
        beyond = [each for each in left[room:] if each in self._seen_free]
        self._beyond.update(beyond)
        self._seen_free = set(left[room:]) - set(beyond)
        return left[:room] + beyond

    def to_give_up(self, held: Collection[int]) -> list[int]:
        """One source beyond the share, if there is any: a node that has joined gets what is its own by and by."""
        own = sorted(set(held) - self._beyond)
        return own[self._share :][:1]
