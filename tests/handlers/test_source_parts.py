"""What else belongs to a data source: who may what, what is done by the clock, and who outside is told."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
from http_node import Node, play
from mariadb_server import running_mariadb

from connectors.datasets import Kind
from handlers.access import Role
from storage import data_sources, integrations


async def register(node: Node, kind: Kind, settings: dict[str, Any]) -> str:
    await node.make_workspace("lab", ada=Role.OWNER, vic=Role.VIEWER)
    async with node.parts.database.write() as connection:
        row = await data_sources.create(
            connection, workspace_id="lab", name="shop", kind=kind, description=None, settings=settings,
            owner="ada", at=node.clock,
        )  # fmt: skip
    return f"/data-sources/{row.id}"


def test_scheduled_tasks_are_those_that_name_the_source(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        here = await register(node, Kind.SQLITE, {"path": str(tmp_path / "a")})
        ada, number = node.client("ada"), int(here.rpartition("/")[2])
        for title, source_id in (("mine", number), ("another's", number + 1)):
            plan = {"workspace_id": "lab", "title": title, "job": "source.backup", "every_seconds": 3600}
            made = await ada.post("/schedules", json={**plan, "arguments": {"source_id": source_id}})
            assert made.status_code == 201, made.text
        [task] = (await node.client("vic").get(f"{here}/scheduled-tasks")).json()["items"]
        assert (task["title"], task["next_run_at"], task["last_run"]) == ("mine", "2026-03-01T10:00:00Z", None)
        status = (await ada.get(f"{here}/backup-status")).json()
        assert (status["next_scheduled_at"], status["schedules"]) == ("2026-03-01T10:00:00Z", 1)
        await ada.post(f"/schedules/{task['schedule_id']}/run", json={})
        [task] = (await ada.get(f"{here}/scheduled-tasks")).json()["items"]
        assert task["last_run"]["state"] == "queued"

    play(database_url, scenario)


def test_integrations_are_those_that_would_send_something(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        here = await register(node, Kind.SQLITE, {"path": str(tmp_path / "a")})
        patterns = {
            "all": ("*", "*"),
            "backups": ("activity", "backup.*"),
            "members": ("activity", "member.*"),
        }
        async with node.parts.database.write() as connection:
            for name, (feed, event) in patterns.items():
                await integrations.create(
                    connection, workspace_id="lab", name=name, kind="webhook", settings={}, feeds=[feed],
                    events=[event], owner="ada", enabled=True, at=node.clock,
                )  # fmt: skip
        items = (await node.client("ada").get(f"{here}/integrations")).json()["items"]
        told = {item["name"]: {one["feed"]: len(one["events"]) for one in item["told"]} for item in items}
        assert told == {"all": {"activity": 4, "scans.*": 6}, "backups": {"activity": 4}}
        assert (await node.client("vic").get(f"{here}/integrations")).status_code == 403

    play(database_url, scenario)


def test_access_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite3"
    path.write_bytes(b"SQLite format 3\0" + bytes(84))
    path.chmod(0o642)

    async def scenario(node: Node) -> None:
        here = await register(node, Kind.SQLITE, {"path": str(path)})
        shown = (await node.client("ada").get(f"{here}/access-control")).json()
        assert [(one["user_id"], one["reads"], one["manages"]) for one in shown["members"]] == [
            ("ada", True, True),
            ("vic", True, False),
        ]
        assert (shown["file"]["mode"], shown["file"]["world_writable"]) == ("-rw-r---w-", True)
        assert (await node.client("vic").get(f"{here}/access-control")).status_code == 403
        path.unlink()
        gone = (await node.client("ada").get(f"{here}/access-control")).json()
        assert (gone["file"], len(gone["members"]), "there is no" in gone["error"].lower()) == (None, 2, True)

    play(tmp_path, scenario)


def test_access_of_postgresql_is_what_the_server_grants(postgres_url: str, tmp_path: Path) -> None:
    async def prepare() -> None:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute(
            "CREATE ROLE care_reader LOGIN; CREATE TABLE sold (id int); GRANT SELECT ON sold TO care_reader;"
            "ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO care_reader"
        )
        await connection.close()

    async def tidy() -> None:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute("DROP OWNED BY care_reader; DROP ROLE care_reader")
        await connection.close()

    async def scenario(node: Node) -> None:
        parts = urlsplit(postgres_url)
        socket = dict(pair.split("=") for pair in parts.query.split("&") if pair).get("host")
        settings = {"host": parts.hostname or socket, "database": parts.path[1:], "user": parts.username}
        here = await register(node, Kind.POSTGRESQL, settings | ({"port": parts.port} if parts.port else {}))
        ada = node.client("ada")
        shown = (await ada.get(f"{here}/access-control")).json()
        assert shown["error"] is None
        roles = {role["name"]: role for role in shown["roles"]}
        assert (roles["care_reader"]["login"], roles["care_reader"]["superuser"]) == (True, False)
        assert roles["postgres"]["superuser"]
        mine = [grant for grant in shown["grants"] if grant["grantee"] == "care_reader"]
        assert mine == [{"grantee": "care_reader", "on": "public.sold", "privileges": ["SELECT"]}]
        assert [one["privileges"] for one in shown["default_grants"] if one["grantee"] == "care_reader"] == [["INSERT"]]
        archiver = (await ada.get(f"{here}/backup-status")).json()["archiver"]
        assert (archiver["mode"], archiver["failing"], archiver["error"]) == ("off", False, None)

    asyncio.run(prepare())
    try:
        play(tmp_path, scenario)
    finally:
        asyncio.run(tidy())


def test_access_of_mariadb_is_what_the_server_grants(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        settings = {"host": "127.0.0.1", "port": server.port, "database": database}
        here = await register(node, Kind.MYSQL, {**settings, "user": "care_reader"})
        shown = (await node.client("ada").get(f"{here}/access-control")).json()
        assert (shown["error"], shown["truncated"]) == (None, False)
        reader = "'care_reader'@'%'"
        assert shown["roles"] == [
            {"name": reader, "login": True, "superuser": False, "may": [], "member_of": ["care"]},
        ]
        mine = {grant["on"]: grant["privileges"] for grant in shown["grants"] if grant["grantee"] == reader}
        assert mine == {
            "*.*": ["USAGE"],
            f"{database}.*": ["SELECT", "SHOW VIEW"],
            f"{database}.sold (id)": ["UPDATE"],
        }
        async with node.parts.database.write() as connection:
            row = await data_sources.create(
                connection, workspace_id="lab", name="all", kind=Kind.MYSQL, description=None,
                settings={**settings, "user": "root"}, owner="ada", at=node.clock,
            )  # fmt: skip
        shown = (await node.client("ada").get(f"/data-sources/{row.id}/access-control")).json()
        assert shown["roles"][0]["superuser"] is True
        everybody = {(grant["grantee"], grant["on"]): grant["privileges"] for grant in shown["grants"]}
        assert everybody[reader, f"{database}.*"] == ["SELECT", "SHOW VIEW"]
        # All of them, however long the list.
        assert {"ALTER", "SELECT", "TRIGGER", "UPDATE"} <= set(everybody["'root'@'localhost'", "*.*"])

    with running_mariadb() as server:
        database = server.new_database("CREATE TABLE sold (id int, name text)")
        server.execute(
            "CREATE USER care_reader@'%'",
            f"GRANT SELECT, SHOW VIEW ON {database}.* TO care_reader@'%'",
            f"GRANT UPDATE (id) ON {database}.sold TO care_reader@'%'",
            "CREATE ROLE care",
            "GRANT care TO care_reader@'%'",
        )
        play(tmp_path, scenario)
