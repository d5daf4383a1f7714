"""The same for programs without an event loop: `with collab_studio.sync.connect(url, token=...) as studio`.

A thread of its own runs the loop; every method here waits for the result. The objects may be used from any thread.
Documents are touched only in that thread, so edits with pycrdt go through `Document.edit`.
"""

import asyncio
import ssl as tls
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import pycrdt

from collab_studio import answer_watch, awareness, document, feed_watch, studio, text
from collab_studio.awareness import AwarenessChange
from collab_studio.connection import Token
from collab_studio.feed_frames import Event, Position

T = TypeVar("T")


class _Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="collab_studio", daemon=True)
        self._thread.start()

    def wait_for(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine in the thread, and return or raise what it does. TimeoutError cancels it."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("called from a callback, where waiting would stop everything")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in the thread, and return or raise what it does."""
        if threading.current_thread() is self._thread:
            return function()

        async def work() -> T:
            return function()

        return self.wait_for(work())

    def stop(self) -> None:
        """End the loop and the thread, and with them whatever still runs there."""
        self.wait_for(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Text:
    """A text by positions in Unicode code points, see `collab_studio.Text`."""

    def __init__(self, loop: _Loop, text: text.Text) -> None:
        self._loop = loop
        self._text = text

    def __str__(self) -> str:
        return self._loop.call(lambda: str(self._text))

    def __len__(self) -> int:
        return self._loop.call(lambda: len(self._text))

    def insert(self, position: int, text: str) -> None:
        self._loop.call(lambda: self._text.insert(position, text))

    def append(self, text: str) -> None:
        self._loop.call(lambda: self._text.append(text))

    def delete(self, position: int, length: int) -> None:
        self._loop.call(lambda: self._text.delete(position, length))

    def splice(self, position: int, delete: int, insert: str) -> None:
        self._loop.call(lambda: self._text.splice(position, delete, insert))

    def replace(self, text: str) -> None:
        self._loop.call(lambda: self._text.replace(text))


class Awareness:
    """Presence, see `collab_studio.Awareness`. Observers are called in the loop's thread and must not wait."""

    def __init__(self, loop: _Loop, table: awareness.Awareness) -> None:
        self._loop = loop
        self._table = table

    @property
    def client_id(self) -> int:
        return self._table.client_id

    @property
    def local(self) -> awareness.State | None:
        return self._loop.call(lambda: self._table.local)

    @property
    def others(self) -> dict[int, awareness.State]:
        return self._loop.call(lambda: self._table.others)

    def set_local(self, state: Mapping[str, Any] | None) -> None:
        self._loop.call(lambda: self._table.set_local(state))

    def patch_local(self, **fields: Any) -> None:
        self._loop.call(lambda: self._table.patch_local(**fields))

    def observe(self, callback: Callable[[AwarenessChange], None]) -> Callable[[], None]:
        end = self._loop.call(lambda: self._table.observe(callback))
        return lambda: self._loop.call(end)


class Document:
    """A shared document, see `collab_studio.Document`. Timeouts are in seconds and raise TimeoutError."""

    def __init__(self, loop: _Loop, document: document.Document) -> None:
        self._loop = loop
        self._document = document
        self.name = document.name
        self.kind = document.kind
        self.awareness = Awareness(loop, document.awareness)

    @property
    def synced(self) -> bool:
        return self._loop.call(lambda: self._document.synced)

    @property
    def read_only(self) -> bool:
        return self._loop.call(lambda: self._document.read_only)

    @property
    def unsaved(self) -> int:
        return self._loop.call(lambda: self._document.unsaved)

    def text(self, root: str | None = None) -> Text:
        return Text(self._loop, self._loop.call(lambda: self._document.text(root)))

    def edit(self, change: Callable[["pycrdt.Doc[Any]"], T]) -> T:
        """Run a function on the pycrdt document, in the loop's thread and in one transaction.

        Let it return plain values: the document's own types may only be used within it.
        """
        return self._loop.call(lambda: self._document.edit(change))

    def wait_synced(self, timeout: float | None = None) -> None:
        self._loop.wait_for(self._document.wait_synced(), timeout)

    def stored(self, timeout: float | None = None) -> None:
        self._loop.wait_for(self._document.stored(), timeout)

    def close(self, timeout: float = 10.0) -> None:
        self._loop.wait_for(self._document.close(timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._loop.call(self._document.leave)


class FeedWatch:
    """The events of a feed, see `collab_studio.FeedWatch`: `for event in watch`, or one by one with a timeout."""

    def __init__(self, loop: _Loop, watch: feed_watch.FeedWatch) -> None:
        self._loop = loop
        self._watch = watch

    @property
    def position(self) -> Position | None:
        return self._loop.call(lambda: self._watch.position)

    def started(self, timeout: float | None = None) -> Position:
        return self._loop.wait_for(self._watch.started(), timeout)

    def next(self, timeout: float | None = None) -> Event | None:
        """The next event, None once the watch was closed. Raises TimeoutError if none comes in so many seconds."""
        return self._loop.wait_for(self._watch.next(), timeout)

    def close(self) -> None:
        self._loop.call(self._watch.close)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self.next()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        self.started()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AnswerWatch:
    """An operation's answer and what becomes of it, see `collab_studio.AnswerWatch`: `for answer in watch`."""

    def __init__(self, loop: _Loop, watch: answer_watch.AnswerWatch) -> None:
        self._loop = loop
        self._watch = watch

    def next(self, timeout: float | None = None) -> Any | None:
        """The newest answer, None once the watch was closed. Raises TimeoutError if none comes in so many seconds."""
        return self._loop.wait_for(self._watch.next(), timeout)

    def close(self) -> None:
        self._loop.call(self._watch.close)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        answer = self.next()
        if answer is None:
            raise StopIteration
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Studio:
    """A connection that carries any number of documents and operations, see `collab_studio.Studio`."""

    def __init__(self, loop: _Loop, studio: studio.Studio) -> None:
        self._loop = loop
        self._studio = studio

    @property
    def connected(self) -> bool:
        return self._loop.call(lambda: self._studio.connected)

    @property
    def user(self) -> str | None:
        return self._loop.call(lambda: self._studio.user)

    def open(self, name: str, *, kind: document.Kind | None = None, timeout: float | None = None) -> Document:
        """Open `workspace/document` and wait until it is synced, for so many seconds at most."""
        return Document(self._loop, self._loop.wait_for(self._studio.open(name, kind=kind), timeout))

    def call(self, operation: str, /, **parameters: Any) -> Any:
        return self._loop.wait_for(self._studio.call(operation, **parameters))

    def iterate(self, operation: str, /, **parameters: Any) -> Iterator[Any]:
        while True:
            page = self.call(operation, **parameters)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            parameters["cursor"] = page["next_cursor"]

    def watch(self, feed: str, *, workspace: str = "default", since: Position | None = None) -> FeedWatch:
        return FeedWatch(
            self._loop, self._loop.call(lambda: self._studio.watch(feed, workspace=workspace, since=since))
        )

    def watch_operation(self, operation: str, /, **parameters: Any) -> AnswerWatch:
        return AnswerWatch(self._loop, self._loop.call(lambda: self._studio.watch_operation(operation, **parameters)))

    def notifications(self, *, since: Position | None = None) -> FeedWatch:
        return FeedWatch(self._loop, self._loop.call(lambda: self._studio.notifications(since=since)))


class connect:  # noqa: N801 -- called like a function
    """Connect to a server: `with connect(url, token=...) as studio`, see `collab_studio.connect`."""

    def __init__(
        self,
        url: str,
        *,
        token: Token = None,
        open_timeout: float = 10.0,
        call_timeout: float = 60.0,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self._connect = studio.connect(url, token=token, open_timeout=open_timeout, call_timeout=call_timeout, ssl=ssl)
        self._loop: _Loop | None = None

    def __enter__(self) -> Studio:
        self._loop = _Loop()
        try:
            return Studio(self._loop, self._loop.wait_for(self._connect.__aenter__()))
        except BaseException:
            self._loop.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._loop is not None
        try:
            self._loop.wait_for(self._connect.__aexit__(kind, error, traceback))
        finally:
            self._loop.stop()
