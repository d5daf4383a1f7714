"""Whatever stands in a parameter, the answer is an answer: no fault of ours, on either database."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
from http_node import Node, play
from msgspec import structs

from handlers.access import Role
from handlers.catalogue import OPERATIONS
from handlers.paging import encode_cursor
from handlers.registry import Operation

ODD = (
    "a\0b",
    "\ufffe",
    "'; DROP TABLE users; --",
    "x" * 5000,
    "\U0001f9d1\u200d\U0001f680",
    "-1",
    "9223372036854775808",
    " ",
    "default\n",
)


OTHER_TYPES: tuple[Any, ...] = (None, -1, 2**63, 1.5, True, [], [["\0"]], {"a": {"b": "\0"}})
AS_JSON = {"Content-Type": "application/json"}


def good(name: str) -> str:
    return {"workspace_id": "lab", "user_id": "ada", "document_id": "notes"}.get(name, "1")


def filled(operation: Operation, given: dict[str, str]) -> str:
    """The operation's path with these values, and good ones for the rest."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return httpx.URL("http://x", params={"v": given.get(name, good(name))}).query.decode()[2:].replace("+", "%20")

    return re.sub(r"\{([^}]*)\}", value, operation.path)


def hostile_calls(operation: Operation) -> Iterator[dict[str, Any]]:
    """Each field in turn, where a client puts it, with each odd value and with values of other types."""
    for field in structs.fields(operation.request):
        name = field.encode_name
        in_path, has_body = name in operation.path_parameters, operation.method in ("POST", "PUT", "PATCH")
        for odd in ODD:
            if in_path:
                yield {"url": filled(operation, {name: odd})}
            else:
                yield {"url": filled(operation, {}), "params": {name: odd}}
        if has_body and not in_path:
            for value in (*ODD, *OTHER_TYPES):
                yield {"url": filled(operation, {}), "content": msgspec.json.encode({name: value}), "headers": AS_JSON}


def test_odd_parameters_are_answered(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER, admin=Role.OWNER)
        client = node.client("admin")
        for operation in OPERATIONS:
            for call in hostile_calls(operation):
                answer = await client.request(operation.method, **call)
                assert answer.status_code < 500, (operation.name, call, answer.text)
        assert (await client.get("/audit/verification")).json()["intact"] is True

    play(database_url, scenario)


def test_forged_cursors_are_answered(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        client = node.client("admin")
        for operation in OPERATIONS:
            if "cursor" not in operation.request.__struct_fields__:
                continue
            whole = operation.name.removesuffix(".list")
            last = whole.rpartition(".")[2]
            for name in (last, f"recent_{last}"):
                for key in ("\0", "x", -1, 2**63, None, [], ["\0", 1], [2**63, "x"], ["x", 2**63], {"a": 1}, b"\0"):
                    cursor = encode_cursor(name, key)
                    answer = await client.get(filled(operation, {}), params={"cursor": cursor})
                    assert answer.status_code < 500, (operation.name, name, key, answer.text)

    play(database_url, scenario)


def test_strangers_cannot_stop_the_audit_trail(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        client = node.client(None)
        for operation in OPERATIONS:
            for call in hostile_calls(operation):
                assert (await client.request(operation.method, **call)).status_code < 500
        assert len(await node.audited()) > 0

    play(database_url, scenario)
