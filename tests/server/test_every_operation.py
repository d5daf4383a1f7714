"""Every operation of the catalogue over HTTP, by whoever may not."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from http_node import Node, play

from handlers.access import Role
from handlers.catalogue import OPERATIONS
from handlers.registry import WORKSPACE_PERMISSIONS, Operation, Permission

SIGNED = [operation for operation in OPERATIONS if operation.permission is not Permission.PUBLIC]
IN_WORKSPACES = [operation for operation in OPERATIONS if operation.permission in WORKSPACE_PERMISSIONS]
MORE_THAN_READ = [operation for operation in IN_WORKSPACES if operation.permission is not Permission.READ]


def address_of(operation: Operation, workspace_id: str = "lab") -> str:
    """Where the operation is asked for in this workspace."""
    path = operation.path.replace("{workspace_id}", workspace_id)
    in_query = operation in IN_WORKSPACES and "workspace_id" not in operation.path_parameters
    return re.sub(r"\{[^}]*\}", "1", path) + (f"?workspace_id={workspace_id}" if in_query else "")


def name_of(operation: Operation) -> str:
    return operation.name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studio")


def test_without_a_token_nothing_is_answered(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab")
        client = node.client(None)
        for operation in SIGNED:
            # Slowly enough that each is a row of its own in the audit trail.
            node.clock += timedelta(minutes=1)
            answer = await client.request(operation.method, address_of(operation))
            assert answer.status_code == 401, operation.name
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["code"] == "not_authenticated"
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
        refused = {row.action for row in await node.audited() if row.outcome == "refused"}
        assert refused == {operation.name for operation in SIGNED}

    play(tmp_path, scenario)


def test_a_stranger_learns_of_no_workspace(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab")
        client = node.client("ada")
        for operation in IN_WORKSPACES:
            there = await client.request(operation.method, address_of(operation))
            nowhere = await client.request(operation.method, address_of(operation, "gap"))
            assert (there.status_code, nowhere.status_code) == (404, 404), operation.name
            assert there.json()["message"].replace("lab", "?") == nowhere.json()["message"].replace("gap", "?")

    play(tmp_path, scenario)


def test_a_viewer_changes_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER)
        client = node.client("ada")
        for operation in MORE_THAN_READ:
            answer = await client.request(operation.method, address_of(operation))
            assert answer.status_code == 403, operation.name
            assert answer.json()["details"]["role"] == "viewer"

    play(tmp_path, scenario)


def test_only_administrators_administer(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = node.client("ada")
        for operation in OPERATIONS:
            if operation.permission is Permission.SERVER_ADMIN:
                assert (await client.request(operation.method, address_of(operation))).status_code == 403

    play(tmp_path, scenario)


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_an_unknown_parameter_is_refused(tmp_path: Path, operation: Operation) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab")
        address = address_of(operation)
        address += "&nonsense=1" if "?" in address else "?nonsense=1"
        answer = await node.client("admin").request(operation.method, address)
        assert (answer.status_code, answer.json()["details"]["unknown"]) == (400, ["nonsense"])

    play(tmp_path, scenario)


def test_a_request_that_names_no_workspace_is_about_its_default(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("default", ada=Role.VIEWER)
        await node.make_workspace("lab", bob=Role.VIEWER)
        assert (await node.client("ada").get("/dashboard/summary")).status_code == 200
        stranger = await node.client("bob").get("/dashboard/summary")
        assert (stranger.status_code, stranger.json()["code"]) == (404, "not_found")

    play(tmp_path, scenario)
