"""A credential that comes from somewhere for the first time within an hour is a sign-in; the next request is none."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from http_node import Node, play

from handlers.registry import Principal
from server.sign_ins import SignIns
from server.visitors import Visitor


def test_each_address_is_noted_once_an_hour(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        sign_ins = SignIns(node.parts.audit, node.now)
        ada, key = Principal("ada", False, "token"), Principal("ada", False, "api_key")
        for _ in range(100):
            sign_ins.note(ada, Visitor("192.0.2.1"))
            sign_ins.note(key, Visitor("192.0.2.1"))
            sign_ins.note(ada, Visitor("203.0.113.9"))
        rows = [(row.actor, row.details["reason"], row.details["address"]) for row in await node.audited()]
        first = [("ada", "token", "192.0.2.1"), ("ada", "api_key", "192.0.2.1"), ("ada", "token", "203.0.113.9")]
        assert rows == first
        node.clock += timedelta(hours=1)
        sign_ins.note(ada, Visitor("192.0.2.1"))
        assert len(await node.audited()) == 4

    play(tmp_path, scenario)
