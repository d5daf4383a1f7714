"""What is asked of a preview, and what it answers."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from analysis.alerting.specs import RuleSpec
from handlers.alert_rules.shapes import SourceId
from handlers.alert_shapes import Severity
from handlers.names import RowId, Title, WorkspaceId
from handlers.registry import Instant

Seconds = Annotated[int, Meta(ge=60, le=30 * 86400, description="How far back, from `end`; a day unless given.")]


class PreviewRule(msgspec.Struct, frozen=True, kw_only=True):
    """Over the last `seconds`, up to `end` or now, as far as samples are kept. Nothing is stored and nobody told."""

    rule_id: RowId
    seconds: Seconds = 86400
    end: Instant | None = None


class PreviewUnsaved(msgspec.Struct, frozen=True, kw_only=True):
    """As for a saved rule, of one that is said here."""

    spec: RuleSpec
    workspace_id: WorkspaceId = "default"
    data_source_id: SourceId | None = None
    name: Title = "Preview"
    severity: Severity = Severity.MEDIUM
    seconds: Seconds = 86400
    end: Instant | None = None


class WouldHaveFired(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that would have been. `fired_at` null: it was pending only. `resolved_at` null: it would be open yet."""

    data_source_id: int
    labels: dict[str, str]
    summary: str
    value: float | None
    threshold: float | None
    pending_at: Instant
    fired_at: Instant | None
    resolved_at: Instant | None
    reason: str | None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """`fired` counts the alerts that would have fired, `pending_only` those that would not have.

    `firing_seconds` is for how long at least one would have fired; `alerts` are the first 500. `is_partial`: not all of
    what was asked for was looked at, and `why_partial` says what was not.
    """

    start: Instant
    end: Instant
    series: int
    samples: int
    fired: int
    pending_only: int
    firing_seconds: float
    alerts: list[WouldHaveFired]
    is_partial: bool
    why_partial: list[str]
