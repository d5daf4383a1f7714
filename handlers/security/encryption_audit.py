"""Whether sensitive data lies in files that are not encrypted, as a check like the others.

Which columns are sensitive is known from scans and from what people say; the audit itself only sees how a file begins
or ends. A file that no scan has looked into is not said to be well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from connectors.datasets import Kind
from connectors.errors import ConnectorError, Unreachable
from connectors.security.check import (
    AuditedObject,
    Category,
    Check,
    CheckResult,
    Outcome,
    References,
    Row,
    Session,
    Severity,
    Violation,
    remedy,
)
from connectors.security.files.encryption import OPENNESS
from handlers.security.sensitive_columns import Gathered, SensitiveDataset

# Types of data that are named in a finding; all columns are counted.
_NAMED = 10


def encryption_checks(kind: Kind | str) -> tuple[Check, ...]:
    """The check of files that are not encrypted, of kinds of sources whose files tell whether they are."""
    match kind:
        case Kind.SQLITE:
            return (_check("SL-009", Severity.HIGH, "Encrypt the database (SQLCipher) or its disk"),)
        case Kind.FILES:
            return (_check("FL-003", Severity.MEDIUM, "Write the file with Parquet's modular encryption"),)
    return ()


async def audit_encryption(session: Session, check: Check, known: Gathered) -> CheckResult:
    """`known` is what scans and people say of the source's datasets. Raises Unreachable where the source is gone."""
    try:
        rows = await session.rows(OPENNESS)
    except Unreachable:
        raise
    except ConnectorError as error:
        return CheckResult(check, Outcome.ERROR, reason=str(error))
    return judge_encryption(check, rows, known)


def judge_encryption(check: Check, rows: Collection[Row], known: Gathered) -> CheckResult:
    if not rows:
        return CheckResult(check, Outcome.NOT_APPLICABLE, reason="There is no Parquet file.")
    by_file = {str(row["name"]): _of_file(check, str(row["name"]), known) for row in rows if row["is_open"]}
    violations = [_violation(name, datasets) for name, datasets in by_file.items() if _sensitive(datasets)]
    if violations:
        return CheckResult(check, Outcome.FAIL, tuple(violations))
    unseen = sum(not datasets or any(one.looked_at is None for one in datasets) for datasets in by_file.values())
    if unseen or known.is_cut:
        reason = f"No scan has looked for sensitive data in all of {unseen or len(by_file)} of {len(rows)} files."
        return CheckResult(check, Outcome.NOT_EVALUATED, reason=reason)
    return CheckResult(check, Outcome.PASS)


def _of_file(check: Check, name: str, known: Gathered) -> list[SensitiveDataset]:
    """A database holds all datasets of its source, a file of a folder the one of its name."""
    return [one for one in known.datasets if check.id == "SL-009" or one.name == name]


def _sensitive(datasets: Iterable[SensitiveDataset]) -> bool:
    return any(one.columns for one in datasets)


def _violation(name: str, datasets: Collection[SensitiveDataset]) -> Violation:
    columns = [column for one in datasets for column in one.columns.values()]
    types = sorted({found.type for column in columns for found in column.findings})
    more = len(types) - _NAMED
    named = ", ".join(types[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return Violation(AuditedObject("file", name), {"columns": len(columns), "types": named or "as people say"})


def _check(check_id: str, severity: Severity, advice: str) -> Check:
    return Check(
        id=check_id,
        title="Sensitive data in a file that is not encrypted",
        severity=severity,
        category=Category.DATA_PROTECTION,
        rationale="Whoever gets a copy of the file, or of a backup or disk that it is on, has the data.",
        statement=OPENNESS,
        judge=lambda _: [],
        remediation=remedy(f"{advice}, or take the sensitive columns out."),
        references=References(cwe=(311,)),
    )
