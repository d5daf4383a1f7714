"""A cluster of real processes, the people on it, and what happens to them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import psutil  # type: ignore[import-untyped]
from answered_writer import Writer, text_of
from balancer import Balancer
from javascript_editors import JavaScriptEditors
from panel import Panel, Publisher
from postgres_server import PostgresServer, running_postgres
from pycrdt import Text
from redis_server import RedisServer
from server_process import ServerProcess
from silent_reader import SilentReader

from crdt.replay import replay
from storage import documents, update_log
from storage.database import Database

NODES = 3
DOCUMENTS = tuple(f"default/shared-{number}" for number in range(20))
OWN_DOCUMENTS = tuple(f"default/own-{number}" for number in range(4))
EDITORS = 60
PAUSE_MS = 400
PANELS = 6
FEEDS = ("deployments", "readings")
HEALED_WITHIN = 60.0
# What a Python process keeps of what it once needed.
MEMORY_LEFT_MIB = 80.0


class Chaos:
    """Three nodes over one PostgreSQL and one Redis, behind a balancer. `report` says what happened."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._stack = ExitStack()
        self._happened: Counter[str] = Counter()
        self._alone: list[Writer] = []
        self.nodes: list[ServerProcess] = []
        self.report: list[str] = []

    def __enter__(self) -> Self:
        self._postgres: PostgresServer = self._stack.enter_context(running_postgres())
        self._redis: RedisServer = self._stack.enter_context(RedisServer())
        shared = ("--database-url", self._postgres.url, "--redis-url", f"{self._redis.url}/0")
        for number in range(NODES):
            folder = self._folder / f"node-{number}"
            folder.mkdir()
            node = ServerProcess(folder, "--room-idle-seconds", "3s", shared=shared)
            self._stack.callback(node.kill)
            self.nodes.append(node)
            node.start()
        self._token = self.nodes[0].token("editor")
        self._balancer = Balancer([node.port for node in self.nodes], self._chance)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._balancer.port}"

    @property
    def _socket_url(self) -> str:
        return f"ws://127.0.0.1:{self._balancer.port}"

    async def run(self, seconds: float) -> None:
        """Let people work under faults for so long, wait until everything has healed, and compare."""
        await self._balancer.start()
        before = self._memory()
        publishers = {feed: Publisher(self._url, self._token, feed) for feed in FEEDS}
        for publisher in publishers.values():
            # The first event makes the feed, so that every panel begins where it does.
            await publisher.publish()
        panels = [Panel(self._url, self._token, FEEDS[number % len(FEEDS)]) for number in range(PANELS)]
        silent = SilentReader(self._socket_url, self._token, DOCUMENTS[0])
        seed = self._chance.randrange(1 << 32)
        options = {"documents": DOCUMENTS, "clients": EDITORS, "token": self._token, "seed": seed, "pause": PAUSE_MS}
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(panel.run()) for panel in panels]
            await asyncio.wait_for(asyncio.gather(*(panel.is_watching.wait() for panel in panels)), HEALED_WITHIN)
            publishing = [group.create_task(publisher.run()) for publisher in publishers.values()]
            reading_nothing = group.create_task(silent.run())
            typing = [group.create_task(self._type_alone(document)) for document in OWN_DOCUMENTS]
            async with JavaScriptEditors(self._socket_url, options) as editors:
                await self._break_things(seconds)
                await self._heal()
                for task in (reading_nothing, *typing):
                    task.cancel()
                for publisher in publishers.values():
                    publisher.is_stopping = True
                await asyncio.wait_for(asyncio.gather(*publishing), HEALED_WITHIN)
                settled = await editors.settled(HEALED_WITHIN)
            heads = {feed: publisher.published for feed, publisher in publishers.items()}
            await self._wait_for("panels", lambda: all(panel.offsets[-1:] >= [heads[panel.feed]] for panel in panels))
            for task in watching:
                task.cancel()
        await self._compare_documents(settled)
        await self._compare_own_documents()
        self._compare_feeds(panels, heads)
        await self._compare_memory(before)
        await self._balancer.stop()
        self.report.append(f"faults: {dict(self._happened)}; connections cut: {self._balancer.cuts}")

    # What happens

    async def _break_things(self, seconds: float) -> None:
        faults = [
            self._kill_a_node,
            self._stop_a_node,
            self._restart_redis,
            self._pause_redis,
            self._restart_postgres,
            self._cut_connections,
        ]
        end = time.monotonic() + seconds
        order: list[Callable[[], Awaitable[None]]] = []
        while time.monotonic() < end:
            order = order or self._chance.sample(faults, len(faults))
            fault = order.pop()
            self._happened[fault.__name__.strip("_")] += 1
            await fault()
            await asyncio.sleep(self._chance.uniform(0.5, 2.5))

    async def _kill_a_node(self) -> None:
        node = self._chance.choice(self.nodes)
        node.kill()
        await asyncio.sleep(self._chance.uniform(0.2, 2.0))
        await asyncio.to_thread(node.start)

    async def _stop_a_node(self) -> None:
        node = self._chance.choice(self.nodes)
        started = time.monotonic()
        await asyncio.to_thread(node.stop)
        assert time.monotonic() - started < 15.0, "a node took too long to leave"
        await asyncio.to_thread(node.start)

    async def _restart_redis(self) -> None:
        self._redis.kill()
        await asyncio.sleep(self._chance.uniform(0.1, 2.0))
        await asyncio.to_thread(self._redis.start)

    async def _pause_redis(self) -> None:
        self._redis.pause()
        await asyncio.sleep(self._chance.uniform(1.0, 5.0))
        self._redis.resume()

    async def _restart_postgres(self) -> None:
        await asyncio.to_thread(self._chance.choice([self._postgres.stop, self._postgres.kill]))
        await asyncio.sleep(self._chance.uniform(0.1, 1.0))
        await asyncio.to_thread(self._postgres.start)

    async def _cut_connections(self) -> None:
        self._balancer.cut(0.5)

    async def _heal(self) -> None:
        """Everything runs from here on; all three nodes say that they are ready."""

        async def ready(node: ServerProcess) -> bool:
            with contextlib.suppress(httpx.HTTPError):
                async with httpx.AsyncClient() as client:
                    return (await client.get(f"{node.url}/ready", timeout=5.0)).status_code == 200
            return False

        deadline = time.monotonic() + HEALED_WITHIN
        for node in self.nodes:
            while not await ready(node):
                assert time.monotonic() < deadline, node.log.read_text()[-3000:]
                await asyncio.sleep(0.1)

    async def _wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + HEALED_WITHIN
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not heal within {HEALED_WITHIN:.0f} s"
            await asyncio.sleep(0.1)

    # People

    async def _type_alone(self, document: str) -> None:
        """One writer after the other in a document of their own; none comes back with what it had."""
        while True:
            writer = Writer(document, f"w{len(self._alone)}", pause=0.2)
            self._alone.append(writer)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self._chance.uniform(1.0, 6.0)):
                    await writer.run(self._socket_url, self._token)
            await asyncio.sleep(0.2)

    # What must hold in the end

    async def _compare_documents(self, settled: dict[str, Any]) -> None:
        for name in DOCUMENTS:
            text = settled["documents"][name]
            assert await self._logged(name) == text, f"{name}: the log holds another text than the clients"
            for node in self.nodes:
                assert await text_of(node.socket_url, name, self._token) == text, f"{name} differs on {node.url}"
        words = 0
        for number, stored in settled["stored"].items():
            text = settled["documents"][DOCUMENTS[int(number) % len(DOCUMENTS)]]
            missing = [word for word in range(stored) if f"<{number}:{word}>" not in text]
            assert not missing, f"editor {number} was told that its words {missing} are stored"
            words += stored
        assert words > 0
        typed = sum(settled["typed"].values())
        assert all(
            text.count(f"<{number}:") == settled["typed"][number]
            for number in settled["typed"]
            for text in [settled["documents"][DOCUMENTS[int(number) % len(DOCUMENTS)]]]
        ), "a word is missing or there twice"
        self.report.append(f"{typed} words in {len(DOCUMENTS)} documents: the same in clients, nodes and log")

    async def _compare_own_documents(self) -> None:
        answered = 0
        for name in OWN_DOCUMENTS:
            text = await self._logged(name)
            for writer in (writer for writer in self._alone if writer.document == name):
                assert not writer.missing(text), f"{name}: {writer.missing(text)} of {writer.mark} were answered stored"
                answered += writer.answered
        assert answered > 0
        self.report.append(f"{answered} updates of {len(self._alone)} writers who left: none lost")

    def _compare_feeds(self, panels: list[Panel], heads: dict[str, int]) -> None:
        for panel in panels:
            panel.check(heads[panel.feed])
        connections = sum(panel.connections for panel in panels)
        self.report.append(
            f"{sum(heads.values())} events: seen once and in order by {len(panels)} panels, {connections} connections"
        )

    async def _compare_memory(self, before: float) -> None:
        deadline = time.monotonic() + HEALED_WITHIN
        while (after := self._memory()) > before + MEMORY_LEFT_MIB:
            assert time.monotonic() < deadline, f"nodes began with {before:.0f} MiB and end with {after:.0f} MiB"
            await asyncio.sleep(0.5)
        self.report.append(f"memory of a node: {before:.0f} MiB at the start, {after:.0f} MiB at the end")

    def _memory(self) -> float:
        """Resident memory of the largest node, in MiB."""
        sizes: list[int] = [psutil.Process(node.pid).memory_info().rss for node in self.nodes]
        return max(sizes) / 2**20

    async def _logged(self, name: str) -> str:
        database = await Database.open(self._postgres.url)
        try:
            async with database.read() as connection:
                found = await documents.get(connection, *name.split("/", 1))
            assert found is not None
            rows = await update_log.read(database, found.id, 0, 1_000_000)
            assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        finally:
            await database.close()
        return str(replay(None, [row.data for row in rows]).get("content", type=Text))
