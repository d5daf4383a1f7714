"""Where sensitive data is and who can read it: counted from scans and labels, column by column for who manages."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from auditing import done
from postgres_server import PostgresServer
from scanning import CARDS, Scanner, scan_with, write_sqlite
from sensitive_sources import PEOPLE, of_postgres

from handlers.access import Role
from storage import access_policies, catalog, catalog_labels


async def look(scanner: Scanner, source: int, user: str = "admin") -> dict[str, Any]:
    return await done(scanner.node.client(user).get(f"/security/sensitive-data/{source}"))


def by_column(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{one['dataset']}.{one['column']}": one for one in found["evidence"]["columns"]}


def test_columns_are_found_with_those_who_can_read_them(
    database_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(scanner: Scanner) -> None:
        await audited_server.execute_soon(*PEOPLE)
        source = await of_postgres(scanner, audited_server)
        before = await look(scanner, source)
        assert (before["figures"]["columns"], before["figures"]["newest_look"]) == (0, None)
        scan = await scanner.scan(source)
        found = await look(scanner, source)
        figures = found["figures"]
        assert (figures["datasets"], figures["looked_at"], figures["never_looked_at"]) == (3, 3, 0)
        assert (figures["columns"], figures["categories"]["PII"], figures["categories"]["financial"]) == (2, 1, 1)
        assert {one["type"]: one["columns"] for one in figures["types"]} == {"credit_card": 1, "email": 1}
        assert figures["schemas"] == [{"schema": "public", "columns": 2, "datasets": 1}]
        columns = by_column(found)
        assert set(columns) == {"public.people.email", "public.people.card_number"}
        email, card = columns["public.people.email"], columns["public.people.card_number"]
        assert (email["findings"][0]["type"], email["scan_id"]) == ("email", scan["id"])
        assert found["evidence"]["source_access"] == {"state": "evaluated", "reason": None}
        assert {"ben", "clerk", "postgres", "readers"} <= set(email["source_readers"])
        assert not {"eve", "PUBLIC"} & set(email["source_readers"])
        assert "clerk" not in card["source_readers"]
        assert not any(value in str(found) for value in ("ann1@example", *CARDS))
        await audited_server.execute_soon("GRANT SELECT ON people TO PUBLIC")
        again = by_column(await look(scanner, source))["public.people.card_number"]
        assert {"PUBLIC", "clerk", "eve"} <= set(again["source_readers"])

    scan_with(database_url, tmp_path, scenario)


def test_who_may_not_manage_is_told_numbers_only(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(scanner: Scanner) -> None:
        await audited_server.execute_soon(*PEOPLE)
        source = await of_postgres(scanner, audited_server)
        await scanner.scan(source)
        for user in ("vic", "ada"):
            seen = await look(scanner, source, user)
            assert (seen["evidence"], seen["figures"]["columns"]) == (None, 2)
            assert "card_number" not in str(seen)
            refused = await scanner.node.client(user).get(f"/security/sensitive-data/{source}/export")
            assert refused.status_code == 403
        summary = await done(scanner.ada.get("/security/sensitive-data", params={"workspace_id": "lab"}))
        assert (summary["total"]["columns"], [one["name"] for one in summary["sources"]]) == (2, ["pg"])
        assert "card_number" not in str(summary)
        await scanner.node.make_workspace("elsewhere", eve=Role.OWNER)
        for path in (f"/{source}", f"/{source}/export", "?workspace_id=lab"):
            assert (await scanner.node.client("eve").get(f"/security/sensitive-data{path}")).status_code == 404

    scan_with(engine_url, tmp_path, scenario)


def test_what_was_never_looked_at_is_told_and_what_people_say_counts(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        path = write_sqlite(
            tmp_path / "shop.db",
            "CREATE TABLE notes (id integer, remark text)",
            "CREATE TABLE =cmd (id integer)".replace("=cmd", '"=cmd"'),
        )
        source = await scanner.source("shop", "sqlite", path=str(path))
        run = await done(scanner.node.client("admin").post(f"/data-sources/{source}/discover"), 202)
        await scanner.run_when_over(run["run_id"])
        found = await look(scanner, source)
        assert found["evidence"]["never_looked_at"] == ["=cmd", "notes"]
        assert (found["figures"]["looked_at"], found["figures"]["never_looked_at"]) == (0, 2)
        async with scanner.node.parts.database.write() as connection:
            [notes] = [one for one in await catalog.list_of_source(connection, source) if one.name == "notes"]
            await catalog.set_sensitivity(connection, notes.id, "restricted", column="remark")
            await catalog_labels.set_labels(connection, notes.id, catalog_labels.TAG, ["gdpr"], column="remark")
        said = await look(scanner, source)
        assert (said["figures"]["columns"], said["figures"]["only_labelled"]) == (1, 1)
        [remark] = said["evidence"]["columns"]
        assert (remark["sensitivity"], remark["tags"], remark["findings"]) == ("restricted", ["gdpr"], [])
        assert said["evidence"]["source_access"]["state"] == "partly"
        assert remark["source_readers"][0].startswith("user ")
        export = await scanner.node.client("admin").get(f"/security/sensitive-data/{source}/export")
        rows = list(csv.DictReader(io.StringIO(export.text)))
        assert [(row["dataset"], row["verdict"]) for row in rows] == [
            ("notes", "by label"),
            ("'=cmd", "never looked at"),
            ("notes", "never looked at"),
        ]

    scan_with(engine_url, tmp_path, scenario)


def test_access_policies_say_who_sees_what_here(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        path = write_sqlite(
            tmp_path / "shop.db",
            "CREATE TABLE people (email text)",
            rows=[("INSERT INTO people VALUES (?)", [(f"bob{number}@example.org",) for number in range(50)])],
        )
        source = await scanner.source("shop", "sqlite", path=str(path))
        await scanner.scan(source)
        rights = {"applies_to": {"roles": ["viewer"]}, "columns": {"classifications": ["email"]}, "effect": "hide"}
        values = {
            "name": "no mail",
            "source_id": None,
            "dataset": None,
            "priority": 0,
            "enabled": True,
            "body": json.dumps(rights),
        }
        async with scanner.node.parts.database.write() as connection:
            await access_policies.create(connection, "lab", values, by="admin", at=scanner.node.now())
        [email] = (await look(scanner, source))["evidence"]["columns"]
        assert email["seen_here"] == [
            {"sees": "values", "user_ids": ["ada", "admin"]},
            {"sees": "nothing", "user_ids": ["vic"]},
        ]

    scan_with(engine_url, tmp_path, scenario)


def test_a_scan_of_one_row_takes_nothing_back(database_url: str, tmp_path: Path) -> None:
    rows = [(number, f"person{number}@example.org" if number > 50 else None) for number in range(200)]
    file = write_sqlite(
        tmp_path / "people.sqlite3",
        "CREATE TABLE people (id INTEGER PRIMARY KEY, contact TEXT)",
        rows=[("INSERT INTO people VALUES (?, ?)", rows)],
    )

    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("people", "sqlite", path=str(file))
        whole = await scanner.scan(source)
        before = by_column(await look(scanner, source))
        assert before["people.contact"]["scan_id"] == whole["id"]
        few = await scanner.scan(source, sample_rows=1)
        found = await look(scanner, source)
        assert found["figures"]["columns"] == 1
        assert by_column(found).keys() == before.keys()
        assert found["figures"]["newest_look"] >= few["started_at"]
        again = await scanner.scan(source)
        [now] = (await look(scanner, source))["evidence"]["columns"]
        assert (now["scan_id"], len(now["findings"])) == (again["id"], 1)

    scan_with(database_url, tmp_path, scenario)
