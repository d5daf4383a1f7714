"""Feeds live: every watcher gets every event once and in order, over nodes, losses, pauses and restarts."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from feed_nodes import LAB, Nodes, Panel, feed_nodes
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.feed_events import BEGINNING, Position
from handlers.live_feeds import bus_channel_of
from storage import feed_trimming, feeds, tables
from storage.errors import Unavailable
from storage.feeds import Draft, Feed

FEED = f"{LAB}/builds"
DEADLINE = 30.0


def play(url: str, scenario: Callable[[Nodes], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE), feed_nodes(url) as nodes:
            await scenario(nodes)

    asyncio.run(run())


async def trim(connection: AsyncConnection, keep: int) -> None:
    feed = await feeds.get(connection, FEED)
    assert feed is not None
    before = datetime(2000, 1, 1, tzinfo=UTC)
    await feed_trimming.trim(connection, feed.id, before=before, keep=keep, at_most=1000)


async def append_unsaid(nodes: Nodes, *types: str) -> None:
    """As a node does that dies between its commit and its word about it."""
    async with nodes.database.write() as connection:
        for type_ in types:
            await feeds.append(connection, FEED, type_, {}, at=nodes.now)


def test_events_reach_watchers_on_all_nodes_in_order(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(), nodes.start()
        here, _ = await one.watching(FEED)
        there, _ = await two.watching(FEED)
        for number in range(5):
            await nodes.random.choice((one, two)).publish(FEED, f"e{number}", f"f{number}")
        for panel in (here, there):
            await panel.until_offset(10)
            assert panel.offsets == list(range(1, 11))
            assert [event.type for event in panel.events] == [f"{kind}{n}" for n in range(5) for kind in "ef"]
        assert here.events == there.events
        assert here.events[0].actor == "ann"

    play(database_url, scenario)


def test_a_watch_without_a_position_begins_with_the_next_event(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        await node.publish(FEED, "a", "b")
        panel, _ = await node.watching(FEED)
        feed = await nodes.feed(FEED)
        assert feed is not None
        assert (panel.position, panel.recovered) == (Position(feed.epoch, 2), False)
        await node.publish(FEED, "c")
        await panel.until_offset(3)
        assert [event.type for event in panel.events] == ["c"]

    play(database_url, scenario)


def test_e3_a_watch_goes_on_from_a_position(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(), nodes.start()
        await one.publish(FEED, *(f"e{number}" for number in range(250)))
        first, watch = await one.watching(FEED, BEGINNING)
        assert first.recovered
        await first.until_offset(100)
        one.live.close(watch)
        assert first.position is not None
        second, _ = await two.watching(FEED, first.position)
        await one.publish(FEED, "last")
        await second.until_offset(251)
        assert first.offsets + second.offsets == list(range(1, 252))

    play(database_url, scenario)


def test_e2_a_feed_may_be_watched_before_it_has_events(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(), nodes.start()
        early, watch = await one.watching(FEED)
        assert early.position == BEGINNING
        later, _ = await two.watching(FEED, BEGINNING)
        one.live.close(watch)
        await one.publish(FEED, "a")
        await later.until_offset(1)
        again, _ = await one.watching(FEED, early.position)
        await again.until_offset(1)
        feed = await nodes.feed(FEED)
        assert feed is not None
        assert later.position == again.position == Position(feed.epoch, 1)

    play(database_url, scenario)


def test_what_no_bus_carried_is_read_from_the_database(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(), nodes.start()
        panel, _ = await two.watching(FEED)
        await one.publish(FEED, "a")
        await panel.until_offset(1)
        one.line.cut_off()
        await one.publish(FEED, "b", "c")
        await append_unsaid(nodes, "d")
        await panel.until_offset(4)
        one.line.connect_again()
        await one.publish(FEED, "e")
        await panel.until_offset(5)
        assert [event.type for event in panel.events] == ["a", "b", "c", "d", "e"]

    play(database_url, scenario)


def test_a_gap_is_filled_at_once(database_url: str) -> None:
    """Without waiting for the next look."""

    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(look_seconds=1000), nodes.start(look_seconds=1000, tick_seconds=1000)
        panel, _ = await two.watching(FEED)
        one.line.share = 1.0
        await one.publish(FEED, "lost", "too")
        one.line.share = 0.0
        await one.publish(FEED, "heard")
        await panel.until_offset(3)
        assert [event.type for event in panel.events] == ["lost", "too", "heard"]

    play(database_url, scenario)


def test_a_bus_that_comes_back_makes_everybody_look(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(look_seconds=1000), nodes.start(look_seconds=1000, tick_seconds=1000)
        panel, _ = await two.watching(FEED)
        one.line.cut_off()
        await one.publish(FEED, "lost")
        two.line.connect_again()
        await panel.until_offset(1)
        assert panel.offsets == [1]

    play(database_url, scenario)


def test_a_node_whose_bus_comes_back_late_says_what_it_could_not(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(look_seconds=1000), nodes.start(look_seconds=1000, tick_seconds=1000)
        panel, _ = await two.watching(FEED)
        await one.publish(FEED, "heard")
        await panel.until_offset(1)
        one.line.cut_off()
        await one.publish(FEED, "lost", "too")
        await one.publish(FEED, "as well")
        one.line.connect_again()
        await panel.until_offset(4)
        assert [event.type for event in panel.events] == ["heard", "lost", "too", "as well"]

    play(database_url, scenario)


def test_what_could_not_be_said_is_remembered_of_so_many_feeds(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.live_feeds.MOST_UNSAID", 2)

    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(look_seconds=1000), nodes.start(look_seconds=1000, tick_seconds=1000)
        panels = [(await two.watching(f"{LAB}/{name}"))[0] for name in "abc"]
        one.line.cut_off()
        for name in "abca":
            await one.publish(f"{LAB}/{name}", "unsaid")
        one.line.connect_again()
        await panels[0].until_offset(2)
        await panels[2].until_offset(1)
        assert panels[1].offsets == []

    play(sqlite_url, scenario)


def test_what_one_watcher_finds_in_the_database_the_others_get_too(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start(look_seconds=1000, tick_seconds=1000)
        first, _ = await node.watching(FEED)
        await append_unsaid(nodes, "a")
        second, watch = await node.watching(FEED, BEGINNING)
        await first.until_offset(1)
        second.is_congested = True
        await node.publish(FEED, "b")
        await append_unsaid(nodes, "c")
        second.is_congested = False
        node.live.resume(watch)
        await first.until_offset(3)
        assert first.offsets == [1, 2, 3]

    play(database_url, scenario)


def test_a_look_that_fails_is_made_up_for(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start(look_seconds=1000, tick_seconds=0.01)
        panel, _ = await node.watching(FEED)
        await node.publish(FEED, "a")
        failed = asyncio.Event()

        async def fail(*_: object) -> dict[str, Feed]:
            failed.set()
            raise Unavailable("gone for a while")

        with monkeypatch.context() as patch:
            patch.setattr(feeds, "get_many", fail)
            await append_unsaid(nodes, "b")
            node.line.connect_again()
            await failed.wait()
        await panel.until_offset(2)

    play(sqlite_url, scenario)


def test_late_and_repeated_words_change_nothing(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(), nodes.start(look_seconds=1000)
        words: list[bytes] = []
        spy = nodes.start(runs=False)

        class Spy:
            def received(self, message: bytes) -> None:
                words.append(message)

            def resumed(self) -> None:
                """Nothing was missed."""

        spy.bus.subscribe(bus_channel_of(FEED), Spy())
        panel, _ = await two.watching(FEED)
        for type_ in "abc":
            await one.publish(FEED, type_)
        await panel.until_offset(3)
        reads = two.live.reading.reads
        for word in (*words, *reversed(words), words[1]):
            spy.bus.publish(bus_channel_of(FEED), word)
        await one.publish(FEED, "d")
        await panel.until_offset(4)
        assert panel.offsets == [1, 2, 3, 4]
        assert two.live.reading.reads == reads

    play(database_url, scenario)


def test_a_word_that_makes_no_sense_makes_a_node_look(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(), nodes.start(look_seconds=1000)
        panel, _ = await two.watching(FEED)
        await append_unsaid(nodes, "a")
        one.bus.publish(bus_channel_of(FEED), b"\xc1 of a later version")
        await panel.until_offset(1)

    play(database_url, scenario)


def test_events_too_large_for_the_bus_are_read(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(), nodes.start(look_seconds=1000)
        panel, _ = await two.watching(FEED)
        async with one.live.writing() as (_, outbox):
            for _ in range(4):
                outbox.add(FEED, "large", {"text": "x" * 60_000})
        await panel.until_offset(4)
        assert panel.offsets == [1, 2, 3, 4]
        assert two.live.reading.reads == 1

    play(database_url, scenario)


def test_e5_a_slow_watcher_misses_nothing_and_holds_nobody_up(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start(tick_seconds=1000)
        slow, watch = await node.watching(FEED)
        quick, _ = await node.watching(FEED)
        await node.publish(FEED, "a")
        slow.is_congested = True
        for number in range(300):
            await node.publish(FEED, f"e{number}")
        await quick.until_offset(301)
        assert slow.offsets == [1]
        slow.is_congested = False
        node.live.resume(watch)
        await slow.until_offset(301)
        await node.publish(FEED, "live")
        await slow.until_offset(302)
        assert slow.offsets == quick.offsets == list(range(1, 303))

    play(database_url, scenario)


def test_a_watcher_that_can_take_a_page_at_a_time_gets_page_after_page(database_url: str) -> None:
    class Reluctant(Panel):
        def take(self, batch: object) -> None:
            super().take(batch)  # type: ignore[arg-type]
            self.is_congested = True

    async def scenario(nodes: Nodes) -> None:
        node = nodes.start(tick_seconds=1000)
        await node.publish(FEED, *(f"e{number}" for number in range(350)))
        panel, watch = node.watch(FEED, BEGINNING, panel=Reluctant())
        for page in range(1, 4):
            await panel.until_offset(page * 100)
            assert len(panel.events) == page * 100
            panel.is_congested = False
            node.live.resume(watch)
        await panel.until_offset(350)
        assert panel.offsets == list(range(1, 351))

    play(database_url, scenario)


def test_who_lags_is_looked_after_without_a_word_from_the_transport(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        panel, _ = await node.watching(FEED)
        panel.is_congested = True
        await node.publish(FEED, "a")
        panel.is_congested = False
        await panel.until_offset(1)

    play(database_url, scenario)


@pytest.mark.parametrize("since", [Position("another", 1), Position("", 3), "beyond", "too old", "beginning"])
def test_e4_where_a_feed_cannot_give_all_it_gives_nothing(database_url: str, since: Position | str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        await node.publish(FEED, *"abcde")
        async with nodes.database.write() as connection:
            await trim(connection, keep=3)
        feed = await nodes.feed(FEED)
        assert feed is not None
        positions = {"beyond": Position(feed.epoch, 6), "too old": Position(feed.epoch, 1), "beginning": BEGINNING}
        asked = since if isinstance(since, Position) else positions[since]
        panel, _ = await node.watching(FEED, asked)
        assert (panel.resynced, panel.position, panel.events) == (Position(feed.epoch, 5), None, [])
        fitting, _ = await node.watching(FEED, Position(feed.epoch, 2))
        await fitting.until_offset(5)
        assert fitting.offsets == [3, 4, 5]

    play(database_url, scenario)


def test_a_position_in_a_feed_that_is_not_there(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        panel, _ = await nodes.start().watching(FEED, Position("gone", 7))
        assert (panel.resynced, panel.events) == (BEGINNING, [])

    play(database_url, scenario)


def test_a_feed_that_is_made_anew_ends_its_watches(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        one, two = nodes.start(), nodes.start()
        await one.publish(FEED, "a", "b")
        live, _ = await one.watching(FEED)
        elsewhere, _ = await two.watching(FEED, BEGINNING)
        await elsewhere.until_offset(2)
        async with one.live.writing() as (connection, outbox):
            await connection.execute(delete(tables.feeds))
            for type_ in "cde":
                outbox.add(FEED, type_, {})
        feed = await nodes.feed(FEED)
        assert feed is not None
        for panel in (live, elsewhere):
            await panel.until(lambda panel: panel.is_over)
            assert panel.resynced == Position(feed.epoch, 3)
        assert [event.type for event in elsewhere.events] == ["a", "b"]

    play(database_url, scenario)


def test_a_feed_that_is_put_back_ends_its_watches(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        await node.publish(FEED, *"abc")
        panel, _ = await node.watching(FEED)
        async with nodes.database.write() as connection:
            await connection.execute(delete(tables.feed_events).where(tables.feed_events.c.offset > 1))
            await connection.execute(update(tables.feeds).values(head=1))
        await panel.until(lambda panel: panel.is_over)
        assert panel.resynced is not None
        assert panel.resynced.offset == 1

    play(database_url, scenario)


def test_a_watcher_whose_next_event_was_deleted_meanwhile_is_told(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        panel, watch = await node.watching(FEED)
        panel.is_congested = True
        await node.publish(FEED, *"abcde")
        async with nodes.database.write() as connection:
            await trim(connection, keep=2)
        panel.is_congested = False
        node.live.resume(watch)
        await panel.until(lambda panel: panel.is_over)
        assert panel.events == []
        assert panel.resynced is not None
        assert panel.resynced.offset == 5

    play(database_url, scenario)


def test_live_watchers_of_a_node_that_was_cut_off_for_too_long_are_told(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start(look_seconds=1000, tick_seconds=1000)
        panel, _ = await node.watching(FEED)
        await node.publish(FEED, "a")
        # As one step, so that no look sees what was between.
        async with nodes.database.write() as connection:
            await feeds.append_all(connection, FEED, [Draft("b", {})] * 5, at=nodes.now)
            await trim(connection, keep=2)
        node.line.connect_again()
        await panel.until(lambda panel: panel.is_over)
        assert panel.offsets == [1]

    play(database_url, scenario)


def test_a_watch_that_ends_before_it_began_says_nothing(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        panel, watch = node.watch(FEED)
        node.live.close(watch)
        node.live.close(watch)
        other, _ = await node.watching(FEED)
        await node.publish(FEED, "a")
        await other.until_offset(1)
        assert (panel.position, panel.events, panel.is_over) == (None, [], False)

    play(database_url, scenario)


def test_nobody_listens_for_feeds_that_nobody_watches(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        _, one = await node.watching(FEED)
        _, two = await node.watching(FEED)
        assert bus_channel_of(FEED) in nodes.hub.listeners
        node.live.close(one)
        assert bus_channel_of(FEED) in nodes.hub.listeners
        node.live.close(two)
        assert bus_channel_of(FEED) not in nodes.hub.listeners

    play(database_url, scenario)
