"""A document out of its snapshot and its log."""

import logging
from collections.abc import Iterable
from typing import Any

from pycrdt import Doc

from crdt.update import MalformedUpdate, inspect_update

logger = logging.getLogger(__name__)


def replay(snapshot: bytes | None, updates: Iterable[bytes]) -> Doc[Any]:
    """The document after all of the updates, applied in one transaction.

    An update that the engine refuses is left out and logged: one bad row must not keep a document from opening.
    """
    document: Doc[Any] = Doc()
    with document.transaction():
        for update in (snapshot, *updates) if snapshot is not None else updates:
            try:
                document.apply_update(update)
            except ValueError as error:
                logger.error("a stored update of %d bytes was left out: %s", len(update), error)
    return document


def compact(snapshot: bytes | None, updates: Iterable[bytes]) -> bytes:
    """The whole document as one update."""
    return replay(snapshot, updates).get_update()


def snapshot_of(snapshot: bytes | None, updates: list[bytes]) -> bytes | None:
    """As ``compact``; None if the result would lack something.

    The engine keeps updates that wait for a missing predecessor to itself: they are in the log, but not in its state.
    """
    state = compact(snapshot, updates)
    have = {client: clock + length for client, clock, length in inspect_update(state).structs}
    for update in updates:
        try:
            shape = inspect_update(update)
        except MalformedUpdate:
            continue
        if any(clock + length > have.get(client, 0) for client, clock, length in (*shape.structs, *shape.deletions)):
            return None
    return state
