"""Search over HTTP, and what keeps it up with what people write."""

import asyncio
from pathlib import Path
from typing import Any

from editor import open_editor, row_of
from http_node import Node, play, serving

from handlers.access import Role
from handlers.collaboration import indexing
from handlers.collaboration.indexing import LONGEST_WAIT_SECONDS, Indexer, keep_index
from storage import search

HERE = "/collaboration/search/lab"
DOCUMENTS = "/collaboration/documents/lab"


async def found(client: Any, query: str) -> list[str]:
    answer = await client.get(HERE, params={"q": query})
    assert answer.status_code == 200, answer.text
    return [item["document_id"] for item in answer.json()["items"]]


async def until_found(client: Any, query: str, names: list[str]) -> None:
    """Waits for the service, for some 20 s at most."""
    for _ in range(400):
        if sorted(await found(client, query)) == names:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{query!r} finds {await found(client, query)}, not {names}")


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_documents_are_found_by_what_is_in_them(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR, eve=Role.VIEWER)
        await node.make_workspace("gym", ada=Role.EDITOR, bob=Role.OWNER)
        ada, eve = node.client("ada"), node.client("eve")
        service = asyncio.create_task(keep_index(node.parts))
        await asyncio.sleep(0)
        await ada.put(f"{DOCUMENTS}/policy/content", json={"text": "The Müller dataset\nbelongs to finance 🎉"})
        await ada.put("/collaboration/documents/gym/x/content", json={"text": "Müller"})
        await ada.put(f"{DOCUMENTS}/glossary/content", json={"json": {"churn": "customers who left"}})
        await ada.post(DOCUMENTS, json={"id": "flow", "kind": "diagram"})
        node_edit = {"op": "add", "path": "/nodes/n1", "value": {"type": "scan", "name": "Profile the warehouse"}}
        await ada.patch(f"{DOCUMENTS}/flow/content", json={"edits": [node_edit]})
        await until_found(eve, "muller", ["policy"])
        await until_found(eve, "churn left", ["glossary"])
        await until_found(eve, "wareh", ["flow"])
        hit = (await eve.get(HERE, params={"q": "FINANCE"})).json()["items"][0]
        assert (hit["title"], hit["kind"]) == ("policy", "text")
        [highlight] = hit["highlights"]
        assert hit["snippet"][highlight["start"] : highlight["end"]] == "finance"

        editor = await open_editor(node.parts, "ada", "policy")
        editor.type(" typed live")
        await until_found(eve, "typed", ["policy"])
        await ada.delete(f"{DOCUMENTS}/policy")
        assert await found(eve, "typed") == []
        await ada.post(f"{DOCUMENTS}/policy/restore")
        assert await found(eve, "typed") == ["policy"]
        assert (await node.client("bob").get(HERE, params={"q": "typed"})).status_code == 404
        service.cancel()
        await asyncio.wait([service])
        assert node.parts.rooms.change_listeners == []

    play(tmp_path, scenario)


def test_titles_are_found_at_once_and_old_titles_not(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        await ada.post(DOCUMENTS, json={"id": "a", "title": "Retention rules"})
        assert await found(ada, "retention") == ["a"]
        await ada.patch(f"{DOCUMENTS}/a", json={"title": "Deletion rules"})
        assert await found(ada, "retention") == []
        assert await found(ada, "deletion") == ["a"]

    play(tmp_path, scenario)


def test_a_new_title_keeps_the_text(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        await ada.put(f"{DOCUMENTS}/a/content", json={"text": "inside"})
        indexer = Indexer()
        indexer.changed((await row_of(node.parts, "lab", "a")).id)
        await indexer.index_due(node.parts, 1e12)
        await ada.patch(f"{DOCUMENTS}/a", json={"title": "outside"})
        assert await found(ada, "inside outside") == ["a"]

    play(tmp_path, scenario)


def test_pages_go_on(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        for number in range(5):
            await ada.post(DOCUMENTS, json={"id": f"d{number}", "title": "data " * (number + 1)})
        seen: list[str] = []
        parameters = {"q": "data", "limit": "2"}
        while len(seen) < 10:
            page = (await ada.get(HERE, params=parameters)).json()
            seen += [item["document_id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            parameters["cursor"] = page["next_cursor"]
        assert sorted(seen) == [f"d{number}" for number in range(5)]
        assert await found(ada, "'\"*() AND -") == []
        assert (await ada.get(HERE)).status_code == 400

    play(tmp_path, scenario)


def test_it_waits_for_a_quiet_moment_but_not_for_ever(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada, clock = node.client("ada"), Clock()
        indexer = Indexer(clock)
        node.parts.rooms.change_listeners.append(indexer.changed)
        await ada.put(f"{DOCUMENTS}/a/content", json={"text": "zero"})
        editor = await open_editor(node.parts, "ada", "a")
        await indexer.index_due(node.parts, clock.now + 0.9)
        assert await found(ada, "zero") == []
        while clock.now < LONGEST_WAIT_SECONDS:
            assert await found(ada, "again") == []
            clock.now += 0.9
            editor.type(" again")
            await editor.saved()
            await indexer.index_due(node.parts, clock.now)
        assert await found(ada, "again") == ["a"], "somebody types without a pause"
        editor.type(" last")
        await editor.saved()
        await indexer.index_due(node.parts, clock.now + 1)
        assert await found(ada, "last") == ["a"], "one quiet second is enough"

    play(tmp_path, scenario)


def test_what_a_crash_left_behind_is_indexed_at_the_start(tmp_path: Path) -> None:
    async def before() -> None:
        async with serving(tmp_path) as node:
            await node.make_workspace("lab", ada=Role.EDITOR)
            for name in ("a", "b"):
                await node.client("ada").put(f"{DOCUMENTS}/{name}/content", json={"text": f"lost {name}"})
            long = "".join(f"{number} bottles\n" for number in range(10_000))
            await node.client("ada").put(f"{DOCUMENTS}/long/content", json={"text": long + "lost"})

    async def after() -> None:
        async with serving(tmp_path) as node:
            assert await found(node.client("ada"), "lost") == []
            service = asyncio.create_task(keep_index(node.parts))
            await until_found(node.client("ada"), "lost", ["a", "b", "long"])
            async with node.parts.database.read() as connection:
                assert await search.outdated(connection, limit=10) == []
            service.cancel()
            await asyncio.wait([service])

    asyncio.run(before())
    asyncio.run(after())


def test_a_document_that_cannot_be_indexed_is_tried_again_and_holds_up_no_other(
    tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada, clock = node.client("ada"), Clock()
        indexer = Indexer(clock)
        rows = {}
        for name in ("a", "b"):
            await ada.put(f"{DOCUMENTS}/{name}/content", json={"text": "word"})
            rows[name] = (await row_of(node.parts, "lab", name)).id
            indexer.changed(rows[name])
        real = search.index

        async def failing(connection: Any, document_id: int, *arguments: Any, **options: Any) -> bool:
            if document_id == rows["a"]:
                raise OSError("the disk is full")
            return await real(connection, document_id, *arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(search, "index", failing)
            await indexer.index_due(node.parts, 2.0)
        assert await found(ada, "word") == ["b"]
        assert "trying again" in caplog.text
        await indexer.index_due(node.parts, 5.0)
        assert await found(ada, "word") == ["b"]
        await indexer.index_due(node.parts, 11.0)
        assert sorted(await found(ada, "word")) == ["a", "b"]

    play(tmp_path, scenario)


def test_a_document_that_is_gone_is_no_failure(tmp_path: Path, caplog: Any) -> None:
    async def scenario(node: Node) -> None:
        indexer = Indexer()
        indexer.changed(4711)
        await indexer.index_due(node.parts, 1e12)
        assert caplog.text == ""

    play(tmp_path, scenario)


def test_what_is_too_much_to_remember_is_found_in_the_database(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(indexing, "MOST_WAITING", 2)

    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada, indexer = node.client("ada"), Indexer()
        await ada.put(f"{DOCUMENTS}/first/content", json={"text": "word"})
        running = asyncio.create_task(indexer.run(node.parts))
        await until_found(ada, "word", ["first"])
        node.parts.rooms.change_listeners.append(indexer.changed)
        names = [f"d{number}" for number in range(5)]
        for name in names:
            await ada.put(f"{DOCUMENTS}/{name}/content", json={"text": "word"})
            assert len(indexer._waiting) <= 2
        await until_found(ada, "word", [*names, "first"])
        running.cancel()

    play(tmp_path, scenario)
