"""A node whose operator named this machine, and what the tests of exports ask of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from http_node import Node, serving
from receivers import LOCAL
from syslog_receiver import SyslogReceiver

from handlers.event_exports.exporting import Exporter
from handlers.outgoing import OutgoingHttp, OutgoingPolicy
from handlers.parts import Outgoing
from storage import audit

HERE = "/security/exports"
DEADLINE = 40.0


@dataclass
class Setting:
    """Time stands still unless it is moved."""

    node: Node

    def exporter(self, holder: str = "node-a", seconds: float = 5.0) -> Exporter:
        return Exporter(self.node.parts, now=self.node.now, chance=lambda: 0.5, holder=holder, seconds=seconds)

    async def make(self, target: dict[str, Any], **values: Any) -> dict[str, Any]:
        body = {"name": "SIEM", "target": target, **values}
        made = await self.node.client("admin").post(HERE, json=body)
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    async def change(self, export: dict[str, Any], **values: Any) -> dict[str, Any]:
        changed = await self.node.client("admin").patch(f"{HERE}/{export['id']}", json=values)
        assert changed.status_code == 200, changed.text
        found: dict[str, Any] = changed.json()
        return found

    async def shown(self, export: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = (await self.node.client("admin").get(f"{HERE}/{export['id']}")).json()
        return found

    async def write(self, count: int, **changes: Any) -> None:
        row = {"actor": "ann", "action": "documents.create", "target": "default/é", "outcome": "done"}
        async with self.node.parts.database.write() as connection:
            for _ in range(count):
                await audit.append(connection, at=self.node.now(), **{**row, **changes})

    async def head(self) -> int:
        async with self.node.parts.database.read() as connection:
            head = await audit.head(connection)
        return head.id if head else 0

    def pass_time(self, **amount: float) -> None:
        self.node.clock += timedelta(**amount)


async def _resolve(host: str, port: int) -> Sequence[str]:
    return [LOCAL]


@contextlib.asynccontextmanager
async def setting(place: str, *, allowed: Sequence[str] = (LOCAL,)) -> AsyncIterator[Setting]:
    http = OutgoingHttp(OutgoingPolicy(allowed), resolver=_resolve)
    async with serving(place, outgoing=Outgoing(http)) as node:
        yield Setting(node)


def play_exporting(
    place: str, scenario: Callable[[Setting], Awaitable[None]], *, allowed: Sequence[str] = (LOCAL,)
) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE), setting(place, allowed=allowed) as made:
            await scenario(made)

    asyncio.run(run())


def target_of(receiver: SyslogReceiver, **values: Any) -> dict[str, Any]:
    """Encrypted, if the receiver has a certificate."""
    certificate = receiver.file.parent / "certificate.pem"
    target: dict[str, Any] = {"type": "syslog", "port": receiver.port}
    if certificate.exists():
        return target | {"host": "localhost", "ca_certificate": certificate.read_text(), **values}
    return target | {"host": LOCAL, "transport": "tcp", **values}
