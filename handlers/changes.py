"""What changed, in a word: nodes tell each other, so that whoever shows an answer knows that it may be stale.

A topic is the first word of the operations' and events' names that are about it: `scans`, `catalog`, `data_sources`,
`documents`, `members`, `schedules`, `runs`, `backups`. A word says that something may have changed, never what; one
that is lost is made up for by whoever listens, who looks again now and then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec

from handlers.feed_events import Batch
from handlers.feed_names import is_reserved, short
from storage.bus.channels import Bus

logger = logging.getLogger(__name__)

CHANNEL = "changes"
# The same word is said this often at most: a scan or a busy document would say it many times a second.
PAUSE_SECONDS = 0.25

# What one speaks of in the singular, or under another name.
_TOPICS = {
    "alert": "alerts",
    "backup": "backups",
    "content": "documents",
    "document": "documents",
    "finding": "security",
    "lineage": "catalog",
    "member": "members",
    "scan": "scans",
    "scan_rules": "scans",
    "version": "documents",
    "versions": "documents",
    "workspace": "members",
    "workspaces": "members",
}
# Operations and events that leave all answers as they are.
_NO_CHANGE = frozenset({"alert.notification", "analytics.progress", "scan.progress", "security.audit_progress"})


class Changed(msgspec.Struct, frozen=True, array_like=True):
    """Something of this topic may be new. None means any: of all topics, in all workspaces, about all subjects.

    A subject is a part of a topic, as `dataset:12`.
    """

    topic: str | None = None
    workspace_id: str | None = None
    subject: str | None = None


EVERYTHING = Changed()


class _Word(msgspec.Struct, frozen=True, array_like=True):
    node_id: str
    changed: Changed


_words = msgspec.msgpack.Decoder(_Word)


def topic_of(name: str) -> str:
    """The topic of an operation or an event by its name."""
    first = name.removeprefix("collaboration.").partition(".")[0]
    return _TOPICS.get(first, first)


class Changes:
    """The words of this node and, over the `bus`, those of others."""

    def __init__(self, bus: Bus | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._clock = clock
        self._listeners: list[Callable[[Changed], None]] = []
        # When each word may be said again; those that wait for that are in `_later`.
        self._rests: dict[Changed, float] = {}
        self._later: dict[Changed, asyncio.TimerHandle] = {}

    @property
    def is_connected(self) -> bool:
        """Whether words of other nodes get here, as far as is known."""
        return self._bus is None or self._bus.is_connected

    def listen(self, listener: Callable[[Changed], None]) -> Callable[[], None]:
        """Calls `listener` with each word, until the returned function is called. It must not block or raise."""
        self._listeners.append(listener)
        if len(self._listeners) == 1 and self._bus is not None:
            self._bus.subscribe(CHANNEL, self)
        return lambda: self._leave(listener)

    def _leave(self, listener: Callable[[Changed], None]) -> None:
        self._listeners.remove(listener)
        if not self._listeners and self._bus is not None:
            self._bus.unsubscribe(CHANNEL, self)

    # Telling

    def done(self, operation: str, workspace_id: str | None, subject: str | None = None) -> None:
        """An operation that changes something was done; call after its commit."""
        self.tell(topic_of(operation), workspace_id, subject)

    def committed(self, feed: str, batch: Batch) -> None:
        """Events of a feed are stored. What users publish says nothing about the server's own facts."""
        if not is_reserved(short(feed)) or feed.startswith("@"):
            return
        workspace_id = feed.partition("/")[0]
        for topic in {topic_of(event.type) for event in batch.events if event.type not in _NO_CHANGE}:
            self.tell(topic, workspace_id)

    def tell(self, topic: str, workspace_id: str | None, subject: str | None = None) -> None:
        """Something of the topic is new, and committed: at once, or with the next word of the same."""
        changed, now = Changed(topic, workspace_id, subject), self._clock()
        if changed in self._later:
            return
        rest = self._rests.get(changed, now) - now
        if rest > 0:
            self._later[changed] = asyncio.get_running_loop().call_later(rest, self._say_later, changed)
        else:
            self._say(changed, now)

    def _say_later(self, changed: Changed) -> None:
        del self._later[changed]
        self._say(changed, self._clock())

    def _say(self, changed: Changed, now: float) -> None:
        if len(self._rests) > 10_000:
            self._rests = {word: until for word, until in self._rests.items() if until > now}
        self._rests[changed] = now + PAUSE_SECONDS
        self._hear(changed)
        if self._bus is not None:
            self._bus.publish(CHANNEL, msgspec.msgpack.encode(_Word(self._bus.node_id, changed)))

    # Hearing, as a listener of the bus

    def received(self, message: bytes) -> None:
        try:
            word = _words.decode(message)
        except msgspec.MsgspecError:
            logger.warning("a word about a change could not be read; it may be of another version")
            self._hear(EVERYTHING)
            return
        if self._bus is None or word.node_id != self._bus.node_id:
            self._hear(word.changed)

    def resumed(self) -> None:
        """What was said before may be lost."""
        self._hear(EVERYTHING)

    def _hear(self, changed: Changed) -> None:
        for listener in tuple(self._listeners):
            listener(changed)

    def close(self) -> None:
        """Nothing is said any more."""
        while self._later:
            self._later.popitem()[1].cancel()
