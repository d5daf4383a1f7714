"""One feed on one node: who watches it here, and how far they are.

Synchronous all the way through. A channel knows the newest offset that its node has heard of; a watch knows how far its
watcher is. A watcher that has everything is live and is given events as they come. One that has not, because it came
from an older position or could not take what it was given, is brought on from the database: that is the only buffer
there is, so nothing is dropped and nothing grows.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Protocol

from handlers.feed_events import BEGINNING, Batch, Position, position_of, why_not
from handlers.registry import OperationError, Permission, Principal
from storage.feeds import Feed


class Watcher(Protocol):
    """Whom events are given to: a socket or an event stream. Nothing here waits or raises."""

    @property
    def is_congested(self) -> bool:
        """Whether it has not taken yet what it was given: it is given nothing more before it has."""

    def started(self, position: Position, *, recovered: bool) -> None:
        """The watch stands; what follows the position comes next. `recovered`: it is the one that was asked for."""

    def take(self, batch: Batch) -> None:
        """The events that follow those that were given before."""

    def resync(self, position: Position, reason: str) -> None:
        """The watch is over: the feed cannot give what follows. It is at this position now."""

    def ended(self, error: OperationError) -> None:
        """The watch is over: the watcher may not have more, or the server cannot give more."""


class State(enum.Enum):
    """What a watch waits for."""

    STARTING = "starting"  # an answer whether it may, and where it begins
    BEHIND = "behind"  # what is read for it
    LAGGING = "lagging"  # its watcher, or the database; nobody reads for it now
    LIVE = "live"  # the next event
    OVER = "over"


class Watch:
    """One watcher of one feed. `workspace_id` is None for an inbox, which is its owner's."""

    __slots__ = ("channel", "offset", "principal", "state", "watcher", "workspace_id")

    def __init__(self, channel: FeedChannel, watcher: Watcher, principal: Principal, workspace_id: str | None) -> None:
        self.channel = channel
        self.watcher = watcher
        self.principal = principal
        self.workspace_id = workspace_id
        self.offset = 0
        self.state = State.STARTING

    @property
    def is_over(self) -> bool:
        return self.state is State.OVER

    @property
    def permission(self) -> Permission:
        """What has to be allowed to its watcher."""
        return Permission.SIGNED_IN if self.workspace_id is None else Permission.READ

    @property
    def operation(self) -> str:
        """What it counts as, for keys that are not for everything."""
        return "notifications.watch" if self.workspace_id is None else "feeds.watch"

    @property
    def has_everything(self) -> bool:
        return self.offset >= self.channel.head

    def begin(self, position: Position, *, recovered: bool) -> None:
        self.offset = position.offset
        self.state = State.BEHIND
        self.watcher.started(position, recovered=recovered)

    def give(self, batch: Batch) -> None:
        """Events from the next one on at the latest; those that it has are left out."""
        if batch.last > self.offset:
            batch, self.offset = batch.after(self.offset), batch.last
            self.watcher.take(batch)

    def settle(self) -> None:
        """Nobody reads for it any more."""
        if self.state is State.BEHIND:
            self.state = State.LIVE if self.has_everything else State.LAGGING


class FeedChannel:
    """All watches of one feed on this node. They are in the life of the feed that `position` names."""

    def __init__(self, name: str, on_end: Callable[[Watch], None]) -> None:
        """`on_end` is called with each watch that has ended, for whatever reason."""
        self.name = name
        self._on_end = on_end
        self.watches: set[Watch] = set()
        # None until the feed was first looked at.
        self.position: Position | None = None

    @property
    def head(self) -> int:
        """The newest offset that is known."""
        return self.position.offset if self.position is not None else 0

    @property
    def has_live_watches(self) -> bool:
        return any(watch.state is State.LIVE for watch in self.watches)

    def hear(self, epoch: str, head: int, batch: Batch | None) -> bool:
        """A node says that the feed has events up to `head`. False if the database has to be asked for them.

        Words come late, twice, or not at all: only the event right after the newest known one is taken from them.
        """
        position = self.position
        if position is None or (position.epoch != epoch and position != BEGINNING):
            return False
        if head > position.offset:
            if batch is None or batch.first > position.offset + 1:
                return False
            self.advance(batch)
        return True

    def advance(self, batch: Batch) -> None:
        """Events from the one after the newest known one on."""
        if batch.last <= self.head:
            return
        batch = batch.after(self.head)
        self.position = Position(batch.epoch, batch.last)
        for watch in self._in(State.LIVE):
            if watch.watcher.is_congested:
                watch.state = State.LAGGING
            else:
                watch.give(batch)

    def meet(self, feed: Feed | None, before: Position | None) -> bool:
        """The feed as it was read after the channel was at `before`. False if it cannot be told which is newer.

        Where it turns out that the feed was made anew, or put back to an earlier state, all watches end.
        """
        if self.position is None:
            self.position = position_of(feed)
            return True
        if feed is not None and self.position == BEGINNING and feed.oldest == 1:
            # It has got its first events.
            self.position = Position(feed.epoch, 0)
        here = position_of(feed)
        if here.epoch == self.position.epoch:
            if before is None or before.epoch != here.epoch or before.offset <= here.offset:
                return True
        elif self.position != before:
            return False
        self.lose(feed, State.BEHIND, State.LAGGING, State.LIVE)
        return True

    def skip_to(self, feed: Feed) -> None:
        """The feed is this far. Only for while nobody is live, who would have to be given what is between."""
        self.position = position_of(feed)

    def lose(self, feed: Feed | None, *states: State) -> None:
        """End the watches in these states: the feed, as it is now, cannot give what they wait for."""
        epoch, self.position = self.position.epoch if self.position else "", position_of(feed)
        for watch in self._in(*states):
            self.resync(watch, feed, Position(epoch, watch.offset))

    def resync(self, watch: Watch, feed: Feed | None, asked: Position) -> None:
        """End a watch that wants what is behind a position, which the feed cannot give."""
        self.end(watch)
        watch.watcher.resync(position_of(feed), why_not(feed, asked))

    def end(self, watch: Watch) -> None:
        """Nothing more for this watch."""
        if not watch.is_over:
            watch.state = State.OVER
            self.watches.discard(watch)
            self._on_end(watch)

    def _in(self, *states: State) -> Iterator[Watch]:
        """The watches in these states, each as it is when its turn comes: what one is told may end others."""
        return (watch for watch in tuple(self.watches) if watch.state in states)
