"""Being told when an update that was accepted is on disk."""

import asyncio
from collections.abc import Callable

from crdt.room import Arrival
from handlers.registry import NotFound


def after_storing(arrival: Arrival, then: Callable[[int | None], None]) -> None:
    """Call ``then`` as well once the arrival is stored, or lost with its document."""
    before = arrival.on_stored

    def both(number: int | None) -> None:
        if before is not None:
            before(number)
        then(number)

    arrival.on_stored = both


def number_of(arrival: Arrival) -> "asyncio.Future[int]":
    """Resolves to the arrival's number once it is on disk. Raises NotFound if its document was deleted before."""
    stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def resolve(number: int | None) -> None:
        if stored.done():
            return
        if number is None:
            stored.set_exception(NotFound("The document was deleted in the meantime."))
        else:
            stored.set_result(number)

    after_storing(arrival, resolve)
    return stored
