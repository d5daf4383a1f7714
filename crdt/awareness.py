"""Presence of one room: who is here, with which cursor, as the Yjs awareness protocol carries it.

An awareness update is ``varUint count`` and for each entry ``varUint client, varUint clock, varString JSON``; the
JSON ``null`` means offline. The table is synchronous and takes the time as an argument.
"""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from crdt.lib0 import MAX_SAFE_INTEGER, MalformedError, read_var_bytes, read_varuint, write_var_bytes, write_varuint

# A cursor, a selection and a user's name are a few hundred bytes; presence is fanned out to everybody.
MAX_STATE_BYTES = 16 * 1024
# A tab announces one client id. A few more are allowed for tabs that reload without leaving.
MAX_CLIENTS_PER_MEMBER = 16
# Renewed every 15 s by clients; the protocol says that one unseen for 30 s is gone.
OUTDATED_AFTER = 30.0
NULL = b"null"

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


class Owner(Protocol):
    """What presence needs to know of a member: the user that the server vouches for."""

    @property
    def user(self) -> str: ...
    @property
    def name(self) -> str: ...


class Entry:
    """One client's presence. `node` is that of its member, where it is another than this."""

    __slots__ = ("clock", "node", "owner", "raw", "removal_at", "seen", "state", "user")

    def __init__(self, owner: Owner | None, user: str, clock: int, raw: bytes, state: bytes, now: float) -> None:
        self.owner = owner
        self.user = user
        self.node: str | None = None
        self.clock = clock
        self.raw = raw
        self.state = state
        self.seen = now
        self.removal_at: float | None = None


class Awareness:
    """The presence table of a room.

    The first member to announce a client id owns it; entries that others send for it are dropped. The ``user`` field
    of a state is stamped with the user that the server authenticated. A member that leaves keeps its entries for
    ``linger`` seconds, so that a quick reconnect never shows as leave and join.
    """

    __slots__ = ("changed", "entries", "linger", "outdated_after")

    def __init__(self, linger: float = 7.0, outdated_after: float = OUTDATED_AFTER) -> None:
        self.entries: dict[int, Entry] = {}
        self.changed: set[int] = set()
        self.linger = linger
        self.outdated_after = outdated_after

    def receive(self, owner: Owner, update: bytes, now: float) -> bytes | None:
        """Take a member's awareness update; what changed is gathered in ``changed``.

        Returns an awareness update to be sent back to this member alone: a null for each of its own client ids whose
        clock was stale, which makes the client announce itself anew. Raises MalformedError.
        """
        stale = [client for client, clock, raw in parse(update) if self._take(owner, client, clock, raw, now)]
        return self._nulls(stale) if stale else None

    def _take(self, owner: Owner, client: int, clock: int, raw: bytes, now: float) -> bool:
        """Take one entry. True if it is the member's own and its clock is behind what everybody has seen."""
        entry = self.entries.get(client)
        if entry is None:
            if raw != NULL and self._count(owner) < MAX_CLIENTS_PER_MEMBER:
                self.entries[client] = Entry(owner, owner.user, clock, raw, stamp(raw, owner), now)
                self.changed.add(client)
            return False
        if not self._claims(entry, owner):
            return False
        entry.owner, entry.node, entry.removal_at, entry.seen = owner, None, None, now
        if clock > entry.clock or (clock == entry.clock and raw == NULL != entry.raw):
            if raw != entry.raw:
                entry.raw, entry.state = raw, stamp(raw, owner)
            entry.clock = clock
            self.changed.add(client)
            return False
        return clock < entry.clock or (raw != NULL and entry.raw == NULL)

    def receive_elsewhere(self, node: str, update: bytes, now: float) -> None:
        """Take presence that another node has checked and stamped. Raises MalformedError.

        A member that is here keeps its entry unless it has been seen on the other node since.
        """
        for client, clock, state in parse(update):
            entry = self.entries.get(client)
            if entry is None:
                if state == NULL:
                    continue
                entry = self.entries[client] = Entry(None, stamped_user(state), clock - 1, NULL, NULL, now)
            elif state == NULL and entry.owner is not None:
                continue
            if clock > entry.clock or (clock == entry.clock and state == NULL != entry.raw and entry.owner is None):
                self._move(entry, node, clock, state)
                self.changed.add(client)
            elif entry.owner is not None or clock < entry.clock:
                continue
            entry.owner, entry.node, entry.removal_at, entry.seen = None, node, None, now

    @staticmethod
    def _move(entry: Entry, node: str, clock: int, state: bytes) -> None:
        entry.clock, entry.raw, entry.state, entry.node = clock, state, state, node

    def lose_node(self, node: str, now: float) -> None:
        """The node is gone: its members linger, for they may come to another."""
        for entry in self.entries.values():
            if entry.node == node and entry.removal_at is None:
                entry.removal_at = now + self.linger

    @staticmethod
    def _claims(entry: Entry, owner: Owner) -> bool:
        return entry.owner is owner or (entry.owner is None and entry.user == owner.user)

    def _count(self, owner: Owner) -> int:
        return sum(entry.owner is owner for entry in self.entries.values())

    def leave(self, owner: Owner, now: float) -> None:
        """The member's entries linger, owned by nobody, until they are claimed again or expire."""
        for entry in self.entries.values():
            if entry.owner is owner:
                entry.owner = None
                entry.removal_at = now + (self.linger if entry.raw != NULL else 0.0)

    def expire(self, now: float) -> None:
        """Mark as offline what was unseen too long or left; forget what has been offline for as long."""
        for client, entry in list(self.entries.items()):
            outdated = now - entry.seen > self.outdated_after
            left = entry.removal_at is not None and now >= entry.removal_at
            if entry.raw == NULL:
                if outdated and client not in self.changed:
                    del self.entries[client]
            elif outdated or left:
                entry.raw = entry.state = NULL
                entry.clock += 1
                entry.seen = now
                self.changed.add(client)

    def take_changes(self) -> bytes | None:
        """The awareness update of everything that changed since the last call, or None."""
        if not self.changed:
            return None
        clients, self.changed = self.changed, set()
        return self.encode(clients)

    def encode_all(self) -> bytes | None:
        """The awareness update of everybody present, or None if nobody is."""
        present = [client for client, entry in self.entries.items() if entry.raw != NULL]
        return self.encode(present) if present else None

    def own_changes(self) -> bytes | None:
        """What of the changes other nodes have to be told, or None: members of theirs they know better."""
        clients = [client for client in self.changed if client in self.entries and self.entries[client].node is None]
        return self.encode(clients) if clients else None

    def encode_own(self) -> bytes | None:
        """The awareness update of everybody present on this node, or None if nobody is."""
        present = [client for client, entry in self.entries.items() if entry.raw != NULL and entry.node is None]
        return self.encode(present) if present else None

    def encode(self, clients: Iterable[int]) -> bytes:
        known = [(client, self.entries[client]) for client in clients if client in self.entries]
        return encode((client, entry.clock, entry.state) for client, entry in known)

    def _nulls(self, clients: list[int]) -> bytes:
        return encode((client, self.entries[client].clock, NULL) for client in clients)


def encode(entries: Iterable[tuple[int, int, bytes]]) -> bytes:
    """An awareness update of (client, clock, JSON)."""
    parts: list[bytes] = []
    count = 0
    for client, clock, state in entries:
        count += 1
        parts += (write_varuint(client), write_varuint(clock), write_var_bytes(state))
    return write_varuint(count) + b"".join(parts)


def parse(update: bytes) -> list[tuple[int, int, bytes]]:
    """(client, clock, JSON bytes) of each entry. Raises MalformedError; never trusts the declared count."""
    count, at = read_varuint(update, 0)
    # Each entry takes at least three bytes: a client, a clock and an empty string.
    if count * 3 > len(update) - at:
        raise MalformedError(f"awareness update declares {count} entries in {len(update) - at} bytes")
    entries = []
    for _ in range(count):
        client, at = read_varuint(update, at)
        clock, at = read_varuint(update, at)
        state, at = read_var_bytes(update, at)
        if clock >= MAX_SAFE_INTEGER:
            raise MalformedError("an awareness clock that nobody could go beyond")
        if len(state) > MAX_STATE_BYTES:
            raise MalformedError(f"awareness state of {len(state)} bytes; at most {MAX_STATE_BYTES} are allowed")
        entries.append((client, clock, state))
    return entries


def stamped_user(state: bytes) -> str:
    """The user that a server has vouched for in a state, or nobody. Raises MalformedError."""
    try:
        decoded = _decoder.decode(state)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"awareness state is not JSON: {error}") from None
    user = decoded.get("user") if isinstance(decoded, dict) else None
    return str(user.get("id", "")) if isinstance(user, dict) else ""


def stamp(raw: bytes, owner: Owner) -> bytes:
    """The state with its ``user`` vouched for: the client's colour and the like stay, id and name are the server's."""
    try:
        state = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"awareness state is not JSON: {error}") from None
    if not isinstance(state, dict):
        return NULL if state is None else _encoder.encode(state)
    user = state.get("user")
    state["user"] = {**(user if isinstance(user, dict) else {}), "id": owner.user, "name": owner.name}
    return _encoder.encode(state)
