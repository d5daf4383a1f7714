"""Presence: what this client tells the others about itself, and what they tell.

An awareness update is `varUint count`, then for each client `varUint id, varUint clock, varString JSON`; `null` means
offline. The table takes the time as an argument and never touches the network.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from collab_studio.errors import MalformedFrame
from collab_studio.lib0 import Reader, write_string, write_uint

# Seconds. Servers and clients forget whom they have not heard of for 30 s, so half of that leaves room for one loss.
RENEW_AFTER = 15.0
OUTDATED_AFTER = 30.0
# An id, a clock and an empty string.
_MIN_ENTRY_BYTES = 3

_log = logging.getLogger("collab_studio")

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AwarenessChange:
    """Client ids of others who came, changed what they tell, or left."""

    added: frozenset[int]
    updated: frozenset[int]
    removed: frozenset[int]


@dataclass(slots=True)
class _Other:
    clock: int
    state: State | None
    seen: float


class Awareness:
    """The presence table of one document.

    `local`, `set_local`, `patch_local`, `others` and `observe` are for everybody; the rest is the session's.
    """

    def __init__(self, client_id: int, wake: Callable[[], None] = lambda: None) -> None:
        """`wake` is called when there is something for `take`."""
        self.client_id = client_id
        self._wake = wake
        # Kept as text, so that what was checked in `set_local` is what is sent.
        self._local: str | None = None
        self._clock = 0
        self._announced_at = 0.0
        self._is_due = False
        self._others: dict[int, _Other] = {}
        self._observers: list[Callable[[AwarenessChange], None]] = []

    @property
    def local(self) -> State | None:
        """A copy of what this client tells, or None while it tells nothing."""
        return None if self._local is None else _parse_state(self._local)

    @property
    def others(self) -> dict[int, State]:
        """What each of the other clients tells, by client id."""
        return {client: dict(other.state) for client, other in self._others.items() if other.state is not None}

    def set_local(self, state: Mapping[str, Any] | None) -> None:
        """Tell this to the others; None leaves. Raises TypeError or ValueError if it has no JSON form."""
        local = None if state is None else _write_state(state)
        if local != self._local:
            self._local = local
            self._announce()

    def patch_local(self, **fields: Any) -> None:
        """Change some fields of what this client tells."""
        self.set_local({**(self.local or {}), **fields})

    def observe(self, callback: Callable[[AwarenessChange], None]) -> Callable[[], None]:
        """Call `callback` after each change of `others`. Returns the function that ends this."""
        self._observers.append(callback)
        return lambda: self._observers.remove(callback) if callback in self._observers else None

    def take(self, now: float) -> bytes | None:
        """The awareness update to send now, or None."""
        if not self._is_due:
            return None
        self._is_due = False
        self._announced_at = now
        return encode([(self.client_id, self._clock, self._local or "null")])

    def joined(self) -> None:
        """A connection was made: tell it what this client tells."""
        if self._local is not None:
            self._announce()

    def left(self) -> None:
        """The connection is gone, and with it the knowledge of who is there."""
        gone = {client for client, other in self._others.items() if other.state is not None}
        self._others.clear()
        self._notify(set(), set(), gone)

    def tick(self, now: float) -> None:
        """Renew what this client tells, and forget whom nobody has heard of. To be called every few seconds."""
        if self._local is not None and now - self._announced_at >= RENEW_AFTER:
            self._announce()
        outdated = [client for client, other in self._others.items() if now - other.seen > OUTDATED_AFTER]
        gone = {client for client in outdated if self._others.pop(client).state is not None}
        self._notify(set(), set(), gone)

    def receive(self, update: bytes, now: float) -> None:
        """Take what the server sent. Raises MalformedFrame."""
        added: set[int] = set()
        updated: set[int] = set()
        removed: set[int] = set()
        for client, clock, text in decode(update):
            if client == self.client_id:
                self._receive_own(clock, text)
                continue
            before, changed = self._take_other(client, clock, text, now)
            if not changed:
                continue
            if (after := self._others[client].state) is None:
                if before is not None:
                    removed.add(client)
            elif before is None:
                added.add(client)
            elif after != before:
                updated.add(client)
        self._notify(added, updated, removed)

    def _receive_own(self, clock: int, text: str) -> None:
        """A null means that the server holds a later clock, or thinks that this client left: announce anew."""
        if text == "null" and self._local is not None and clock >= self._clock:
            self._clock = clock
            self._announce()

    def _take_other(self, client: int, clock: int, text: str, now: float) -> tuple[State | None, bool]:
        """The state before, and whether the entry was accepted."""
        known = self._others.get(client)
        if known is None:
            self._others[client] = _Other(clock, _parse_state(text), now)
            return None, True
        leaves = clock == known.clock and text == "null" and known.state is not None
        if clock <= known.clock and not leaves:
            return known.state, False
        before, known.state = known.state, _parse_state(text)
        known.clock, known.seen = clock, now
        return before, True

    def _announce(self) -> None:
        if not self._is_due:
            self._clock += 1
            self._is_due = True
        self._wake()

    def _notify(self, added: set[int], updated: set[int], removed: set[int]) -> None:
        if not (added or updated or removed):
            return
        change = AwarenessChange(frozenset(added), frozenset(updated), frozenset(removed))
        for observer in tuple(self._observers):
            try:
                observer(change)
            except Exception:  # a fault of the caller's must not end the connection of all documents
                _log.exception("an awareness observer failed")


def encode(entries: list[tuple[int, int, str]]) -> bytes:
    """An awareness update of (client id, clock, JSON)."""
    parts = [write_uint(len(entries))]
    for client, clock, text in entries:
        parts += (write_uint(client), write_uint(clock), write_string(text))
    return b"".join(parts)


def decode(update: bytes) -> list[tuple[int, int, str]]:
    """(client id, clock, JSON) of each entry. Raises MalformedFrame; never trusts the declared count."""
    reader = Reader(update)
    count = reader.uint()
    if count * _MIN_ENTRY_BYTES > reader.left:
        raise MalformedFrame(f"{count} presences were announced in {reader.left} bytes")
    return [(reader.uint(), reader.uint(), reader.string()) for _ in range(count)]


def _write_state(state: Mapping[str, Any]) -> str:
    text = json.dumps(dict(state), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text.encode()  # a lone surrogate has no UTF-8 form
    return text


def _parse_state(text: str) -> State | None:
    """Other clients may tell anything; what is not an object counts as nothing told."""
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return state if isinstance(state, dict) else None
