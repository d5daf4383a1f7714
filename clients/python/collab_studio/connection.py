"""The socket: made, read, written, lost and made again. The only file that awaits the network."""

import asyncio
import inspect
import logging
import ssl as tls
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as dial
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from collab_studio.errors import ConnectionEnded, ConnectionLost, NotAuthenticated, StudioError
from collab_studio.multiplexer import Multiplexer
from collab_studio.reconnection import Backoff, ending_of_close, ending_of_handshake

_log = logging.getLogger("collab_studio")

Token = str | Callable[[], str | Awaitable[str]] | None

# Seconds between looks at what is due by time.
TICK = 1.0
# Seconds that a peer gets to answer a close; a dead one never does.
CLOSE_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to connect. Times in seconds, sizes in bytes."""

    open_timeout: float = 10.0
    # A whole document comes in one frame, and the server is trusted; None is without limit.
    max_frame: int | None = 256 * 1024 * 1024
    ssl: tls.SSLContext | None = None


class Connection:
    """Keeps the multiplexer supplied with a socket until `close`, or until the server refuses for good."""

    def __init__(self, url: str, token: Token, options: Options, backoff: Backoff | None = None) -> None:
        self._url = socket_url(url)
        self._token = token
        self._options = options
        self._backoff = backoff or Backoff()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        # Whether the server has accepted a token since it last refused one.
        self._is_welcome = False
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self.multiplexer = Multiplexer(self._wake.set)
        self.is_open = False
        self.failure: StudioError | None = None

    async def start(self) -> None:
        """Make the first socket. Raises ConnectionLost or ConnectionEnded if that fails; there is no second attempt."""
        self._task = asyncio.create_task(self._run(), name="collab_studio connection")
        try:
            async with asyncio.timeout(self._options.open_timeout):
                await asyncio.shield(self._first)
        except TimeoutError as error:
            raise ConnectionLost(f"{self._url}: the server does not say welcome") from error

    async def close(self) -> None:
        """Send what is waiting, close the socket, make no other."""
        self._closing.set()
        self._wake.set()
        if self._task is None:
            return
        if self.is_open:
            await asyncio.wait([self._task], timeout=2 * CLOSE_TIMEOUT)
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled() and (fault := self._task.exception()) is not None:
            raise fault

    def check(self) -> None:
        """Raise what ended the connection, if it has ended."""
        if self.failure is not None:
            raise self.failure.with_traceback(None)

    async def _run(self) -> None:
        end: StudioError = ConnectionEnded("the connection is closed")
        try:
            await self._keep_connected()
        except StudioError as error:
            end = error
        except Exception as error:
            end = ConnectionEnded(f"the connection failed: {error!r}")
            raise
        finally:
            self._end(end)

    async def _keep_connected(self) -> None:
        while not self._closing.is_set():
            try:
                await self._use_one_socket()
            except NotAuthenticated:
                # A token that could be had anew may only have been too old: it gets one more chance.
                if not callable(self._token) or not self._is_welcome:
                    raise
                self._is_welcome = False
            except ConnectionLost as loss:
                if not self._first.done():
                    raise
                pause = self._pause()
                _log.info("%s; connecting again in %.1f s", loss, pause)
                await self._wait(pause)

    def _end(self, end: StudioError) -> None:
        self.failure = end
        if not self._first.done():
            self._first.set_exception(end)
            self._first.exception()  # whoever started this may have given up waiting for it
        self.multiplexer.fail(end)

    def _pause(self) -> float:
        if self.multiplexer.has_worked:
            # A welcome alone is no work: a server that is too busy says that and closes.
            self._backoff.reset()
        if (going_away := self.multiplexer.going_away) is not None:
            self.multiplexer.going_away = None
            return self._backoff.within(going_away.after_ms)
        return self._backoff.next()

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            pass

    async def _use_one_socket(self) -> None:
        """Returns once `close` was called; raises ConnectionLost or ConnectionEnded."""
        token = await self._current_token()
        socket = await self._dial(token)
        try:
            self.is_open = True
            self.multiplexer.opened(token)
            if not token:
                self._welcomed()
            await self._exchange(socket)
        finally:
            self.is_open = False
            self.multiplexer.lost()
            await socket.close()

    async def _dial(self, token: str) -> ClientConnection:
        try:
            return await dial(
                self._url,
                additional_headers={"Authorization": f"Bearer {token}"} if token else None,
                ssl=self._options.ssl,
                compression=None,
                open_timeout=self._options.open_timeout,
                close_timeout=CLOSE_TIMEOUT,
                max_size=self._options.max_frame,
            )
        except InvalidStatus as error:
            raise (ending_of_handshake(error) or ConnectionLost(f"{self._url}: {error}")) from error
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise ConnectionLost(f"{self._url}: {error}") from error

    async def _exchange(self, socket: ClientConnection) -> None:
        # No task group: those of Python before 3.11.4 leave the task around them half cancelled after a failure.
        tasks = [asyncio.ensure_future(work) for work in (self._read(socket), self._write(socket), self._tick())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            ends = [end for end in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(end, Exception)]
        for end in ends:
            if not isinstance(end, (ConnectionClosed, StudioError)):
                raise end
        if not self._closing.is_set():
            raise self._meaning(ends[0]) from ends[0]

    def _meaning(self, end: Exception) -> StudioError:
        """Of what ended the use of a socket."""
        if isinstance(end, ConnectionClosed):
            return ending_of_close(end) or ConnectionLost(f"{self._url}: {end}")
        return ConnectionLost(f"{self._url}: {end}")

    async def _read(self, socket: ClientConnection) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            frame = await socket.recv(decode=False)
            self.multiplexer.receive(frame, clock())
            if self.multiplexer.is_welcome:
                self._welcomed()
            await self._renew_token()

    async def _write(self, socket: ClientConnection) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._wake.wait()
            self._wake.clear()
            while frames := self.multiplexer.take(clock()):
                for frame in frames:
                    await socket.send(frame)
            if self._closing.is_set():
                await socket.close()

    async def _tick(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(TICK)
            self.multiplexer.tick(clock())
            await self._renew_token()

    def _welcomed(self) -> None:
        self._is_welcome = True
        if not self._first.done():
            self._first.set_result(None)

    async def _renew_token(self) -> None:
        if self.multiplexer.wants_token:
            self.multiplexer.renew_token(await self._current_token())

    async def _current_token(self) -> str:
        """Raises ConnectionLost if the application cannot give one now."""
        if self._token is None or isinstance(self._token, str):
            return self._token or ""
        try:
            token = self._token()
            return await token if inspect.isawaitable(token) else token
        except Exception as error:
            raise ConnectionLost(f"no token: {error!r}") from error


def socket_url(url: str) -> str:
    """The WebSocket address of the server at this HTTP address. Raises ValueError."""
    parts = urlsplit(url)
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if parts.scheme not in schemes or not parts.netloc:
        raise ValueError(f"{url!r} is not the address of a server, such as http://127.0.0.1:8400")
    return urlunsplit((schemes[parts.scheme], parts.netloc, parts.path.rstrip("/") + "/ws", "", ""))
