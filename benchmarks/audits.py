"""Security audits of databases with 1,000 tables: `python -m benchmarks.audits`.

Writes AUDITS.md. What an audit costs in processor time, ours and the server's, and how long it takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from audited_postgres import CHECKSUMS, run_script, settings_of
from auditing import Auditor, auditing, done
from mariadb_server import running_mariadb
from postgres_server import debian_programs, running_postgres

from connectors.security.auditing import audit
from connectors.security.catalogue import catalogue, open_audit
from connectors.security.check import CheckResult, Outcome
from connectors.settings import SourceSettings

TABLES = 1_000
RUNS = 7
_SLOWEST = 5
# Whoever waits must not be what is measured.
_LOOK_SECONDS = 0.2
_PREFACE = f"""{TABLES:,} tables of ten columns, each with an index, 100 views and 100 functions; every table is open to
everybody and has a column whose name tells of a secret, so that there are findings by the thousand. A superuser looks,
so that every check is made. The first audit of a server that has just been filled stands alone; of the {RUNS} after it
the median. Wall time is told as it was, on two cores that others used as well: processor time is the measure.

The last column is a whole audit by a server of ours over SQLite, from the request until it has ended, with all
findings, their history, events and alerts written; its processor time is that of all of our process."""


@dataclass(frozen=True)
class Source:
    """`busy` tells the seconds of processor time that the server has used so far."""

    title: str
    kind: str
    settings: SourceSettings
    busy: Callable[[], float]


@dataclass(frozen=True)
class Cost:
    wall: float
    ours: float
    theirs: float
    results: list[CheckResult]


@contextlib.contextmanager
def postgres(programs: Path | None) -> Iterator[Source]:
    with running_postgres(init=CHECKSUMS, programs=programs) as server:
        [version] = server.execute("SHOW server_version")
        run_script(server, _postgres_tables())
        [process] = [one for one in psutil.net_connections() if one.laddr and one.laddr.port == server.port][:1]
        yield Source(
            f"PostgreSQL {version.split()[0]}", "postgresql", settings_of(server, "postgres"), _busy(process.pid)
        )


@contextlib.contextmanager
def mariadb() -> Iterator[Source]:
    with running_mariadb() as server:
        [(version,)] = server.execute("SELECT VERSION()")
        name = server.new_database()
        server.execute(*_mariadb_statements(), database=name)
        settings = SourceSettings(host="127.0.0.1", port=server.port, database=name, user="root", tls="disable")
        [process] = [one for one in psutil.net_connections() if one.laddr and one.laddr.port == server.port][:1]
        yield Source(f"MariaDB {version.split('-')[0]}", "mysql", settings, _busy(process.pid))


def _busy(pid: int) -> Callable[[], float]:
    """Of the process, those that it has started, and those that have ended."""

    def seconds() -> float:
        server = psutil.Process(pid)
        own = server.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in server.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                total += times.user + times.system
        return float(total)

    return seconds


def _postgres_tables() -> str:
    columns = ", ".join(f"c{number} int" for number in range(8))
    return f"""
        DO $$ BEGIN
        FOR i IN 1..{TABLES} LOOP
          EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, token text, {columns})', i);
          EXECUTE format('GRANT SELECT ON t%s TO PUBLIC', i);
        END LOOP;
        FOR i IN 1..100 LOOP
          EXECUTE format('CREATE VIEW v%s AS SELECT id FROM t%s', i, i);
          EXECUTE format('CREATE FUNCTION f%s() RETURNS int SECURITY DEFINER LANGUAGE sql AS ''SELECT 1''', i);
        END LOOP; END $$
    """


def _mariadb_statements() -> list[str]:
    columns = ", ".join(f"c{number} int" for number in range(8))
    tables = [f"CREATE TABLE t{i} (id int PRIMARY KEY, token text, {columns}) ENGINE=MyISAM" for i in range(TABLES)]
    views = [f"CREATE VIEW v{i} AS SELECT id FROM t{i}" for i in range(100)]
    return [*tables, *views, *(f"CREATE FUNCTION f{i}() RETURNS int RETURN 1" for i in range(100))]


async def _audited(source: Source) -> Cost:
    before, used, began = source.busy(), time.process_time(), time.perf_counter()
    async with open_audit(source.kind, source.settings) as session:
        results = await audit(session, catalogue(source.kind))
    wall, ours = time.perf_counter() - began, time.process_time() - used
    # What the session's own process used is known when that has ended.
    await asyncio.sleep(_LOOK_SECONDS)
    return Cost(wall, ours, source.busy() - before, results)


async def _whole(source: Source) -> tuple[float, float, int]:
    """Wall time, processor time and findings of an audit by a server of ours."""
    with tempfile.TemporaryDirectory() as folder:
        async with auditing(Path(folder), Path(folder)) as auditor:
            names = ("host", "port", "database", "user", "tls")
            at = {name: getattr(source.settings, name) for name in names} | {"tls": "disable"}
            body: dict[str, Any] = {"workspace_id": "lab", "name": "large", "kind": source.kind, "settings": at}
            source_id = (await done(auditor.mia.post("/data-sources", json=body), 201))["id"]
            used, began = time.process_time(), time.perf_counter()
            scan = await _ended(auditor, await auditor.begin(source_id))
            wall, ours = time.perf_counter() - began, time.process_time() - used
            assert scan["state"] == "succeeded", scan
            return wall, ours, scan["summary"]["new"]


async def _ended(auditor: Auditor, scan_id: int) -> dict[str, Any]:
    while True:
        scan = await done(auditor.ada.get(f"/security/scans/{scan_id}"))
        if scan["finished_at"] is not None:
            return scan
        await asyncio.sleep(_LOOK_SECONDS)


def measured(source: Source) -> list[str]:
    first = asyncio.run(_audited(source))
    costs = [asyncio.run(_audited(source)) for _ in range(RUNS)]
    wall, ours, findings = asyncio.run(_whole(source))
    ours_median = statistics.median(one.ours for one in costs)
    theirs_median = statistics.median(one.theirs for one in costs)
    wall_median = statistics.median(one.wall for one in costs)
    made = sum(one.outcome in (Outcome.PASS, Outcome.FAIL) for one in first.results)
    print(f"{source.title}: {ours_median:.3f} s and {theirs_median:.3f} s, {wall_median:.3f} s")
    row = (
        f"| {source.title} | {made} of {len(first.results)} | {first.ours + first.theirs:.2f} s, {first.wall:.2f} s "
        f"| {ours_median:.2f} s | {theirs_median:.2f} s | {wall_median:.2f} s "
        f"| {ours:.2f} s, {wall:.2f} s, {findings:,} findings |"
    )
    slowest = sorted(costs[-1].results, key=lambda one: -one.seconds)[:_SLOWEST]
    named = ", ".join(f"{one.check.id} {one.seconds * 1000:.0f} ms" for one in slowest)
    return [row, f"- {source.title}: {named}"]


def main() -> None:
    rows, slowest = [], []
    for opened in (postgres(None), postgres(debian_programs()), mariadb()):
        with opened as source:
            row, slow = measured(source)
            rows.append(row)
            slowest.append(slow)
    table = [
        "| server | verdicts | first: processor, wall | ours | the server's | wall | whole audit: processor, wall |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *rows,
    ]
    text = [
        "# Security audits, measured",
        "",
        (__doc__ or "").strip(),
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d}.",
        "",
    ]
    text += [_PREFACE, "", *table, "", "The checks that took longest, with what they waited for:", "", *slowest]
    Path(__file__).with_name("AUDITS.md").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
