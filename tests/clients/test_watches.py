"""Watched feeds over one socket after another, stepped without a network."""

import asyncio
import datetime
from collections.abc import Awaitable, Callable
from typing import Any

import msgpack  # type: ignore[import-untyped, unused-ignore]
import pytest
from collab_studio import BEGINNING, ConnectionEnded, Event, FeedWatch, OperationError, Position, ResyncRequired
from collab_studio.frames import read_address
from collab_studio.lib0 import write_string
from collab_studio.multiplexer import Multiplexer
from collab_studio.watches import MOST_WAITING

NOW = datetime.datetime(2026, 5, 4, tzinfo=datetime.UTC)
HELLO, WATCH, WATCHING, EVENTS, UNWATCH, RESYNC_REQUIRED, WATCH_ENDED = 64, 70, 71, 72, 73, 74, 75


class Peer:
    """A multiplexer, and the server's end of its socket."""

    def __init__(self) -> None:
        self.multiplexer = Multiplexer(lambda: None)

    def connect(self) -> None:
        self.multiplexer.opened("")

    def watch(self, since: Position | None = None) -> FeedWatch:
        return self.multiplexer.watches.add("builds", "lab", since)

    def wants_token(self) -> bool:
        return self.multiplexer.wants_token

    def hear(self) -> list[tuple[int, dict[str, Any]]]:
        frames = []
        for frame in self.multiplexer.take(0.0):
            _, reader = read_address(frame)
            rest = reader.rest()
            frames.append((rest[0], msgpack.unpackb(rest[1:])))
        return frames

    def hear_watch(self) -> dict[str, Any]:
        ((kind, body),) = self.hear()
        assert kind == WATCH
        return body

    def say(self, kind: int, now: float = 0.0, **body: Any) -> None:
        self.multiplexer.receive(write_string("@studio") + bytes([kind]) + msgpack.packb(body, datetime=True), now)

    def say_events(self, number: int, first: int, last: int) -> None:
        events = [
            {"offset": offset, "type": "a", "at": NOW, "actor": None, "data": {"n": offset}}
            for offset in range(first, last + 1)
        ]
        self.say(EVENTS, id=number, epoch="e", events=events)

    def stand(self, offset: int = 0) -> int:
        """Take the watch that is asked for, and say that it stands; its number."""
        number: int = self.hear_watch()["id"]
        self.say(WATCHING, id=number, position={"epoch": "e", "offset": offset}, recovered=False)
        return number


def play(scenario: Callable[[Peer], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            await scenario(Peer())

    asyncio.run(main())


def refused(number: int, code: str) -> dict[str, Any]:
    return {"id": number, "code": code, "message": "No.", "details": None}


def test_events_come_in_order_and_carry_their_position() -> None:
    async def scenario(peer: Peer) -> None:
        peer.connect()
        watch = peer.watch()
        assert peer.hear_watch() == {"id": 1, "feed": "builds", "workspace_id": "lab"}
        peer.say(WATCHING, id=1, position={"epoch": "e", "offset": 4}, recovered=False)
        assert await watch.started() == watch.position == Position("e", 4)
        # The server serves: the next attempt to connect need not wait for long.
        assert peer.multiplexer.has_worked
        peer.say_events(1, 5, 6)
        assert await watch.next() == Event(Position("e", 5), "a", NOW, None, {"n": 5})
        assert watch.position == Position("e", 5)
        async for event in watch:
            assert event.offset == 6
            watch.close()
        assert await watch.next() is None
        assert peer.hear() == [(UNWATCH, {"id": 1})]

    play(scenario)


def test_after_a_lost_connection_it_goes_on_behind_what_came() -> None:
    async def scenario(peer: Peer) -> None:
        watch = peer.watch()
        assert peer.hear() == []
        peer.connect()
        number = peer.stand(4)
        peer.say_events(number, 5, 7)
        await watch.next()
        peer.multiplexer.lost()
        peer.connect()
        again = peer.hear_watch()
        assert again == {"id": 2, "feed": "builds", "workspace_id": "lab", "since": {"epoch": "e", "offset": 7}}
        # What the old socket might still have said is of nobody.
        peer.say_events(number, 8, 9)
        peer.say(WATCHING, id=2, position={"epoch": "e", "offset": 7}, recovered=True)
        peer.say_events(2, 8, 8)
        assert [(await watch.next()).offset for _ in range(3)] == [6, 7, 8]  # type: ignore[union-attr]
        assert watch.waiting == 0

    play(scenario)


def test_a_watch_that_never_stood_begins_anew_where_it_was_asked_to() -> None:
    async def scenario(peer: Peer) -> None:
        peer.connect()
        peer.watch(BEGINNING)
        assert peer.hear_watch()["since"] == {"epoch": "", "offset": 0}
        peer.multiplexer.lost()
        peer.connect()
        number = peer.stand(0)
        assert number == 2
        peer.multiplexer.lost()
        peer.connect()
        assert peer.hear_watch()["since"] == {"epoch": "e", "offset": 0}

    play(scenario)


def test_where_the_feed_cannot_go_on_the_application_is_told_after_what_came_before() -> None:
    async def scenario(peer: Peer) -> None:
        peer.connect()
        watch = peer.watch()
        number = peer.stand()
        peer.say_events(number, 1, 1)
        peer.say(RESYNC_REQUIRED, id=number, position={"epoch": "f", "offset": 9}, reason="It was made anew.")
        assert await watch.next() is not None
        for _ in range(2):
            with pytest.raises(ResyncRequired, match="made anew") as required:
                await watch.next()
            assert required.value.position == Position("f", 9)
        peer.multiplexer.lost()
        peer.connect()
        assert peer.hear() == []

    play(scenario)


def test_a_refusal_ends_it() -> None:
    async def scenario(peer: Peer) -> None:
        peer.connect()
        watch = peer.watch()
        peer.say(WATCH_ENDED, **refused(peer.hear_watch()["id"], "not_found"))
        with pytest.raises(OperationError) as error:
            await watch.started()
        assert error.value.code == "not_found"

    play(scenario)


def test_an_old_credential_is_renewed_once() -> None:
    async def scenario(peer: Peer) -> None:
        peer.connect()
        watch = peer.watch()
        number = peer.stand()
        peer.say(WATCH_ENDED, **refused(number, "token_expired"))
        assert peer.wants_token()
        peer.multiplexer.renew_token("new")
        (hello, token), (kind, again) = peer.hear()
        assert (hello, token, kind) == (HELLO, {"token": "new"}, WATCH)
        assert again["since"] == {"epoch": "e", "offset": 0}
        peer.say(WATCH_ENDED, **refused(again["id"], "token_expired"))
        assert not peer.wants_token()
        with pytest.raises(OperationError):
            await watch.next()

    play(scenario)


def test_a_server_that_cannot_now_is_asked_later() -> None:
    async def scenario(peer: Peer) -> None:
        peer.connect()
        watch = peer.watch()
        for pause in (0.5, 1.0, 2.0):
            number = peer.hear_watch()["id"]
            peer.say(WATCH_ENDED, now=10.0, **refused(number, "unavailable"))
            peer.multiplexer.tick(10.0 + pause - 0.1)
            assert peer.hear() == []
            peer.multiplexer.tick(10.0 + pause)
        peer.stand()
        await watch.started()

    play(scenario)


def test_an_application_that_does_not_read_lets_the_server_keep_what_follows() -> None:
    async def scenario(peer: Peer) -> None:
        peer.connect()
        watch = peer.watch()
        number = peer.stand()
        peer.say_events(number, 1, MOST_WAITING)
        assert peer.hear() == []
        peer.say_events(number, MOST_WAITING + 1, MOST_WAITING + 10)
        assert peer.hear() == [(UNWATCH, {"id": number})]
        peer.say_events(number, MOST_WAITING + 11, MOST_WAITING + 20)
        peer.multiplexer.lost()
        peer.connect()
        seen = []
        while not (asked := peer.hear()):
            seen.append(await watch.next())
        assert asked[0][1]["since"] == {"epoch": "e", "offset": MOST_WAITING + 10}
        assert len(seen) == MOST_WAITING // 2 + 10
        peer.say(WATCHING, id=asked[0][1]["id"], position=asked[0][1]["since"], recovered=True)
        peer.say_events(asked[0][1]["id"], MOST_WAITING + 11, MOST_WAITING + 11)
        while watch.waiting:
            seen.append(await watch.next())
        assert [event and event.offset for event in seen] == list(range(1, MOST_WAITING + 12))

    play(scenario)


def test_the_end_of_the_connection_is_its_end() -> None:
    async def scenario(peer: Peer) -> None:
        peer.connect()
        watch = peer.watch()
        waiting = asyncio.ensure_future(watch.next())
        await asyncio.sleep(0)
        peer.multiplexer.fail(ConnectionEnded("closed"))
        with pytest.raises(ConnectionEnded):
            await waiting

    play(scenario)


def test_closing_lets_go_of_whoever_waits() -> None:
    async def scenario(peer: Peer) -> None:
        peer.connect()
        watch = peer.watch()
        waiting, starting = asyncio.ensure_future(watch.next()), asyncio.ensure_future(watch.started())
        await asyncio.sleep(0)
        watch.close()
        watch.close()
        assert await waiting is None
        with pytest.raises(ConnectionEnded):
            await starting
        assert [kind for kind, _ in peer.hear()] == [WATCH, UNWATCH]

    play(scenario)


def test_the_users_own_inbox_has_no_workspace() -> None:
    async def scenario(peer: Peer) -> None:
        peer.connect()
        peer.multiplexer.watches.add("notifications", None, Position("e", 3))
        assert peer.hear_watch() == {"id": 1, "feed": "notifications", "since": {"epoch": "e", "offset": 3}}

    play(scenario)
