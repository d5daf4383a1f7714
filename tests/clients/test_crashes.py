"""The client while the real server is killed, stopped and started again."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import pytest
from collab_studio import Document, connect

from tests.clients.house import House

DEADLINE = 100.0
NAME = "default/notes"


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE):
            await scenario()

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 -- what is awaited has no event; the deadline is the scenario's
        await asyncio.sleep(0.01)


def edits_in(document: Document) -> int:
    return str(document.text()).count(">")


def test_a_crash_loses_nothing_that_was_typed(house: House) -> None:
    """Everybody reconnects by themselves; what was on its way is sent again, and nothing twice."""

    async def scenario() -> None:
        async with house.people("ann", "bob") as (ann, bob):
            documents = [await ann.open(NAME, kind="text"), await bob.open(NAME, kind="text")]
            typed = 0
            for crash in range(3):
                for number in range(60):
                    documents[number % 2].text().append(f"<{typed}>")
                    typed += 1
                    await asyncio.sleep(0.002)
                house.process.kill()
                for document in documents:
                    document.text().append(f"<offline {crash}>")
                await house.start()
            await asyncio.gather(*(document.stored() for document in documents))
            await until(lambda: len({str(document.text()) for document in documents}) == 1)
            text = str(documents[0].text())
            assert [text.count(f"<{number}>") for number in range(typed)] == [1] * typed
            assert [text.count(f"<offline {crash}>") for crash in range(3)] == [2] * 3
        assert await house.contents(NAME) == text

    play(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_stored_is_there_after_a_crash(house: House, seed: int) -> None:
    """Without the writer's help: it never comes back."""

    async def scenario() -> None:
        entered = connect(house.url, token=await house.key("ann"))
        studio = await entered.__aenter__()
        document = await studio.open(NAME, kind="text")
        typing = asyncio.create_task(type_on(document))
        await until(lambda: edits_in(document) > document.unsaved)
        await asyncio.sleep(random.Random(seed).uniform(0.0, 0.3))
        house.process.kill()
        await until(lambda: not document.synced)
        typing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await typing
        stored = edits_in(document) - document.unsaved
        await studio.abort()
        assert stored > 0

        await house.start()
        left = await house.contents(NAME)
        assert [number for number in range(stored) if f"<{number}>" not in left] == []

    play(scenario)


async def type_on(document: Document) -> None:
    for number in range(1_000_000):
        document.text().append(f"<{number}>")
        await asyncio.sleep(0.001)


def test_a_restart_is_hardly_noticed(house: House) -> None:
    async def scenario() -> None:
        async with house.people("ann") as (ann,):
            document = await ann.open(NAME, kind="text")
            document.text().append("before ")
            assert await asyncio.to_thread(house.process.stop) == 0
            await until(lambda: not document.synced)
            await house.start()
            document.text().append("after")
            await document.stored()
        assert await house.contents(NAME) == "before after"

    play(scenario)
