"""Checks of what is left of data that should be gone: journals, and pages of SQLite that were freed."""

from __future__ import annotations

from connectors.security.check import Category, Check, References, Row, Severity, Value, remedy
from connectors.security.files.places import File, file_judge

JOURNALS = "journals"
FREED_PAGES = "freed pages"
_JOURNALS = ("-journal", "-wal", ".wal")
_PAGE_SIZE_AT, _FREE_LIST_AT = 16, 32
# As many free pages as tell whether their content was wiped.
_MOST_PAGES = 2_000


def journals(file: File) -> list[Row]:
    """Journals with anything in them beside the database."""
    beside = (file.path.with_name(file.path.name + end) for end in _JOURNALS)
    sizes = {path.name: path.stat().st_size for path in beside if path.exists()}
    return [{"name": file.name, "journals": sorted(name for name, size in sizes.items() if size)}]


def freed_pages(file: File) -> list[Row]:
    """How many pages of an SQLite database are free, and how many of them, of the first so many, still hold content.

    From the file itself (its format: https://www.sqlite.org/fileformat2.html, "The Freelist"): the library answers
    only whether it would wipe pages, which says nothing of who wrote the file.
    """
    with file.path.open("rb") as data:
        header = data.read(100)
        size = int.from_bytes(header[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 2], "big")
        size = 65_536 if size == 1 else size
        trunk = int.from_bytes(header[_FREE_LIST_AT : _FREE_LIST_AT + 4], "big")
        count = int.from_bytes(header[_FREE_LIST_AT + 4 : _FREE_LIST_AT + 8], "big")
        full = seen = 0
        while trunk and seen < min(count, _MOST_PAGES):
            data.seek((trunk - 1) * size)
            page = data.read(size)
            leaves = min(int.from_bytes(page[4:8], "big"), size // 4 - 2)
            seen += 1
            for place in range(8, 8 + 4 * leaves, 4):
                data.seek((int.from_bytes(page[place : place + 4], "big") - 1) * size)
                full += any(data.read(size))
                seen += 1
            trunk = int.from_bytes(page[:4], "big")
    return [{"name": file.name, "free_pages": count, "with_content": full}]


def _has_journals(row: Row) -> dict[str, Value] | None:
    return {"journals": ", ".join(row["journals"])} if row["journals"] else None


def _is_recoverable(row: Row) -> dict[str, Value] | None:
    if not row["with_content"]:
        return None
    return {"free_pages": int(row["free_pages"]), "with_content": int(row["with_content"])}


JOURNAL_CHECK = Check(
    id="SL-008",
    title="Journal beside the database",
    severity=Severity.LOW,
    category=Category.DATA_PROTECTION,
    rationale="Of a database that nobody has open it is what a crash left: rows in clear, that copies forget.",
    statement=JOURNALS,
    judge=file_judge(_has_journals),
    remediation=remedy(
        "If no program has it open: open it once with one that may write, so that the journal is taken in.",
        "PRAGMA wal_checkpoint(TRUNCATE);",
    ),
    references=References(cwe=(459,)),
)
FREED_CHECK = Check(
    id="SL-007",
    title="Deleted content can be recovered",
    severity=Severity.MEDIUM,
    category=Category.DATA_PROTECTION,
    rationale="Rows that were deleted are still to be read in the file.",
    statement=FREED_PAGES,
    judge=file_judge(_is_recoverable),
    remediation=remedy(
        "Have the file written anew, and pages wiped from now on.", "PRAGMA secure_delete = ON; VACUUM;"
    ),
    references=References(cwe=(226,)),
)
