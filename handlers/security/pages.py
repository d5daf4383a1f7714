"""A posture for people: as CSV that no spreadsheet takes for formulas, and as a page that needs nothing else."""

from __future__ import annotations

import csv
import io
from html import escape

import msgspec

from connectors.security.check import References
from handlers.csv_cells import cell
from handlers.page_policy import guarded
from handlers.security.report import Report
from handlers.security.scoring import Coverage
from handlers.security.standing_checks import figures_of_standing

_HEADINGS = (
    "check",
    "title",
    "severity",
    "category",
    "outcome",
    "state",
    "change",
    "object",
    "reason",
    "evidence",
    "remedy",
    "references",
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1c2733; max-width: 1180px; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100%; margin: 1rem 0 }}
th, td {{ border-bottom: 1px solid #dbe2ea; padding: .3rem .5rem; text-align: left; vertical-align: top }}
td {{ overflow-wrap: anywhere; white-space: pre-wrap }}
</style></head><body>
<h1>{title}</h1>
<p>{product} {version}, audited {at}. Checks of the catalogue {catalogue}.</p>
<h2>Score and coverage</h2>{scores}
<h2>Findings and checks</h2>{rows}
</body></html>
"""


def as_csv(report: Report, *, failures_only: bool) -> bytes:
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(_HEADINGS)
    for row in _rows(report, failures_only=failures_only):
        writer.writerow(map(cell, row))
    return output.getvalue().encode()


def as_html(report: Report, *, failures_only: bool) -> bytes:
    summary = report.audit.summary
    assert summary is not None
    standing = figures_of_standing(report.checks)
    figures = [("overall", standing.overall), *standing.categories.items()]
    scores = [(name, *_figures(one)) for name, one in figures]
    page = _PAGE.format(
        title=escape(f"Security of {report.source_name}"),
        product=escape(summary.product),
        version=escape(summary.version),
        at=f"{report.audit.finished_at:%Y-%m-%d %H:%M} UTC",
        catalogue=escape(summary.catalogue_version),
        scores=_table(
            ("", "score", "assured", "coverage", "passed", "failed", "not evaluated", "not applicable", "errors"),
            scores,
        ),
        rows=_table(_HEADINGS, _rows(report, failures_only=failures_only)),
    )
    return guarded(page).encode()


def _rows(report: Report, *, failures_only: bool) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in report.findings:
        remedy = one.remediation or {}
        rows.append(
            (
                one.check_id,
                one.title,
                one.severity.value,
                one.category.value,
                "fail" if not report.is_fixed(one) else "fixed",
                one.state.value,
                report.change_of(one),
                one.object or "",
                one.note or "",
                msgspec.json.encode(one.evidence).decode(),
                "\n".join(str(part) for part in (remedy.get("text"), remedy.get("sql")) if part),
                _told(report.references_of(one.check_id)),
            )
        )
    if not failures_only:
        for check in report.without_finding:
            told = (check.check_id, check.title, check.severity.value, check.category.value, check.outcome.value)
            rows.append((*told, "", "", "", check.reason or "", "", "", _told(check.references)))
    return rows


def _told(references: References) -> str:
    cis = [f"CIS {references.cis}"] if references.cis else []
    return ", ".join([*cis, *(f"CWE-{number}" for number in references.cwe), *references.stig])


def _figures(one: Coverage) -> tuple[str, ...]:
    score, assured = ("none" if figure is None else f"{figure:g}" for figure in (one.score, one.assured))
    coverage = "none" if one.coverage is None else f"{100 * one.coverage:.0f} %"
    counts = (one.passed, one.failed, one.not_evaluated, one.not_applicable, one.errors)
    return (score, assured, coverage, *map(str, counts))


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(one)}</td>" for one in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
