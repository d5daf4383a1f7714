"""Data sources over HTTP: who may register what, and that a password that went in never comes out."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_node import Node, play
from sqlalchemy import text

from handlers.access import Role

HERE = "/data-sources"
SECRET = "correct horse battery staple"
SERVER = {"host": "db.example.org", "database": "sales", "user": "reader"}
POSTGRES: dict[str, Any] = {"name": "Sales", "kind": "postgresql", "settings": SERVER, "password": SECRET}


async def lab(node: Node) -> httpx.AsyncClient:
    """A client of an administrator of the workspace `lab`, who is none of the server."""
    await node.make_workspace("lab", ada=Role.ADMIN, bob=Role.EDITOR, eve=Role.VIEWER)
    return node.client("ada")


def in_lab(**changes: Any) -> dict[str, Any]:
    return {"workspace_id": "lab", **POSTGRES, **changes}


def database_in(folder: Path, name: str = "shop.sqlite3") -> Path:
    path = folder / name
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE sold (id INTEGER PRIMARY KEY)")
    connection.close()
    return path


def test_a_source_is_registered_and_found(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        made = await ada.post(HERE, json=in_lab(description="What was sold."))
        assert made.status_code == 201
        source = made.json()
        assert source == (await ada.get(f"{HERE}/{source['id']}")).json()
        assert (source["name"], source["kind"], source["settings"]) == ("Sales", "postgresql", SERVER)
        assert (source["has_password"], source["owner"], source["last_test"]) == (True, "ada", None)
        assert isinstance(source["id"], int)
        listed = (await ada.get(HERE, params={"workspace_id": "lab"})).json()
        assert listed == {"items": [source], "next_cursor": None}

    play(database_url, scenario)


def test_the_password_is_nowhere_but_sealed(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        answers = [await ada.post(HERE, json=in_lab())]
        address = f"{HERE}/{answers[0].json()['id']}"
        answers += [await ada.get(address), await ada.patch(address, json={"password": SECRET, "name": "x"})]
        answers += [await ada.post(f"{address}/test"), await ada.get(HERE, params={"workspace_id": "lab"})]
        assert all(SECRET not in answer.text for answer in answers)
        assert all(SECRET not in str(row) for row in await node.audited())
        async with node.parts.database.read() as connection:
            [row] = (await connection.execute(text("SELECT * FROM data_sources"))).all()
        assert SECRET not in str(row)
        assert SECRET.encode() not in bytes(row.credentials)
        assert row.key_id == node.parts.sources.sealer.key_id

    play(database_url, scenario)


def test_roles(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        address = f"{HERE}/{(await ada.post(HERE, json=in_lab())).json()['id']}"
        bob, eve = node.client("bob"), node.client("eve")
        for client in (bob, eve):
            assert (await client.get(address)).status_code == 200
            for answer in (
                await client.post(HERE, json=in_lab(name="Other")),
                await client.patch(address, json={"name": "Mine"}),
                await client.delete(address),
            ):
                assert (answer.status_code, answer.json()["details"]["needed"]) == (403, "admin")
        assert (await eve.post(f"{address}/test")).status_code == 403
        assert (await bob.post(f"{address}/test")).status_code == 200
        refused = [row for row in await node.audited() if row.outcome == "refused"]
        assert {row.action for row in refused} == {
            "data_sources.create", "data_sources.update", "data_sources.delete", "data_sources.test",
        }  # fmt: skip

    play(tmp_path, scenario)


def test_strangers_cannot_tell_a_source_from_none(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        number = (await ada.post(HERE, json=in_lab())).json()["id"]
        await node.make_user("zoe")
        zoe = node.client("zoe")
        for method, tail, body in (
            ("GET", "", None),
            ("PATCH", "", {"name": "x"}),
            ("DELETE", "", None),
            ("POST", "/test", None),
        ):
            there = await zoe.request(method, f"{HERE}/{number}{tail}", json=body)
            nowhere = await zoe.request(method, f"{HERE}/{number + 1}{tail}", json=body)
            assert (there.status_code, nowhere.status_code) == (404, 404)
            assert there.json()["message"].replace(str(number), "?") == nowhere.json()["message"].replace(
                str(number + 1), "?"
            )
        assert (await zoe.get(HERE, params={"workspace_id": "lab"})).status_code == 404
        assert (await zoe.post(HERE, json=in_lab())).status_code == 404

    play(tmp_path, scenario)


def test_a_name_is_taken_once(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        first = (await ada.post(HERE, json=in_lab())).json()
        again = await ada.post(HERE, json=in_lab())
        assert (again.status_code, again.json()["code"]) == (409, "data_source_exists")
        second = (await ada.post(HERE, json=in_lab(name="Stock"))).json()
        renamed = await ada.patch(f"{HERE}/{second['id']}", json={"name": "Sales"})
        assert (renamed.status_code, renamed.json()["code"]) == (409, "data_source_exists")
        assert (await ada.delete(f"{HERE}/{first['id']}")).status_code == 204
        assert (await ada.get(f"{HERE}/{first['id']}")).status_code == 404
        assert (await ada.patch(f"{HERE}/{second['id']}", json={"name": "Sales"})).status_code == 200

    play(database_url, scenario)


@pytest.mark.parametrize(
    ("changes", "parameter", "words"),
    [
        ({"settings": {"host": "db"}}, "settings.database", "missing"),
        ({"settings": {**SERVER, "path": "/x"}}, "settings.path", "no such setting"),
        ({"settings": {**SERVER, "host": "/var/run/postgresql"}}, "settings.host", "neither a host name"),
        ({"settings": {**SERVER, "host": "a b"}}, "settings.host", "neither a host name"),
        ({"settings": {**SERVER, "port": 0}}, "settings.port", ">= 1"),
        ({"settings": {**SERVER, "tls": "maybe"}}, "settings.tls", "maybe"),
        ({"settings": {**SERVER, "passwort": "x"}}, "settings", "passwort"),
        ({"kind": "oracle"}, "kind", "oracle"),
        ({"name": ""}, "name", "length"),
        ({"kind": "files", "settings": {"path": "data"}}, "settings.path", "absolute"),
        ({"kind": "files", "settings": {"path": "/", "pattern": "../*"}}, "settings.pattern", "leads out"),
        ({"kind": "sqlite", "settings": {}}, "settings.path", "missing"),
    ],
)
def test_a_bad_request_makes_nothing(tmp_path: Path, changes: dict[str, Any], parameter: str, words: str) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        answer = await ada.post(HERE, json=in_lab(**changes))
        assert answer.status_code == 400, answer.text
        assert answer.json()["details"]["parameter"] == parameter
        assert words in answer.json()["message"]
        assert (await ada.get(HERE, params={"workspace_id": "lab"})).json()["items"] == []
        assert await node.audited() == []

    play(tmp_path, scenario)


@pytest.mark.parametrize("change", [{"host": "evil.example.org"}, {"port": 1}, {"user": "other"}, {"tls": "disable"}])
def test_a_password_does_not_follow_its_source_elsewhere(tmp_path: Path, change: dict[str, Any]) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        address = f"{HERE}/{(await ada.post(HERE, json=in_lab())).json()['id']}"
        moved = {"settings": {**SERVER, **change}}
        refused = await ada.patch(address, json=moved)
        assert (refused.status_code, refused.json()["code"]) == (400, "password_needed")
        assert (await ada.get(address)).json()["settings"] == SERVER
        assert (await ada.patch(address, json={"settings": {**SERVER, "row_cap": 5}})).status_code == 200
        assert (await ada.patch(address, json={**moved, "password": "new"})).status_code == 200

    play(tmp_path, scenario)


def test_a_password_is_taken_away(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        address = f"{HERE}/{(await ada.post(HERE, json=in_lab())).json()['id']}"
        assert (await ada.patch(address, json={"password": None})).json()["has_password"] is False
        [_, update] = await node.audited()
        assert update.details["changed"] == ["password"]

    play(tmp_path, scenario)


def test_paths_are_for_server_administrators_unless_the_operator_named_folders(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        path = database_in(tmp_path)
        body = in_lab(kind="sqlite", settings={"path": str(path)}, password=None)
        refused = await ada.post(HERE, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "path_forbidden")
        assert "STUDIO_SOURCE_FOLDERS" in refused.json()["message"]
        made = await node.client("admin").post(HERE, json=body)
        assert made.status_code == 201
        moved = await ada.patch(f"{HERE}/{made.json()['id']}", json={"settings": {"path": "/etc/passwd"}})
        assert moved.status_code == 403

    play(tmp_path, scenario)


def test_paths_lie_in_the_folders_that_the_operator_named(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        root = tmp_path / "root"
        root.mkdir()
        inside, outside = database_in(root), database_in(tmp_path)
        (root / "link.sqlite3").symlink_to(outside)
        node.parts.sources.roots = (root,)
        ada = await lab(node)
        for path in (outside, root / "link.sqlite3", root / ".." / outside.name, tmp_path / "nothing"):
            answer = await ada.post(HERE, json=in_lab(kind="sqlite", settings={"path": str(path)}, password=None))
            assert (answer.status_code, answer.json()["code"]) == (400, "path_forbidden")
        made = await ada.post(HERE, json=in_lab(kind="sqlite", settings={"path": str(inside)}, password=None))
        assert made.status_code == 201
        tested = (await ada.post(f"{HERE}/{made.json()['id']}/test")).json()
        assert (tested["ok"], tested["server"].partition(" ")[0], tested["rights"]) == (True, "SQLite", ["read"])
        # What was inside when it was registered is looked at again when it is opened.
        inside.unlink()
        inside.symlink_to(outside)
        node.parts.sources.forget(made.json()["id"])
        again = (await ada.post(f"{HERE}/{made.json()['id']}/test")).json()
        assert (again["ok"], again["code"]) == (False, "path_forbidden")

    play(tmp_path, scenario)


def test_a_test_is_remembered(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        settings = {**SERVER, "host": "127.0.0.1", "port": 1}
        address = f"{HERE}/{(await ada.post(HERE, json=in_lab(settings=settings))).json()['id']}"
        answer = await ada.post(f"{address}/test")
        tested = answer.json()
        assert (answer.status_code, tested["ok"], tested["code"]) == (200, False, "connection_refused")
        assert tested["message"] == "Nothing listens at 127.0.0.1:1."
        assert (await ada.get(address)).json()["last_test"] == tested
        [row] = [row for row in await node.audited() if row.action == "data_sources.test"]
        assert (row.details["ok"], row.details["code"]) == (False, "connection_refused")

    play(tmp_path, scenario)


def test_a_wrong_key_is_one_clear_error(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        address = f"{HERE}/{(await ada.post(HERE, json=in_lab())).json()['id']}"
        async with node.parts.database.write() as connection:
            await connection.execute(text("UPDATE data_sources SET key_id = 'before'"))
        tested = (await ada.post(f"{address}/test")).json()
        assert (tested["ok"], tested["code"]) == (False, "wrong_credentials_key")
        assert "STUDIO_CREDENTIALS_KEY" in tested["message"]

    play(tmp_path, scenario)


def test_the_list_is_paged_and_filtered(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        for number in range(5):
            kind = "mysql" if number % 2 else "postgresql"
            assert (await ada.post(HERE, json=in_lab(name=f"s{number}", kind=kind))).status_code == 201
        seen: list[str] = []
        cursor = None
        for _ in range(3):
            given: dict[str, Any] = {"workspace_id": "lab", "limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await ada.get(HERE, params=given)).json()
            seen += [item["name"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert (seen, cursor) == (["s0", "s1", "s2", "s3", "s4"], None)
        mysql = (await ada.get(HERE, params={"workspace_id": "lab", "kind": "mysql"})).json()["items"]
        assert [item["name"] for item in mysql] == ["s1", "s3"]

    play(tmp_path, scenario)


def test_every_change_is_audited(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        number = (await ada.post(HERE, json=in_lab())).json()["id"]
        await ada.patch(f"{HERE}/{number}", json={"description": "d", "password": "other"})
        await ada.patch(f"{HERE}/{number}", json={})
        await ada.delete(f"{HERE}/{number}")
        rows = [(row.action, row.target, row.actor) for row in await node.audited()]
        assert rows == [(f"data_sources.{what}", str(number), "ada") for what in ("create", "update", "delete")]
        [create, update, _] = await node.audited()
        assert create.details | {"name": "Sales", "kind": "postgresql", "workspace_id": "lab"} == create.details
        assert update.details["changed"] == ["description", "password"]
        assert "other" not in json.dumps(update.details["changed"])

    play(tmp_path, scenario)
