"""Checks of files that hurt whoever reads them: far larger than they look, or elsewhere than they seem."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from connectors.file_listing import FileEntry
from connectors.formats import Format
from connectors.security.check import AuditedObject, Category, Check, References, Row, Severity, Violation, remedy

TRAPS = "links and packed files"
# Tables are packed to a tenth, seldom to a fiftieth.
MOST_RATIO = 200
_MOST_LINKS = 1_000


def traps(folder: Path, entries: Sequence[FileEntry]) -> list[Row]:
    """Links that lead out of the folder, and packed files with the size that they say they have."""
    return [*_links(folder), *_packed(entries)]


def _links(folder: Path) -> list[Row]:
    found: list[Row] = []
    for place, folders, files in os.walk(folder):
        for name in sorted((*folders, *files)):
            path = Path(place, name)
            if path.is_symlink() and not path.resolve().is_relative_to(folder):
                found.append({"name": path.relative_to(folder).as_posix(), "what": "link"})
                if len(found) == _MOST_LINKS:
                    return found
    return found


def _packed(entries: Sequence[FileEntry]) -> list[Row]:
    rows: list[Row] = []
    for entry in entries:
        size = _unpacked_size(entry)
        if size is not None:
            rows.append({"name": entry.name, "what": "packed", "size": entry.size, "unpacked": size})
    return rows


def _unpacked_size(entry: FileEntry) -> int | None:
    """As the file itself declares it; None for what is not packed. gzip counts modulo 4 GB."""
    if entry.name.lower().endswith(".gz"):
        with entry.path.open("rb") as file:
            file.seek(max(0, entry.size - 4))
            return int.from_bytes(file.read(4), "little")
    if entry.format is Format.SPREADSHEET and zipfile.is_zipfile(entry.path):
        with zipfile.ZipFile(entry.path) as book:
            return sum(part.file_size for part in book.infolist())
    return None


def _judge(rows: Sequence[Row]) -> list[Violation]:
    violations = []
    for row in rows:
        if row["what"] == "link":
            violations.append(Violation(AuditedObject("link", str(row["name"])), {"leads": "out of the folder"}))
        elif row["unpacked"] > MOST_RATIO * max(1, row["size"]):
            evidence = {"bytes": int(row["size"]), "unpacked_bytes": int(row["unpacked"])}
            violations.append(Violation(AuditedObject("file", str(row["name"])), evidence))
    return violations


CHECKS = (
    Check(
        id="FL-004",
        title="File that unpacks to very much, or link that leads elsewhere",
        severity=Severity.MEDIUM,
        category=Category.SURFACE_AREA,
        rationale="Readers run out of memory or disk, or read what they were not meant to.",
        statement=TRAPS,
        judge=_judge,
        remediation=remedy("Remove it, or put the data itself in its place."),
        references=References(cwe=(409, 59)),
    ),
)
