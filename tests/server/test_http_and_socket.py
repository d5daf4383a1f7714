"""Every operation of the catalogue answers the same over HTTP and over a socket's request frames."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import msgspec
from node_in_process import Node, running_node
from studio_client import StudioClient

from handlers.catalogue import OPERATIONS
from handlers.registry import Binary, Operation
from server.parameters import field_types
from server.studio_frames import ERROR, HELLO, REQUEST, RESULT, WELCOME

DEADLINE = 100.0
# How many operations answer with something to whom: the others are about what is not there, or need a body.
FEWEST = {None: 0, "vic": 10, "admin": 30}
# What an operation is asked for, where its path needs it; other numbers are of nothing that is there.
GIVEN = {"workspace_id": "default", "document_id": "notes", "feed": "activity", "user_id": "ada"}
# What is deleted is gone when the second asks: both are asked to delete what is not there.
NOWHERE = {"workspace_id": "nowhere", "user_id": "nobody"}
# Whose answers tell of the moment in which they are asked.
PASSING = {"nodes.list", "audit.list", "audit.verify", "jobs.list"}


def parameters_of(operation: Operation) -> dict[str, Any]:
    """The parameters of its path, and the workspace."""
    types = field_types(operation.request)
    known = {**GIVEN, **NOWHERE} if operation.method == "DELETE" else GIVEN
    values: dict[str, Any] = {}
    for name in (*operation.path_parameters, *({"workspace_id"} & set(types))):
        text = known.get(name, "1")
        values[name] = msgspec.to_builtins(msgspec.convert(text, types[name], strict=False))
    return values


async def over_http(client: httpx.AsyncClient, operation: Operation, given: dict[str, Any]) -> tuple[int, Any]:
    """The status, and what is said: a result or a problem."""
    path = re.sub(r"\{([a-z_]+)\}", lambda name: str(given[name[1]]), operation.path)
    query = {name: value for name, value in given.items() if name not in operation.path_parameters}
    answer = await client.request(operation.method, path, params=query)
    if answer.is_success:
        return 0, told(answer, operation)
    assert answer.headers["content-type"] == "application/problem+json", operation.name
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return answer.status_code, {name: problem[name] for name in ("code", "message", "details")}


def told(answer: httpx.Response, operation: Operation) -> Any:
    if answer.status_code == 204:
        return None
    if Binary in operation.results and answer.headers["content-type"] in operation.media_types:
        return {"media_type": answer.headers["content-type"], "data": answer.content}
    return answer.json()


async def over_socket(client: StudioClient, operation: Operation, given: dict[str, Any]) -> tuple[int, Any]:
    """Zero and the result, or one and the error."""
    client.say(REQUEST, id=operation.name, operation=operation.name, parameters=given)
    kind, body = await client.line.hear()
    assert body["id"] == operation.name
    if kind == RESULT:
        return 0, body["value"]
    assert kind == ERROR, (operation.name, kind)
    assert body["request_id"]
    return 1, {name: body[name] for name in ("code", "message", "details")}


def plain(value: Any) -> Any:
    """As JSON has it: MessagePack has times of its own."""
    return msgspec.json.decode(msgspec.json.encode(value))


def shape(value: Any) -> Any:
    """The names in it, of an answer that is another each time."""
    return {name: shape(each) for name, each in value.items()} if isinstance(value, dict) else type(value).__name__


# Operations that push keys may ask for.
PUSHED = {"metrics.push", "detections.push_events"}


async def compare(node: Node, client: httpx.AsyncClient, socket: StudioClient, **more: Any) -> dict[str, int]:
    """How many of the operations answered, and how many refused."""
    counts = {"answered": 0, "refused": 0}
    for operation in OPERATIONS:
        given = {**parameters_of(operation), **more}
        status, http = await over_http(client, operation, given)
        failed, frame = await over_socket(socket, operation, given)
        assert bool(status) == bool(failed), (operation.name, http, frame)
        if status and operation.name in PUSHED:
            # Over HTTP they have a way in of their own, which asks who comes and to which source before it reads.
            assert {plain(frame)["code"], http["code"]} <= {"not_authenticated", "not_found", "invalid_request"}
        elif status:
            assert plain(frame) == http, operation.name
        elif operation.method == "GET" and operation.name not in PASSING and operation.watched is None:
            assert plain(frame) == plain(http), operation.name
        else:
            assert shape(plain(frame)) == shape(plain(http)), operation.name
        counts["refused" if status else "answered"] += 1
    return counts


def test_every_operation_answers_alike_whoever_asks(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(DEADLINE), running_node(tmp_path, request_burst=5000) as node:
            await node.enlist("ada")
            await node.enlist("vic", "viewer")
            await node.document("notes")
            transport = httpx.ASGITransport(app=node.studio.app, raise_app_exceptions=False)
            for user in (None, "vic", "admin"):
                headers = {}
                socket = StudioClient(node, None)
                if user is not None:
                    token = node.token(user)
                    headers["Authorization"] = f"Bearer {token}"
                    socket.say(HELLO, token=token)
                    await socket.hear(WELCOME)
                async with httpx.AsyncClient(transport=transport, base_url="http://studio", headers=headers) as client:
                    right = await compare(node, client, socket)
                    wrong = await compare(node, client, socket, nonsense=1)
                assert wrong["answered"] == 0
                assert right["answered"] >= FEWEST[user], right

    asyncio.run(scenario())
