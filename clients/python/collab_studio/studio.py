"""The way in: `async with connect("http://127.0.0.1:8400", token="...") as studio`."""

import asyncio
import logging
import ssl as tls
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

import pycrdt

from collab_studio.answer_watch import AnswerWatch
from collab_studio.connection import Connection, Options, Token
from collab_studio.document import Document, Kind
from collab_studio.feed_frames import Position
from collab_studio.feed_watch import FeedWatch

_log = logging.getLogger("collab_studio")


class Studio:
    """A connection that carries any number of documents and operations. Made by `connect`.

    It belongs to the event loop that made it; nothing here may be called from another thread.
    """

    def __init__(self, connection: Connection, call_timeout: float) -> None:
        self._connection = connection
        self._call_timeout = call_timeout
        self._documents: set[Document] = set()

    @property
    def connected(self) -> bool:
        """Whether there is a socket now. Without one, edits and calls wait for the next."""
        return self._connection.is_open

    @property
    def user(self) -> str | None:
        """Whom the server takes this connection for; None without a token."""
        welcome = self._connection.multiplexer.welcome
        return None if welcome is None else welcome.user

    async def open(self, name: str, *, kind: Kind | None = None, ydoc: "pycrdt.Doc[Any] | None" = None) -> Document:
        """Open `workspace/document` and wait until it is synced. Editors create what does not exist.

        `kind` says what the document is taken for; `text()` of the document depends on it. `ydoc` goes on with a
        replica kept from before: what it holds is merged with what the server has.

        Raises PermissionDenied, ConnectionEnded. Waits over reconnections: bound it with `asyncio.timeout`.
        """
        self._connection.check()
        document = Document(self._connection.multiplexer, name, kind, ydoc)
        self._documents = {*self._take_open(), document}
        try:
            await document.wait_synced()
        except BaseException:
            document.leave()
            raise
        return document

    async def call(self, operation: str, /, **parameters: Any) -> Any:
        """Ask for an operation by its name, and return its result as plain Python values.

        Raises OperationError if the server refuses, ConnectionLost if the connection broke before the answer came,
        ConnectionEnded, TimeoutError. A call made without a connection waits for the next one.
        """
        self._connection.check()
        async with asyncio.timeout(self._call_timeout):
            return await self._connection.multiplexer.requests.add(operation, parameters)

    async def iterate(self, operation: str, /, **parameters: Any) -> AsyncIterator[Any]:
        """The items of a list, fetched page by page. Raises what `call` raises."""
        while True:
            page = await self.call(operation, **parameters)
            for item in page["items"]:
                yield item
            if page["next_cursor"] is None:
                return
            parameters["cursor"] = page["next_cursor"]

    def watch(self, feed: str, *, workspace: str = "default", since: Position | None = None) -> FeedWatch:
        """The events of a feed, as they come and over reconnections: `async for event in studio.watch("activity")`.

        They begin behind `since`, or with the next one; `async with` waits until that is sure. `BEGINNING` gives
        everything that the feed holds, if that is everything there was. Raises ConnectionEnded.
        """
        self._connection.check()
        return self._connection.multiplexer.watches.add(feed, workspace, since)

    def notifications(self, *, since: Position | None = None) -> FeedWatch:
        """The user's own inbox, watched as `watch` does. What is there already, and what of it is unread, is told by
        `call("notifications.get")`, with the position to go on from."""
        self._connection.check()
        return self._connection.multiplexer.watches.add("notifications", None, since)

    def watch_operation(self, operation: str, /, **parameters: Any) -> AnswerWatch:
        """An operation's answer, now and whenever it has changed, over reconnections:
        `async for summary in studio.watch_operation("dashboard.summary", workspace_id="default")`.

        Raises TypeError if a parameter cannot be sent, ConnectionEnded.
        """
        self._connection.check()
        return self._connection.multiplexer.watches.add_operation(operation, parameters)

    async def close(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 -- everything is closed after it, too
        """Wait up to so many seconds until the edits of all documents are stored, then close everything.

        Raises NotStored if some are not; everything is closed all the same.
        """
        documents = self._take_open()
        try:
            outcomes = await asyncio.gather(*(one.settle(timeout) for one in documents), return_exceptions=True)
        finally:
            for document in documents:
                document.leave()
            await self._connection.close()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def abort(self) -> None:
        """Close everything at once. What was edited is sent if there is a connection; nobody waits for answers."""
        for document in self._take_open():
            if document.unsaved:
                _log.warning("%s: left with %d edits not known to be stored", document.name, document.unsaved)
            document.leave()
        await self._connection.close()

    def _take_open(self) -> set[Document]:
        """The documents that were not left yet, which from now on are the caller's to see to."""
        documents, self._documents = self._documents, set()
        return {document for document in documents if not document.is_left}


class connect:  # noqa: N801 -- called like a function
    """Connect to a server: `async with connect(url, token=...) as studio`.

    `token` may be a function, plain or async, that returns a fresh one: it is asked at each connection and whenever
    the server wants a newer token. `open_timeout` bounds the first and every later attempt to connect, `call_timeout`
    each call; both in seconds. `ssl` is for https addresses whose certificate is not publicly trusted.

    Leaving the block waits until all edits are stored, as `Studio.close` does, unless an exception leaves it.

    Raises ConnectionLost if the server cannot be reached, ConnectionEnded if it refuses. Once it is made, the
    connection is made again whenever it breaks, until the server refuses for good.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token = None,
        open_timeout: float = 10.0,
        call_timeout: float = 60.0,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self._url = url
        self._token = token
        self._options = Options(open_timeout=open_timeout, ssl=ssl)
        self._call_timeout = call_timeout
        self._studio: Studio | None = None

    async def __aenter__(self) -> Studio:
        connection = Connection(self._url, self._token, self._options)
        try:
            await connection.start()
        except BaseException:
            await connection.close()
            raise
        self._studio = Studio(connection, self._call_timeout)
        return self._studio

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._studio is not None
        if error is None:
            await self._studio.close()
        else:
            await self._studio.abort()
