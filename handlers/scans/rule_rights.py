"""Who may make a rule: an answer of pass or fail tells, asked often enough, any value that the rule looks at.

So those from whom access policies keep something back make no rules about it, and see of a trial what they may.
"""

from __future__ import annotations

import msgspec

from analysis.access_policies.views import View
from analysis.rules.rule_types import (
    ProfileExpression,
    Referential,
    RowExpression,
    Rule,
    SqlCondition,
    Uniqueness,
)
from handlers.policy_views import views_of
from handlers.registry import Context, Forbidden
from handlers.scans.options import matches
from handlers.scans.tasks import QualityResult
from handlers.withheld_results import shown_body
from storage import catalog
from storage.data_sources import DataSource
from storage.scans import Listed

_ANY_COLUMN = (SqlCondition, RowExpression, ProfileExpression)


async def require_rights(context: Context, source: DataSource, pattern: str, rule: Rule) -> None:
    """Raises Forbidden where the rule, on datasets like the pattern, would look at what is kept back."""
    async with context.parts.database.read() as connection:
        views = await views_of(context, connection, source.workspace_id, source.id)
        if views.are_open:
            return
        if isinstance(rule.condition, _ANY_COLUMN):
            raise _refusal("it can look at any column of the source")
        known = await catalog.list_of_source(connection, source.id)
        for row in known:
            if looked_at := _columns_in(rule, row.full_name, pattern):
                _check(looked_at, row.full_name, await views.of(connection, row.schema or None, row.name))
        # What the catalog does not know may be in the source, or come.
        names = {row.full_name for row in known}
        for unknown, looked_at in _named_by(rule, pattern):
            if unknown not in names:
                _check(looked_at, unknown, await views.of_unknown(connection, unknown))


def _check(looked_at: tuple[str, ...], dataset: str, view: View) -> None:
    """Raises Forbidden."""
    if view.rows:
        raise _refusal(f"it counts rows of {dataset!r} that you do not see")
    for column in looked_at:
        if view.effect_on(column) is not None:
            raise _refusal(f"it looks at {column!r} of {dataset!r}: {view.why(column)}")


async def shown_result(context: Context, source: DataSource, chosen: Listed, body: str) -> QualityResult:
    """What came of a trial, without what is kept back from whoever tried."""
    result = msgspec.json.decode(body, type=QualityResult)
    async with context.parts.database.read() as connection:
        views = await views_of(context, connection, source.workspace_id, source.id)
        view = await views.of(connection, chosen.schema_name, chosen.name)
    # Which column it is about is not in the result; where nothing is kept back, it does not matter.
    shown = shown_body("quality", None, msgspec.to_builtins(result), view, source_is_open=views.are_open)
    return msgspec.convert(
        {name: shown[name] for name in QualityResult.__struct_fields__ if name in shown}, QualityResult
    )


def _columns_in(rule: Rule, dataset: str, pattern: str) -> tuple[str, ...]:
    """The dataset's columns that the rule would look at; a count of rows looks at all, `*`."""
    own, *referred = _named_by(rule, pattern)
    found = own[1] if matches(dataset, pattern) else ()
    return found + tuple(column for name, columns in referred if name == dataset for column in columns)


def _named_by(rule: Rule, pattern: str) -> list[tuple[str, tuple[str, ...]]]:
    """The datasets that the rule names, its own pattern first, and the columns that it looks at there."""
    condition = rule.condition
    own = condition.columns if isinstance(condition, Uniqueness) else (getattr(condition, "column", "*"),)
    if not isinstance(condition, Referential):
        return [(pattern, own)]
    referred, _, column = condition.reference.rpartition(".")
    return [(pattern, own), (referred, (column,))]


def _refusal(why: str) -> Forbidden:
    message = f"Access policies keep some of this source back from you, and this rule may tell it: {why}."
    return Forbidden(message, code="kept_back")
