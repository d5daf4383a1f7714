"""What is exported of a source's posture, whatever the format: all checks by their newest outcome, and its findings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connectors.security.check import Outcome, References
from handlers.security.shapes import FindingShown, FindingState, SecurityScanShown
from handlers.security.standing_checks import StandingCheck
from storage.security_findings import FIXED


@dataclass(frozen=True, slots=True)
class Report:
    """`audit` has succeeded, so it has a summary. `findings` are those that stand, and those that it found fixed."""

    source_id: int
    source_name: str
    audit: SecurityScanShown
    checks: list[StandingCheck]
    findings: list[FindingShown]
    made_at: datetime

    @property
    def without_finding(self) -> list[StandingCheck]:
        """Checks that came to something else than a fault."""
        return [one for one in self.checks if one.outcome is not Outcome.FAIL]

    def references_of(self, check_id: str) -> References:
        """Sections and weaknesses that a check refers to; none for a data policy, which is no check of the source."""
        return next((one.references for one in self.checks if one.check_id == check_id), References())

    def is_fixed(self, finding: FindingShown) -> bool:
        return finding.state is FindingState.RESOLVED

    def change_of(self, finding: FindingShown) -> str:
        """What the audit did to it: `new`, `reopened` or `fixed`, or `unchanged`."""
        return finding.change if finding.changed_scan_id == self.audit.id else "unchanged"


def belongs(finding: FindingShown, audit: SecurityScanShown) -> bool:
    """Whether it stands, or is what the audit found fixed."""
    if finding.state is not FindingState.RESOLVED:
        return True
    return finding.change == FIXED and finding.changed_scan_id == audit.id
