"""Watched operations in the client: stepped without a network, and against the real server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgpack  # type: ignore[import-untyped, unused-ignore]
import pytest
from collab_studio import AnswerWatch, OperationError, connect, sync
from collab_studio.frames import read_address
from collab_studio.lib0 import write_string
from collab_studio.multiplexer import Multiplexer

from tests.clients.house import House

DEADLINE = 60.0
UNWATCH, WATCH_ENDED, WATCH_OPERATION, ANSWER, ANSWER_CHANGED, ANSWER_CONTINUED = 73, 75, 76, 77, 78, 79


class Peer:
    """A multiplexer, and the server's end of its socket."""

    def __init__(self) -> None:
        self.multiplexer = Multiplexer(lambda: None)
        self.multiplexer.opened("")

    def watch(self, **parameters: Any) -> AnswerWatch:
        return self.multiplexer.watches.add_operation("wells.get", parameters)

    def hear(self) -> list[tuple[int, dict[str, Any]]]:
        frames = []
        for frame in self.multiplexer.take(0.0):
            rest = read_address(frame)[1].rest()
            frames.append((rest[0], msgpack.unpackb(rest[1:])))
        return frames

    def say(self, kind: int, **body: Any) -> None:
        self.multiplexer.receive(write_string("@studio") + bytes([kind]) + msgpack.packb(body), 0.0)


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE):
            await scenario()

    asyncio.run(main())


def test_l2_patches_are_put_together_and_what_was_handed_out_stays_as_it_was() -> None:
    async def scenario() -> None:
        peer = Peer()
        watch = peer.watch(workspace_id="lab")
        body = {"id": 1, "operation": "wells.get", "parameters": {"workspace_id": "lab"}}
        assert peer.hear() == [(WATCH_OPERATION, body)]
        peer.say(ANSWER, id=1, sequence=4, value={"a": {"n": 1, "gone": 2}, "b": [1]})
        first = await watch.next()
        assert first == {"a": {"n": 1, "gone": 2}, "b": [1]}
        peer.say(ANSWER_CHANGED, id=1, sequence=5, patch={"a": {"gone": None, "n": 2}})
        peer.say(ANSWER_CHANGED, id=1, sequence=6, patch={"b": [1, 2]})
        assert await watch.next() == {"a": {"n": 2}, "b": [1, 2]}
        assert first == {"a": {"n": 1, "gone": 2}, "b": [1]}
        watch.close()
        assert peer.hear() == [(UNWATCH, {"id": 1})]
        assert await watch.next() is None

    play(scenario)


def test_l6_points_go_into_the_columns_that_there_are() -> None:
    async def scenario() -> None:
        peer = Peer()
        watch = peer.watch()
        peer.hear()
        band: dict[str, list[Any]] = {"low": [0, 0, 0], "high": [9, 9, 9]}
        line: dict[str, Any] = {"metric": "load", "values": [1, None, 3], "band": band}
        whole = {"as_of": 1, "times": [10, 20, 30], "series": [line]}
        peer.say(ANSWER, id=1, sequence=1, value=whole)
        first = await watch.next()
        new: dict[str, Any] = {"values": [3.5, 4], "band": {"low": [0, 1], "high": [9, 8]}}
        points = {"start": 20, "from": 30, "times": [30, 40], "series": [new], "patch": {"as_of": 2}}
        peer.say(ANSWER_CONTINUED, id=1, sequence=2, points=points)
        band = {"low": [0, 0, 1], "high": [9, 9, 8]}
        line = {"metric": "load", "values": [None, 3.5, 4], "band": band}
        assert await watch.next() == {"as_of": 2, "times": [20, 30, 40], "series": [line]}
        assert first == whole
        peer.say(ANSWER_CONTINUED, id=1, sequence=4, points=points)
        assert [kind for kind, _ in peer.hear()] == [UNWATCH, WATCH_OPERATION]

    play(scenario)


def test_l2_who_misses_an_answer_watches_anew() -> None:
    async def scenario() -> None:
        peer = Peer()
        watch = peer.watch()
        peer.hear()
        peer.say(ANSWER, id=1, sequence=1, value={"n": 1})
        peer.say(ANSWER_CHANGED, id=1, sequence=3, patch={"n": 3})
        assert [kind for kind, _ in peer.hear()] == [UNWATCH, WATCH_OPERATION]
        assert await watch.next() == {"n": 1}
        # What was on its way to the watch that was ended is nobody's.
        peer.say(ANSWER_CHANGED, id=1, sequence=4, patch={"n": 4})
        peer.say(ANSWER, id=2, sequence=4, value={"n": 4})
        assert await watch.next() == {"n": 4}

    play(scenario)


def test_it_goes_on_with_the_next_socket() -> None:
    async def scenario() -> None:
        peer = Peer()
        watch = peer.watch()
        peer.hear()
        peer.say(ANSWER, id=1, sequence=7, value={"n": 1})
        assert await watch.next() == {"n": 1}
        peer.multiplexer.lost()
        peer.multiplexer.opened("")
        ((kind, body),) = peer.hear()
        assert kind == WATCH_OPERATION
        peer.say(ANSWER, id=body["id"], sequence=1, value={"n": 2})
        peer.say(ANSWER_CHANGED, id=body["id"], sequence=2, patch={"n": 3})
        assert await watch.next() == {"n": 3}

    play(scenario)


def test_a_refusal_is_raised_after_what_came_before() -> None:
    async def scenario() -> None:
        peer = Peer()
        watch = peer.watch()
        peer.hear()
        peer.say(ANSWER, id=1, sequence=1, value={"n": 1})
        peer.say(WATCH_ENDED, id=1, code="not_found", message="No.", details=None)
        assert await watch.next() == {"n": 1}
        with pytest.raises(OperationError, match="not_found"):
            await watch.next()
        with pytest.raises(TypeError):
            peer.watch(n=object())

    play(scenario)


async def until(watch: AnswerWatch, documents: int) -> None:
    async for summary in watch:
        if summary["people"]["documents"] == documents:
            return


def test_a_dashboard_is_watched_over_a_restart(house: House) -> None:
    async def scenario() -> None:
        async with house.people("ann", "bob") as (ann, bob):
            watch = bob.watch_operation("dashboard.summary", workspace_id="default")
            await until(watch, 0)
            await ann.call("collaboration.documents.create", workspace_id="default", id="one")
            await until(watch, 1)
            await asyncio.to_thread(house.process.kill)
            await house.start()
            await ann.call("collaboration.documents.create", workspace_id="default", id="two")
            await until(watch, 2)

    play(scenario)


def test_who_is_removed_is_told_so(shared_house: House) -> None:
    async def scenario() -> None:
        key = await shared_house.key("dan", "viewer")
        async with connect(shared_house.url, token=key) as dan:
            with pytest.raises(OperationError, match="not_watchable"):
                await dan.watch_operation("users.me").next()
            watch = dan.watch_operation("dashboard.summary")
            await watch.next()
            async with connect(shared_house.url, token=shared_house.chief) as admin:
                await admin.call("collaboration.members.remove", workspace_id="default", user_id="dan")
            with pytest.raises(OperationError, match="not_found"):
                await until(watch, -1)

    play(scenario)


def test_without_an_event_loop(shared_house: House) -> None:
    key = asyncio.run(shared_house.key("ann"))
    with sync.connect(shared_house.url, token=key) as studio:
        with studio.watch_operation("dashboard.summary") as watch:
            before = next(watch)["people"]["documents"]
            with pytest.raises(TimeoutError):
                watch.next(timeout=0.05)
            studio.call("collaboration.documents.create", workspace_id="default", id="plain")
            while (answer := watch.next(timeout=DEADLINE)) is not None:
                if answer["people"]["documents"] == before + 1:
                    break
        assert list(watch) == []
