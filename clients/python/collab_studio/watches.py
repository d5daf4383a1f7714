"""The feeds and operations that are watched, over one socket after another: messages in, frames out, no network."""

import itertools
from collections.abc import Callable
from typing import Any

from collab_studio.answer_frames import Answer, AnswerChanged, AnswerContinued, AnswerMessage
from collab_studio.answer_watch import AnswerWatch
from collab_studio.errors import ResyncRequired, StudioError, operation_error
from collab_studio.feed_frames import Event, Events, FeedMessage, Position, Resync, WatchEnded, Watching
from collab_studio.feed_watch import FeedWatch
from collab_studio.studio_frames import unwatch

# Events that wait for the application. Beyond this the watch is ended and begun again where it was: the server's
# database holds what follows, and this process need not.
MOST_WAITING = 1_000
# The credential may only have been too old.
_SIGN_IN_AGAIN = frozenset({"token_expired", "sign_in_again"})
# The server cannot now, and will be able to.
_LATER = frozenset({"unavailable", "going_away", "rate_limited", "internal"})
# Seconds before the first attempt to watch again; doubled each time.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


AnyWatch = FeedWatch | AnswerWatch


class _Place:
    """A watch's place on the present socket. `number` is None while the server does not know of it."""

    __slots__ = ("failures", "has_stood", "number", "position", "watch", "watch_at")

    def __init__(self, watch: AnyWatch) -> None:
        self.watch = watch
        # Behind the last event that came.
        self.position = watch.position
        self.number: int | None = None
        self.watch_at: float | None = None
        self.failures = 0
        self.has_stood = False


class Watches:
    """All watches of a connection."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called when there is something for `take`."""
        self._wake = wake
        self._numbers = itertools.count(1)
        self._places: dict[AnyWatch, _Place] = {}
        self._by_number: dict[int, _Place] = {}
        self._frames: list[bytes] = []
        self._wanting_token: list[_Place] = []
        self._is_open = False

    def add(self, feed: str, workspace_id: str | None, since: Position | None) -> FeedWatch:
        """A watch that begins at once if there is a socket, else with the next one."""
        made = FeedWatch(self, feed, workspace_id, since)
        self._add(made)
        return made

    def add_operation(self, operation: str, parameters: dict[str, Any]) -> AnswerWatch:
        """As `add`. Raises TypeError if a parameter cannot be sent."""
        made = AnswerWatch(self, operation, parameters)
        made.frame(0, None)
        self._add(made)
        return made

    def _add(self, made: AnyWatch) -> None:
        self._places[made] = _Place(made)
        self._begin(self._places[made])

    def remove(self, watch: AnyWatch) -> None:
        place = self._places.pop(watch, None)
        if place is not None:
            self._end(place)

    def stands(self, watch: FeedWatch) -> bool:
        place = self._places.get(watch)
        return place is not None and place.has_stood

    def drained(self, watch: FeedWatch) -> None:
        """The application has taken an event."""
        place = self._places.get(watch)
        if place is not None:
            self._begin(place)

    # The socket

    def opened(self) -> None:
        self._is_open = True
        for place in self._places.values():
            self._begin(place)

    def lost(self) -> None:
        self._is_open = False
        self._by_number.clear()
        self._frames.clear()
        self._wanting_token.clear()
        for place in self._places.values():
            place.number = place.watch_at = None

    def fail(self, error: StudioError) -> None:
        """There will be no socket again."""
        for place in list(self._places.values()):
            self._fail(place, error)

    def take(self) -> list[bytes]:
        """The frames to send now."""
        frames, self._frames = self._frames, []
        return frames

    def tick(self, now: float) -> None:
        """What is due by time."""
        for place in self._places.values():
            if place.watch_at is not None and now >= place.watch_at:
                place.watch_at = None
                self._begin(place)

    @property
    def wants_token(self) -> bool:
        """Whether `token_renewed` is to be called, after the server was shown a token as new as can be had."""
        return bool(self._wanting_token)

    def token_renewed(self) -> None:
        wanting, self._wanting_token = self._wanting_token, []
        for place in wanting:
            if place.watch in self._places:
                self._begin(place)

    def receive(self, message: FeedMessage | AnswerMessage, now: float) -> None:
        place = self._by_number.get(message.id)
        if place is None:
            return  # it was ended, and the server did not know yet
        match message:
            case Watching(position=position):
                self._stand(place, position)
            case Events(events=events):
                self._take(place, events)
            case Resync(position=position, reason=reason):
                self._fail(place, ResyncRequired(position, f"{place.watch.name}: {reason}"))
            case Answer() | AnswerChanged() | AnswerContinued():
                self._answer(place, message)
            case WatchEnded():
                self._ended(place, message, now)

    def _begin(self, place: _Place) -> None:
        """Ask the server, unless it was asked, or has to wait."""
        waits = place.watch_at is not None or place in self._wanting_token or place.watch.waiting > MOST_WAITING // 2
        if self._is_open and place.number is None and not waits:
            place.number = next(self._numbers)
            self._by_number[place.number] = place
            self._send(place.watch.frame(place.number, place.position))

    def _end(self, place: _Place) -> None:
        if place.number is not None:
            del self._by_number[place.number]
            self._send(unwatch(place.number))
            place.number = None

    def _send(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._wake()

    def _stand(self, place: _Place, position: Position) -> None:
        place.failures, place.has_stood = 0, True
        if place.position is None or place.position.offset == 0:
            # From a feed's beginning to its place in the feed that there is.
            place.position = position
        if isinstance(place.watch, FeedWatch):
            place.watch.begun(position)

    def _take(self, place: _Place, events: list[Event]) -> None:
        if not events or not isinstance(place.watch, FeedWatch):
            return
        place.position = events[-1].position
        place.watch.take(events)
        if place.watch.waiting > MOST_WAITING:
            self._end(place)

    def _answer(self, place: _Place, message: AnswerMessage) -> None:
        place.failures, place.has_stood = 0, True
        if isinstance(place.watch, AnswerWatch) and not place.watch.take_answer(message):
            self._end(place)
            self._begin(place)

    def _ended(self, place: _Place, ended: WatchEnded, now: float) -> None:
        del self._by_number[ended.id]
        place.number = None
        place.failures += 1
        if ended.code in _SIGN_IN_AGAIN and place.failures == 1:
            self._wanting_token.append(place)
        elif ended.code in _LATER:
            place.watch_at = now + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (place.failures - 1))
        else:
            self._fail(place, operation_error(ended.code, ended.message, ended.details))

    def _fail(self, place: _Place, error: StudioError) -> None:
        if place.number is not None:
            self._by_number.pop(place.number, None)
        self._places.pop(place.watch, None)
        place.watch.fail(error)
