"""Keys with a scope: never more than the scope, never more than the owner, whatever is asked."""

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from http_node import Node, play

from handlers.access import ROLES, Role
from handlers.catalogue import OPERATIONS
from handlers.credentials import fingerprint
from handlers.registry import WORKSPACE_PERMISSIONS, Forbidden, NotAuthenticated, Permission, Principal
from handlers.scopes import Scope
from storage import api_keys
from tests.server.test_every_operation import address_of

PATH = "/api-keys"


async def key_of(node: Node, user: str, scope: dict[str, Any]) -> httpx.AsyncClient:
    made = await node.client(user).post(PATH, json={"name": "job", "scope": scope})
    assert made.status_code == 201, made.text
    return node.client(None, credential=made.json()["secret"])


def code_of(answer: httpx.Response) -> str | None:
    code: str | None = answer.json().get("code") if answer.content else None
    return code


def test_a_key_for_reading_changes_nothing(tmp_path: Path) -> None:
    """Of every operation, before anything else of the request is looked at."""

    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        client = await key_of(node, "ada", {"level": "read"})
        for operation in OPERATIONS:
            if (operation.audited or operation.changes) and operation.permission is not Permission.PUBLIC:
                answer = await client.request(operation.method, address_of(operation))
                assert (answer.status_code, code_of(answer)) == (403, "out_of_scope"), operation.name

    play(tmp_path, scenario)


def test_a_key_does_only_the_operations_that_it_is_for(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        client = await key_of(node, "ada", {"level": "manage", "operations": ["catalog.export", "users"]})
        for operation in OPERATIONS:
            if operation.permission is Permission.PUBLIC or operation.name.startswith("users."):
                continue
            answer = await client.request(operation.method, address_of(operation))
            refused = (answer.status_code, code_of(answer)) == (403, "out_of_scope")
            assert refused is (operation.name != "catalog.export"), operation.name
        assert (await client.get("/me")).json()["scope"]["operations"] == ["catalog.export", "users"]

    play(tmp_path, scenario)


def test_a_key_is_a_stranger_elsewhere(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        await node.make_workspace("other", ada=Role.OWNER)
        client = await key_of(node, "ada", {"level": "manage", "workspaces": ["lab"]})
        for operation in OPERATIONS:
            if operation.permission in WORKSPACE_PERMISSIONS:
                here, there = [
                    await client.request(operation.method, address_of(operation, name)) for name in ("lab", "other")
                ]
                assert (there.status_code, code_of(there)) == (404, "not_found"), operation.name
                assert "workspace 'lab'" not in here.text, operation.name
        for method, path in (
            ("GET", "/collaboration/workspaces"),
            ("POST", "/collaboration/workspaces"),
            ("GET", "/notifications"),
        ):
            assert code_of(await client.request(method, path)) == "out_of_scope"

    play(tmp_path, scenario)


@pytest.mark.parametrize("level", ["read", "write", "manage"])
def test_a_key_is_never_a_server_administrator_nor_an_owner(tmp_path: Path, level: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", admin=Role.OWNER)
        client = await key_of(node, "admin", {"level": level})
        assert (await client.get("/me")).json()["is_admin"] is False
        for operation in OPERATIONS:
            if operation.permission in (Permission.SERVER_ADMIN, Permission.OWN):
                answer = await client.request(operation.method, address_of(operation))
                assert answer.status_code == 403, operation.name

    play(tmp_path, scenario)


@pytest.mark.parametrize(("role", "level"), list(itertools.product(ROLES, ["read", "write", "manage"])))
def test_a_key_may_no_more_than_its_owner(tmp_path: Path, role: Role, level: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=role)
        client = await key_of(node, "ada", {"level": level})
        most = {"read": Role.VIEWER, "write": Role.EDITOR, "manage": Role.ADMIN}[level]
        answer = await client.get("/collaboration/workspaces/lab")
        assert answer.json()["role"] == min(role, most, key=ROLES.index)

    play(tmp_path, scenario)


def test_a_managing_key_of_an_owner_makes_no_owners(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER, bob=Role.EDITOR)
        client = await key_of(node, "ada", {"level": "manage"})
        members = "/collaboration/workspaces/lab/members"
        assert (await client.put(f"{members}/bob", json={"role": "owner"})).status_code == 403
        assert (await client.put(f"{members}/bob", json={"role": "viewer"})).status_code == 200

    play(tmp_path, scenario)


def test_a_key_with_a_scope_has_nothing_to_do_with_credentials(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = await key_of(node, "ada", {"level": "manage"})
        for method, path in (
            ("GET", PATH),
            ("POST", PATH),
            ("DELETE", f"{PATH}/1"),
            ("POST", f"{PATH}/1/rotate"),
            ("GET", "/me/sessions"),
            ("DELETE", "/me/sessions"),
        ):
            assert code_of(await client.request(method, path)) == "out_of_scope"

    play(tmp_path, scenario)


def test_neither_a_batch_nor_a_ticket_is_a_way_around(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        client = await key_of(node, "ada", {"level": "read", "workspaces": ["lab"]})
        create = {"operation": "collaboration.documents.create", "parameters": {"workspace_id": "lab", "id": "x"}}
        [answer] = (await client.post("/batch", json=[{"id": 1, **create}])).json()
        assert (answer["status"], answer["error"]["code"]) == (403, "out_of_scope")
        ticket = (await client.post("/tickets")).json()["ticket"]
        by_ticket = node.client(None, credential=ticket)
        assert code_of(await by_ticket.post("/collaboration/documents/lab", json={"id": "x"})) == "out_of_scope"

    play(tmp_path, scenario)


def test_a_scope_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        secret = "csk_" + "x" * 43
        async with node.parts.database.write() as connection:
            await api_keys.create(
                connection,
                name="odd",
                user_id="ada",
                fingerprint=fingerprint(secret),
                prefix="csk_x",
                at=node.now(),
                scope='{"level":"everything"}',
            )
        assert (await node.client(None, credential=secret).get("/me")).status_code == 401

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"level": "own"},
        {"level": "read", "workspaces": []},
        {"level": "read", "operations": [""]},
        {"level": "read", "operations": ["catalog."]},
        {"level": "read", "workspaces": ["A B"]},
        {"level": "read", "unknown": 1},
    ],
)
def test_a_bad_scope_makes_no_key(tmp_path: Path, scope: dict[str, Any]) -> None:
    async def scenario(node: Node) -> None:
        answer = await node.client("ada").post(PATH, json={"name": "job", "scope": scope})
        assert answer.status_code == 400
        assert (await node.client("ada").get(PATH)).json()["items"] == []

    play(tmp_path, scenario)


def test_prefixes_end_at_dots() -> None:
    scope = Scope(level="write", operations=("catalog.datasets",))
    scope.require("catalog.datasets", changes=True)
    scope.require("catalog.datasets.get", changes=True)
    for other in ("catalog", "catalog.datasets_more", "catalog.terms.get"):
        with pytest.raises(Forbidden):
            scope.require(other, changes=False)
    assert msgspec.json.decode(msgspec.json.encode(scope), type=Scope) == scope


def test_a_rotated_key_keeps_its_scope_and_leaves_time_to_change_over(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        made = (await ada.post(PATH, json={"name": "job", "scope": {"level": "read"}})).json()
        path = f"{PATH}/{made['key']['id']}/rotate"
        old = node.client(None, credential=made["secret"])
        assert (await old.get("/me")).status_code == 200
        rotated = (await ada.post(path, json={"overlap_seconds": 60})).json()
        assert rotated["key"]["scope"] == made["key"]["scope"]
        new = node.client(None, credential=rotated["secret"])
        me = [(await client.get("/me")).json() for client in (old, new)]
        assert [answer["expires_at"] for answer in me] == ["2026-03-01T09:01:00Z", None]
        node.clock += timedelta(seconds=60)
        assert [(await client.get("/me")).status_code for client in (old, new)] == [401, 200]
        latest = node.client(None, credential=(await ada.post(path)).json()["secret"])
        assert [(await client.get("/me")).status_code for client in (old, new, latest)] == [401, 401, 200]
        assert (await node.client("admin").post(f"{PATH}/99/rotate")).status_code == 404
        await ada.delete(f"{PATH}/{made['key']['id']}")
        assert code_of(await ada.post(path)) == "key_ended"
        done = [row.action for row in await node.audited() if row.outcome == "done" and "api_keys" in row.action]
        assert done == ["api_keys.create", "api_keys.rotate", "api_keys.rotate", "api_keys.revoke"]

    play(tmp_path, scenario)


def test_whoever_watches_is_asked_for_what(tmp_path: Path) -> None:
    """Feeds and rooms ask the same place, by names of their own."""

    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        reader = Principal("ada", False, "api_key", scope=Scope(level="read", operations=("feeds.watch",)))
        access = node.parts.access
        await access.require(reader, Permission.READ, "lab", operation="feeds.watch")
        for other in ("notifications.watch", "collaboration.documents.edit"):
            with pytest.raises(Forbidden):
                await access.require(reader, Permission.READ, "lab", operation=other)
        gone = Principal("ada", False, "api_key", key_hash=b"of no key")
        with pytest.raises(NotAuthenticated):
            await access.require(gone, Permission.SIGNED_IN)
        assert access.peek_role(gone, "lab") is None

    play(tmp_path, scenario)
