"""One read for many readers, and no stale answer kept."""

import asyncio

import pytest

from handlers.shared_cache import SharedCache


class Source:
    """A slow place to read from: each read waits until it is let go."""

    def __init__(self) -> None:
        self.values = {"a": 1, "b": 2}
        self.reads: list[str] = []
        self.let_go = asyncio.Event()
        self.started = asyncio.Event()
        self.now = 0.0

    async def read(self, key: str) -> int:
        self.reads.append(key)
        value = self.values[key]
        self.started.set()
        await self.let_go.wait()
        if value < 0:
            raise ValueError("negative")
        return value

    def cache(self, **changes: float) -> SharedCache[str, int]:
        return SharedCache(
            self.read, max_age=10.0, max_entries=int(changes.get("max_entries", 100)), clock=lambda: self.now
        )


def test_many_readers_share_one_read() -> None:
    async def run() -> None:
        source = Source()
        cache = source.cache()
        asking = [asyncio.ensure_future(cache.get("a")) for _ in range(50)]
        await source.started.wait()
        source.let_go.set()
        assert await asyncio.gather(*asking) == [1] * 50
        assert source.reads == ["a"]

    asyncio.run(run())


def test_an_answer_grows_old() -> None:
    async def run() -> None:
        source = Source()
        source.let_go.set()
        cache = source.cache()
        await cache.get("a")
        source.values["a"] = 7
        source.now = 9.9
        assert (await cache.get("a"), cache.peek("a")) == (1, 1)
        source.now = 10.0
        assert cache.peek("a") is None
        assert await cache.get("a") == 7

    asyncio.run(run())


def test_what_is_dropped_while_it_is_read_is_not_kept() -> None:
    async def run() -> None:
        source = Source()
        cache = source.cache()
        early = asyncio.ensure_future(cache.get("a"))
        await source.started.wait()
        source.values["a"] = 9
        cache.drop(lambda key: key == "a")
        late = asyncio.ensure_future(cache.get("a"))
        source.let_go.set()
        assert (await early, await late) == (1, 9)
        assert await cache.get("a") == 9
        assert source.reads == ["a", "a"]

    asyncio.run(run())


def test_a_cancelled_reader_leaves_the_others_their_answer() -> None:
    async def run() -> None:
        source = Source()
        cache = source.cache()
        first = asyncio.ensure_future(cache.get("a"))
        await source.started.wait()
        second = asyncio.ensure_future(cache.get("a"))
        third = asyncio.ensure_future(cache.get("a"))
        await asyncio.sleep(0)
        first.cancel()
        third.cancel()
        source.let_go.set()
        assert await second == 1
        with pytest.raises(asyncio.CancelledError):
            await first
        with pytest.raises(asyncio.CancelledError):
            await third

    asyncio.run(run())


def test_a_failure_reaches_everybody_and_is_not_kept() -> None:
    async def run() -> None:
        source = Source()
        source.values["a"] = -1
        cache = source.cache()
        asking = [asyncio.ensure_future(cache.get("a")) for _ in range(3)]
        await source.started.wait()
        source.let_go.set()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(answer) for answer in answers] == [ValueError] * 3
        source.values["a"] = 5
        assert await cache.get("a") == 5

    asyncio.run(run())


def test_a_failure_nobody_else_waits_for_is_raised_once() -> None:
    async def run() -> None:
        source = Source()
        source.values["a"] = -1
        source.let_go.set()
        with pytest.raises(ValueError, match="negative"):
            await source.cache().get("a")

    asyncio.run(run())  # an exception never retrieved would be a warning, and so an error


def test_it_holds_no_more_than_it_may() -> None:
    async def run() -> None:
        source = Source()
        source.let_go.set()
        cache = source.cache(max_entries=1)
        await cache.get("a")
        await cache.get("b")
        assert (cache.peek("a"), cache.peek("b")) == (None, 2)

    asyncio.run(run())
