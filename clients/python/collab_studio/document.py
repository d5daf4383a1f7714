"""A shared document as an application holds it."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import pycrdt

from collab_studio.awareness import Awareness
from collab_studio.errors import NotStored, StudioError
from collab_studio.multiplexer import Multiplexer
from collab_studio.text import Text
from collab_studio.waiters import Waiters

Kind = Literal["text", "richtext", "diagram", "map"]
T = TypeVar("T")


class Document:
    """A replica that the connection keeps the same as everybody else's.

    Edit `ydoc` with pycrdt as you like, in the thread of the event loop: each transaction goes out at the end of the
    loop's turn, and those of others come in. An edit is safe when it is stored, see `stored`.
    """

    def __init__(self, multiplexer: Multiplexer, name: str, kind: Kind | None, ydoc: pycrdt.Doc[Any] | None) -> None:
        self.name = name
        self.kind = kind
        self.ydoc: pycrdt.Doc[Any] = pycrdt.Doc() if ydoc is None else ydoc
        self._multiplexer = multiplexer
        self._waiters = Waiters()
        self.is_left = False
        self._session = multiplexer.open(name, self.ydoc, self._waiters.check)

    @property
    def synced(self) -> bool:
        """Whether this replica holds all that the server had when the present connection was made."""
        return self._session.synced

    @property
    def read_only(self) -> bool:
        """Whether the server refuses this user's edits. May change while the document is open."""
        return self._session.read_only

    @property
    def unsaved(self) -> int:
        """How many transactions of this replica are not known to be stored by the server."""
        return self._session.ledger.unsaved

    @property
    def awareness(self) -> Awareness:
        """Presence: what this client tells about itself, and what the others tell."""
        return self._session.awareness

    def text(self, root: str | None = None) -> Text:
        """The text of a text document, or the text under another root."""
        if root is None and self.kind not in (None, "text"):
            raise ValueError(f"a {self.kind} document has no main text; name a root")
        return Text(self.ydoc, root or "content")

    def edit(self, change: Callable[[pycrdt.Doc[Any]], T]) -> T:
        """Run a function on the document in one transaction, which others see as one edit."""
        with self.ydoc.transaction():
            return change(self.ydoc)

    async def wait_synced(self) -> None:
        """Wait until `synced`. Raises PermissionDenied, DocumentClosed or ConnectionEnded if it will never be."""
        await self._waiters.until(self._is_synced)

    async def stored(self) -> None:
        """Wait until every edit made so far is on the server's disk, over reconnections if need be.

        Raises PermissionDenied where the document is read-only, EditRefused where the server took an edit for
        invalid, DocumentClosed or ConnectionEnded where nothing will come any more.
        """
        made = self._session.ledger.made
        await self._waiters.until(lambda: self._session.stored_up_to(made))

    async def close(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 -- the document is left after it, too
        """Wait up to so many seconds until edits are stored, then leave the document; `ydoc` stays readable.

        Raises NotStored if some are not; the document is left all the same, and they may still arrive.
        """
        if self.is_left:
            return
        try:
            await self.settle(timeout)
        finally:
            self.leave()

    async def settle(self, timeout: float) -> None:  # noqa: ASYNC109 -- it becomes an error of another kind
        """As `stored`, but raises NotStored whatever the reason, and after so many seconds at the latest."""
        if self.unsaved == 0:
            return
        try:
            async with asyncio.timeout(timeout):
                await self.stored()
        except (StudioError, TimeoutError) as error:
            raise NotStored(f"{self.name}: {self.unsaved} edits are not known to be stored") from error

    def leave(self) -> None:
        """Leave the document at once. Edits made so far are sent if there is a connection; nobody waits for answers."""
        if not self.is_left:
            self.is_left = True
            self._multiplexer.close(self._session)

    def _is_synced(self) -> bool:
        if self._session.failure is not None:
            raise self._session.failure.with_traceback(None)
        return self._session.synced

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
        else:
            self.leave()
