"""Parameters of the nodes that say where a run goes. Where a text has ``${…}``, its value comes from the run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from analysis.rules.rule_types import LONGEST_EXPRESSION

DAY = 86_400.0
# Approvals and reminders wait for weeks; nothing waits for ever.
LONGEST_WAIT = 366 * DAY
MOST_CASES = 50
MOST_APPROVERS = 50
# A loop over more is to be narrowed by a query first.
MOST_LOOP_ITEMS = 10_000

Seconds = Annotated[float, Meta(ge=0, le=LONGEST_WAIT, description="Seconds.")]
Text = Annotated[str, Meta(max_length=10_000)]
Name = Annotated[str, Meta(min_length=1, max_length=300)]


def _cel(answers: str) -> Meta:
    return Meta(
        min_length=1,
        max_length=LONGEST_EXPRESSION,
        description="In CEL, over `inputs`, `nodes`, `run`, and `item` and `index` inside of a loop.",
        extra_json_schema={"x-expression": answers},
    )


BooleanCel = Annotated[str, _cel("boolean")]
ListCel = Annotated[str, _cel("list")]
AnyCel = Annotated[str, _cel("any")]


class StartParameters(msgspec.Struct, frozen=True, kw_only=True):
    """None: what a run is given is declared in the workflow's settings, under `inputs`."""


class EndParameters(msgspec.Struct, frozen=True, kw_only=True):
    """`output` is the result of the run; null for none."""

    output: AnyCel | None = None


class ConditionParameters(msgspec.Struct, frozen=True, kw_only=True):
    expression: BooleanCel


class Case(msgspec.Struct, frozen=True, kw_only=True):
    when: BooleanCel
    label: Annotated[str, Meta(max_length=300)] = ""


CaseKey = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,60}$")]


class SwitchParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The first case that is true, in the order of their keys, gives the port; each key is a port of the node."""

    cases: Annotated[dict[CaseKey, Case], Meta(min_length=1, max_length=MOST_CASES)]


class JoinParameters(msgspec.Struct, frozen=True, kw_only=True):
    """`all` waits until each way in has come or can no longer come, `any` goes on with the first."""

    mode: Literal["all", "any"] = "all"


class TransformParameters(msgspec.Struct, frozen=True, kw_only=True):
    expression: AnyCel


class DelayParameters(msgspec.Struct, frozen=True, kw_only=True):
    seconds: Seconds


class WaitForEventParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Goes on with the first event of the feed for which `filter`, over `event` too, is true."""

    feed: Name
    filter: BooleanCel | None = None
    expires_seconds: Seconds | None = None


class ApprovalParameters(msgspec.Struct, frozen=True, kw_only=True):
    """`required` of the people in `approvers` have to agree; `form` is the JSON Schema of what they fill in."""

    title: Annotated[str, Meta(min_length=1, max_length=300)]
    message: Text = ""
    approvers: Annotated[tuple[Name, ...], Meta(max_length=MOST_APPROVERS, description="Ids of users.")] = ()
    required: Annotated[int, Meta(ge=1, le=MOST_APPROVERS)] = 1
    form: dict[str, Any] | None = None
    expires_seconds: Seconds | None = None
    may_delegate: bool = False


class LoopParameters(msgspec.Struct, frozen=True, kw_only=True):
    """What hangs on `item` runs once for each item; `chunk` items are one durable piece of work."""

    items: ListCel
    chunk: Annotated[int, Meta(ge=1, le=1000)] = 50
    concurrency: Annotated[int, Meta(ge=1, le=32)] = 4
    max_items: Annotated[int, Meta(ge=1, le=MOST_LOOP_ITEMS)] = 1000
    on_item_error: Literal["fail", "skip"] = "fail"


class SubWorkflowParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Runs a published version of another workflow: the newest where `version` is null."""

    workflow_id: Name
    version: Annotated[int, Meta(ge=1)] | None = None
    inputs: dict[str, Any] = msgspec.field(default_factory=dict)
