"""Those who have not said who they are: parted when their time is over, and not kept when they are gone."""

import asyncio
from pathlib import Path

import pytest
from hand_transport import HandTransport
from node_in_process import listening
from raw_client import RawClient

from server.strangers import Strangers


class Known:
    """A dialect that knows, or does not know, whom it speaks with."""

    def __init__(self, is_known: bool) -> None:
        self.is_known = is_known


def add(strangers: Strangers, now: float, *, is_known: bool = False) -> HandTransport:
    line = HandTransport()
    strangers.add(line, Known(is_known), now)  # type: ignore[arg-type]
    return line


def test_each_has_its_time() -> None:
    strangers = Strangers(10.0)
    first, second = add(strangers, 0.0), add(strangers, 5.0)
    strangers.part(9.9)
    assert first.codes == []
    strangers.part(10.0)
    assert (first.codes, second.codes) == ([4408], [])
    strangers.part(15.0)
    assert second.codes == [4408]
    assert len(strangers) == 0


def test_who_said_its_name_stays() -> None:
    strangers = Strangers(10.0)
    line = add(strangers, 0.0, is_known=True)
    strangers.part(10.0)
    assert line.codes == []


def test_who_is_gone_is_not_kept() -> None:
    strangers = Strangers(10.0)
    gone, other = add(strangers, 0.0), add(strangers, 0.0)
    strangers.forget(gone)
    strangers.forget(gone)
    assert len(strangers) == 1
    strangers.part(10.0)
    assert (gone.codes, other.codes) == ([], [4408])


@pytest.mark.parametrize("is_stock", [False, True])
def test_a_connection_that_ends_is_forgotten_at_once(tmp_path: Path, is_stock: bool) -> None:
    async def run() -> None:
        async with listening(tmp_path, is_stock=is_stock) as (node, port), asyncio.timeout(20):
            await node.enlist("ada")
            strangers = node.studio.gateway.strangers
            clients = [await RawClient(port, node.token("ada")).connect() for _ in range(3)]
            await clients[0].join("default/notes")
            while len(strangers) < 3:  # noqa: ASYNC110 - it happens over real sockets
                await asyncio.sleep(0.005)
            for client in clients:
                client.close()
            while len(strangers):  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    asyncio.run(run())
