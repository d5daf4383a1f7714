"""Lineage: of views, keys, SQL and OpenLineage events, from both ends; and what the catalog tells others."""

from pathlib import Path
from typing import Any

import httpx
import msgspec
from catalog_sources import found_in, get, ids_of, lab, run_sqlite, sqlite_shop
from http_node import Node, play

HERE = "/lineage/openlineage"


def job(name: str, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "eventTime": "2026-01-01T00:00:00Z",
        "producer": "https://example.org/etl",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "eventType": "COMPLETE",
        "run": {"runId": "3f5e83fa-3480-44ff-99c5-ff943904e5e8"},
        "job": {"namespace": "etl", "name": name},
        "inputs": inputs,
        "outputs": outputs,
        **more,
    }


def fed_by(namespace: str, name: str, fields: dict[str, str]) -> dict[str, Any]:
    """The facet that says from which field of a dataset each column comes."""
    use = [{"type": "DIRECT", "subtype": "IDENTITY"}]
    return {
        "columnLineage": {
            "_producer": "x",
            "_schemaURL": "x",
            "fields": {
                target: {
                    "inputFields": [{"namespace": namespace, "name": name, "field": field, "transformations": use}]
                }
                for target, field in fields.items()
            },
        }
    }


async def edges(client: httpx.AsyncClient, dataset_id: int, **asked: Any) -> set[tuple[str, str, str]]:
    """Source, target and kind of each, as `name.column`."""
    graph = await get(client, f"/catalog/datasets/{dataset_id}/lineage", **asked)
    called = {node["id"]: node["name"] for node in graph["nodes"]}
    return {
        (
            f"{called[edge['source']]}.{edge['source_column'] or '*'}",
            f"{called[edge['target']]}.{edge['target_column'] or '*'}",
            edge["kind"],
        )
        for edge in graph["edges"]
    }


def test_views_and_keys_from_both_ends(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        await found_in(node, source)
        ids = await ids_of(ada, source.id)
        assert await edges(ada, ids["revenue"], direction="upstream", depth=1) == {
            ("orders.customer", "revenue.customer", "IDENTITY"),
            ("orders.total", "revenue.amount", "AGGREGATION"),
            ("orders.customer", "revenue.*", "GROUP_BY"),
            ("orders.status", "revenue.*", "FILTER"),
        }
        down = await edges(ada, ids["orders"], direction="downstream", depth=2)
        assert ("revenue.amount", "best.amount", "IDENTITY") in down
        assert ("customers.id", "orders.customer", "REFERENCE") not in down
        assert ("customers.id", "orders.customer", "REFERENCE") in await edges(ada, ids["orders"], direction="upstream")
        column = await edges(ada, ids["best"], direction="upstream", column="email", depth=3)
        assert ("customers.email", "best.email", "IDENTITY") in column
        assert ("orders.total", "revenue.amount", "AGGREGATION") not in column
        near = await get(ada, f"/catalog/datasets/{ids['best']}/lineage", direction="upstream", depth=1)
        assert (near["is_cut"], {each["name"] for each in near["nodes"]}) == (True, {"best", "revenue", "customers"})
        far = await get(ada, f"/catalog/datasets/{ids['best']}/lineage", direction="upstream", depth=9)
        assert far["is_cut"] is False
        unknown = await ada.get(f"/catalog/datasets/{ids['best']}/lineage", params={"column": "nope"})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "no_such_column")
        run_sqlite(tmp_path / "shop.db", "DROP VIEW best; DROP VIEW revenue;")
        await found_in(node, source)
        assert await edges(ada, ids["orders"], direction="downstream") == set()

    play(database_url, scenario)


def test_a_view_that_names_no_column_depends_on_its_table(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(
            node, tmp_path, "CREATE TABLE a (x); CREATE VIEW size AS SELECT count(*) AS n FROM a;"
        )
        await found_in(node, source)
        ids = await ids_of(ada, source.id)
        assert {(one, other) for one, other, _ in await edges(ada, ids["size"], direction="upstream")} == {
            ("a.*", "size.*")
        }

    play(tmp_path, scenario)


def test_sql_is_shown_or_attached(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path, "CREATE TABLE a (x, y); CREATE TABLE b (z);")
        await found_in(node, source)
        ids = await ids_of(ada, source.id)
        asked = {"source_id": source.id, "sql": "INSERT INTO b (z) SELECT x + w FROM a, elsewhere WHERE y > 1"}
        shown = (await ada.post("/lineage/sql", json=asked)).json()
        assert shown["attached"] == 0
        [statement] = shown["statements"]
        assert statement["target"] == {"name": "b", "dataset_id": ids["b"]}
        assert {(each["name"], each["dataset_id"]) for each in statement["inputs"]} == {
            ("a", ids["a"]),
            ("elsewhere", None),
        }
        assert await edges(ada, ids["b"]) == set()
        attached = (await ada.post("/lineage/sql", json={**asked, "attach": "nightly"})).json()
        assert attached["attached"] == len(await edges(ada, ids["b"])) > 1
        assert ("a.x", "b.z", "TRANSFORMATION") in await edges(ada, ids["b"])
        again = {**asked, "sql": "INSERT INTO b SELECT y FROM a", "attach": "nightly"}
        await ada.post("/lineage/sql", json=again)
        assert await edges(ada, ids["b"]) == {("a.y", "b.z", "IDENTITY")}
        query = {"source_id": source.id, "sql": "SELECT x AS z FROM a", "attach": "by hand"}
        refused = await ada.post("/lineage/sql", json=query)
        assert (refused.status_code, refused.json()["code"]) == (400, "no_target")
        assert (await ada.post("/lineage/sql", json={**query, "target_id": ids["b"]})).json()["attached"] == 1
        detached = await ada.post("/lineage/sql/detach", json={"source_id": source.id, "name": "by hand"})
        assert detached.json() == {"edges": 1}
        nonsense = (await ada.post("/lineage/sql", json={"source_id": source.id, "sql": "SELEC FROM"})).json()
        assert nonsense["statements"][0]["problems"] != []
        nothing = await ada.post("/lineage/sql", json={**asked, "sql": "DROP TABLE a", "attach": "x"})
        assert (nothing.status_code, nothing.json()["code"]) == (400, "no_lineage")

    play(database_url, scenario)


def test_events_of_others_make_external_nodes(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path, "CREATE TABLE raw (x); CREATE TABLE clean (x);")
        await found_in(node, source)
        ids = await ids_of(ada, source.id)
        ours = f"sqlite://{tmp_path / 'shop.db'}"
        s3 = {"namespace": "s3://lake", "name": "drops/2026"}
        facets = fed_by(ours, "raw", {"x": "x"})
        events = [
            job("load", [s3], [{"namespace": ours, "name": "raw"}]),
            job(
                "clean", [{"namespace": ours, "name": "raw"}], [{"namespace": ours, "name": "clean", "facets": facets}]
            ),
        ]
        asked = {"workspace_id": "lab"}
        taken = await ada.post(HERE, params=asked, json=events)
        assert taken.status_code == 201, taken.text
        body = taken.json()
        assert (body["events"], body["edges"], body["datasets"], body["externals"]) == (2, 2, 2, 1)
        assert await edges(ada, ids["clean"], direction="upstream") == {
            ("raw.x", "clean.x", "IDENTITY"),
            ("drops/2026.*", "raw.*", "TRANSFORMATION"),
        }
        column = await edges(ada, ids["clean"], direction="upstream", column="x")
        assert ("drops/2026.*", "raw.*", "TRANSFORMATION") in column
        # Of the drops only one column is known where they come from, and any may have gone into the table.
        topic = fed_by("kafka://bus", "events", {"x": "payload"})
        await ada.post(HERE, params=asked, json=job("drop", [], [{**s3, "facets": topic}]))
        column = await edges(ada, ids["clean"], direction="upstream", column="x")
        assert ("events.payload", "drops/2026.x", "IDENTITY") in column
        graph = await get(ada, f"/catalog/datasets/{ids['clean']}/lineage", direction="upstream", depth=2)
        [external] = [each for each in graph["nodes"] if each["dataset_id"] is None]
        assert (external["kind"], external["namespace"], external["distance"]) == ("external", "s3://lake", 2)
        # The job says something else now; a failed run says nothing.
        other = {"namespace": "s3://lake", "name": "drops/2027"}
        await ada.post(HERE, params=asked, json=job("load", [other], [{"namespace": ours, "name": "raw"}]))
        await ada.post(
            HERE, params=asked, json=job("load", [s3], [{"namespace": ours, "name": "raw"}], eventType="FAIL")
        )
        assert ("drops/2027.*", "raw.*", "TRANSFORMATION") in await edges(ada, ids["raw"], direction="upstream")
        assert len(await edges(ada, ids["raw"], direction="upstream")) == 1

    play(database_url, scenario)


def test_events_that_are_none_change_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        good = job("a", [{"namespace": "n", "name": "i"}], [{"namespace": "n", "name": "o"}])
        for body, words in (
            ([good, {"eventTime": "2026-01-01T00:00:00Z"}], "Event 1 of the array: It has neither"),
            ([good, 7], "body[1]: Expected `object`, got `int`"),
            ([good] * 1_001, "body: Expected `array` of length <= 1000"),
            ({**good, "eventTime": "yesterday"}, "eventTime"),
            ("text", "body"),
        ):
            answer = await ada.post(HERE, params={"workspace_id": "lab"}, json=body)
            assert (answer.status_code, words in answer.json()["message"]) == (400, True), answer.text
        assert [row for row in await node.audited() if row.action == "lineage.openlineage.accept"] == []

    play(tmp_path, scenario)


def test_what_the_catalog_knows_is_told_and_taken_in_again(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        await found_in(node, source)
        ids = await ids_of(ada, source.id)
        await ada.patch(f"/catalog/datasets/{ids['best']}", json={"owners": ["ada"], "tags": ["gold"]})
        answer = await ada.get(HERE, params={"workspace_id": "lab"}, headers={"Accept": "application/x-ndjson"})
        events = [msgspec.json.decode(line) for line in answer.text.splitlines()]
        assert len(events) == 4
        told = {(each.get("job") or each.get("dataset"))["name"]: each for each in events}
        best = told["best"]["outputs"][0]
        assert best["namespace"] == f"sqlite://{tmp_path / 'shop.db'}"
        assert best["facets"]["columnLineage"]["fields"]["email"]["inputFields"][0]["field"] == "email"
        assert best["facets"]["ownership"]["owners"] == [{"name": "user:ada"}]
        assert told["best"]["job"]["facets"]["sql"]["query"].startswith("CREATE VIEW best")
        assert "dataset" in told["customers"]
        # Another workspace that takes it in knows as much.
        await node.make_workspace("copy", ada="editor")  # type: ignore[arg-type]
        taken = await ada.post(HERE, params={"workspace_id": "copy"}, json=events)
        assert taken.status_code == 201, taken.text
        assert (taken.json()["problems"], taken.json()["datasets"]) == ([], 0)
        assert taken.json()["externals"] == 4

    play(database_url, scenario)


def test_the_export_is_dcat(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        await found_in(node, source)
        ids = await ids_of(ada, source.id)
        await ada.patch(f"/catalog/datasets/{ids['best']}", json={"tags": ["gold"], "sensitivity": "internal"})
        answer = await ada.get("/catalog/export", params={"workspace_id": "lab"})
        assert answer.headers["content-type"].startswith("application/ld+json")
        document = answer.json()
        assert document["@type"] == "dcat:Catalog"
        datasets = {each["dcterms:title"]: each for each in document["dcat:dataset"]}
        assert set(datasets) == {"customers", "orders", "revenue", "best"}
        assert datasets["best"]["dcat:keyword"] == ["gold"]
        made_of = {each["@id"] for each in datasets["best"]["prov:wasDerivedFrom"]}
        assert made_of == {datasets["revenue"]["@id"], datasets["customers"]["@id"]}
        [distribution] = datasets["orders"]["dcat:distribution"]
        [key] = distribution["csvw:tableSchema"]["csvw:foreignKey"]
        assert key["csvw:reference"]["csvw:resource"] == {"@id": datasets["customers"]["@id"]}

    play(database_url, scenario)
