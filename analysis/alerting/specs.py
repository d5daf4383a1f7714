"""What an alert rule says: what is measured, when that is bad, and for how long it has to be.

Times are seconds. All measurements of a rule are of one source; where a rule is about several, each is judged alone.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from analysis.rules.rule_types import LONGEST_EXPRESSION

DAY = 86400.0

Operator = Literal[">", ">=", "<", "<=", "==", "!="]
Function = Literal["last", "avg", "min", "max", "sum", "count", "rate", "increase", "p50", "p90", "p95", "p99"]
Policy = Literal["keep_last", "alert", "ok"]

MetricName = Annotated[
    str, Meta(min_length=1, max_length=300, pattern=r"^[^\x00-\x20]+$", examples=["postgresql.commits"])
]
LabelName = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x20]+$")]
Number = Annotated[float, Meta(ge=-1e300, le=1e300)]
Window = Annotated[float, Meta(ge=1, le=7 * DAY)]
Staleness = Annotated[float, Meta(ge=1, le=DAY, description="Without a sample for so long, nothing is known any more.")]
Condition = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_EXPRESSION,
        description="In CEL, over `value`, `previous`, `rate`, `labels`, `threshold` and `at`.",
        examples=["value > 90.0 && labels.mode != 'idle'"],
    ),
]
# The slowest figures of databases come each 300 s, and one that is late is no reason to forget the others. Whoever
# knows sooner that there is nothing, says so by a gap marker.
STALE_SECONDS = 900.0


class Matcher(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a label has to be. A label that is not there is the empty text; `=~` is a whole match of RE2."""

    label: LabelName
    op: Literal["=", "!=", "=~", "!~"] = "="
    value: Annotated[str, Meta(max_length=1000)]


Matchers = Annotated[tuple[Matcher, ...], Meta(max_length=20)]
GroupBy = Annotated[
    tuple[LabelName, ...] | None,
    Meta(description="Series with the same values of these labels are one; each is one for itself where it is null."),
]


class Selector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which series, and what their samples of a window come to: one value for each group at each moment."""

    metric: MetricName
    labels: Matchers = ()
    function: Function = "last"
    window_seconds: Window = 300.0
    group_by: GroupBy = None
    combine: Literal["sum", "avg", "min", "max"] = "sum"
    stale_after_seconds: Staleness = STALE_SECONDS


class Compared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a value is bad: compared with `threshold`, or by a `condition`; with both, both have to hold.

    Once it fires, it does until the value has passed `resolve_threshold`, where there is one.
    """

    op: Operator | None = None
    threshold: Number | None = None
    resolve_threshold: Number | None = None
    condition: Condition | None = None


class Threshold(Compared, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="threshold"):
    """A value is beyond a threshold."""

    selector: Selector


class Absence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="absence"):
    """No sample came for `window_seconds`, of any series that is selected, or of any of a group that there was."""

    metric: MetricName
    labels: Matchers = ()
    group_by: Annotated[tuple[LabelName, ...], Meta(max_length=20)] = ()
    window_seconds: Window = 300.0


class RateOfChange(
    Compared, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="rate_of_change"
):
    """How much a gauge changed from the beginning of a window to its end, of each series alone."""

    metric: MetricName
    labels: Matchers = ()
    window_seconds: Window = 300.0
    change: Literal["per_second", "absolute", "percent"] = "per_second"
    stale_after_seconds: Staleness = STALE_SECONDS


class Ratio(Compared, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="ratio"):
    """One value divided by another of the same group. Below `min_denominator` it is never bad: 1 of 2 is no half."""

    numerator: Selector
    denominator: Selector
    min_denominator: Annotated[float, Meta(ge=0, le=1e300)] = 0.0


class Anomaly(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="anomaly"):
    """A value is outside of the band that its own past makes likely; of a counter, its rate. Each series alone.

    It is outside at `enter` robust standard deviations, or at what one of 1 / `false_alarm_rate` values reaches, and
    inside again at `leave` / `enter` of that. A band alone says that something is unusual, not that it is bad.
    """

    metric: MetricName
    labels: Matchers = ()
    direction: Literal["both", "above", "below"] = "both"
    enter: Annotated[float, Meta(ge=1, le=100)] = 6.0
    leave: Annotated[float, Meta(ge=0.5, le=100)] = 4.0
    false_alarm_rate: Annotated[float, Meta(gt=0, lt=0.5)] | None = None
    least_change: Annotated[float, Meta(ge=0, le=1e300)] = 0.0
    history_seconds: Annotated[float, Meta(ge=600, le=28 * DAY)] = 7 * DAY
    stale_after_seconds: Staleness = STALE_SECONDS


class BurnWindow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Both windows have to burn the budget at `factor` times the pace at which it lasts for the period."""

    long_seconds: Window
    short_seconds: Window
    factor: Annotated[float, Meta(gt=0, le=10_000)]


# Of a budget of 30 days: 2 % in an hour, 5 % in six hours.
PAGE_WINDOWS = (
    BurnWindow(long_seconds=3600, short_seconds=300, factor=14.4),
    BurnWindow(long_seconds=6 * 3600, short_seconds=1800, factor=6),
)


class Counter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Counters: what all that are selected rose by, together."""

    metric: MetricName
    labels: Matchers = ()


class BurnRate(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="burn_rate"
):
    """The budget of an objective is used up too fast: `bad` of `total` are counters, `objective` the share that is to
    be good. With fewer than `min_events` in one of two windows they say nothing; unless it is given, the long one has
    to have as many as it takes that a single bad one is below `factor`."""

    bad: Counter
    total: Counter
    objective: Annotated[float, Meta(gt=0, lt=1, examples=[0.999])]
    group_by: Annotated[tuple[LabelName, ...], Meta(max_length=20)] = ()
    windows: Annotated[tuple[BurnWindow, ...], Meta(min_length=1, max_length=8)] = PAGE_WINDOWS
    min_events: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    stale_after_seconds: Staleness = STALE_SECONDS


ShortName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,29}$(?!\n)")]


class Composite(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="composite"
):
    """A condition in CEL over other rules by short names: of each `firing`, `pending`, `count` and `value` (the first
    of those that fire, or null)."""

    rules: Annotated[dict[ShortName, Annotated[int, Meta(ge=1, le=2**63 - 1)]], Meta(min_length=1, max_length=20)]
    condition: Annotated[
        str, Meta(min_length=1, max_length=LONGEST_EXPRESSION, examples=["errors.firing && !deploy.firing"])
    ]


Query = Threshold | Absence | RateOfChange | Ratio | Anomaly | BurnRate | Composite


class RuleSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The condition of a rule, and how long it has to hold.

    `for_seconds`: so long it is pending before it fires. `keep_firing_for_seconds`: so long it fires on after the
    condition held last. `no_data`: what becomes of a series that gives nothing: it stays as it is, alerts, or counts as
    good. With `keep_last`, what fires is resolved after `resolve_missing_after_seconds` without data, if ever, and says
    so. `on_error`: the same for a condition that cannot be computed. `summary`: what alerts say, with `${value}`,
    `${threshold}` and `${labels.name}` in it.
    """

    query: Query
    for_seconds: Annotated[float, Meta(ge=0, le=7 * DAY)] = 0.0
    keep_firing_for_seconds: Annotated[float, Meta(ge=0, le=7 * DAY)] = 0.0
    no_data: Policy = "keep_last"
    on_error: Policy = "keep_last"
    resolve_missing_after_seconds: Annotated[float, Meta(ge=1, le=30 * DAY)] | None = 3600.0
    summary: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class SpecError(ValueError):
    """A rule that cannot be evaluated: the message says what is wrong with it and what would be right."""
