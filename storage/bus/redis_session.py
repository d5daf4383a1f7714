"""The bus from one connection to Redis to its loss: a connection that listens and one that publishes.

The session says something to itself all the time. What it hears has gone the way of every message, through both
connections and the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from storage.bus.redis_link import Link, Lost, RedisAddress
from storage.bus.resp import ErrorReply, Reply, command
from storage.bus.subscriptions import Subscriptions

# A stopped server or a connection that hangs is noticed after two to three of these: within three seconds.
SIGN_SECONDS = 0.9
MISSED_SIGNS = 2
# An echo waits behind what others have said. A node that is so far behind does better to read the database.
MISSED_ECHOES = 10
REPLIES_OFF = command(b"CLIENT", b"REPLY", b"OFF")
# The only command that is answered while replies are off.
SIGN_OF_LIFE = command(b"CLIENT", b"REPLY", b"ON") + REPLIES_OFF
# A second of a full gigabit line. What comes when so much waits will be read from the database.
MAX_UNSENT_BYTES = 16 * 1024 * 1024
# A command of some tens of kilobytes: the server answers others between two of them.
CHANNELS_A_COMMAND = 1_000


@dataclass(frozen=True, slots=True)
class PubSub:
    """The names of one kind of publish and subscribe."""

    publish: bytes
    subscribe: bytes
    unsubscribe: bytes
    message: bytes
    confirmation: bytes


SHARDED = PubSub(b"SPUBLISH", b"SSUBSCRIBE", b"SUNSUBSCRIBE", b"smessage", b"ssubscribe")
# Before Redis 7; and in a cluster, where every server passes these on to all others.
PLAIN = PubSub(b"PUBLISH", b"SUBSCRIBE", b"UNSUBSCRIBE", b"message", b"subscribe")


class RedisSession:
    """Made by `open`, ended by `watch` or `close`."""

    def __init__(self, listening: Link, publishing: Link, kind: PubSub, echo: bytes, heard: Subscriptions) -> None:
        self._listening = listening
        self._publishing = publishing
        self._kind = kind
        self._echo = echo
        self._heard = heard
        self._echoed = False
        self._echoless = 0
        self._silent = 0
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        listening.on_reply = self._take
        listening.on_lost = publishing.on_lost = self._lose

    @classmethod
    async def open(cls, address: RedisAddress, echo: bytes, heard: Subscriptions) -> RedisSession:
        """Connected, and heard by itself over the channel `echo`. Raises Lost, RedisError, OSError and TimeoutError."""
        links: list[Link] = []
        try:
            for _ in range(2):
                links.append(await Link.open(address))  # noqa: PERF401 - what was opened before a failure is closed
            kind = await find_kind(links[1], echo)
            session = cls(links[0], links[1], kind, echo, heard)
            await session._hear_itself()
        except BaseException:
            for link in links:
                await link.abort()
            raise
        return session

    async def _hear_itself(self) -> None:
        self._publishing.write(REPLIES_OFF)
        self._listening.write(command(self._kind.subscribe, self._echo))
        await self._started

    # What goes out

    def publish(self, channel: bytes, message: bytes) -> bool:
        """Whether the message is on its way; not if too much waits before it."""
        size = len(channel) + len(message)
        if self._unsent_bytes + size + self._publishing.unsent > MAX_UNSENT_BYTES:
            return False
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send)
        self._unsent.append(command(self._kind.publish, channel, message))
        self._unsent_bytes += size
        return True

    def _send(self) -> None:
        """All that waits, in one write."""
        if self._unsent:
            self._publishing.write(b"".join(self._unsent))
        self._unsent.clear()
        self._unsent_bytes = 0

    def change_subscriptions(self) -> None:
        """Tell the server what has changed since this was last called."""
        wanted, given_up = self._heard.take_changes()
        commands = [command(self._kind.unsubscribe, *part) for part in _parts(given_up)]
        commands += [command(self._kind.subscribe, *part) for part in _parts(wanted)]
        if commands:
            self._listening.write(b"".join(commands))

    # What comes in

    def _take(self, reply: Reply) -> None:
        if type(reply) is not list:
            if isinstance(reply, ErrorReply):
                self._lose(f"the server refused to let us listen: {reply.text}")
            return
        kind, channel, message = reply
        if not isinstance(channel, bytes):
            return
        if channel == self._echo:
            self._take_echo(kind)
        elif kind == self._kind.message:
            assert isinstance(message, bytes)
            self._heard.deliver(channel, message)
        elif kind == self._kind.confirmation:
            self._heard.confirmed(channel)

    def _take_echo(self, kind: Reply) -> None:
        if kind != self._kind.message:
            self.publish(self._echo, b"")
            return
        self._echoed = True
        if not self._started.done():
            self._started.set_result(None)

    # The end

    async def watch(self) -> str:
        """Returns why the session was lost."""
        while not self._lost.done():
            self._ask_for_signs()
            await asyncio.wait((self._lost,), timeout=SIGN_SECONDS)
            self._count_signs()
        return self._lost.result()

    def _ask_for_signs(self) -> None:
        self._echoed = self._listening.has_heard = self._publishing.has_heard = False
        self.publish(self._echo, b"")
        self._publishing.write(SIGN_OF_LIFE)

    def _count_signs(self) -> None:
        """Times are counted, not seconds: after this process stood still, the answers are there to be read."""
        self._silent = 0 if self._listening.has_heard and self._publishing.has_heard else self._silent + 1
        self._echoless = 0 if self._echoed else self._echoless + 1
        if self._silent == MISSED_SIGNS:
            self._lose(f"no answer for {MISSED_SIGNS * SIGN_SECONDS:g} seconds")
        elif self._echoless == MISSED_ECHOES:
            self._lose("our own messages do not come back")

    def _lose(self, reason: str) -> None:
        if not self._lost.done():
            self._lost.set_result(reason)
        if not self._started.done():
            self._started.set_exception(Lost(reason))

    async def close(self) -> None:
        """Send what waits, and end."""
        self._send()
        await self._publishing.close()
        await self._listening.abort()

    async def abort(self) -> None:
        """End at once. Safe to call twice."""
        self._unsent.clear()
        await self._publishing.abort()
        await self._listening.abort()


def _parts(channels: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(channels), CHANNELS_A_COMMAND):
        yield channels[start : start + CHANNELS_A_COMMAND]


async def find_kind(link: Link, channel: bytes) -> PubSub:
    """Sharded where the server has it. Raises Lost where we may not publish to the channel at all."""
    if not is_cluster(await link.ask(b"HELLO")):
        answer = await link.ask(SHARDED.publish, channel, b"")
        if not isinstance(answer, ErrorReply):
            return SHARDED
    answer = await link.ask(PLAIN.publish, channel, b"")
    if isinstance(answer, ErrorReply):
        raise Lost(f"the server refused to let us publish: {answer.text}")
    return PLAIN


def is_cluster(hello: Reply) -> bool:
    """Whether the answer to HELLO, names and values in turn, is that of a server in a cluster."""
    if not isinstance(hello, list):
        return False
    return hello[hello.index(b"mode") + 1] == b"cluster" if b"mode" in hello else False
