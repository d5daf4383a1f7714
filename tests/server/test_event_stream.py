"""Server-sent events, from a watched feed to the text on the wire."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from feed_nodes import LAB, FeedNode, Nodes, feed_nodes, principal_of

from handlers.feed_events import BEGINNING, Position
from server.drain import Departure
from server.event_stream import MAX_WAITING_BYTES, EventStream, EventStreamResponse

FEED = f"{LAB}/builds"
DEADLINE = 20.0


class Reader:
    """Whoever asked for a stream: what they were sent, as messages, and how fast they read."""

    def __init__(self, node: FeedNode, since: Position | None, keep_alive_seconds: float = 1000.0) -> None:
        self.departure = Departure(10.0)
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""
        self.is_over = False
        self.ends = 0
        self.reads = asyncio.Event()
        self.reads.set()
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        response = EventStreamResponse(
            node.live,
            EventStream(),
            lambda stream: node.live.watch(FEED, stream, principal_of("ann"), LAB, since),
            self.departure,
            {"x-request-id": "r"},
            on_end=self._ended,
            keep_alive_seconds=keep_alive_seconds,
        )
        self.task = asyncio.ensure_future(response({"type": "http"}, self._receive, self._send))

    def _ended(self) -> None:
        self.ends += 1

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.text += message["body"].decode()
            self.is_over = not message["more_body"]
        self._news.set()

    def go(self) -> None:
        self._gone.set()

    @property
    def messages(self) -> list[dict[str, str]]:
        """Of each message its fields; comments are under the name ``."""
        parts = [part for part in self.text.split("\n\n") if part]
        return [dict(line.split(": ", 1) for line in part.split("\n")) for part in parts]

    @property
    def events(self) -> list[str]:
        return [message["id"] for message in self.messages if "event" not in message and "id" in message]

    async def until(self, condition: Callable[["Reader"], bool]) -> None:
        while not condition(self):
            self._news.clear()
            await self._news.wait()


def play(url: str, scenario: Callable[[Nodes, FeedNode], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE), feed_nodes(url) as nodes:
            await scenario(nodes, nodes.start(tick_seconds=1000))

    asyncio.run(run())


def test_e3_a_stream_says_where_it_begins_and_gives_each_event_its_position(sqlite_url: str) -> None:
    async def scenario(nodes: Nodes, node: FeedNode) -> None:
        reader = Reader(node, None)
        await reader.until(lambda reader: len(reader.messages) == 1)
        await node.publish(FEED, "a\u2028b", "line\nbreak")
        await reader.until(lambda reader: len(reader.messages) == 3)
        feed = await nodes.feed(FEED)
        assert feed is not None
        assert reader.status == 200
        assert reader.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert (reader.headers["cache-control"], reader.headers["x-request-id"]) == ("no-store", "r")
        assert "content-length" not in reader.headers
        watching, first, second = reader.messages
        assert (watching["event"], watching["id"], watching["retry"]) == ("watching", ":0", "2000")
        assert json.loads(watching["data"]) == {"position": {"epoch": "", "offset": 0}, "recovered": False}
        assert [first["id"], second["id"]] == [f"{feed.epoch}:1", f"{feed.epoch}:2"]
        event = json.loads(second["data"])
        assert (event["type"], event["offset"], event["actor"]) == ("line\nbreak", 2, "ann")
        assert set(first) == {"id", "data"}

    play(sqlite_url, scenario)


def test_e4_a_feed_that_cannot_go_on_says_so_and_no_more(sqlite_url: str) -> None:
    async def scenario(nodes: Nodes, node: FeedNode) -> None:
        await node.publish(FEED, "a")
        reader = Reader(node, Position("another", 1))
        await reader.task
        (message,) = reader.messages
        feed = await nodes.feed(FEED)
        assert feed is not None
        assert message["event"] == "resync_required"
        assert json.loads(message["data"])["position"] == {"epoch": feed.epoch, "offset": 1}
        # Whoever comes back with the old position is told the same again.
        assert "id" not in message
        assert (reader.is_over, reader.ends) == (True, 1)

    play(sqlite_url, scenario)


def test_e11_a_quiet_stream_shows_that_it_lives(sqlite_url: str) -> None:
    async def scenario(nodes: Nodes, node: FeedNode) -> None:
        reader = Reader(node, None, keep_alive_seconds=0.01)
        await reader.until(lambda reader: reader.text.count(": keep-alive\n\n") == 3)
        await node.publish(FEED, "a")
        await reader.until(lambda reader: len(reader.events) == 1)

    play(sqlite_url, scenario)


def test_e6_a_stream_ends_when_its_reader_may_read_no_more(sqlite_url: str) -> None:
    async def scenario(nodes: Nodes, node: FeedNode) -> None:
        reader = Reader(node, None)
        await reader.until(lambda reader: len(reader.messages) == 1)
        await nodes.dismiss("ann")
        node.access.invalidate(LAB, "ann")
        await reader.task
        assert reader.messages[-1]["event"] == "ended"
        assert json.loads(reader.messages[-1]["data"])["code"] == "not_found"

    play(sqlite_url, scenario)


def test_e11_a_stream_ends_when_the_server_leaves(sqlite_url: str) -> None:
    async def scenario(nodes: Nodes, node: FeedNode) -> None:
        reader = Reader(node, None)
        await reader.until(lambda reader: len(reader.messages) == 1)
        reader.departure.begin()
        await reader.task
        assert json.loads(reader.messages[-1]["data"])["code"] == "going_away"
        assert node.live._watches.all() == []

    play(sqlite_url, scenario)


def test_a_reader_who_goes_is_forgotten(sqlite_url: str) -> None:
    async def scenario(nodes: Nodes, node: FeedNode) -> None:
        reader = Reader(node, None)
        await reader.until(lambda reader: len(reader.messages) == 1)
        assert len(node.live._watches.all()) == 1
        reader.go()
        await reader.task
        assert (node.live._watches.all(), reader.ends) == ([], 1)

    play(sqlite_url, scenario)


def test_a_request_that_is_cancelled_is_forgotten(sqlite_url: str) -> None:
    async def scenario(nodes: Nodes, node: FeedNode) -> None:
        reader = Reader(node, None)
        await reader.until(lambda reader: len(reader.messages) == 1)
        reader.task.cancel()
        await asyncio.wait([reader.task])
        assert (node.live._watches.all(), reader.ends) == ([], 1)

    play(sqlite_url, scenario)


def test_e5_a_slow_reader_is_held_nothing_for_and_misses_nothing(sqlite_url: str) -> None:
    size = MAX_WAITING_BYTES // 8

    async def scenario(nodes: Nodes, node: FeedNode) -> None:
        reader = Reader(node, BEGINNING)
        await reader.until(lambda reader: len(reader.messages) == 1)
        reader.reads.clear()
        for _ in range(40):
            async with node.live.writing() as (_, outbox):
                outbox.add(FEED, "a", {"text": "x" * size})
        (watch,) = node.live._watches.all()
        # What waits, what is on its way, and the one that was too much.
        assert 0 < watch.offset < 12
        reader.reads.set()
        await reader.until(lambda reader: len(reader.events) == 40)
        assert [int(position.partition(":")[2]) for position in reader.events] == list(range(1, 41))

    play(sqlite_url, scenario)
