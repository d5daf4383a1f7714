"""What is different of a finding that was found again."""

from __future__ import annotations

from typing import Any

import msgspec

from storage.security_findings import Finding, NewFinding

# Told with every audit, and of no finding: how old the advisories are.
_PASSING = frozenset({"advisory_data"})


def differences(before: Finding, now: NewFinding) -> dict[str, list[Any]]:
    """What it was and what it is, by name: `severity`, and `evidence.…`. Empty where it is the same."""
    found: dict[str, list[Any]] = {}
    if before.severity != now.severity:
        found["severity"] = [before.severity, now.severity]
    old, new = (msgspec.json.decode(one.evidence, type=dict[str, Any]) for one in (before, now))
    for name in sorted((old.keys() | new.keys()) - _PASSING):
        if old.get(name) != new.get(name):
            found[f"evidence.{name}"] = [old.get(name), new.get(name)]
    return found
