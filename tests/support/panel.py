"""A panel that stays open all day, and a service that publishes to it: both go on through whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import json

import httpx

RETRY_SECONDS = 0.3
# More than the server's pause between signs of life.
SILENCE_SECONDS = 20.0


class Panel:
    """Watches a feed as server-sent events, and comes back with the id of the last it has seen."""

    def __init__(self, url: str, token: str, feed: str) -> None:
        self.feed = feed
        self._url = f"{url}/feeds/default/{feed}/stream"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._last: str | None = None
        self.events: list[dict[str, object]] = []
        self.ids: list[str] = []
        self.connections = 0
        self.resyncs = 0
        self.is_watching = asyncio.Event()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await self._watch()
            await asyncio.sleep(RETRY_SECONDS)

    async def _watch(self) -> None:
        headers = self._headers if self._last is None else {**self._headers, "Last-Event-ID": self._last}
        timeout = httpx.Timeout(5.0, read=SILENCE_SECONDS)
        async with (
            httpx.AsyncClient(timeout=timeout) as client,
            client.stream("GET", self._url, headers=headers) as response,
        ):
            if response.status_code != 200:
                return
            self.connections += 1
            fields: dict[str, str] = {}
            async for line in response.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                else:
                    self._take(fields)
                    fields = {}

    def _take(self, fields: dict[str, str]) -> None:
        if "id" in fields:
            self._last = fields["id"]
        kind = fields.get("event", "message")
        if kind == "watching":
            self.is_watching.set()
        elif kind == "resync_required":
            self.resyncs += 1
        elif kind == "message" and "data" in fields:
            self.ids.append(fields["id"])
            self.events.append(json.loads(fields["data"]))
            self._news.set()

    async def until_count(self, count: int) -> None:
        """Until it has seen so many events."""
        while len(self.events) < count:
            self._news.clear()
            await self._news.wait()

    @property
    def offsets(self) -> list[int]:
        return [int(position.rpartition(":")[2]) for position in self.ids]

    def check(self, head: int) -> None:
        """Every event up to this offset was seen once, in order, and nothing ever had to be fetched anew."""
        assert self.offsets, "nothing was seen"
        assert self.offsets == list(range(self.offsets[0], head + 1)), f"up to {head}: {self.offsets}"
        assert len({position.rpartition(":")[0] for position in self.ids}) == 1
        assert self.resyncs == 0


class Publisher:
    """Publishes numbered events, one after the other, each until it is answered."""

    def __init__(self, url: str, token: str, feed: str, pause: float = 0.1) -> None:
        self._url = f"{url}/feeds/default/{feed}/events"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._pause = pause
        self.published = 0
        self.is_stopping = False

    async def run(self) -> None:
        """Until `is_stopping` is set."""
        while not self.is_stopping:
            await self.publish()
            await asyncio.sleep(self._pause)

    async def publish(self) -> None:
        number = self.published + 1
        event = {"type": "tick", "data": {"number": number}, "key": f"tick-{number}"}
        while True:
            with contextlib.suppress(httpx.HTTPError):
                async with httpx.AsyncClient(timeout=5.0) as client:
                    answer = await client.post(self._url, json={"events": [event]}, headers=self._headers)
                if answer.status_code == 200:
                    assert answer.json()["events"][0]["offset"] == number
                    self.published = number
                    return
                assert answer.status_code >= 429, answer.text
            await asyncio.sleep(RETRY_SECONDS)
