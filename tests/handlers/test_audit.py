"""Administrators read the trail a page at a time, and find out when somebody changed it."""

from pathlib import Path

import pytest
from http_node import Node, play
from sqlalchemy import text

from handlers.audit_trail import record
from storage.errors import StorageError


async def make_rows(node: Node, count: int) -> None:
    async with node.parts.database.write() as connection:
        for number in range(count):
            actor = "ada" if number % 2 else "bob"
            await record(connection, node.context(actor), "things.make", f"lab/{number}", {"number": number})


def test_it_is_read_a_page_at_a_time_the_newest_first(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_rows(node, 7)
        admin, cursor, seen = node.client("admin"), None, []
        for expected in (3, 3, 1):
            page = (await admin.get("/audit", params={"limit": 3, **({"cursor": cursor} if cursor else {})})).json()
            assert len(page["items"]) == expected
            seen += [item["details"]["number"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert cursor is None
        assert seen == [6, 5, 4, 3, 2, 1, 0]

    play(tmp_path, scenario)


def test_it_is_filtered(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_rows(node, 4)
        await node.client("ada").get("/audit")
        await node.parts.audit.flush()
        admin = node.client("admin")
        for parameters, count in [
            ({"actor": "ada"}, 3),
            ({"actor": "ada", "outcome": "refused"}, 1),
            ({"target": "lab/2"}, 1),
            ({"action": "audit.list"}, 1),
            ({"action": "things"}, 0),
        ]:
            assert len((await admin.get("/audit", params=parameters)).json()["items"]) == count

    play(tmp_path, scenario)


def test_only_administrators_see_it(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        for path in ("/audit", "/audit/verification"):
            assert (await node.client("ada").get(path)).status_code == 403

    play(tmp_path, scenario)


def test_an_untouched_trail_is_intact(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        admin = node.client("admin")
        empty = (await admin.get("/audit/verification")).json()
        assert empty == {"intact": True, "first_broken": None, "what": None, "head_id": None, "head_hash": None}
        await make_rows(node, 3)
        full = (await admin.get("/audit/verification")).json()
        assert (full["intact"], full["head_id"]) == (True, 3)
        kept = {"kept_id": 3, "kept_hash": full["head_hash"]}
        await make_rows(node, 1)
        assert (await admin.get("/audit/verification", params=kept)).json()["intact"] is True

    play(tmp_path, scenario)


def test_a_change_is_found(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_rows(node, 5)
        await tamper(node, "UPDATE audit SET target = 'lab/9' WHERE id = 3")
        answer = (await node.client("admin").get("/audit/verification")).json()
        assert (answer["intact"], answer["first_broken"]) == (False, 3)

    play(tmp_path, scenario)


def test_rows_cut_off_at_the_end_are_found_with_a_kept_head(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_rows(node, 5)
        admin = node.client("admin")
        head = (await admin.get("/audit/verification")).json()
        await tamper(node, "DELETE FROM audit WHERE id > 3")
        assert (await admin.get("/audit/verification")).json()["intact"] is True
        kept = {"kept_id": head["head_id"], "kept_hash": head["head_hash"]}
        assert (await admin.get("/audit/verification", params=kept)).json()["first_broken"] == 4

    play(tmp_path, scenario)


async def tamper(node: Node, statement: str) -> None:
    """As somebody would who owns the file: past the triggers that keep the table append-only."""
    with pytest.raises(StorageError):
        async with node.parts.database.write() as connection:
            await connection.execute(text(statement))
    async with node.parts.database.write() as connection:
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
        for name in (await connection.execute(text(triggers))).scalars().all():
            await connection.execute(text(f"DROP TRIGGER {name}"))
        await connection.execute(text(statement))


@pytest.mark.parametrize("parameters", [{"kept_id": 3}, {"kept_hash": "0" * 64}, {"kept_id": 1, "kept_hash": "x"}])
def test_half_a_head_is_refused(tmp_path: Path, parameters: dict[str, str]) -> None:
    async def scenario(node: Node) -> None:
        answer = await node.client("admin").get("/audit/verification", params=parameters)
        assert answer.status_code == 400
        assert answer.json()["details"]["parameter"] == "kept_hash"

    play(tmp_path, scenario)
