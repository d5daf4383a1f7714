"""A document at a number of its log, replayed: here where that is quick, in a worker process where it is not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from crdt.edits import EditError
from handlers.parts import Parts
from handlers.registry import InvalidRequest, NotFound, Unavailable
from handlers.workers import WorkerLostError, WorkerTimeoutError
from storage import update_log
from storage.documents import Document
from storage.errors import IncompleteLog, MissingDocument
from storage.update_log import Stored

R = TypeVar("R")

# A replay, or reading this much JSON, holds the event loop for some milliseconds at most. A worker costs about one.
SMALL_BYTES = 64 * 1024
SMALL_ROWS = 200


async def current_number(parts: Parts, document: Document) -> int:
    """The number of the newest update, once everything that was accepted until now is stored."""
    room = parts.rooms.live(document.id)
    if room is None:
        return document.head
    await parts.rooms.settle(room)
    return max(room.number, document.head)


async def in_worker(parts: Parts, function: Callable[..., R], *arguments: Any) -> R:
    """The function's answer from a worker. Raises Unavailable if there is none, and what the function raises."""
    try:
        return await parts.workers.run(function, *arguments)
    except (WorkerLostError, WorkerTimeoutError) as error:
        raise Unavailable("This document is too large for that: memory or time ran out.") from error


async def replayed(
    parts: Parts,
    document: Document,
    number: int,
    function: Callable[..., R],
    *arguments: Any,
    small_bytes: int = SMALL_BYTES,
) -> R:
    """`function(snapshot, updates, *arguments)` for the document at a number; `function` is one of a module.

    It is called here for a document of at most `small_bytes`, in a worker for a larger one.
    Raises NotFound, and InvalidRequest for content that cannot be read in this form.
    """
    stored = await load_until(parts, document, number)
    updates = [row.data for row in stored.updates]
    with readable():
        if is_small(stored, small_bytes):
            return function(stored.snapshot, updates, *arguments)
        return await in_worker(parts, function, stored.snapshot, updates, *arguments)


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Turns what reading raises into InvalidRequest."""
    try:
        yield
    except EditError as error:
        raise InvalidRequest(f"The content cannot be read so: {error}.", code=error.code) from None


async def load_until(parts: Parts, document: Document, number: int) -> Stored:
    """What to replay for the document at a number. Raises NotFound if the log does not reach back so far."""
    try:
        return await update_log.load_until(parts.database, document.id, number)
    except IncompleteLog:
        message = f"The history of {document.name!r} is not kept as far back as the number {number}."
        raise NotFound(message, code="not_kept") from None
    except MissingDocument:
        raise NotFound(f"The document {document.name!r} was deleted.", code="no_such_document") from None


def is_small(stored: Stored, small_bytes: int = SMALL_BYTES) -> bool:
    """Whether a replay is quick enough for the event loop."""
    if len(stored.updates) > SMALL_ROWS:
        return False
    return len(stored.snapshot or b"") + sum(len(row.data) for row in stored.updates) <= small_bytes
