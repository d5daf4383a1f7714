"""Alert rules as clients see them, and what may be said in one."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from analysis.alerting.specs import RuleSpec, SpecError
from analysis.alerting.wording import query_text
from handlers.alert_rules.reading import spec_of
from handlers.alert_shapes import Severity
from handlers.names import RowId, WorkspaceId
from handlers.registry import Instant
from storage.alert_rules import AlertRule

SourceId = Annotated[
    int, Meta(ge=0, le=2**38, description="A data source by its id, or 0: the server itself, for its administrators.")
]
LabelName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,99}$(?!\n)")]
LabelValue = Annotated[str, Meta(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
RuleLabels = Annotated[
    dict[LabelName, LabelValue],
    Meta(max_length=20, description="Added to those of the alerts; routes, silences and inhibitions go by them."),
]
Runbook = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2000,
        pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)",
        description="What to do: an address, or a sentence.",
    ),
]
Version = Annotated[int, Meta(ge=1, le=2**31 - 1, description="The version that the rule has to be of.")]


class RuleShown(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. `data_source_id` null: about all data sources of the workspace. `query` is that of `spec` for people.

    `problem` says why a rule that another version of the server stored is not evaluated; its `spec` is null then.
    """

    id: RowId
    workspace_id: WorkspaceId
    name: str
    data_source_id: int | None
    severity: Severity
    labels: dict[str, str]
    spec: RuleSpec | None
    query: str | None
    problem: str | None
    runbook: str | None
    enabled: bool
    version: int
    created_by: str
    created_at: Instant
    updated_by: str
    updated_at: Instant


_SAME = (
    "id",
    "workspace_id",
    "name",
    "labels",
    "runbook",
    "enabled",
    "version",
    "created_by",
    "created_at",
    "updated_by",
    "updated_at",
)


def shown_rule(row: AlertRule) -> RuleShown:
    spec, problem = None, None
    try:
        spec = spec_of(row)
    except SpecError as error:
        problem = str(error)
    return RuleShown(
        **{name: getattr(row, name) for name in _SAME},
        data_source_id=row.source_id,
        severity=Severity(row.severity),
        spec=spec,
        query=None if spec is None else query_text(spec.query),
        problem=problem,
    )
