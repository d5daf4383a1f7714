"""What a compliance report checks a source for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.reports.found import results_of, sensitive_columns
from handlers.source_schedules import schedules_of
from storage import backups, latest_results, scans
from storage.data_sources import DataSource
from storage.runs import SUCCEEDED

_FRESH_DAYS = 7


async def checks_of(
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
        rights = source.last_test.get("rights") or []
        warnings = source.last_test.get("warnings") or []
        only_reads = rights == ["read"] if rights else not warnings
        checks.append(
            _check("Account only reads", only_reads, "; ".join(warnings) or ", ".join(rights) or "no warnings")
        )
    if scan is None:
        return [
            *checks,
            *([name, "unknown", "There is no scan."] for name in ("Quality rules hold", "Sensitive columns known")),
        ]
    quality = await results_of(connection, source, "quality")
    bad = sum(body.get("verdict") == "fail" for _, body in quality)
    if quality:
        checks.append(_check("Quality rules hold", not bad, f"{bad} of {len(quality)} fail"))
    else:
        checks.append(["Quality rules hold", "unknown", "No rules were checked."])
    checks.append(_check("Scanned within a week", (now - scan.created_at).days < _FRESH_DAYS, f"scan {scan.id}"))
    seen = len(await latest_results.looked_at(connection, source, "classification"))
    datasets = sum((await scans.counts(connection, [scan.id])).get(scan.id, {}).values())
    found = await sensitive_columns(connection, source)
    evidence = f"{len(found)} findings; {seen} of {max(seen, datasets)} datasets were looked at"
    checks.append(_check("Sensitive columns known", seen >= datasets, evidence))
    return checks


def _check(name: str, holds: bool, evidence: str) -> list[Any]:
    return [name, "pass" if holds else "fail", evidence]
