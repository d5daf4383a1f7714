"""The types of insights and who finds them. A new type is a line here and a finder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analysis.insights import (
    averages,
    columns,
    correlations,
    drift,
    keys,
    missingness,
    over_time,
    row_outliers,
    steady_share,
    suspicious_texts,
    suspicious_values,
    totals,
)
from analysis.insights.subjects import Subjects
from analysis.insights.trials import Trials


@dataclass(frozen=True, slots=True)
class Family:
    """Finders that run together: `types` is what they find, each with one line of explanation."""

    name: str
    find: Callable[[Subjects, Trials], None]
    types: dict[str, str]


# Cheap families first, so that a budget that runs out costs the dear ones.
FAMILIES: tuple[Family, ...] = (
    Family(
        "suspicious texts",
        suspicious_texts.find,
        {
            "null_stand_in": "texts such as N/A that stand for null",
            "spelling_variants": "one category written in several ways",
            "numbers_as_text": "numbers kept as text",
        },
    ),
    Family(
        "suspicious values",
        suspicious_values.find,
        {
            "sentinel": "numbers or dates such as -999 or 1900-01-01 that stand for null",
            "future_dates": "some dates in the future",
            "digit_heaping": "whole numbers that end in 0 or 5 too often",
            "not_benford": "first digits that do not follow Benford's law where it applies",
        },
    ),
    Family(
        "keys",
        keys.find,
        {
            "likely_key": "a column that tells the rows apart",
            "broken_key": "a column that would, but for a few rows",
        },
    ),
    Family(
        "drift",
        drift.find,
        {
            "drift": "another distribution than in an earlier profile",
            "null_drift": "another share of nulls than in an earlier profile",
        },
    ),
    Family(
        "totals by category",
        totals.find,
        {
            "outstanding_first": "one category leads by far",
            "outstanding_top_two": "two categories lead by far",
            "outstanding_last": "one category is far behind",
            "attribution": "half of a total or more is of one category",
            "majority": "half of the rows or more are of one category",
            "evenness": "categories share a total more evenly than chance would",
        },
    ),
    Family(
        "columns",
        columns.find,
        {
            "outliers": "values far out of the others",
            "low_variance": "values that hardly differ",
        },
    ),
    Family("correlations", correlations.find, {"correlation": "two measures that move together"}),
    Family(
        "averages by category",
        averages.find,
        {
            "category_outlier_top": "a category with an unusually high average",
            "category_outlier_bottom": "a category with an unusually low average",
        },
    ),
    Family(
        "missingness",
        missingness.find,
        {
            "null_together": "columns that are null in the same rows",
            "null_depends": "nulls that depend on another column",
        },
    ),
    Family(
        "over time",
        over_time.find,
        {
            "trend": "a measure that rises or falls",
            "seasonality": "a measure that repeats itself",
            "change_point": "a lasting change of level or slope",
            "time_series_outliers": "single times out of trend and season",
            "level_shift": "a step from which a measure does not come back",
        },
    ),
    Family(
        "shares over time", steady_share.find, {"steady_share": "a part that stays the same while the whole changes"}
    ),
    Family("rows", row_outliers.find, {"row_outliers": "rows that are unlike the others in several columns"}),
)

TYPES: dict[str, str] = {kind: text for family in FAMILIES for kind, text in family.types.items()}
