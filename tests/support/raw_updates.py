"""Yjs updates put together by hand, right and wrong ones."""

from collections.abc import Sequence

from crdt.lib0 import write_var_string, write_varuint

Id = tuple[int, int]
Section = tuple[int, int, Sequence[bytes]]
"""A client, its first clock, its encoded structs."""

EMPTY_DELETIONS = b"\x00"


def update(*sections: Section, deletions: bytes = EMPTY_DELETIONS) -> bytes:
    parts = [write_varuint(len(sections))]
    for client, clock, structs in sections:
        parts += (write_varuint(len(structs)), write_varuint(client), write_varuint(clock), *structs)
    return b"".join((*parts, deletions))


def deletions(*clients: tuple[int, Sequence[tuple[int, int]]]) -> bytes:
    """A delete set: for each client ranges of first clock and length."""
    parts = [write_varuint(len(clients))]
    for client, ranges in clients:
        parts += (write_varuint(client), write_varuint(len(ranges)))
        for clock, length in ranges:
            parts += (write_varuint(clock), write_varuint(length))
    return b"".join(parts)


def item(
    kind: int,
    content: bytes,
    *,
    origin: Id | None = None,
    right: Id | None = None,
    parent: str | Id = "content",
    key: str | None = None,
) -> bytes:
    """An item; the parent is written only if there is neither origin nor right origin, as encoders do."""
    info = kind | (0x80 if origin else 0) | (0x40 if right else 0) | (0x20 if key is not None else 0)
    parts = [bytes([info])]
    parts += (_id(reference) for reference in (origin, right) if reference)
    if not origin and not right:
        parts.append(b"\x01" + write_var_string(parent) if isinstance(parent, str) else b"\x00" + _id(parent))
        if key is not None:
            parts.append(write_var_string(key))
    return b"".join((*parts, content))


def _id(reference: Id) -> bytes:
    return write_varuint(reference[0]) + write_varuint(reference[1])


def text(characters: str, *, origin: Id | None = None, right: Id | None = None, parent: str | Id = "content") -> bytes:
    return item(4, write_var_string(characters), origin=origin, right=right, parent=parent)


def gc(length: int) -> bytes:
    return b"\x00" + write_varuint(length)


def skip(length: int) -> bytes:
    return b"\x0a" + write_varuint(length)
