"""What advisories say of an audited server, as a finding among the others."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from audited_postgres import settings_of
from auditing import Auditor, audit_with
from mariadb_server import running_mariadb
from postgres_server import PostgresServer, running_postgres
from scanning import write_sqlite

from analysis.advisories import signing
from analysis.advisories.bundles import Read
from analysis.advisories.records import Bundle, Line, Part, Product
from connectors.datasets import Kind
from connectors.security.catalogue import open_audit
from connectors.security.check import CheckResult, Outcome, Server, Severity
from connectors.settings import SourceSettings
from handlers.advisory_audit import audit_version, judge_version, version_checks
from storage import advisories
from tests.analysis.advisories.making import DATED, advisory, affected, bundle, event

SECRET, PUBLIC = signing.new_key()
CORE = advisory("CVE-1", affected(event("15"), event(fixed="15.19")))
CRYPTO = advisory(
    "CVE-2", affected(event("15"), event(fixed="15.20"), part=Part(component="extension", extensions=["pgcrypto"]))
)


def judged(version: str, *, extensions: set[str] | None, of_bundle: Bundle, today: date = DATED) -> CheckResult:
    [check] = version_checks(Kind.POSTGRESQL)
    server = Server("postgresql", version)
    return judge_version(check, server, extensions, Read(of_bundle, "key"), today)


def test_a_bad_version_is_one_violation_as_severe_as_its_worst_advisory() -> None:
    result = judged("15.18", extensions={"plpgsql"}, of_bundle=bundle(CORE, CRYPTO))

    assert (result.outcome, result.check.severity) == (Outcome.FAIL, Severity.HIGH)
    [violation] = result.violations
    assert violation.evidence["advisories"] == "CVE-1 (8.8)"
    assert (violation.evidence["certain"], violation.evidence["possible"]) == (1, 0)
    assert violation.evidence["not_concerned"] == "CVE-2"
    assert result.check.remediation(violation).text == "Update to 15.19 or later of the same line."


def test_the_release_to_update_to_fixes_all_of_them() -> None:
    result = judged("15.18", extensions={"pgcrypto"}, of_bundle=bundle(CORE, CRYPTO))

    assert result.violations[0].evidence["fixed_in"] == "15.20"


def test_the_end_of_a_line_is_critical_and_a_violation_of_its_own() -> None:
    result = judged("13.23", extensions=set(), of_bundle=bundle())

    assert result.check.severity is Severity.CRITICAL
    [violation] = result.violations
    assert (violation.object.part, violation.evidence["end_of_life"]) == ("end_of_life", "2025-11-13")


@pytest.mark.parametrize(
    ("today", "outcome", "reason"),
    [
        (DATED, Outcome.PASS, None),
        (
            date(2026, 12, 1),
            Outcome.NOT_EVALUATED,
            "Advisory data stale: it is 93 days old, and only 45 are trusted.",
        ),
    ],
)
def test_a_good_version_passes_only_while_the_data_is_fresh(today: date, outcome: Outcome, reason: str | None) -> None:
    result = judged("15.19", extensions=set(), of_bundle=bundle(CORE), today=today)

    assert (result.outcome, result.reason) == (outcome, reason)


def test_a_version_that_cannot_be_read_is_not_evaluated() -> None:
    assert judged("of somebody", extensions=set(), of_bundle=bundle(CORE)).outcome is Outcome.NOT_EVALUATED


def test_an_audit_finds_what_an_imported_bundle_says(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    fresh = bundle(
        advisory("CVE-9", affected(event("0"))),
        version=1000,
        dated=datetime.now(UTC).date(),
        lines=[Line(line="18")],
    )

    async def scenario(auditor: Auditor) -> None:
        parts = auditor.node.parts
        object.__setattr__(parts, "advisory_keys", (signing.read_key(PUBLIC),))
        file = signing.sign(msgspec.json.encode(fresh), signing.read_key(SECRET))
        async with parts.database.write() as connection:
            await advisories.replace(connection, fresh.version, file, by="root", at=auditor.node.now())
        source = await auditor.source(audited_server)
        audit = await auditor.audit(source, checks=["PG-VER-001"])
        assert (audit["state"], audit["summary"]["new"]) == ("succeeded", 1)
        found = await auditor.finding(source, "PG-VER-001")
        assert found["severity"] == "high"
        assert found["evidence"]["advisories"] == "CVE-9 (8.8)"

    audit_with(engine_url, tmp_path, scenario)


@contextlib.contextmanager
def real_source(kind: Kind, folder: Path) -> Iterator[tuple[SourceSettings, Product, str]]:
    """A source with a server or library of a real version: its settings, product and line of releases."""
    match kind:
        case Kind.SQLITE:
            path = write_sqlite(folder / "shop.sqlite", "CREATE TABLE t AS SELECT 1 AS x")
            yield SourceSettings(path=path), "sqlite", ".".join(sqlite3.sqlite_version.split(".")[:2])
        case Kind.POSTGRESQL:
            with running_postgres() as server:
                [version] = server.execute("SHOW server_version")
                yield settings_of(server, "postgres"), "postgresql", version.partition(".")[0]
        case _:
            with running_mariadb() as mariadb:
                [(version,)] = mariadb.execute("SELECT VERSION()")
                at = SourceSettings(host="127.0.0.1", port=mariadb.port, database="mysql", user="root")
                yield at, "mariadb", ".".join(version.split(".")[:2])


@pytest.mark.parametrize("kind", [Kind.POSTGRESQL, Kind.MYSQL, Kind.SQLITE])
def test_the_version_of_a_real_source_fires_and_is_quiet(kind: Kind, tmp_path: Path) -> None:
    [check] = version_checks(kind)
    with real_source(kind, tmp_path) as (settings, product, line):
        bad = advisory("CVE-1", affected(event("0"), product=product))
        fixed = advisory("CVE-2", affected(event("0"), event(fixed="0.1"), product=product))
        lines = {product: [Line(line=line, complete_since=f"{line}.0", end_of_life=date(2100, 1, 1))]}
        ended = {product: [Line(line=line, complete_since=f"{line}.0", end_of_life=date(2020, 1, 1))]}

        async def results(*bundles: Bundle) -> list[CheckResult]:
            async with open_audit(kind, settings) as session:
                return [await audit_version(session, check, Read(one, "key"), DATED) for one in bundles]

        made = bundle()
        fires, quiet, over = asyncio.run(
            results(
                msgspec.structs.replace(made, lines=lines, advisories=[bad, fixed]),
                msgspec.structs.replace(made, lines=lines, advisories=[fixed]),
                msgspec.structs.replace(made, lines=ended, advisories=[fixed]),
            )
        )
    assert (fires.outcome, quiet.outcome, over.outcome) == (Outcome.FAIL, Outcome.PASS, Outcome.FAIL)
    assert [one.evidence["advisories"] for one in fires.violations] == ["CVE-1 (8.8)"]
    assert [one.object.part for one in over.violations] == ["end_of_life"]
