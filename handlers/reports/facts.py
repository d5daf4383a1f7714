"""What a report is made of: stored facts of scans, backups and the source itself, and what of these there is not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.reports.charts import Chart, bars, histogram_of
from handlers.reports.checks import checks_of
from handlers.reports.found import datasets_not_read, name_of, results_of, sensitive_columns
from storage import latest_results, scans
from storage.data_sources import DataSource
from storage.runs import SUCCEEDED

_NOT_SHOWN = "not shown"
_NO_VALUES = "Values are not shown: access policies keep some of this source back from you."


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a report: rows under headings. Cells of the columns `tells_values` may hold values of a dataset."""

    title: str
    headings: list[str]
    rows: list[list[Any]]
    tells_values: list[int] = []


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
        checks = await checks_of(connection, source, scan, now)
        known = [check for check in checks if check[1] != "unknown"]
        passed = sum(check[1] == "pass" for check in known)
        figures += [("Score", f"{passed} of {len(known)}"), ("Coverage", f"{len(known)} of {len(checks)} checks")]
        tables.append(Table(title="Checks", headings=["Check", "Result", "Evidence"], rows=checks))
        charts.append(bars("Results of checks", [[name, _count(checks, name)] for name in ("pass", "fail", "unknown")]))
        missing += [f"{check[0]}: {check[2]}" for check in checks if check[1] == "unknown"]
    elif scan is not None and kind == "scan":
        missing += await _scan(connection, source, scan, figures, tables, charts)
    elif scan is not None:
        missing += await _profile(connection, source, scan, figures, tables, charts)
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
    source: DataSource,
    scan: scans.Scan,
    figures: list[tuple[str, str]],
    tables: list[Table],
    charts: list[Chart],
) -> list[str]:
    """How the last scan went, and what is known by now; what is not is returned."""
    states = (await scans.counts(connection, [scan.id])).get(scan.id, {})
    figures += [("Datasets", str(sum(states.values()))), ("Mode", scan.mode)]
    charts.append(bars("Datasets by state", [[state, count] for state, count in sorted(states.items())]))
    not_read = await datasets_not_read(connection, scan)
    figures.append(("Not scanned", str(len(not_read))))
    tables.append(Table(title="Not scanned", headings=["Dataset", "State", "Why"], rows=not_read))
    quality = [
        [name_of(row), row.column_name or "", body.get("verdict", ""), body.get("reason", "")]
        for row, body in await results_of(connection, source, "quality")
    ]
    headings = ["Dataset", "Column", "Verdict", "Why"]
    tables.append(Table(title="Quality rules", headings=headings, rows=quality, tells_values=[3]))
    found = await sensitive_columns(connection, source)
    figures.append(("Sensitive columns", str(len({(row[0], row[1]) for row in found}))))
    headings = ["Dataset", "Column", "What", "Confidence"]
    tables.append(Table(title="Sensitive data", headings=headings, rows=found))
    missing = [] if quality else ["No quality rules were checked."]
    unseen = sum(states.values()) - len(await latest_results.looked_at(connection, source, "classification"))
    if unseen > 0:
        missing.append(f"{unseen} datasets were never looked at for sensitive data.")
    return missing


async def _profile(
    connection: AsyncConnection,
    source: DataSource,
    scan: scans.Scan,
    figures: list[tuple[str, str]],
    tables: list[Table],
    charts: list[Chart],
) -> list[str]:
    """The newest profile of each dataset; what has none is returned."""
    rows, datasets, total = [], set(), 0
    for row, body in await results_of(connection, source, "profile"):
        if row.column_name is None:
            datasets.add(name_of(row))
            total += int(body.get("rows", 0))
            continue
        seen, nulls = int(body.get("rows", 0)), int(body.get("nulls", 0))
        share = round(100 * nulls / seen, 2) if seen else 0.0
        rows.append([name_of(row), row.column_name, body.get("kind", ""), seen, share, body.get("distinct", "")])
        histogram = (body.get("numbers") or {}).get("histogram")
        if histogram and len(charts) < 12:
            charts.append(histogram_of(f"{name_of(row)}.{row.column_name}", histogram))
    figures += [("Datasets", str(len(datasets))), ("Columns", str(len(rows))), ("Rows", f"{total:,}")]
    worst = sorted((row for row in rows if row[4] > 0), key=lambda row: -row[4])[:15]
    if worst:
        charts.insert(0, bars("Nulls, in percent", [[f"{row[0]}.{row[1]}", row[4]] for row in worst]))
    headings = ["Dataset", "Column", "Kind", "Rows", "Nulls %", "Distinct"]
    tables.append(Table(title="Columns", headings=headings, rows=rows))
    missing = [f"{name}: {why}" for name, _, why in await datasets_not_read(connection, scan) if name not in datasets]
    if not datasets:
        missing.append("No dataset was profiled: scan the source with the part profile.")
    return missing


def without_values(facts: Facts) -> Facts:
    """The report for those from whom access policies keep something of the source back."""
    tables = [
        msgspec.structs.replace(
            table,
            rows=[
                [_NOT_SHOWN if at in table.tells_values else cell for at, cell in enumerate(row)] for row in table.rows
            ],
        )
        for table in facts.tables
    ]
    missing = [*facts.missing, _NO_VALUES] if _tells_values(facts) else facts.missing
    charts = [chart for chart in facts.charts if not chart.tells_values]
    return msgspec.structs.replace(facts, tables=tables, charts=charts, missing=missing)


def _tells_values(facts: Facts) -> bool:
    return any(chart.tells_values for chart in facts.charts) or any(table.tells_values for table in facts.tables)


def _count(checks: list[list[Any]], result: str) -> int:
    return sum(check[1] == result for check in checks)
