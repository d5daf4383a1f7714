"""What the advisories say of an audited server, as a check like the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from datetime import date

from analysis.advisories import scores
from analysis.advisories.bundles import Read
from analysis.advisories.matching import Assessment, Match, assess
from connectors.datasets import Kind
from connectors.errors import ConnectorError
from connectors.security.check import (
    AuditedObject,
    Category,
    Check,
    CheckResult,
    Outcome,
    References,
    Remediation,
    Server,
    Session,
    Severity,
    Violation,
)

# Extensions that are not installed in this database may be in another one of the server: only what is there is said.
_EXTENSIONS = "SELECT extname AS name FROM pg_extension"
# Names of advisories in a finding; all of them are counted.
_NAMED = 20


def version_checks(kind: Kind | str) -> tuple[Check, ...]:
    """The check of the server's version, of kinds of sources that there are advisories for."""
    match kind:
        case Kind.POSTGRESQL:
            return (_check("PG-VER-001", _EXTENSIONS),)
        case Kind.MYSQL:
            return (_check("MY-VER-001", "SELECT VERSION()"),)
        case Kind.SQLITE:
            return (_check("SL-010", "SELECT sqlite_version()"),)
    return ()


async def audit_version(session: Session, check: Check, read: Read, today: date) -> CheckResult:
    """What the bundle says of the audited server, as the result of one of `version_checks`."""
    return judge_version(check, session.server, await _extensions(session), read, today)


def judge_version(
    check: Check, server: Server, extensions: Collection[str] | None, read: Read, today: date
) -> CheckResult:
    """`extensions` are the names of those installed, None where they cannot be known."""
    try:
        found = assess(server.product, server.version_text, server.version_num, extensions, read.bundle, today)
    except ValueError as error:
        return CheckResult(check, Outcome.NOT_EVALUATED, reason=str(error))
    if found.outcome != "fail":
        return CheckResult(check, Outcome(found.outcome), reason=_sentence(found))
    if found.matches and not found.is_past_end_of_life:
        check = dataclasses.replace(check, severity=_severity(found.matches))
    violations = [_violation(server, found, part) for part in _parts(found)]
    return CheckResult(check, Outcome.FAIL, tuple(violations))


def _check(check_id: str, statement: str) -> Check:
    return Check(
        id=check_id,
        title="The server's version has known faults or gets no more fixes",
        severity=Severity.CRITICAL,
        category=Category.UPDATES_PATCHES,
        rationale="What is wrong with a release is public once the next one is out, and whoever attacks reads it too.",
        statement=statement,
        judge=lambda _: [],
        remediation=_remediation,
        references=References(cwe=(1395,)),
    )


def _remediation(violation: Violation) -> Remediation:
    fixed_in = violation.evidence.get("fixed_in")
    if violation.object.part == "end_of_life":
        return Remediation("Move to a major version that still gets fixes.")
    if fixed_in:
        return Remediation(f"Update to {fixed_in} or later of the same line.")
    return Remediation("Update to a release that the advisories name as fixed.")


def _parts(found: Assessment) -> list[str]:
    return [*(["advisories"] if found.matches else []), *(["end_of_life"] if found.is_past_end_of_life else [])]


def _violation(server: Server, found: Assessment, part: str) -> Violation:
    about = AuditedObject("server", server.product, part=part)
    known = {
        "version": server.version_text,
        "latest": found.latest,
        "advisory_data": f"version {found.bundle_version} of {found.bundle_dated}, {found.bundle_age_days} days old",
    }
    if part == "end_of_life":
        return Violation(about, {**known, "end_of_life": str(found.end_of_life)})
    certain = sum(match.confidence == "certain" for match in found.matches)
    named = ", ".join(_name(match) for match in found.matches[:_NAMED])
    more = len(found.matches) - _NAMED
    return Violation(
        about,
        {
            **known,
            "fixed_in": _fixed_in(found.matches),
            "advisories": f"{named} and {more} more" if more > 0 else named,
            "certain": certain,
            "possible": len(found.matches) - certain,
            "doubt": next((match.doubt for match in found.matches if match.doubt), None),
            "not_concerned": ", ".join(one.advisory.id for one in found.not_concerned) or None,
        },
    )


def _name(match: Match) -> str:
    return match.advisory.id if match.score is None else f"{match.advisory.id} ({match.score})"


def _fixed_in(matches: Collection[Match]) -> str | None:
    """The release in which all are fixed that are fixed at all."""
    return max((match.fixed_in for match in matches if match.fixed_in), key=_numbers, default=None)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _severity(matches: Collection[Match]) -> Severity:
    """That of the worst; where nobody gave a vector, medium, as for a fault of which nothing is known."""
    worst = max((match.score for match in matches if match.score is not None), default=None)
    return Severity.MEDIUM if worst is None else Severity(scores.band(worst))


def _sentence(found: Assessment) -> str | None:
    return found.reason and found.reason[:1].upper() + found.reason[1:]


async def _extensions(session: Session) -> set[str] | None:
    if session.server.product != "postgresql":
        return None
    try:
        return {str(row["name"]) for row in await session.rows(_EXTENSIONS)}
    except ConnectorError:
        return None
