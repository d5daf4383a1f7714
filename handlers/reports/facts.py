"""What a report is made of: stored facts of scans, backups and the source itself, and what of these there is not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.source_schedules import schedules_of
from storage import backups, scan_results, scans
from storage.data_sources import DataSource
from storage.runs import SUCCEEDED

MOST_ROWS = 5_000
_FRESH_DAYS = 7
_AT_ONCE = 1_000


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a report: rows under headings."""

    title: str
    headings: list[str]
    rows: list[list[Any]]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A plot as Vega-Lite has it."""

    title: str
    spec: dict[str, Any]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is shown. `figures` are the few numbers at the top, `missing` says what is not known."""

    title: str
    subtitle: str
    made_at: datetime
    figures: list[tuple[str, str]]
    tables: list[Table]
    charts: list[Chart]
    missing: list[str]


async def gather(connection: AsyncConnection, source: DataSource, kind: str, now: datetime) -> Facts:
    last = await scans.list_of(connection, source.workspace_id, source_id=source.id, state=SUCCEEDED, limit=1)
    missing = [] if last else ["No scan of this source has succeeded: scan it, and its columns can be told of."]
    scan = last[0] if last else None
    figures = [("Last scan", f"{scan.finished_at:%Y-%m-%d %H:%M} UTC" if scan and scan.finished_at else "never")]
    tables: list[Table] = []
    charts: list[Chart] = []
    if kind == "compliance":
        checks = await _checks(connection, source, scan, now)
        known = [check for check in checks if check[1] != "unknown"]
        passed = sum(check[1] == "pass" for check in known)
        figures += [("Score", f"{passed} of {len(known)}"), ("Coverage", f"{len(known)} of {len(checks)} checks")]
        tables.append(Table(title="Checks", headings=["Check", "Result", "Evidence"], rows=checks))
        charts.append(
            _bars("Results of checks", [[name, _count(checks, name)] for name in ("pass", "fail", "unknown")])
        )
        missing += [f"{check[0]}: {check[2]}" for check in checks if check[1] == "unknown"]
    elif scan is not None and kind == "scan":
        await _scan(connection, scan, figures, tables, charts)
    elif scan is not None:
        await _profile(connection, scan, figures, tables, charts)
    if scan is not None and kind != "compliance" and not any(table.rows for table in tables):
        missing.append("The last scan kept no results of this kind: scan the source in full.")
    titles = {"profile": "Profile", "scan": "Scan report", "compliance": "Compliance report"}
    return Facts(
        title=f"{titles[kind]}: {source.name}",
        subtitle=f"A {source.kind} source of the workspace {source.workspace_id}",
        made_at=now,
        figures=figures,
        tables=tables,
        charts=charts,
        missing=missing,
    )


async def _scan(
    connection: AsyncConnection,
    scan: scans.Scan,
    figures: list[tuple[str, str]],
    tables: list[Table],
    charts: list[Chart],
) -> None:
    states = (await scans.counts(connection, [scan.id])).get(scan.id, {})
    figures += [("Datasets", str(sum(states.values()))), ("Mode", scan.mode)]
    charts.append(_bars("Datasets by state", [[state, count] for state, count in sorted(states.items())]))
    quality = [
        [_name(row), row.column_name or "", body.get("verdict", ""), body.get("reason", "")]
        for row, body in await _results(connection, scan, "quality")
    ]
    tables.append(Table(title="Quality rules", headings=["Dataset", "Column", "Verdict", "Why"], rows=quality))
    found = await _sensitive(connection, scan)
    figures.append(("Sensitive columns", str(len({(row[0], row[1]) for row in found}))))
    headings = ["Dataset", "Column", "What", "Confidence"]
    tables.append(Table(title="Sensitive data", headings=headings, rows=found))


async def _profile(
    connection: AsyncConnection,
    scan: scans.Scan,
    figures: list[tuple[str, str]],
    tables: list[Table],
    charts: list[Chart],
) -> None:
    rows, datasets, total = [], set(), 0
    for row, body in await _results(connection, scan, "profile"):
        if row.column_name is None:
            datasets.add(_name(row))
            total += int(body.get("rows", 0))
            continue
        seen, nulls = int(body.get("rows", 0)), int(body.get("nulls", 0))
        share = round(100 * nulls / seen, 2) if seen else 0.0
        rows.append([_name(row), row.column_name, body.get("kind", ""), seen, share, body.get("distinct", "")])
        histogram = (body.get("numbers") or {}).get("histogram")
        if histogram and len(charts) < 12:
            charts.append(_histogram(f"{_name(row)}.{row.column_name}", histogram))
    figures += [("Datasets", str(len(datasets))), ("Columns", str(len(rows))), ("Rows", f"{total:,}")]
    worst = sorted((row for row in rows if row[4] > 0), key=lambda row: -row[4])[:15]
    if worst:
        charts.insert(0, _bars("Nulls, in percent", [[f"{row[0]}.{row[1]}", row[4]] for row in worst]))
    headings = ["Dataset", "Column", "Kind", "Rows", "Nulls %", "Distinct"]
    tables.append(Table(title="Columns", headings=headings, rows=rows))


async def _checks(
    connection: AsyncConnection, source: DataSource, scan: scans.Scan | None, now: datetime
) -> list[list[Any]]:
    """Name, `pass`, `fail` or `unknown`, and the evidence."""
    good = await backups.list_of(connection, source.id, state=SUCCEEDED, limit=1)
    last = good[0] if good else None
    age = (now - (last.finished_at or last.created_at)).days if last else None
    verified = msgspec.json.decode(last.verification) if last and last.verification else None
    planned = await schedules_of(connection, source)
    nightly = any(row.job == "source.backup" and row.enabled for row in planned)
    when = f"{age} days ago" if last else "never"
    how = verified["method"] if verified else "not verified"
    checks = [
        _check("Backed up within a week", age is not None and age < _FRESH_DAYS, when),
        _check("Backup verified", bool(verified and verified["ok"]), how),
        _check("Backups scheduled", nightly, f"{len(planned)} schedules"),
    ]
    if "host" in source.settings:
        tls = source.settings.get("tls") or "prefer"
        checks.append(_check("Connection encrypted", tls in ("require", "verify"), f"tls is {tls}"))
    if source.last_test is None:
        checks.append(["Account only reads", "unknown", "The source was never tested."])
    else:
        warnings = source.last_test.get("warnings") or []
        checks.append(_check("Account only reads", not warnings, "; ".join(warnings) or "no warnings"))
    if scan is None:
        return [*checks, *([name, "unknown", "There is no scan."] for name in ("Quality rules hold", "Classified"))]
    quality = await _results(connection, scan, "quality")
    bad = sum(body.get("verdict") == "fail" for _, body in quality)
    found = await _sensitive(connection, scan)
    if quality:
        checks.append(_check("Quality rules hold", not bad, f"{bad} of {len(quality)} fail"))
    else:
        checks.append(["Quality rules hold", "unknown", "No rules were checked."])
    checks.append(_check("Scanned within a week", (now - scan.created_at).days < _FRESH_DAYS, f"scan {scan.id}"))
    checks.append(["Sensitive columns known", "pass", f"{len(found)} findings in the scan {scan.id}"])
    return checks


async def _sensitive(connection: AsyncConnection, scan: scans.Scan) -> list[list[Any]]:
    return [
        [_name(row), row.column_name or "", body.get("title", ""), round(float(body.get("confidence", 0)), 3)]
        for row, body in await _results(connection, scan, "classification")
    ]


async def _results(
    connection: AsyncConnection, scan: scans.Scan, kind: str
) -> list[tuple[scan_results.Result, dict[str, Any]]]:
    found: list[tuple[scan_results.Result, dict[str, Any]]] = []
    after = None
    while len(found) < MOST_ROWS:
        rows = await scan_results.list_of(connection, scan.id, kind=kind, after=after, limit=_AT_ONCE)
        found += [(row, msgspec.json.decode(row.body)) for row in rows]
        if len(rows) < _AT_ONCE:
            break
        after = (rows[-1].ordinal, rows[-1].place)
    return found


def _name(row: scan_results.Result) -> str:
    return f"{row.schema_name}.{row.name}" if row.schema_name else row.name


def _check(name: str, holds: bool, evidence: str) -> list[Any]:
    return [name, "pass" if holds else "fail", evidence]


def _count(checks: list[list[Any]], result: str) -> int:
    return sum(check[1] == result for check in checks)


def _bars(title: str, rows: list[list[Any]]) -> Chart:
    spec = {
        "data": {"values": [{"name": str(name), "value": value} for name, value in rows]},
        "mark": {"type": "bar", "color": "#2f6f9f", "cornerRadiusEnd": 2},
        "encoding": {
            "y": {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 260}},
            "x": {"field": "value", "type": "quantitative", "title": None},
        },
        "width": 420,
    }
    return Chart(title=title, spec=spec)


def _histogram(title: str, histogram: dict[str, Any]) -> Chart:
    edges, counts = histogram["edges"], histogram["counts"]
    values = [{"from": edges[at], "to": edges[at + 1], "rows": count} for at, count in enumerate(counts)]
    spec = {
        "data": {"values": values},
        "mark": {"type": "bar", "color": "#2f6f9f"},
        "encoding": {
            "x": {"field": "from", "type": "quantitative", "bin": {"binned": True}, "title": None},
            "x2": {"field": "to"},
            "y": {"field": "rows", "type": "quantitative", "title": "rows"},
        },
        "width": 260,
        "height": 130,
    }
    return Chart(title=title, spec=spec)
