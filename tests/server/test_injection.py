"""What stands in a parameter stays a value: no SQL, no path, no bytes that unpack to many more."""

import gzip
from pathlib import Path

import pytest
from http_node import Node, play

from handlers.access import Role
from handlers.catalogue import OPERATIONS
from handlers.registry import Operation

SQL = ("' OR '1'='1", "x' UNION SELECT 1 --", "%", "_", "\\")
PATHS = ("..%2f..%2f..%2f..%2fetc%2fpasswd", "%2e%2e%2fstudio.sqlite3", "..%5c..%5cetc%5cpasswd", "%2fetc%2fpasswd")
BOMB = gzip.compress(b" " * 50_000_000 + b'{"title": "unpacked"}')


# The fields that take any text, and narrow a list by it.
NARROWING = {"q", "search", "text", "prefix", "owner", "tag", "actor", "action", "target"}


def texts(operation: Operation) -> list[str]:
    return sorted(NARROWING & set(fields(operation)))


def fields(operation: Operation) -> tuple[str, ...]:
    return operation.request.__struct_encode_fields__


def test_sql_in_a_parameter_selects_nothing_more(tmp_path: Path) -> None:
    """A list that is narrowed by a text that nothing holds is empty, whatever the text is."""
    lists = [
        each
        for each in OPERATIONS
        if each.method == "GET" and texts(each) and set(each.path_parameters) <= {"workspace_id"}
    ]
    assert len(lists) >= 4

    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", admin=Role.OWNER)
        client = node.client("admin")
        made = await client.post("/collaboration/documents/lab", json={"id": "plans", "title": "Plans"})
        assert made.is_success, made.text
        for operation in lists:
            address = operation.path.replace("{workspace_id}", "lab")
            given = {"workspace_id": "lab"} if "workspace_id" in fields(operation) and "{" not in operation.path else {}
            for name in texts(operation):
                for sql in SQL:
                    required = {"q": "x"} if "q" in fields(operation) else {}
                    answer = await client.get(address, params=given | required | {name: sql})
                    assert answer.status_code in (200, 400), f"{operation.name} {name}={sql!r}: {answer.text}"
                    if answer.status_code == 200 and operation.name != "alerts.counts":
                        assert answer.json()["items"] == [], f"{operation.name} {name}={sql!r}: {answer.text}"

    play(tmp_path, scenario)


def test_a_path_in_a_name_leads_nowhere(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", admin=Role.OWNER)
        client = node.client("admin")
        for operation in OPERATIONS:
            for name in operation.path_parameters if operation.method == "GET" else ():
                for path in PATHS:
                    address = operation.path.replace(f"{{{name}}}", path).replace("{workspace_id}", "lab")
                    answer = await client.get(address.replace("{", "").replace("}", ""))
                    assert answer.status_code in (400, 404), f"{operation.name} {address}: {answer.text}"

    play(tmp_path, scenario)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_packed_body_is_not_unpacked(tmp_path: Path, encoding: str) -> None:
    """It is taken for what it is, which is not JSON."""

    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", admin=Role.OWNER)
        headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
        answer = await node.client("admin").patch("/collaboration/workspaces/lab", content=BOMB, headers=headers)
        assert answer.status_code in (400, 415), answer.text
        assert (await node.client("admin").get("/collaboration/workspaces/lab")).json()["title"] != "unpacked"

    play(tmp_path, scenario)
