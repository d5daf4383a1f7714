"""The catalog as people use it: found by words, filtered, labelled, described."""

from pathlib import Path
from typing import Any

import pytest
from catalog_sources import found_in, get, ids_of, lab, names, sqlite_shop
from editor import Editor
from http_node import Node, play

from handlers.collaboration.indexing import index
from storage import documents, scan_results, scans
from storage.scans import Listed, Mark

LIBRARY = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL);
CREATE TABLE orderItems (id INTEGER PRIMARY KEY, order_id INTEGER, sku TEXT);
CREATE TABLE customers (id INTEGER PRIMARY KEY, last_order TEXT, straße TEXT);
CREATE TABLE zebra (x INTEGER);
"""


async def describe(node: Node, dataset_id: int, text: str) -> None:
    """Writes into the description, as an editor does, and waits until it is indexed."""
    name = f"catalog-{dataset_id}"
    async with node.parts.database.write() as connection:
        row, _ = await documents.ensure(connection, "lab", name, created_by="ada", at=node.clock)
    room = await node.parts.rooms.open(row)
    editor = Editor(node.parts.rooms, room, "ada")
    editor.type(text)
    await editor.saved()
    editor.leave()
    await index(node.parts, [row.id])


def test_words_find_datasets_the_best_first(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path, LIBRARY)
        await found_in(node, source)
        # In the name or a part of it, before what has it in a column only.
        found = await names(ada, q="order")
        assert (set(found[:2]), found[2:]) == ({"orders", "orderItems"}, ["customers"])
        assert await names(ada, q="items") == ["orderItems"]
        assert await names(ada, q="straße") == ["customers"]
        assert await names(ada, q="order sku") == ["orderItems"]
        assert await names(ada, q="nothing like that") == []
        assert await names(ada, q="'; DROP TABLE catalog_datasets; --") == []
        ids = await ids_of(ada, source.id)
        await describe(node, ids["zebra"], "Every order that a zebra ever placed")
        assert (await names(ada, q="order"))[-1] == "zebra"
        assert await names(ada, q="placed") == ["zebra"]

    play(database_url, scenario)


def test_a_description_is_a_document(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path, LIBRARY)
        await found_in(node, source)
        zebra = (await ids_of(ada, source.id))["zebra"]
        empty = (await get(ada, f"/catalog/datasets/{zebra}"))["description"]
        document = f"catalog-{zebra}"
        assert empty == {
            "document": f"lab/{document}",
            "document_id": document,
            "kind": "text",
            "root": "content",
            "text": "",
            "number": 0,
        }
        async with node.parts.database.write() as connection:
            row, _ = await documents.ensure(connection, "lab", document, created_by="ada", at=node.clock)
        editor = Editor(node.parts.rooms, await node.parts.rooms.open(row), "ada")
        editor.type("Stripes.")
        # What is typed shows at once, before anything is indexed.
        assert (await get(ada, f"/catalog/datasets/{zebra}"))["description"]["text"] == "Stripes."
        await editor.saved()
        assert await names(ada, q="stripes") == []
        await index(node.parts, [row.id])
        assert await names(ada, q="stripes") == ["zebra"]
        [listed] = (await get(ada, "/catalog/datasets", workspace_id="lab", q="stripes"))["items"]
        assert listed["description"] == "Stripes."
        editor.leave()
        assert (await ada.delete(f"/collaboration/documents/lab/{document}")).status_code == 200
        assert await names(ada, q="stripes") == []

    play(database_url, scenario)


def test_filters_and_labels(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        other = await sqlite_shop(node, tmp_path, LIBRARY, name="other")
        for each in (source, other):
            await found_in(node, each)
        ids = await ids_of(ada, source.id)
        term = (await ada.post("/catalog/terms", json={"workspace_id": "lab", "name": "Net revenue"})).json()
        changed = await ada.patch(
            f"/catalog/datasets/{ids['revenue']}",
            json={"owners": ["ada", "team:sales"], "tags": ["finance", "finance"], "terms": [term["id"]]},
        )
        assert changed.status_code == 200, changed.text
        assert (changed.json()["owners"], changed.json()["tags"]) == (["ada", "team:sales"], ["finance"])
        column = await ada.patch(
            f"/catalog/datasets/{ids['customers']}/columns/email",
            json={"tags": ["pii"], "sensitivity": "restricted"},
        )
        assert column.status_code == 200, column.text
        await ada.put(f"/data-sources/{other.id}/tags", json={"tags": ["archive"]})
        assert await names(ada, tag="finance") == ["revenue"]
        assert await names(ada, owner="team:sales") == ["revenue"]
        assert await names(ada, term_id=term["id"]) == ["revenue"]
        assert await names(ada, q="net revenue") == ["revenue"]
        assert await names(ada, tag="pii") == await names(ada, sensitivity="restricted") == ["customers"]
        assert await names(ada, tag="archive") == ["customers", "orderItems", "orders", "zebra"]
        assert await names(ada, source_id=source.id, kind="view") == ["best", "revenue"]
        assert await names(ada, q="pii", source_id=other.id) == []
        assert (await get(ada, f"/catalog/terms/{term['id']}"))["datasets"] == 1
        renamed = await ada.patch(f"/catalog/terms/{term['id']}", json={"name": "Gross income"})
        assert renamed.json()["name"] == "Gross income"
        assert (await names(ada, q="gross"), await names(ada, q="net")) == (["revenue"], [])
        assert (await ada.delete(f"/catalog/terms/{term['id']}")).status_code == 204
        assert (await get(ada, f"/catalog/datasets/{ids['revenue']}"))["terms"] == []
        assert await names(ada, q="gross") == []

    play(database_url, scenario)


@pytest.mark.parametrize("sort", ["name", "rows", "changed", "relevance"])
def test_pages_hold_everything_once(database_url: str, tmp_path: Path, sort: str) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        sql = "".join(f"CREATE TABLE part_{number} (x);" for number in range(23))
        await found_in(node, await sqlite_shop(node, tmp_path, sql))
        seen: list[int] = []
        cursor = None
        for _ in range(6):
            asked: dict[str, Any] = {"workspace_id": "lab", "limit": 5, "sort": sort, "q": "part"}
            page = await get(ada, "/catalog/datasets", **asked, **({"cursor": cursor} if cursor else {}))
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert (len(seen), len(set(seen)), cursor) == (23, 23, None)
        wrong = await ada.get("/catalog/datasets", params={"workspace_id": "lab", "cursor": "bm9uZQ"})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_cursor")

    play(database_url, scenario)


def test_bad_input_is_told(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        await found_in(node, source)
        orders = f"/catalog/datasets/{(await ids_of(ada, source.id))['orders']}"
        await node.make_workspace("other", ada="editor")  # type: ignore[arg-type]
        foreign = (await ada.post("/catalog/terms", json={"workspace_id": "other", "name": "x"})).json()["id"]
        for address, body, status, words in (
            (orders, {"terms": [foreign]}, 400, "no term"),
            (orders, {"tags": [" blank "]}, 400, "tags"),
            (orders, {"sensitivity": "extreme"}, 400, "extreme"),
            (orders, {"columns": {"nope": {}}}, 404, "no column 'nope'"),
            (f"{orders}/columns/nope", {"tags": []}, 404, "no column 'nope'"),
            ("/catalog/datasets/999", {"tags": []}, 404, "no dataset 999"),
        ):
            answer = await ada.patch(address, json=body)
            assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text
        sorted_by_nothing = await ada.get("/catalog/datasets", params={"workspace_id": "lab", "sort": "relevance"})
        assert sorted_by_nothing.status_code == 400
        await ada.post("/catalog/terms", json={"workspace_id": "lab", "name": "a"})
        again = await ada.post("/catalog/terms", json={"workspace_id": "lab", "name": "a"})
        assert (again.status_code, again.json()["code"]) == (409, "term_exists")

    play(tmp_path, scenario)


def test_a_workspace_is_for_its_members(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        await found_in(node, source)
        orders = f"/catalog/datasets/{(await ids_of(ada, source.id))['orders']}"
        term = (await ada.post("/catalog/terms", json={"workspace_id": "lab", "name": "a"})).json()["id"]
        here = f"/data-sources/{source.id}"
        reading = (
            orders, f"{orders}/lineage", f"{here}/catalog", f"{here}/version-history", f"{here}/tags",
            f"/catalog/terms/{term}", "/catalog/datasets?workspace_id=lab", "/catalog/terms?workspace_id=lab",
            "/catalog/export?workspace_id=lab", "/lineage/openlineage?workspace_id=lab",
        )  # fmt: skip
        writing: tuple[tuple[str, str, Any], ...] = (
            ("PATCH", orders, {"tags": []}),
            ("PATCH", f"{orders}/columns/id", {"tags": []}),
            ("PUT", f"{here}/tags", {"tags": []}),
            ("POST", f"{here}/discover", None),
            ("POST", "/catalog/terms", {"workspace_id": "lab", "name": "b"}),
            ("PATCH", f"/catalog/terms/{term}", {"name": "b"}),
            ("DELETE", f"/catalog/terms/{term}", None),
            ("POST", "/lineage/sql", {"source_id": source.id, "sql": "SELECT 1", "attach": "x"}),
            ("POST", "/lineage/openlineage?workspace_id=lab", []),
        )
        await node.make_user("zoe")
        zoe, eve = node.client("zoe"), node.client("eve")
        for address in reading:
            assert (await eve.get(address)).status_code == 200, address
            assert (await zoe.get(address)).status_code == 404, address
        for method, address, body in writing:
            assert (await eve.request(method, address, json=body)).status_code == 403, address
            assert (await zoe.request(method, address, json=body)).status_code == 404, address

    play(tmp_path, scenario)


def test_what_a_scan_saw_is_shown(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        await found_in(node, source)
        orders = (await ids_of(ada, source.id))["orders"]
        async with node.parts.database.write() as connection:
            run, _ = await node.parts.runs.add(connection, "r", "scan", {}, workspace_id="lab", created_by="ada")
            scan_id = await scans.create(
                connection,
                workspace_id="lab",
                source_id=source.id,
                run_id=run.id,
                mode="full",
                options="{}",
                created_by="ada",
                at=node.clock,
            )
            await scans.plan(connection, scan_id, [Listed(None, "orders", "table", None)])
            found = [
                scan_results.Found("dataset", None, '{"state": "succeeded"}'),
                scan_results.Found("profile", "total", '{"count": 3, "histogram": [1, 2], "range": {"max": 5}}'),
                scan_results.Found("classification", "status", '{"type": "word"}'),
            ]
            await scan_results.put(connection, scan_id, 0, found)
            await scans.set_mark(connection, source.id, scans.digest_of(None, "orders"), Mark(scan_id, "{}", "x"))
        shown = await get(ada, f"/catalog/datasets/{orders}")
        columns = {column["name"]: column for column in shown["columns"]}
        assert columns["total"]["profile"] == {"count": 3, "range": {"max": 5}}
        assert columns["status"]["classification"] == [{"type": "word"}]
        assert columns["id"]["profile"] is None
        assert shown["scan"] == {"scan_id": scan_id, "outcome": {"state": "succeeded"}}

    play(database_url, scenario)


def test_a_deleted_source_takes_its_datasets_along(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        await found_in(node, source)
        orders = (await ids_of(ada, source.id))["orders"]
        assert (await node.client("olga").delete(f"/data-sources/{source.id}")).status_code == 204
        assert (await ada.get(f"/catalog/datasets/{orders}")).status_code == 404
        assert await names(ada) == []

    play(tmp_path, scenario)
