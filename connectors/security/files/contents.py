"""Checks of what stands in text files, by the beginning of each."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.file_listing import FileEntry
from connectors.formats import Format, separator_of
from connectors.security.check import AuditedObject, Category, Check, References, Row, Severity, Violation, remedy

SAMPLES = "beginnings of text files"
SEES_TEXTS = "all text files were read whole"
SEES_ALL = "all files were read whole"
SAMPLE_BYTES = 1 << 20
# Together not more than this, so that an audit of a large folder ends.
MOST_FILES = 200
BLIND = (
    f"nothing was found, in the first {SAMPLE_BYTES >> 20} MB of each of the first {MOST_FILES} text files; "
    "the rest was not read, and files that are packed or binary otherwise were not looked into"
)
_TEXTS = (Format.CSV, Format.JSON, Format.JSON_LINES)
_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d\s().,/%:eE+-]*\Z)")
_SECRETS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
    "AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b"),
    "GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20}\b"),
    "Slack token": re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{20,}"),
    "Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "Stripe key": re.compile(r"\b[rs]k_live_[0-9A-Za-z]{24,}\b"),
}


def samples(entries: Sequence[FileEntry]) -> list[Row]:
    """Of the first text files: their formulas and secrets by kind. No value leaves this function."""
    return [
        {
            "name": entry.name,
            "formulas": _formulas(entry.name, head) if entry.format is Format.CSV else [],
            "secrets": {kind: len(found) for kind, sign in _SECRETS.items() if (found := sign.findall(head))},
        }
        for entry in _texts(entries)[:MOST_FILES]
        for head in (_head(entry.path, entry.name)[0],)
    ]


def sees_texts(entries: Sequence[FileEntry]) -> list[Row]:
    """Whether that was all the text there is."""
    texts = _texts(entries)
    return [{"sees_all": len(texts) <= MOST_FILES and all(_head(entry.path, entry.name)[1] for entry in texts)}]


def sees_all(entries: Sequence[FileEntry]) -> list[Row]:
    """Whether that was all there is in the folder."""
    return sees_texts(entries) if len(_texts(entries)) == len(entries) else [{"sees_all": False}]


def _texts(entries: Sequence[FileEntry]) -> list[FileEntry]:
    return [entry for entry in entries if entry.format in _TEXTS]


def _head(path: Path, name: str) -> tuple[str, bool]:
    """The beginning as text, unpacked, and whether it is all. What is broken is as long as it can be read."""
    try:
        with gzip.open(path) if name.lower().endswith(".gz") else path.open("rb") as file:
            data = file.read(SAMPLE_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return "", False
    return data[:SAMPLE_BYTES].decode(errors="replace"), len(data) <= SAMPLE_BYTES


def _formulas(name: str, head: str) -> list[int]:
    """Numbers of rows with a cell that a spreadsheet would execute."""
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=separator_of(name, head[:65_536].encode()))
    return [number for number, row in enumerate(_rows(reader), 1) if any(_FORMULA.match(cell) for cell in row)]


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Up to a cell that is longer than any of a table."""
    try:
        yield from reader
    except csv.Error:
        return


def _with_formulas(rows: Sequence[Row]) -> list[Violation]:
    return [
        Violation(
            AuditedObject("file", str(row["name"])), {"rows": len(row["formulas"]), "first_row": row["formulas"][0]}
        )
        for row in rows
        if row["formulas"]
    ]


def _with_secrets(rows: Sequence[Row]) -> list[Violation]:
    return [
        Violation(AuditedObject("file", str(row["name"]), part=kind), {"count": count})
        for row in rows
        for kind, count in row["secrets"].items()
    ]


CHECKS = (
    Check(
        id="FL-001",
        title="Cells that a spreadsheet executes",
        severity=Severity.HIGH,
        category=Category.DATA_PROTECTION,
        rationale="A cell that begins with = + - @, a tab or a carriage return runs as a formula of whoever wrote it.",
        statement=SAMPLES,
        judge=_with_formulas,
        remediation=remedy("Put an apostrophe before such cells where the file is written, or reject them."),
        probe=SEES_TEXTS,
        blind=BLIND,
        partly_visible=True,
        references=References(cwe=(1236,)),
    ),
    Check(
        id="FL-002",
        title="Secrets in a file",
        severity=Severity.HIGH,
        category=Category.DATA_PROTECTION,
        rationale="Whoever reads the file can act with them.",
        statement=SAMPLES,
        judge=_with_secrets,
        remediation=remedy("Revoke the secret where it was issued, then remove it from the file and its copies."),
        probe=SEES_ALL,
        blind=BLIND,
        partly_visible=True,
        references=References(cwe=(312, 798)),
    ),
)
