"""A document out of its snapshot and its log."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from pycrdt import Doc

from crdt.lib0 import MalformedError
from crdt.split import split_update
from crdt.structs import read_structs
from crdt.update import MalformedUpdate, inspect_update

logger = logging.getLogger(__name__)

# At the end of a transaction the engine joins neighbouring items, and keeps the memory of every step until the
# document goes: n joined in one transaction take n * n / 2 bytes. So updates are applied one by one, large ones in
# parts.
MAX_STRUCTS_AT_ONCE = 1_000
LARGE_UPDATE = 32 * 1024


def replay(snapshot: bytes | None, updates: Iterable[bytes]) -> Doc[Any]:
    """The document after the snapshot, a state of it as the engine encodes it, and the updates.

    An update that the engine refuses is left out and logged: one bad row must not keep a document from opening.
    """
    document: Doc[Any] = Doc()
    if snapshot is not None:
        _apply(document, snapshot)
    for update in updates:
        for part in _parts(update):
            _apply(document, part)
    return document


def _parts(update: bytes) -> Iterator[bytes]:
    if len(update) < LARGE_UPDATE:
        yield update
        return
    try:
        inspect_update(update)
        yield from split_update(update, MAX_STRUCTS_AT_ONCE)
    except MalformedError:
        yield update


def _apply(document: Doc[Any], update: bytes) -> None:
    try:
        document.apply_update(update)
    except (ValueError, RuntimeError) as error:  # RuntimeError: applied up to an item that the engine cannot place
        logger.warning("a stored update of %d bytes was left out: %s", len(update), error)


def compact(snapshot: bytes | None, updates: Iterable[bytes]) -> bytes:
    """The whole document as one update, but for what waits for a predecessor that is in none of the updates."""
    return replay(snapshot, updates).get_update()


def snapshot_of(snapshot: bytes | None, updates: list[bytes]) -> bytes | None:
    """As ``compact``; None if the result would lack something.

    The engine keeps updates that wait for a missing predecessor to itself: they are in the log, but not in its state.
    """
    state = compact(snapshot, updates)
    sections, _ = read_structs(state)
    ends = {client: section[-1].clock + section[-1].length for client, section in sections.items()}
    for update in updates:
        try:
            shape = inspect_update(update)
        except MalformedUpdate:
            continue
        if any(clock + length > ends.get(client, 0) for client, clock, length in (*shape.structs, *shape.deletions)):
            return None
    return state
