"""A node, a workspace and servers that take what it sends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from http_node import Node, serving
from receivers import LOCAL, Mailbox, Receiver, mailbox, receiving

from handlers.access import Role
from handlers.feed_names import inbox_of
from handlers.integrations.delivering import Deliverer
from handlers.outgoing import OutgoingHttp, OutgoingPolicy
from handlers.outgoing_mail import MailServer, OutgoingMail
from handlers.parts import Outgoing
from storage import feeds

HERE = "/integrations"
LAB = "lab"
DEADLINE = 30.0
# Long enough for a loaded machine, and only waited for by what hangs.
TIMEOUT = 5.0


@dataclass
class Setting:
    """`ada` administers `lab`. Time stands still unless it is moved."""

    node: Node
    receiver: Receiver
    mailbox: Mailbox
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def ada(self) -> httpx.AsyncClient:
        return self.node.client("ada")

    def deliverer(self, holder: str = "node-a") -> Deliverer:
        return Deliverer(
            self.node.parts,
            now=self.node.now,
            chance=lambda: 0.5,
            new_id=lambda: f"msg_{next(self.ids)}",
            holder=holder,
        )

    def pass_time(self, **amount: float) -> None:
        self.node.clock += timedelta(**amount)

    async def make(self, **values: Any) -> dict[str, Any]:
        """A webhook of `lab` to the receiver, unless said otherwise."""
        body = {"workspace_id": LAB, "name": "Hook", "kind": "webhook", "url": self.receiver.url, **values}
        made = await self.ada.post(HERE, json={name: value for name, value in body.items() if value is not None})
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    async def publish(self, *types: str, feed: str = "activity", actor: str | None = "ada") -> None:
        for each in types:
            async with self.node.parts.feeds.writing() as (_, outbox):
                outbox.add(f"{LAB}/{feed}", each, {"what": each}, actor=actor)

    async def get(self, integration: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ada.get(f"{HERE}/{integration['id']}")).json()
        return found

    async def deliveries(self, integration: dict[str, Any], **parameters: Any) -> list[dict[str, Any]]:
        """The oldest first."""
        answer = await self.ada.get(f"{HERE}/{integration['id']}/deliveries", params=parameters)
        items: list[dict[str, Any]] = answer.json()["items"]
        return items[::-1]

    async def told(self, user: str = "ada") -> list[tuple[str, dict[str, Any]]]:
        """What the user was notified of, but for memberships."""
        async with self.node.parts.database.read() as connection:
            feed = await feeds.get(connection, inbox_of(user))
            events = await feeds.read(connection, feed.id, after=0, limit=100) if feed else []
        return [(event.type, dict(event.data)) for event in events if event.type.startswith("integration.")]

    @property
    def sent(self) -> list[str]:
        """The types of the events that the receiver was sent, in their order."""
        return [request.json["type"] for request in self.receiver.received]


async def _resolve(host: str, port: int) -> Sequence[str]:
    """Every name is that of a machine next to ours."""
    return [host if host == LOCAL else "10.0.0.1"]


@contextlib.asynccontextmanager
async def setting(place: str) -> AsyncIterator[Setting]:
    async with receiving() as receiver, mailbox() as box:
        mail = OutgoingMail(MailServer(LOCAL, box.port, "studio@shop.example", encryption="none"))
        http = OutgoingHttp(OutgoingPolicy([LOCAL]), resolver=_resolve, timeout=TIMEOUT)
        async with serving(place, outgoing=Outgoing(http, mail)) as node:
            await node.make_workspace(LAB, ada=Role.ADMIN, bob=Role.EDITOR)
            yield Setting(node, receiver, box)


def play_sending(place: str, scenario: Callable[[Setting], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE), setting(place) as made:
            await scenario(made)

    asyncio.run(run())
