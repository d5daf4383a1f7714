"""Rules as they are stored."""

from __future__ import annotations

import msgspec

from analysis.rules.rule_types import Rule
from handlers.scans.tasks import NamedRule
from storage.scan_rules import ScanRule


def rule_of(row: ScanRule) -> Rule:
    return msgspec.json.decode(row.rule, type=Rule)


def named_rule(row: ScanRule) -> NamedRule:
    return NamedRule(id=row.id, rule=rule_of(row))
