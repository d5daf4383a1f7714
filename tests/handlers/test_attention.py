"""How services wait for a word, and not longer than they say."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from handlers.attention import attention
from handlers.changes import Changes

DEADLINE = 10.0
NEVER = 1_000.0


def play(scenario: Callable[[Changes], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(Changes()), DEADLINE))


def test_a_word_ends_the_wait() -> None:
    async def scenario(changes: Changes) -> None:
        with attention(changes, "runs", "scans") as news:
            waiting = asyncio.ensure_future(news.wait(NEVER))
            await asyncio.sleep(0)
            changes.tell("scans", "lab")
            await waiting

    play(scenario)


def test_a_word_that_came_before_counts_once() -> None:
    async def scenario(changes: Changes) -> None:
        with attention(changes, "runs") as news:
            changes.tell("runs", "lab")
            await news.wait(NEVER)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(news.wait(NEVER), 0.01)

    play(scenario)


def test_words_of_other_topics_do_not_end_it_and_time_does() -> None:
    async def scenario(changes: Changes) -> None:
        with attention(changes, "runs") as news:
            changes.tell("scans", "lab")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(news.wait(NEVER), 0.01)
            await news.wait(0.0)

    play(scenario)


def test_nobody_listens_afterwards() -> None:
    async def scenario(changes: Changes) -> None:
        with attention(changes, "runs") as news:
            pass
        changes.tell("runs", "lab")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(news.wait(NEVER), 0.01)

    play(scenario)
