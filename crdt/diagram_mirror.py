"""A diagram's JSON beside its document, kept up by what changes: reading all of a large one again holds the loop.

Changes are noted while the document is edited, which is cheap; they are read when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from pycrdt import Array, Map

from crdt.diagram import LIMITS, Json
from crdt.edits import EditError
from crdt.json_values import read_shared
from crdt.room import AnyDoc

_MISSING: Final = object()

Place = tuple[str, str]
"""A root and a key in it; of ``meta`` the key is empty, as it is read whole."""

META: Final[Place] = ("meta", "")


class DiagramMirror:
    """``json`` is what the document held when it was last read; ``on_change`` is called when there is more to read."""

    def __init__(self, doc: AnyDoc, on_change: Callable[[], object]) -> None:
        self.json: dict[str, Json] = {"meta": {}, **{root: {} for root in LIMITS}}
        self._on_change = on_change
        self._roots: dict[str, Map[Any]] = {root: doc.get(root, type=Map) for root in self.json}
        self._unread: dict[Place, None] = {
            META: None,
            **{(root, key): None for root in LIMITS for key in self._roots[root].keys()},  # noqa: SIM118 - not a dict
        }
        self._changed_roots: set[str] = set()
        self._doc = doc
        self._subscriptions = [doc.observe(self._changed)]

    def close(self) -> None:
        """The document is not followed any more."""
        while self._subscriptions:
            self._doc.unobserve(self._subscriptions.pop())

    @property
    def is_read(self) -> bool:
        """Whether ``json`` is what the document holds."""
        return not self._unread and not self._changed_roots

    @property
    def is_too_large(self) -> bool:
        """Whether it holds more than a diagram may: then it is not read."""
        return any(count > LIMITS[root] for root, count in self.counts().items())

    def counts(self) -> dict[str, int]:
        """How many nodes, edges and notes the document holds."""
        return {root: len(self._roots[root]) for root in LIMITS}

    def read_again(self) -> None:
        """Read everything when next asked: no event tells of all that updates bring which waited for others."""
        self._changed_roots.update(LIMITS)
        self._unread[META] = None

    def read(self, most: int | None = None) -> list[Place]:
        """Read at most so many of the places that changed; which they are."""
        self._note_changed_roots()
        places = list(islice(self._unread, most))
        plain: dict[str, Json] = {}
        for place in places:
            del self._unread[place]
            if place == META:
                self.json["meta"] = _whole(self._roots["meta"])
            else:
                self._read(*place, plain)
        return places

    def _note_changed_roots(self) -> None:
        """Where entries came, went or were replaced all of the root is read: the engine's list of keys is not safe."""
        while self._changed_roots:
            root = self._changed_roots.pop()
            keys = {*self._roots[root].keys(), *self.json[root]}
            self._unread.update({(root, key): None for key in keys})

    def _read(self, root: str, key: str, plain: dict[str, Json]) -> None:
        value = self._roots[root].get(key, _MISSING)
        if value is _MISSING:
            self.json[root].pop(key, None)
        elif isinstance(value, Map | Array):
            self.json[root][key] = _json_of(value)
        else:
            # A plain value has a JSON of its own only within its map; clients of ours write none.
            if root not in plain:
                plain[root] = _whole(self._roots[root])
            self.json[root][key] = plain[root].get(key)

    def _changed(self, _: object) -> None:
        # Which keys changed only observers of maps are told, and the engine panics over that once an item is gone.
        self.read_again()
        self._on_change()


def _json_of(shared: Map[Any] | Array[Any]) -> Any:
    """None for what is nested too deep to be JSON."""
    try:
        return read_shared(shared)
    except EditError:
        return None


def _whole(root: Map[Any]) -> Json:
    value: Json | None = _json_of(root)
    return value or {}
