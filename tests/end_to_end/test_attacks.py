"""Two nodes over PostgreSQL and Redis: ordinary work is quiet, and attacks on the server are told of once each.

The node that looks at the first attacks is killed while it does.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import httpx
import pytest
from alert_nodes import token
from attacked_nodes import DOCUMENTS, ROLES, THINGS_A_DAY, AttackedNodes, attacked_nodes, explained
from scanning import write_sqlite
from websockets.asyncio.client import connect

from handlers.catalogue import OPERATIONS
from handlers.registry import Operation, Permission
from server.admission import UNAUTHORISED

SEED = random.SystemRandom().randrange(2**32)
# Of each of them on that day.
REQUESTS = 20
STRANGER, OFFICE, HOME = "203.0.113.9", "10.0.0.7", "198.51.100.20"
# What needs more is not offered to ordinary users.
_NOT_THEIRS = (Permission.SERVER_ADMIN, Permission.MANAGE, Permission.OWN)


@pytest.mark.timeout(300)
def test_attacks_on_the_server_are_told_of_once_and_ordinary_work_is_not(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    print(f"seed {SEED}")

    async def scenario() -> None:
        async with attacked_nodes(tmp_path, postgres_url, redis_url) as nodes:
            await an_ordinary_day(nodes, tmp_path)
            await nodes.followed()
            for workspace_id in ("administrators", "default"):
                assert await nodes.fired(workspace_id) == []

            async def attack() -> None:
                await guess(nodes)
                await escalate(nodes)

            await nodes.kill_follower(attack)
            await nodes.told_of("administrators", ["TD-02"])
            await nodes.told_of("default", ["TD-10"])
            await enumerate_documents(nodes)
            await go_on_with_a_revoked_key(nodes)
            await export(nodes)
            await nodes.told_of("administrators", ["TD-02", "TD-13", "TD-15"])
            await nodes.told_of("default", ["TD-10", "TD-11"])
            await each_is_explained(nodes)

    asyncio.run(scenario())


async def an_ordinary_day(nodes: AttackedNodes, folder: Path) -> None:
    """Everybody does at random what they may, edits, mistypes; what was refused once is not asked for again."""
    place = await asyncio.to_thread(write_sqlite, folder / "source.sqlite3", "CREATE TABLE t AS SELECT 1 AS x")
    body = {"name": "source", "kind": "sqlite", "settings": {"path": str(place)}}
    made = await nodes.client("admin", OFFICE).post("/data-sources", json=body)
    assert made.status_code == 201, made.text
    source = made.json()["id"]
    known = {"workspace_id": "default", "document_id": "d1", "source_id": source, "data_source_id": source}
    names = list(nodes.nodes)
    rng = random.Random(SEED)
    for number, user in enumerate(ROLES):
        client = nodes.client(user, f"10.0.0.{10 + number}", node=names[number % len(names)])
        await walk(client, known, rng)
        await edit(client, user)
        for each in range(3):
            await client.get(f"/collaboration/documents/default/typing-eror{each}")
    for _ in range(5):
        assert (await nodes.client(None, HOME).get("/me")).status_code == 401
    mistaken = nodes.client(None, HOME, credential="csk_mistyped")
    for _ in range(3):
        assert (await mistaken.get("/me")).status_code == 401


async def walk(client: httpx.AsyncClient, known: dict[str, Any], rng: random.Random) -> None:
    offered = [each for each in OPERATIONS if each.method == "GET" and _is_theirs(each, known)]
    for _ in range(REQUESTS):
        operation = rng.choice(offered)
        is_in_path = "{workspace_id}" in operation.path
        asks = "workspace_id" in operation.request.__struct_fields__ and not is_in_path
        query = {"workspace_id": "default"} if asks else {}
        answer = await client.get(operation.path.format(**known), params=query)
        assert answer.status_code < 500, (operation.name, answer.text)
        if answer.status_code in (403, 404):
            offered.remove(operation)


def _is_theirs(operation: Operation, known: dict[str, Any]) -> bool:
    return operation.permission not in _NOT_THEIRS and set(operation.path_parameters) <= set(known)


async def edit(client: httpx.AsyncClient, user: str) -> None:
    """Over HTTP, where they may, and with documents open over sockets; of one the token has been mistyped."""
    for each in range(3):
        await client.put(f"/collaboration/documents/default/d{each}/content", json={"text": "a", "message": "b"})
    sockets = str(client.base_url).replace("http", "ws", 1)
    headers = {"X-Forwarded-For": client.headers["X-Forwarded-For"]}
    for each in range(2):
        async with connect(f"{sockets}/yjs/default/d{each}?token={token(user)}", additional_headers=headers) as socket:
            await socket.recv()
    async with connect(f"{sockets}/yjs/default/d2?token=mistyped", additional_headers=headers) as socket:
        await socket.wait_closed()
        assert socket.close_code == UNAUTHORISED


async def guess(nodes: AttackedNodes) -> None:
    for number in range(25):
        guesser = nodes.client(None, STRANGER, credential=f"csk_{number}")
        # Whoever was wrong so often may have to wait.
        assert (await guesser.get("/me")).status_code in (401, 429)


async def escalate(nodes: AttackedNodes) -> None:
    ada = nodes.client("ada", OFFICE)
    put = await ada.put("/collaboration/workspaces/default/members/eve", json={"role": "admin"})
    assert put.status_code == 200, put.text


async def enumerate_documents(nodes: AttackedNodes) -> None:
    gus = nodes.client("gus", OFFICE)
    for number in range(25):
        assert (await gus.get(f"/collaboration/documents/team{number}/plan")).status_code == 404


async def go_on_with_a_revoked_key(nodes: AttackedNodes) -> None:
    fay = nodes.client("fay", OFFICE)
    made = (await fay.post("/api-keys", json={"name": "Robot"})).json()
    thief = nodes.client(None, HOME, credential=made["secret"])
    assert (await thief.get("/me")).status_code == 200
    assert (await fay.delete(f"/api-keys/{made['key']['id']}")).status_code == 204
    for _ in range(4):
        assert (await thief.get("/me")).status_code == 401


async def export(nodes: AttackedNodes) -> None:
    """Of more than ten times what somebody reads on a day."""
    ada, bob = nodes.client("ada", OFFICE), nodes.client("bob", OFFICE)
    body = {"workspace_id": "default", "settings": {"export_rows": 10 * THINGS_A_DAY}}
    put = await ada.put("/security/detections/trail/settings", json=body)
    assert put.status_code == 200, put.text
    for _ in range(80):
        page = await bob.get("/collaboration/documents/default", params={"limit": DOCUMENTS})
        assert len(page.json()["items"]) == DOCUMENTS


async def each_is_explained(nodes: AttackedNodes) -> None:
    admin = nodes.client("admin", OFFICE)
    about = {"TD-02": STRANGER, "TD-10": "ada", "TD-11": "bob", "TD-13": "gus", "TD-15": "fay"}
    for workspace_id in ("administrators", "default"):
        listed = await admin.get("/security/alerts", params={"workspace_id": workspace_id})
        for alert in listed.json()["items"]:
            shown = (await admin.get(f"/security/alerts/{alert['id']}")).json()
            explained(shown, about.pop(alert["name"][:5]))
    assert about == {}
