"""Keys with a scope on sockets and streams: into rooms, and to feeds, only as far as they are for that."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from hand_transport import HandTransport
from node_in_process import Node, running_node
from studio_client import StudioClient

from handlers.credentials import fingerprint, new_api_key
from handlers.scopes import Scope, encode
from server.admission import Admitted, Denied
from server.feed_frames import WATCH, WATCHING
from server.socket_watch import WATCH_ENDED
from server.studio_frames import HELLO, WELCOME
from storage import api_keys

NAME = "default/notes"


def play(folder: Path, scenario: Callable[[Node], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(30), running_node(folder) as node:
            await node.enlist("ada", "editor")
            await node.document("notes")
            await scenario(node)

    asyncio.run(run())


async def make_key(node: Node, scope: Scope | None) -> tuple[int, str]:
    secret = new_api_key()
    async with node.database.write() as connection:
        key = await api_keys.create(
            connection,
            name="job",
            user_id="ada",
            fingerprint=fingerprint(secret),
            prefix=secret[:10],
            at=datetime.now(UTC),
            scope=encode(scope),
        )
    return key.id, secret


async def enter(node: Node, credential: str) -> Admitted | Denied:
    answered: asyncio.Future[Admitted | Denied] = asyncio.get_running_loop().create_future()
    node.studio.gateway.admit(HandTransport(), credential, None, NAME, answered.set_result, answered.set_result)
    return await answered


@pytest.mark.parametrize(
    ("scope", "role"),
    [
        (None, "editor"),
        (Scope(level="manage"), "editor"),
        (Scope(level="read"), "viewer"),
        (Scope(level="write", workspaces=("default",), operations=("collaboration",)), "editor"),
        (Scope(level="write", operations=("collaboration.documents.edit",)), "editor"),
        (Scope(level="write", operations=("catalog",)), None),
        (Scope(level="write", workspaces=("other",)), None),
    ],
)
def test_a_room_is_entered_as_far_as_the_key_goes(tmp_path: Path, scope: Scope | None, role: str | None) -> None:
    async def scenario(node: Node) -> None:
        # The room is open, so that the second time everything is known, and would be answered at once.
        _, others = await make_key(node, None)
        assert isinstance(await enter(node, others), Admitted)
        _, secret = await make_key(node, scope)
        for _ in range(2):
            answer = await enter(node, secret)
            assert (answer.role if isinstance(answer, Admitted) else None) == role

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("operations", "statuses"),
    [(("feeds.watch",), (200, 403)), (("notifications.watch",), (403, 200)), (("catalog",), (403, 403))],
)
def test_streams_are_for_keys_that_are_for_them(
    tmp_path: Path, operations: tuple[str, ...], statuses: tuple[int, int]
) -> None:
    async def scenario(node: Node) -> None:
        _, secret = await make_key(node, Scope(level="read", operations=operations))
        transport = httpx.ASGITransport(app=node.studio.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://studio") as client:
            client.headers["Authorization"] = f"Bearer {secret}"
            answers = [await client.head(path) for path in ("/feeds/default/activity/stream", "/notifications/stream")]
        assert tuple(answer.status_code for answer in answers) == statuses

    play(tmp_path, scenario)


def test_metrics_are_not_for_keys_of_some_workspaces(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        transport = httpx.ASGITransport(app=node.studio.app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://studio") as client:
            for scope, status in (
                (Scope(level="read"), 200),
                (Scope(level="read", workspaces=("default",)), 403),
                (Scope(level="read", operations=("server.metrics",)), 200),
                (Scope(level="read", operations=("catalog",)), 403),
            ):
                _, secret = await make_key(node, scope)
                answer = await client.get("/metrics", headers={"Authorization": f"Bearer {secret}"})
                assert answer.status_code == status

    play(tmp_path, scenario)


def test_what_a_ticket_opened_ends_with_its_key(tmp_path: Path) -> None:
    """A ticket is of the key that made it: the socket is parted, though it showed another credential."""

    async def scenario(node: Node) -> None:
        number, secret = await make_key(node, None)
        transport = httpx.ASGITransport(app=node.studio.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://studio") as client:
            made = await client.post("/tickets", headers={"Authorization": f"Bearer {secret}"})
            answer = await enter(node, made.json()["ticket"])
            assert isinstance(answer, Admitted)
            access = node.studio.parts.access
            assert access.peek_role(answer.principal, "default") == "editor"
            async with node.database.write() as connection:
                await api_keys.revoke(connection, number, at=datetime.now(UTC))
            access.invalidate(user_id="ada")
            assert await access.is_active("ada")
            assert access.peek_role(answer.principal, "default") is None
            again = await enter(node, secret)
            assert isinstance(again, Denied)

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("scope", "answer"),
    [
        (Scope(level="read"), None),
        (Scope(level="read", operations=("feeds.watch",)), None),
        (Scope(level="read", operations=("catalog",)), "out_of_scope"),
        (Scope(level="read", workspaces=("other",)), "not_found"),
    ],
)
def test_feeds_are_watched_over_a_socket_by_keys_that_are_for_it(
    tmp_path: Path, scope: Scope, answer: str | None
) -> None:
    async def scenario(node: Node) -> None:
        _, secret = await make_key(node, scope)
        client = StudioClient(node, None)
        client.say(HELLO, token=secret)
        await client.hear(WELCOME)
        client.say(WATCH, id=1, workspace_id="default", feed="builds")
        if answer is None:
            await client.hear(WATCHING)
        else:
            assert (await client.hear(WATCH_ENDED))["code"] == answer

    play(tmp_path, scenario)
