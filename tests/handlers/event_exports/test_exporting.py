"""What is in the trail arrives: in order, at least once, by one node at a time, whatever happens in between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from http_node import Node, serving
from receivers import LOCAL
from syslog_receiver import SyslogReceiver, first_unproven

from handlers.event_exports.exporting import Exporter
from handlers.outgoing import OutgoingHttp, OutgoingPolicy
from handlers.parts import Outgoing
from storage import audit
from tests.storage.bus.encryption import make_certificate

HERE = "/security/exports"
DEADLINE = 40.0


@dataclass
class Setting:
    """A node whose operator named this machine."""

    node: Node

    def exporter(self, holder: str = "node-a", seconds: float = 5.0) -> Exporter:
        return Exporter(self.node.parts, now=self.node.now, chance=lambda: 0.5, holder=holder, seconds=seconds)

    async def make(self, target: dict[str, Any], **values: Any) -> dict[str, Any]:
        body = {"name": "SIEM", "target": target, **values}
        made = await self.node.client("admin").post(HERE, json=body)
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    async def shown(self, export: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = (await self.node.client("admin").get(f"{HERE}/{export['id']}")).json()
        return found

    async def write(self, count: int, **changes: Any) -> None:
        row = {"actor": "ann", "action": "documents.create", "target": "default/é", "outcome": "done"}
        async with self.node.parts.database.write() as connection:
            for _ in range(count):
                await audit.append(connection, at=self.node.now(), **{**row, **changes})

    def pass_time(self, **amount: float) -> None:
        self.node.clock += timedelta(**amount)


async def _resolve(host: str, port: int) -> Sequence[str]:
    return [LOCAL]


@contextlib.asynccontextmanager
async def setting(place: str, *, allowed: Sequence[str] = (LOCAL,)) -> AsyncIterator[Setting]:
    http = OutgoingHttp(OutgoingPolicy(allowed), resolver=_resolve)
    async with serving(place, outgoing=Outgoing(http)) as node:
        yield Setting(node)


def play(place: str, scenario: Callable[[Setting], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE), setting(place) as made:
            await scenario(made)

    asyncio.run(run())


@pytest.fixture(params=["tls", "tcp"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SyslogReceiver]:
    certificates = make_certificate(tmp_path) if request.param == "tls" else ()
    made = SyslogReceiver(tmp_path, *certificates)
    made.start()
    yield made
    made.kill()


def target_of(receiver: SyslogReceiver) -> dict[str, Any]:
    certificate = receiver.file.parent / "certificate.pem"
    if certificate.exists():
        return {"type": "syslog", "host": "localhost", "port": receiver.port, "ca_certificate": certificate.read_text()}
    return {"type": "syslog", "host": LOCAL, "port": receiver.port, "transport": "tcp"}


def test_the_trail_arrives_whole_and_can_be_proven(database_url: str, receiver: SyslogReceiver) -> None:
    async def scenario(setting: Setting) -> None:
        await setting.write(3)
        export = await setting.make(target_of(receiver), start="beginning")
        await setting.write(1, action="documents.delete", outcome="refused", details={"reason": "forbidden"})
        assert await setting.exporter().attend(export["id"]) == 1
        messages = receiver.messages()
        assert [message.number for message in messages] == [1, 2, 3, 4, 5]
        assert first_unproven(messages) is None
        assert [message.event["api"]["operation"] for message in messages][3:] == [
            "security.exports.create",
            "documents.delete",
        ]
        assert [message.priority for message in messages] == [13 * 8 + 6] * 4 + [13 * 8 + 5]
        shown = await setting.shown(export)
        assert (shown["sent"], shown["behind"], shown["last_error"]) == (5, 0, None)
        assert shown["positions"] == [{"stream": "audit", "number": 5, "behind": 0}]

    play(database_url, scenario)
