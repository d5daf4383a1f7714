"""Checks of where files lie and who may touch them, of databases in a file and of folders alike."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.security.check import (
    AuditedObject,
    Category,
    Check,
    References,
    Row,
    Severity,
    Value,
    Violation,
    remedy,
)

MODES = "file modes"
_OTHERS = 0o007
_GROUP_WRITES = 0o020
_OTHERS_WRITE = 0o002
# Names of folders that web servers hand out, or that programs copy to other machines.
_SERVED = frozenset(
    {"www", "wwwroot", "htdocs", "public_html", "public", "static", "webroot", "dropbox", "onedrive", "google drive",
     "icloud drive", "nextcloud"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """`name` as the source tells it; `path` with all links followed."""

    name: str
    path: Path


def modes(files: Iterable[File]) -> list[Row]:
    """Raises OSError for a file that is gone."""
    return [
        {
            "name": file.name,
            "mode": stat.S_IMODE(file.path.stat().st_mode),
            "folder": file.path.parent.name,
            "folder_mode": stat.S_IMODE(file.path.parent.stat().st_mode),
            "folders": [part.lower() for part in file.path.parent.parts],
        }
        for file in files
    ]


def file_judge(evidence_of: Callable[[Row], dict[str, Value] | None]) -> Callable[[Sequence[Row]], list[Violation]]:
    """A violation of each file that there is evidence against."""

    def judge(rows: Sequence[Row]) -> list[Violation]:
        return [
            Violation(AuditedObject("file", str(row["name"])), evidence, str(row["name"]))
            for row in rows
            if (evidence := evidence_of(row)) is not None
        ]

    return judge


def _too_wide(row: Row) -> dict[str, Value] | None:
    mode = int(row["mode"])
    return {"mode": f"{mode:04o}"} if mode & (_OTHERS | _GROUP_WRITES) else None


def _in_open_folder(row: Row) -> dict[str, Value] | None:
    mode = int(row["folder_mode"])
    return {"folder": str(row["folder"]), "mode": f"{mode:04o}"} if mode & _OTHERS_WRITE else None


def _in_served_folder(row: Row) -> dict[str, Value] | None:
    found = next((part for part in row["folders"] if part in _SERVED), None)
    return None if found is None else {"folder": found}


def _check(
    check_id: str, title: str, judge: Callable[[Sequence[Row]], list[Violation]], rationale: str, advice: str, cwe: int
) -> Check:
    return Check(
        id=check_id,
        title=title,
        severity=Severity.HIGH,
        category=Category.DATA_PROTECTION,
        rationale=rationale,
        statement=MODES,
        judge=judge,
        remediation=remedy(advice),
        references=References(cwe=(cwe,)),
    )


CHECKS = (
    _check(
        "SL-001",
        "Others may read or write the file",
        file_judge(_too_wide),
        "Every account of the machine has the data, whatever the rights in programs are.",
        "Take the rights away: chmod 0600, or 0640 for a group that reads.",
        732,
    ),
    _check(
        "SL-002",
        "Others may write to the file's folder",
        file_judge(_in_open_folder),
        "They can replace the file, or put a journal beside a database that it then takes for its own.",
        "Take the right to write to the folder from others: chmod o-w.",
        732,
    ),
    _check(
        "SL-003",
        "The file lies in a folder that is served or shared",
        file_judge(_in_served_folder),
        "A web server hands it out to everybody, or a program copies it to other machines.",
        "Move it to a folder of its own.",
        552,
    ),
)
