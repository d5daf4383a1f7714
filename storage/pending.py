"""What waits to be appended to the update log, and who appends it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class PendingUpdate(NamedTuple):
    """An accepted update without a number. `created_at` in microseconds since 1970."""

    author: str
    origin: int
    created_at: int
    data: bytes


class Append(NamedTuple):
    """Updates of one document, in order; `document_id` is the row id."""

    document_id: int
    updates: Sequence[PendingUpdate]


class UpdateLog(Protocol):
    """Gives each document's updates the numbers 1, 2, 3, … without gaps, and keeps them."""

    async def append(self, appends: Sequence[Append]) -> dict[int, int]:
        """All of the updates in one transaction, durable when this returns: document id -> its newest number.

        Raises MissingDocument if documents do not exist, Unavailable or another StorageError if the database
        could not do it. Nothing was appended then, not even of the other documents - as far as can be known: if the
        connection was lost on the way, the answer may have been. The same appends given again are therefore appended
        once, and answered with the numbers they have; until they are answered, nothing else should be given.
        """

    async def close(self) -> None:
        """Frees the connection. Safe to call twice; closing the database does it too."""
