"""Rules as they are evaluated, out of their rows; and which alert is the same as which."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from analysis.alerting.matching import Labels
from analysis.alerting.rules import Rule, check
from analysis.alerting.specs import RuleSpec, SpecError
from handlers.measurements import OWN_SOURCE
from storage.alert_rules import AlertRule

logger = logging.getLogger(__name__)

DOMAIN = "performance"
LEASE = "alert-evaluation"

_specs = msgspec.json.Decoder(RuleSpec)


def spec_of(row: AlertRule) -> RuleSpec:
    """Raises SpecError for what another version wrote and this one cannot evaluate."""
    try:
        spec = _specs.decode(row.spec)
    except msgspec.MsgspecError as error:
        raise SpecError(f"the rule is of another version: {error}") from error
    check(spec)
    return spec


def rule_of(row: AlertRule) -> Rule:
    """The rule of a row. Raises SpecError."""
    return Rule(
        id=row.id,
        name=row.name,
        severity=row.severity,
        spec=spec_of(row),
        version=row.version,
        since_ms=milliseconds(row.updated_at),
        labels=row.labels,
        workspace_id=row.workspace_id,
        source_id=row.source_id,
        runbook=row.runbook,
    )


def rules_of(rows: Sequence[AlertRule]) -> list[Rule]:
    """Those that can be evaluated; of the others the log says why not."""
    found = []
    for row in rows:
        try:
            found.append(rule_of(row))
        except SpecError as error:
            logger.error("the alert rule %d is not evaluated: %s", row.id, error)  # noqa: TRY400 - no bug of ours
    return found


def sources_for(rule: Rule, of_workspaces: Mapping[str, Sequence[int]]) -> list[int]:
    """The sources that a rule is evaluated over: its own, or all of its workspace."""
    known = of_workspaces.get(rule.workspace_id, ())
    if rule.source_id is None:
        return list(known)
    return [rule.source_id] if rule.source_id in known or rule.source_id == OWN_SOURCE else []


def fingerprint_of(rule_id: int, source_id: int, labels: Labels) -> str:
    """What makes it the same alert: the rule, the source and the labels of the group; not what is measured."""
    said = msgspec.json.encode((rule_id, source_id, labels))
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def milliseconds(at: datetime) -> int:
    """Whole ms since 1970."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def instant(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
