"""The bus of nodes anywhere: publish and subscribe on a Redis server.

The server keeps nothing of it. While it is away messages are lost; when it is back, listeners are told by `resumed`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from random import Random

from redis.exceptions import RedisError

from storage.bus.channels import Listener
from storage.bus.reconnection import Reconnection
from storage.bus.redis_link import Lost, RedisAddress
from storage.bus.redis_session import RedisSession
from storage.bus.subscriptions import Subscriptions

logger = logging.getLogger(__name__)

# Connecting twice and hearing oneself takes some milliseconds, a stopped server for ever.
OPEN_SECONDS = 3.0


class RedisBus:
    """A Bus over Redis; it need not be there yet, nor stay."""

    def __init__(self, url: str, node_id: str, *, prefix: str = "studio", random: Random | None = None) -> None:
        """Nodes hear each other that share the server, the URL's database number and the prefix. Raises InvalidUrl."""
        self.node_id = node_id
        # Messages that were given to `publish` and never sent.
        self.dropped = 0
        self._address = RedisAddress(url, f"{prefix}:{node_id}")
        # Channels are the same in all databases of a server, names in them are not.
        self._prefix = f"{prefix}:{self._address.database}:".encode()
        self._echo = f"{prefix}:{self._address.database}/{node_id}".encode()
        self._subscriptions = Subscriptions()
        self._reconnection = Reconnection("the bus between nodes", random or Random())  # noqa: S311 - only for pauses
        self._session: RedisSession | None = None
        self._is_changing = False
        self._was_connected = False
        self._state_listeners: list[Callable[[bool], None]] = []
        self._closed = asyncio.Event()

    # What others ask for

    @property
    def is_connected(self) -> bool:
        return self._session is not None

    def publish(self, channel: str, message: bytes) -> None:
        session = self._session
        if session is None or not session.publish(self._prefix + channel.encode(), message):
            self.dropped += 1

    def subscribe(self, channel: str, listener: Listener) -> None:
        self._subscriptions.add(self._prefix + channel.encode(), listener)
        self._change_soon()

    def unsubscribe(self, channel: str, listener: Listener) -> None:
        self._subscriptions.remove(self._prefix + channel.encode(), listener)
        self._change_soon()

    def on_state_change(self, listener: Callable[[bool], None]) -> None:
        self._state_listeners.append(listener)

    def _change_soon(self) -> None:
        """Many subscriptions of one turn of the loop go out in one command."""
        if self._session is not None and not self._is_changing:
            self._is_changing = True
            asyncio.get_running_loop().call_soon(self._change)

    def _change(self) -> None:
        self._is_changing = False
        if self._session is not None:
            self._session.change_subscriptions()

    # Its life

    async def run(self) -> None:
        """Carry messages until cancelled or closed, connecting again as often as needed."""
        while not self._closed.is_set():
            await self._pause()
            try:
                async with asyncio.timeout(OPEN_SECONDS):
                    session = await RedisSession.open(self._address, self._echo, self._subscriptions)
            except TimeoutError:
                self._reconnection.failed(f"Redis does not answer within {OPEN_SECONDS:g} seconds")
            except (Lost, RedisError, OSError) as error:
                self._reconnection.failed(str(error) or type(error).__name__)
            except Exception:
                # A server that answers like no other must not take the node with it: the database is enough.
                logger.exception("the bus between nodes failed; trying again")
            else:
                await self._carry(session)

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._reconnection.pause()):
                await self._closed.wait()

    async def _carry(self, session: RedisSession) -> None:
        """Returns when the session is lost or closed."""
        started = time.monotonic()
        try:
            self._start(session)
            reason = await session.watch()
        finally:
            self._stop()
            await session.abort()
        self._reconnection.ended(time.monotonic() - started)
        if not self._closed.is_set():
            self._reconnection.failed(reason)

    def _start(self, session: RedisSession) -> None:
        self._reconnection.succeeded()
        self._session = session
        self._tell()
        self._subscriptions.start_over()
        session.change_subscriptions()

    def _stop(self) -> None:
        self._session = None
        self._tell()

    def _tell(self) -> None:
        """Tell the listeners what the state is, if they do not know."""
        if self._was_connected == self.is_connected:
            return
        self._was_connected = self.is_connected
        for listener in self._state_listeners:
            try:
                listener(self._was_connected)
            except Exception:
                logger.exception("a listener could not take the state of the bus")

    async def close(self) -> None:
        self._closed.set()
        session = self._session
        self._stop()
        if session is not None:
            await session.close()
