"""What may be asked about alert rules."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from analysis.alerting.specs import RuleSpec
from handlers.alert_rules.shapes import RuleLabels, Runbook, SourceId, Version
from handlers.alert_shapes import Severity
from handlers.names import RowId, Title, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit


class ListRules(msgspec.Struct, frozen=True, kw_only=True):
    """By id. `data_source_id`: those that are about this source, if not only about it."""

    workspace_id: WorkspaceId = "default"
    data_source_id: SourceId | None = None
    enabled: bool | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateRule(msgspec.Struct, frozen=True, kw_only=True):
    """`data_source_id` null: the rule is about all data sources of the workspace, each for itself."""

    name: Title
    spec: RuleSpec
    workspace_id: WorkspaceId = "default"
    data_source_id: SourceId | None = None
    severity: Severity = Severity.MEDIUM
    labels: RuleLabels = {}
    runbook: Runbook | None = None
    enabled: bool = True


class GetRule(msgspec.Struct, frozen=True, kw_only=True):
    rule_id: RowId


class UpdateRule(msgspec.Struct, frozen=True, kw_only=True):
    """Only what is given changes; a `spec` as a whole.

    Open alerts stay open and are judged by the new condition. They end if the rule is disabled, or is about other
    measurements or another source from now on. With a `version` nothing changes unless the rule is of it.
    """

    rule_id: RowId
    version: Version | None = None
    name: Title | UnsetType = UNSET
    spec: RuleSpec | UnsetType = UNSET
    data_source_id: SourceId | UnsetType | None = UNSET
    severity: Severity | UnsetType = UNSET
    labels: RuleLabels | UnsetType = UNSET
    runbook: Runbook | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class DeleteRule(msgspec.Struct, frozen=True, kw_only=True):
    """Its open alerts are resolved; they, and what happened to them, stay to be looked at."""

    rule_id: RowId
