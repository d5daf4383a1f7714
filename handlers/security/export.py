"""A source's posture as a file: for other tools, for spreadsheets, for people."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable

import msgspec

from handlers.names import RowId
from handlers.registry import Binary, Conflict, Context, Forbidden, Operation, Permission
from handlers.security.ocsf import ocsf
from handlers.security.pages import as_csv, as_html
from handlers.security.report import Report, belongs
from handlers.security.sarif import sarif
from handlers.security.shapes import shown_finding, shown_scan
from handlers.security.standing_checks import standing_checks
from handlers.source_access import require_source
from storage import security_findings, security_scans


class Format(enum.StrEnum):
    SARIF = "sarif"
    OCSF = "ocsf"
    CSV = "csv"
    HTML = "html"


_TYPES = {
    Format.SARIF: "application/sarif+json",
    Format.OCSF: "application/x-ndjson",
    Format.CSV: "text/csv",
    Format.HTML: "text/html",
}


class ExportPosture(msgspec.Struct, frozen=True, kw_only=True):
    """`failures_only` leaves out checks that came to anything but a fault."""

    data_source_id: RowId
    format: Format = Format.SARIF
    failures_only: bool = False


async def export_posture(context: Context, request: ExportPosture) -> Binary:
    source = await require_source(context, request.data_source_id, Permission.MANAGE)
    async with context.parts.database.read() as connection:
        newest = await security_scans.newest_of(connection, source.id, succeeded=True)
        if newest is None:
            raise Conflict("No audit of this source has succeeded; there is nothing to export.", code="not_audited")
        checks = await standing_checks(connection, source, manages=True)
        findings = await security_findings.of_source(connection, source.id)
    audit = shown_scan(newest)
    shown = [shown_finding(one, manages=True) for one in findings]
    report = Report(
        source_id=source.id,
        source_name=source.name,
        audit=audit,
        checks=checks,
        findings=[one for one in shown if belongs(one, audit)],
        made_at=context.now(),
    )
    data = await asyncio.to_thread(_written, request.format, report, request.failures_only)
    return Binary(media_type=_TYPES[request.format], data=data)


def _written(format: Format, report: Report, failures_only: bool) -> bytes:  # noqa: A002 - as the parameters
    return _WRITERS[format](report, failures_only)


_WRITERS: dict[Format, Callable[[Report, bool], bytes]] = {
    Format.SARIF: lambda report, only: sarif(report, failures_only=only),
    Format.OCSF: lambda report, only: ocsf(report, failures_only=only),
    Format.CSV: lambda report, only: as_csv(report, failures_only=only),
    Format.HTML: lambda report, only: as_html(report, failures_only=only),
}

OPERATIONS = (
    Operation(
        "security.audit.export",
        ExportPosture,
        Binary,
        export_posture,
        "GET /security/audit/{data_source_id}/export",
        Permission.SIGNED_IN,
        "Export how secure a data source is, as a file.",
        errors=(Conflict, Forbidden),
        media_types=tuple(_TYPES.values()),
    ),
)
