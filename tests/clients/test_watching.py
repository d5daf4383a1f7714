"""The client's watched feeds with the real server: live, over kills, revoked, without an event loop."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from collab_studio import BEGINNING, Event, FeedWatch, OperationError, Position, ResyncRequired, Studio, connect, sync

from tests.clients.house import House

DEADLINE = 60.0


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE):
            await scenario()

    asyncio.run(main())


async def publish(studio: Studio, feed: str, *numbers: int) -> None:
    events = [{"type": "a", "data": {"n": number}, "key": str(number)} for number in numbers]
    await studio.call("feeds.publish", workspace_id="default", feed=feed, events=events)


async def take(watch: FeedWatch, count: int) -> list[Event]:
    events = []
    async for event in watch:
        events.append(event)
        if len(events) == count:
            break
    return events


def test_what_one_publishes_another_sees(shared_house: House) -> None:
    async def scenario() -> None:
        async with shared_house.people("ann", "bob") as (ann, bob):
            async with bob.watch("live") as watch:
                await publish(ann, "live", 1, 2)
                one, two = await take(watch, 2)
            assert [one.data, two.data] == [{"n": 1}, {"n": 2}]
            assert (one.type, one.actor, one.offset, two.offset) == ("a", "ann", 1, 2)
            assert one.at.tzinfo is not None
            async with bob.watch("live", since=one.position) as again:
                assert await take(again, 1) == [two]
            async with bob.watch("live", since=BEGINNING) as whole:
                assert await take(whole, 2) == [one, two]

    play(scenario)


def test_activity_and_notifications(shared_house: House) -> None:
    async def scenario() -> None:
        key = await shared_house.key("cleo", None)
        async with (
            connect(shared_house.url, token=key) as cleo,
            connect(shared_house.url, token=shared_house.chief) as admin,
        ):
            async with cleo.notifications() as inbox, admin.watch("activity") as activity:
                await admin.call("collaboration.members.put", workspace_id="default", user_id="cleo", role="viewer")
                (told,) = await take(inbox, 1)
                (seen,) = await take(activity, 1)
            assert (told.type, told.data["workspace_id"], told.data["role"]) == (
                "membership.added",
                "default",
                "viewer",
            )
            assert (seen.type, seen.actor, seen.data["user_id"]) == ("member.added", "admin", "cleo")
            page = await cleo.call("notifications.get")
            assert (page["unread"], page["items"][0]["unread"]) == (1, True)
            assert await cleo.call("notifications.mark_read", up_to=told.offset) == {"unread": 0}
            async with cleo.notifications(since=Position(**page["position"])) as later:
                await admin.call("collaboration.members.remove", workspace_id="default", user_id="cleo")
                assert (await take(later, 1))[0].type == "membership.removed"

    play(scenario)


def test_a_watch_survives_kills_and_gets_everything_once(house: House) -> None:
    async def scenario() -> None:
        async with house.people("ann", "bob") as (ann, bob):
            watch = bob.watch("builds")
            await watch.started()
            watching = asyncio.create_task(take(watch, 60))
            for number in range(0, 60, 20):
                await publish(ann, "builds", *range(number, number + 10))
                await asyncio.to_thread(house.process.kill)
                await house.start()
                # A call that was under way may fail; its keys make it safe to be made again.
                await publish(ann, "builds", *range(number, number + 20))
            events = await watching
            assert [event.data["n"] for event in events] == list(range(60))
            assert [event.offset for event in events] == list(range(1, 61))
            assert len({event.position.epoch for event in events}) == 1

    play(scenario)


def test_a_position_that_the_feed_does_not_know(shared_house: House) -> None:
    async def scenario() -> None:
        async with shared_house.people("ann") as (ann,):
            await publish(ann, "short", 1, 2, 3)
            watch = ann.watch("short", since=Position("another", 2))
            with pytest.raises(ResyncRequired, match="made anew") as required:
                await watch.next()
            assert required.value.position.offset == 3
            async with ann.watch("short", since=required.value.position) as again:
                await publish(ann, "short", 4)
                assert [event.data["n"] for event in await take(again, 1)] == [4]

    play(scenario)


def test_who_may_not_watch_is_told_so(shared_house: House) -> None:
    async def scenario() -> None:
        eve = await shared_house.key("eve", None)
        dan = await shared_house.key("dan", "viewer")
        async with connect(shared_house.url, token=eve) as stranger, connect(shared_house.url, token=dan) as viewer:
            with pytest.raises(OperationError, match="not_found"):
                await stranger.watch("activity").next()
            with pytest.raises(OperationError, match="invalid_request"):
                await viewer.watch("No Such Feed").next()
            watch = viewer.watch("activity")
            await watch.started()
            async with connect(shared_house.url, token=shared_house.chief) as admin:
                await admin.call("collaboration.members.remove", workspace_id="default", user_id="dan")
            async with asyncio.timeout(2):
                # What led to it may still be told.
                with pytest.raises(OperationError, match="not_found"):
                    await take(watch, 100)

    play(scenario)


def test_without_an_event_loop(shared_house: House) -> None:
    key = asyncio.run(shared_house.key("ann"))
    with sync.connect(shared_house.url, token=key) as studio:
        with studio.watch("plain") as watch:
            assert watch.position == BEGINNING
            events = [{"type": "a", "data": {"n": number}} for number in range(3)]
            studio.call("feeds.publish", workspace_id="default", feed="plain", events=events)
            assert [next(watch).data["n"] for _ in range(2)] == [0, 1]
            last = watch.next(timeout=DEADLINE)
            assert last is not None
            assert watch.position == last.position
            with pytest.raises(TimeoutError):
                watch.next(timeout=0.05)
        assert list(watch) == []
        with studio.notifications() as inbox:
            assert inbox.started(timeout=DEADLINE) == inbox.position
