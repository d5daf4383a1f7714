"""History over HTTP: who edited when."""

from pathlib import Path
from typing import Any

from editor import open_editor, row_of
from http_node import Node, play

from crdt.room import HTTP, LIVE, RESTORE, SYNCED, SYSTEM
from handlers.access import Role
from storage.pending import Append, PendingUpdate
from storage.update_log import open_update_log

HERE = "/collaboration/documents/lab/plan/history"
MINUTE = 60_000_000
NOON = 1_900_000_000_000_000


async def with_log(node: Node, *entries: tuple[str, int, float]) -> Any:
    """A client of a reader of a document with these updates: author, origin, minutes after noon."""
    await node.make_workspace("lab", ada=Role.EDITOR, eve=Role.VIEWER)
    await node.client("ada").post("/collaboration/documents/lab", json={"id": "plan"})
    updates = [PendingUpdate(who, how, NOON + int(at * MINUTE), b"\x00\x00") for who, how, at in entries]
    row = await row_of(node.parts, "lab", "plan")
    await open_update_log(node.parts.database).append([Append(row.id, updates)])
    return node.client("eve")


def told(page: dict[str, Any]) -> list[tuple[str, str, int, int]]:
    return [(item["author"], item["way"], item["first_number"], item["last_number"]) for item in page["items"]]


def test_a_sitting_is_one_entry_until_somebody_else_a_pause_or_another_way(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        eve = await with_log(
            node,
            ("ada", LIVE, 0),
            ("ada", SYNCED, 4.9),  # a reconnect is no other way
            ("ada", LIVE, 9.8),
            ("bob", LIVE, 9.9),
            ("ada", LIVE, 10),
            ("ada", LIVE, 15.1),  # a pause of more than five minutes
            ("ada", HTTP, 15.2),
            ("ada", RESTORE, 15.3),
            ("server", SYSTEM, 15.4),
        )
        page = (await eve.get(HERE)).json()
        assert told(page) == [
            ("server", "system", 9, 9),
            ("ada", "restore", 8, 8),
            ("ada", "http", 7, 7),
            ("ada", "live", 6, 6),
            ("ada", "live", 5, 5),
            ("bob", "live", 4, 4),
            ("ada", "live", 1, 3),
        ]
        assert page["items"][-1] == {
            "first_number": 1,
            "last_number": 3,
            "author": "ada",
            "way": "live",
            "started_at": "2030-03-17T17:46:40Z",
            "ended_at": "2030-03-17T17:56:28Z",
            "size_bytes": None,
        }
        assert page["next_cursor"] is None

    play(tmp_path, scenario)


def test_ungrouped_every_update_is_one(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        eve = await with_log(node, ("ada", LIVE, 0), ("ada", SYNCED, 1))
        page = (await eve.get(f"{HERE}?grouped=false")).json()
        assert told(page) == [("ada", "synced", 2, 2), ("ada", "live", 1, 1)]
        assert page["items"][0]["size_bytes"] == 2

    play(tmp_path, scenario)


def test_pages_are_cut_anywhere_and_lose_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        entries = [("ada" if number % 5 < 3 else "bob", LIVE, number / 10) for number in range(57)]
        eve = await with_log(node, *entries)
        for grouped in ("true", "false"):
            whole = told((await eve.get(f"{HERE}?grouped={grouped}&limit=200")).json())
            for limit in (1, 2, 7):
                seen: list[tuple[str, str, int, int]] = []
                parameters = {"grouped": grouped, "limit": str(limit)}
                while len(seen) <= len(whole):
                    page = (await eve.get(HERE, params=parameters)).json()
                    seen += told(page)
                    if page["next_cursor"] is None:
                        break
                    parameters["cursor"] = page["next_cursor"]
                assert seen == whole

    play(tmp_path, scenario)


def test_a_new_document_has_none(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        await ada.post("/collaboration/documents/lab", json={"id": "plan"})
        assert (await ada.get(HERE)).json() == {"items": [], "next_cursor": None}
        assert (await ada.get(HERE.replace("plan", "nope"))).status_code == 404

    play(tmp_path, scenario)


def test_what_people_do_is_told(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        await ada.put("/collaboration/documents/lab/plan/content", json={"text": "x"})
        editor = await open_editor(node.parts, "bob", "plan")
        for letter in "typing":
            editor.type(letter)
        await editor.saved()
        assert told((await ada.get(HERE)).json()) == [("bob", "live", 2, 7), ("ada", "http", 1, 1)]

    play(tmp_path, scenario)
