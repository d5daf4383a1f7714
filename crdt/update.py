"""Yjs updates (encoding version 1), checked byte by byte before the engine sees them.

An update is accepted only if every engine that may meet it - the server's, and the clients' JavaScript one - reads it
in the same way: a document with an update in its log that one of them refuses could not be opened there again.
"""

from __future__ import annotations

from typing import NamedTuple

from crdt.item_content import STRING, TYPE, skip_content
from crdt.lib0 import MalformedError, read_varuint

# The server's engine counts clocks in 32 bits and compares them signed.
MAX_CLOCK = 2**31 - 1

# What people write at once stays below, documents of years and uploads of megabytes too. These bound how long one
# update keeps a worker busy; on the event loop an update of more than some hundred structs is applied in parts.
MAX_CLIENTS = 100_000
MAX_STRUCTS = 200_000
MAX_DELETIONS = 200_000

Range = tuple[int, int, int]
"""A run of ids: client, first clock, length."""

GC, SKIP = 0, 10
HAS_ORIGIN, HAS_RIGHT_ORIGIN, HAS_PARENT_SUB = 0x80, 0x40, 0x20


class MalformedUpdate(MalformedError):
    """Not an update, or one that some engine would read in another way than the others."""


class OversizedUpdate(MalformedUpdate):
    """An update of more parts than one update may have; the message says which."""


class UpdateShape(NamedTuple):
    """What an update brings and what it builds on, without its content.

    ``structs`` are the runs of ids that it brings, ``deletions`` the runs that it deletes, adjacent ones joined.
    ``needs`` has, for every other client that its items refer to, the clock up to which (exclusively) that client's
    items must be there; what a client's items need of its own client lies before their own clock by construction.
    ``parts`` is the number of structs, which is what applying the update costs. ``notable`` says that there is
    something that the document decides upon: shared types, what is placed inside of them by id, characters that are
    two units long for JavaScript. See `crdt.guard`.
    """

    structs: tuple[Range, ...]
    deletions: tuple[Range, ...]
    needs: tuple[tuple[int, int], ...] = ()
    parts: int = 0
    notable: bool = False


def inspect_update(
    data: bytes,
    *,
    max_clients: int = MAX_CLIENTS,
    max_structs: int = MAX_STRUCTS,
    max_deletions: int = MAX_DELETIONS,
) -> UpdateShape:
    """Walk an update completely and say what it brings. Raises MalformedUpdate, or OversizedUpdate over a limit.

    Declared counts are compared with the bytes left before anything is done with them. Bytes after the end of the
    update are ignored, as the engines do.
    """
    try:
        return _walk(data, max_clients, max_structs, max_deletions)
    except IndexError:
        raise MalformedUpdate("the update ends too early") from None
    except UnicodeDecodeError:
        raise MalformedUpdate("a string is not UTF-8") from None
    except MalformedUpdate:
        raise
    except MalformedError as error:
        raise MalformedUpdate(str(error)) from None


def _walk(data: bytes, max_clients: int, max_structs: int, max_deletions: int) -> UpdateShape:  # noqa: PLR0912, PLR0915
    """The walk itself; raises IndexError where the data ends too early.

    One long function because every edit of every user passes through it: a call for each field would make it three
    times as slow. One-byte numbers are read in place, longer ones by `read_varuint`; an id of the section's own
    client, by far the most frequent, is recognised by its bytes.
    """
    structs: list[Range] = []
    needs: dict[int, int] = {}
    parts = 0
    notable = False
    size = len(data)
    seen: set[int] | None = None
    clients = data[0]
    position = 1
    if clients > 127:
        clients, position = read_varuint(data, 0)
    if clients > 1:
        _check_count(clients, 5, size - position, max_clients, "clients")
        seen = set()
    for _ in range(clients):
        count = data[position]
        position += 1
        if count > 127:
            count, position = read_varuint(data, position - 1)
        parts += count
        if count * 2 > size - position or parts > max_structs or not count:
            _check_count(count, 2, size - position, max_structs - parts + count, "structs")
        own = position
        client, position = read_varuint(data, position)
        own_bytes = data[own:position]
        own_size = position - own
        if seen is not None:
            if client in seen:
                raise MalformedUpdate("a client has two sections")
            seen.add(client)
        clock = data[position]
        position += 1
        if clock > 127:
            clock, position = read_varuint(data, position - 1)
        start = clock
        keys: set[bytes] = set()
        for _ in range(count):
            info = data[position]
            position += 1
            if info == GC or info == SKIP:  # noqa: PLR1714, SIM109
                length = data[position]
                position += 1
                if length > 127:
                    length, position = read_varuint(data, position - 1)
                if info == SKIP:
                    if clock > start:
                        structs.append((client, start, clock - start))
                    start = clock + length
            else:
                if info & HAS_ORIGIN:
                    if data.startswith(own_bytes, position):
                        other = client
                        position += own_size
                    else:
                        other, position = read_varuint(data, position)
                    at = data[position]
                    position += 1
                    if at > 127:
                        at, position = read_varuint(data, position - 1)
                    if other != client:
                        if at >= needs.get(other, 0):
                            needs[other] = at + 1
                    elif at >= clock:
                        raise MalformedUpdate("an item refers to a later one of its client")
                if info & HAS_RIGHT_ORIGIN:
                    if data.startswith(own_bytes, position):
                        other = client
                        position += own_size
                    else:
                        other, position = read_varuint(data, position)
                    at = data[position]
                    position += 1
                    if at > 127:
                        at, position = read_varuint(data, position - 1)
                    if other != client:
                        if at >= needs.get(other, 0):
                            needs[other] = at + 1
                    elif at >= clock:
                        raise MalformedUpdate("an item refers to a later one of its client")
                elif not info & HAS_ORIGIN:
                    place = position
                    by_name, position = read_varuint(data, position)
                    if by_name == 1:
                        position = _skip_string(data, position)
                    elif by_name == 0:
                        notable = True
                        other, position = read_varuint(data, position)
                        at, position = read_varuint(data, position)
                        if other != client:
                            if at >= needs.get(other, 0):
                                needs[other] = at + 1
                        elif at >= clock:
                            raise MalformedUpdate("an item refers to a later one of its client")
                    else:
                        raise MalformedUpdate("a parent is neither a name nor an id")
                    if info & HAS_PARENT_SUB:
                        position = _skip_string(data, position)
                        key = data[place:position]
                        if key in keys:
                            # Its first value is the origin of the second; without, the engine looks past all of them.
                            raise MalformedUpdate("a key is set for the first time twice")
                        keys.add(key)
                kind = info & 31
                if kind == STRING:
                    length = data[position]
                    position += 1
                    if length > 127:
                        length, position = read_varuint(data, position - 1)
                    text = data[position : position + length]
                    if len(text) != length:
                        raise MalformedUpdate("the update ends inside a string")
                    position += length
                    if not text.isascii():
                        characters = text.decode()
                        length = len(characters.encode("utf-16-le")) >> 1
                        if length != len(characters):
                            notable = True
                else:
                    if kind == TYPE:
                        notable = True
                    length, position = skip_content(kind, data, position)
            if not length:
                raise MalformedUpdate("a struct has no length")
            clock += length
            if clock > MAX_CLOCK:
                raise MalformedUpdate("a clock is 2**31 or more")
        if clock > start:
            structs.append((client, start, clock - start))
    if needs and max(needs.values()) > MAX_CLOCK:
        raise MalformedUpdate("a clock is 2**31 or more")
    deletions = _read_deletions(data, position, max_deletions) if data[position] else ()
    return UpdateShape(tuple(structs), deletions, tuple(needs.items()), parts, notable)


def check_state_vector(data: bytes, *, max_clients: int = MAX_CLIENTS) -> dict[int, int]:
    """Read a state vector: how far the sender knows each client. Raises MalformedUpdate, OversizedUpdate."""
    try:
        count, position = read_varuint(data, 0)
        _check_count(count, 2, len(data) - position, max_clients, "clients")
        clocks: dict[int, int] = {}
        for _ in range(count):
            client, position = read_varuint(data, position)
            clocks[client], position = read_varuint(data, position)
    except MalformedUpdate:
        raise
    except MalformedError as error:
        raise MalformedUpdate(str(error)) from None
    if max(clocks.values(), default=0) > MAX_CLOCK:
        raise MalformedUpdate("a clock is 2**31 or more")
    return clocks


def _read_deletions(data: bytes, position: int, limit: int) -> tuple[Range, ...]:
    """The delete set at `position`: for each client, ranges of clocks, ascending and apart.

    So every encoder writes them; in another order, or over each other, they cost the engine quadratic time.
    """
    deletions: list[Range] = []
    clients, position = read_varuint(data, position)
    _check_count(clients, 2, len(data) - position, limit, "clients")
    seen: set[int] = set()
    for _ in range(clients):
        client, position = read_varuint(data, position)
        if client in seen:
            raise MalformedUpdate("a client's deletions come twice")
        seen.add(client)
        count, position = read_varuint(data, position)
        _check_count(count, 2, len(data) - position, limit, "deletions")
        limit -= count
        start = end = 0
        for _ in range(count):
            clock = data[position]
            position += 1
            if clock > 127:
                clock, position = read_varuint(data, position - 1)
            length = data[position]
            position += 1
            if length > 127:
                length, position = read_varuint(data, position - 1)
            if clock < end or not length:
                raise MalformedUpdate("deletions are empty or out of order")
            if clock > end:
                if end > start:
                    deletions.append((client, start, end - start))
                start = clock
            end = clock + length
            if end > MAX_CLOCK:
                raise MalformedUpdate("a clock is 2**31 or more")
        if end > start:
            deletions.append((client, start, end - start))
    return tuple(deletions)


def _check_count(count: int, unit: int, left: int, limit: int, what: str) -> None:
    """Refuse a declared count that the bytes left cannot hold at `unit` bytes each, or that is over the limit.

    Only structs may not be none: a section without any is read by the engines in different ways.
    """
    if count * unit > left:
        raise MalformedUpdate(f"{count} {what} are declared, {left} bytes are left")
    if count > limit:
        raise OversizedUpdate(f"the update has more {what} than one update may have")
    if not count and what == "structs":
        raise MalformedUpdate("a client has a section without structs")


def _skip_string(data: bytes, position: int) -> int:
    length = data[position]
    position += 1
    if length > 127:
        length, position = read_varuint(data, position - 1)
    text = data[position : position + length]
    if len(text) != length:
        raise MalformedUpdate("the update ends inside a string")
    if not text.isascii():
        text.decode()
    return position + length
