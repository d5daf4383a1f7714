"""Discovery of real sources: what is found, what changed since, and what is wrong with single datasets."""

import asyncio
from pathlib import Path

import httpx
import pytest
from catalog_sources import (
    found_in,
    get,
    ids_of,
    lab,
    postgres_source,
    register,
    run_duckdb,
    run_postgres,
    run_sqlite,
    sqlite_shop,
)
from http_node import Node, play

from connectors.errors import PathNotFound
from storage import feeds


async def changes_told(node: Node) -> list[dict[str, object]]:
    async with node.parts.database.read() as connection:
        feed = await feeds.get(connection, "lab/activity")
        events = await feeds.read(connection, feed.id, after=0, limit=100) if feed else []
    return [dict(event.data) for event in events if event.type == "catalog.schema_changed"]


async def versions(client: httpx.AsyncClient, source_id: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await get(client, f"/data-sources/{source_id}/version-history"))["items"]
    return found


def test_what_a_source_holds_is_in_the_catalog(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        found = await found_in(node, source)
        assert (found.datasets, found.added, found.version, found.failed_count) == (4, 4, 1, 0)
        ids = await ids_of(ada, source.id)
        orders = await get(ada, f"/catalog/datasets/{ids['orders']}")
        assert (orders["kind"], orders["source"], orders["schema"]) == ("table", "shop", None)
        assert [column["name"] for column in orders["columns"]] == ["id", "customer", "total", "status"]
        assert orders["primary_key"] == ["id"]
        [key] = orders["foreign_keys"]
        assert (key["columns"], key["target"], key["target_id"]) == (["customer"], "customers", ids["customers"])
        assert [column["is_primary_key"] for column in orders["columns"]] == [True, False, False, False]
        customers = await get(ada, f"/catalog/datasets/{ids['customers']}")
        assert [(column["name"], column["nullable"]) for column in customers["columns"]][1:] == [
            ("email", False),
            ("größe", True),
        ]
        revenue = await get(ada, f"/catalog/datasets/{ids['revenue']}")
        assert revenue["definition"].startswith("CREATE VIEW revenue")
        whole = await get(ada, f"/data-sources/{source.id}/catalog")
        assert (whole["counts"], whole["missing"], whole["version"]) == ({"table": 2, "view": 2}, 0, 1)

    play(database_url, scenario)


def test_nothing_new_is_no_version(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        await found_in(node, source)
        ids = await ids_of(ada, source.id)
        again = await found_in(node, source)
        assert (again.version, again.added, again.changed, again.vanished, again.change_count) == (None, 0, 0, 0, 0)
        assert len(await versions(ada, source.id)) == 1
        assert await ids_of(ada, source.id) == ids
        assert await changes_told(node) == []

    play(database_url, scenario)


def test_a_table_that_vanishes_comes_back_under_its_id(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path, "CREATE TABLE a (x); CREATE TABLE b (y INTEGER);")
        await found_in(node, source)
        ids = await ids_of(ada, source.id)
        await ada.patch(f"/catalog/datasets/{ids['b']}", json={"tags": ["kept"]})
        run_sqlite(tmp_path / "shop.db", "DROP TABLE b")
        gone = await found_in(node, source)
        assert (gone.vanished, gone.version, gone.breaking_count) == (1, 2, 1)
        assert gone.sentences == ["The table b is gone."]
        assert await ids_of(ada, source.id) == {"a": ids["a"]}
        assert await ids_of(ada, source.id, missing=True) == {"b": ids["b"]}
        missing = await get(ada, f"/catalog/datasets/{ids['b']}")
        assert missing["missing_since"] is not None
        assert [column["name"] for column in missing["columns"]] == ["y"]
        run_sqlite(tmp_path / "shop.db", "CREATE TABLE b (y INTEGER)")
        back = await found_in(node, source)
        assert (back.returned, back.added, back.version) == (1, 0, 3)
        assert await ids_of(ada, source.id) == ids
        returned = await get(ada, f"/catalog/datasets/{ids['b']}")
        assert (returned["missing_since"], returned["tags"]) == (None, ["kept"])
        newest, _, first = await versions(ada, source.id)
        assert newest["digest"] == first["digest"]

    play(database_url, scenario)


def test_changes_are_told_with_what_they_break(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        before = "CREATE TABLE orders (id INTEGER PRIMARY KEY, total_amount INTEGER, note TEXT);"
        source = await sqlite_shop(node, tmp_path, before)
        await found_in(node, source)
        run_sqlite(
            tmp_path / "shop.db",
            "ALTER TABLE orders RENAME COLUMN total_amount TO total_amounts; ALTER TABLE orders ADD COLUMN extra TEXT;",
        )
        found = await found_in(node, source)
        assert (found.change_count, found.breaking_count) == (2, 1)
        [told] = await changes_told(node)
        assert (told["source_id"], told["version"], told["breaking_count"]) == (source.id, 2, 1)
        sentences = told["sentences"]
        assert isinstance(sentences, list)
        assert "seems to be called total_amounts now" in sentences[0]
        newest = await get(ada, f"/data-sources/{source.id}/version-history/2")
        kinds = {change["kind"]: change for change in newest["changes"]}
        assert kinds["column_added"]["breaks"] == []
        assert sorted(kinds["column_renamed"]["breaks"]) == ["readers", "writers"]
        assert 0 < kinds["column_renamed"]["similarity"] <= 1
        assert newest["version"]["compatibility"] == "breaking"
        backwards = await get(ada, f"/data-sources/{source.id}/version-history/2/diff", to=1)
        assert {change["kind"] for change in backwards["changes"]} == {"column_removed", "column_renamed"}
        forwards = await get(ada, f"/data-sources/{source.id}/version-history/1/diff")
        assert forwards["changes"] == newest["changes"]
        unknown = await ada.get(f"/data-sources/{source.id}/version-history/9")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "no_such_version")
        assert "1 to 2" in unknown.json()["message"]

    play(database_url, scenario)


def test_what_is_wrong_with_a_view_stays_with_it(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        sql = """
        CREATE TABLE t (x INTEGER);
        CREATE VIEW one AS SELECT x FROM two;
        CREATE VIEW two AS SELECT x FROM one;
        CREATE VIEW broken AS SELECT x FROM t;
        """
        source = await sqlite_shop(node, tmp_path, sql)
        first = await found_in(node, source)
        assert {each.name: each.code for each in first.failed} == {"one": "statement_failed", "two": "statement_failed"}
        assert "circularly" in first.failed[0].message
        ids = await ids_of(ada, source.id)
        lineage = await get(ada, f"/catalog/datasets/{ids['one']}/lineage")
        assert lineage["cycles"] == [sorted(f"dataset:{ids[name]}" for name in ("one", "two"))]
        run_sqlite(tmp_path / "shop.db", "DROP TABLE t")
        second = await found_in(node, source)
        assert {each.name for each in second.failed} == {"one", "two", "broken"}
        # Nobody knows that it changed: it keeps its columns, and its place in the history.
        assert second.sentences == ["The table t is gone."]
        broken = await get(ada, f"/catalog/datasets/{ids['broken']}")
        assert [column["name"] for column in broken["columns"]] == ["x"]
        assert broken["error"]["code"] == "statement_failed"
        whole = await get(ada, f"/data-sources/{source.id}/catalog")
        assert {each["name"] for each in whole["failed"]} == {"one", "two", "broken"}

    play(tmp_path, scenario)


def test_a_source_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        await found_in(node, source)
        (tmp_path / "shop.db").unlink()
        node.parts.sources.forget(source.id)
        with pytest.raises(PathNotFound):
            await found_in(node, source)
        assert len(await ids_of(ada, source.id)) == 4

    play(tmp_path, scenario)


def test_postgres_with_hundreds_of_tables(database_url: str, empty_postgres_url: str) -> None:
    tables = "".join(
        f"CREATE TABLE t{n} (id int PRIMARY KEY, name varchar(20), parent int REFERENCES t0 (id));"
        for n in range(1, 300)
    )
    sql = f"""
    CREATE TABLE t0 (id int PRIMARY KEY); {tables}
    CREATE SCHEMA "Zürich"; CREATE TABLE "Zürich"."Straße ""1"" b" ("größe" numeric(10, 2) NOT NULL);
    CREATE VIEW a AS SELECT 1 AS x; CREATE VIEW b AS SELECT x FROM a; CREATE OR REPLACE VIEW a AS SELECT x FROM b;
    CREATE MATERIALIZED VIEW m AS SELECT id, upper(name) AS loud FROM t1;
    """

    async def scenario(node: Node) -> None:
        ada = await lab(node)
        await run_postgres(empty_postgres_url, sql)
        source = await postgres_source(node, empty_postgres_url)
        found = await found_in(node, source)
        assert (found.datasets, found.failed_count) == (304, 0)
        page = await get(ada, "/catalog/datasets", workspace_id="lab", q="straße")
        [street] = page["items"]
        assert (street["schema"], street["name"]) == ("Zürich", 'Straße "1" b')
        [column] = (await get(ada, f"/catalog/datasets/{street['id']}"))["columns"]
        assert (column["name"], column["native_type"], column["nullable"]) == ("größe", "numeric(10,2)", False)
        whole = await get(ada, "/catalog/datasets", workspace_id="lab", kind="view")
        ids = {item["name"]: item["id"] for item in whole["items"]}
        lineage = await get(ada, f"/catalog/datasets/{ids['a']}/lineage")
        assert lineage["cycles"] == [sorted(f"dataset:{ids[name]}" for name in ("a", "b"))]
        [m] = (await get(ada, "/catalog/datasets", workspace_id="lab", kind="materialized_view"))["items"]
        up = await get(ada, f"/catalog/datasets/{m['id']}/lineage", direction="upstream", column="loud", depth=1)
        assert [(edge["source_column"], edge["target_column"], edge["kind"]) for edge in up["edges"]] == [
            ("name", "loud", "TRANSFORMATION")
        ]
        assert (await found_in(node, source)).version is None
        await run_postgres(empty_postgres_url, "ALTER TABLE t5 ALTER COLUMN name TYPE varchar(10)")
        narrowed = await found_in(node, source)
        assert narrowed.breaking_count == 1
        assert "was character varying(20) and is character varying(10) now" in narrowed.sentences[0]

    play(database_url, scenario)


def test_duckdb_and_files(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        run_duckdb(
            tmp_path / "d.duckdb", "CREATE TABLE t (x INTEGER); CREATE VIEW v AS SELECT x + 1 AS y FROM t WHERE x > 0;"
        )
        duck = await register(node, "duck", "duckdb", {"path": str(tmp_path / "d.duckdb")})
        assert (await found_in(node, duck)).failed == []
        ids = await ids_of(ada, duck.id)
        up = await get(ada, f"/catalog/datasets/{ids['v']}/lineage", direction="upstream")
        assert {(edge["source_column"], edge["target_column"], edge["kind"]) for edge in up["edges"]} == {
            ("x", "y", "TRANSFORMATION"),
            ("x", None, "FILTER"),
        }
        folder = tmp_path / "folder"
        (folder / "2024").mkdir(parents=True)
        (folder / "2024" / "sälé's.csv").write_text("id,price/unit\n1,2.5\n", encoding="utf-8")
        (folder / "broken.parquet").write_bytes(b"no parquet at all")
        files = await register(node, "files", "files", {"path": str(folder)})
        found = await found_in(node, files)
        assert [(each.name, each.code) for each in found.failed] == [("broken.parquet", "wrong_format")]
        ids = await ids_of(ada, files.id)
        assert set(ids) == {"2024/sälé's.csv", "broken.parquet"}
        sheet = await get(ada, f"/catalog/datasets/{ids[next(iter(sorted(ids)))]}")
        assert [column["name"] for column in sheet["columns"]] == ["id", "price/unit"]
        changed = await ada.patch(f"/catalog/datasets/{sheet['id']}", json={"columns": {"price/unit": {"tags": ["€"]}}})
        assert changed.status_code == 200
        assert changed.json()["columns"][1]["tags"] == ["€"]

    play(tmp_path, scenario)


def test_two_at_once_number_their_versions_without_gaps(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await lab(node)
        source = await sqlite_shop(node, tmp_path)
        found = await asyncio.gather(*(found_in(node, source) for _ in range(4)))
        assert sorted((each.version or 0) for each in found) == [0, 0, 0, 1]
        assert len(await versions(ada, source.id)) == 1
        assert len(await ids_of(ada, source.id)) == 4

    play(database_url, scenario)
