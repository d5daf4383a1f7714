"""An independent Yjs implementation that watches a document over the y-websocket dialect."""

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

import y_py
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from crdt.lib0 import read_var_bytes, write_var_bytes

RECONNECT_SECONDS = 0.2


class YPyWatcher:
    """Runs in a thread of its own, because its document must never leave it. Reconnects until it is left."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._text = ""
        self._changed = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(timeout=10)

    def wait_for(self, text: str, timeout: float) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._text == text, timeout):
                raise AssertionError(f"y-py ended with {len(self._text)} characters instead of {len(text)}")

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        document = y_py.YDoc()
        while True:
            with contextlib.suppress(OSError, WebSocketException):
                await self._watch(document)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _watch(self, document: "y_py.YDoc") -> None:
        async with connect(self._url, compression=None, max_size=None) as socket:
            await socket.send(b"\x00\x00" + write_var_bytes(y_py.encode_state_vector(document)))
            async for message in socket:
                assert isinstance(message, bytes)
                if message[0] == 0 and message[1] in (1, 2):
                    y_py.apply_update(document, read_var_bytes(message, 2)[0])
                    with self._changed:
                        self._text = str(document.get_text("content"))
                        self._changed.notify_all()
