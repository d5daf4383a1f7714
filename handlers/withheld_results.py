"""What scans found, cut to what somebody sees: the same for results of scans, the catalog and whatever shows them.

Results are stored once and over all rows. So for somebody who sees only some of the rows, nothing is told that was
computed from values, as it cannot be computed again for their rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.access_policies.policies import Effect
from analysis.access_policies.views import View
from analysis.columns import Kind
from analysis.sensitive.masking import masked
from handlers.policy_views import PolicyViews
from storage.scan_results import Result

# Of a profile, what tells how a column looks and no value of it.
_SHAPES = (
    "name",
    "kind",
    "rows",
    "count",
    "nulls",
    "misfits",
    "distinct",
    "unique",
    "constant",
    "identifier",
    "basis",
    "notes",
)
_TEXT_SHAPES = ("empty", "blank", "padded", "non_ascii", "lengths", "cases", "types")
_FINDING = ("type", "title", "category", "verdict", "confidence")
_VERDICT = ("rule", "rule_id", "severity", "verdict")
_VERDICT_COUNTS = ("checked", "failing", "share", "errors")


async def shown_bodies(
    connection: AsyncConnection, views: PolicyViews, rows: Iterable[Result]
) -> dict[tuple[int, int], dict[str, Any]]:
    """The bodies of results of one source as a viewer sees them, by ordinal and place."""
    shown = {}
    for row in rows:
        view = await views.of(connection, row.schema_name, row.name)
        body = msgspec.json.decode(row.body)
        shown[row.ordinal, row.place] = shown_body(row.kind, row.column_name, body, view, source_is_open=views.are_open)
    return shown


def shown_body(
    kind: str, column: str | None, body: dict[str, Any], view: View, *, source_is_open: bool
) -> dict[str, Any]:
    """A result as the viewer sees it; where something is kept back, `withheld` says why.

    `source_is_open` says that nothing of the whole source is kept back, of which a rule in SQL may tell.
    """
    if source_is_open:
        return body
    if kind == "dataset":
        # The watermark is a value of a row.
        return body if body.get("after") is None or view.is_open else {**body, "after": None}
    if kind == "quality":
        return _rule(column, body, view)
    if column is None:
        return _table(kind, body, view)
    if kind == "profile":
        return _profile(column, body, view)
    if kind == "classification" and _effect(column, view) is not None:
        return _kept(body, _FINDING) | {"examples": [], "withheld": _why(column, view)}
    return body


def _effect(column: str, view: View) -> Effect | None:
    return Effect.HIDE if view.rows else view.effect_on(column)


def _why(column: str | None, view: View) -> str:
    if view.rows:
        return f"it was computed over all rows, of which the access policy {view.rows[0].policy!r} keeps back some"
    if column is not None and view.effect_on(column) is not None:
        return view.why(column)
    return "it may tell what an access policy keeps back"


def _table(kind: str, body: dict[str, Any], view: View) -> dict[str, Any]:
    if kind == "profile" and view.rows:
        return {"withheld": _why(None, view)}
    return body


def _profile(column: str, body: dict[str, Any], view: View) -> dict[str, Any]:
    effect = _effect(column, view)
    if effect is None:
        return body
    why = {"withheld": _why(column, view)}
    if effect is Effect.HIDE:
        return _kept(body, ("name", "kind")) | why
    # There are two truth values, and their shapes are not the same.
    values = [] if body.get("kind") == Kind.BOOLEAN else body.get("top", [])
    top = [{**each, "value": masked(str(each["value"]))} for each in values]
    shapes = _kept(body, _SHAPES) | {"top": top} | why
    if isinstance(text := body.get("text"), dict):
        shapes["text"] = _kept(text, _TEXT_SHAPES)
    return shapes


def _rule(column: str | None, body: dict[str, Any], view: View) -> dict[str, Any]:
    """Whether a rule holds is told; what it looked at, where it may be what is kept back, is not."""
    if column is not None and _effect(column, view) is None:
        return body
    kept = _VERDICT if view.rows else (*_VERDICT, *_VERDICT_COUNTS)
    why = _why(column, view)
    return _kept(body, kept) | {"reason": f"what it found is not shown: {why}", "withheld": why}


def _kept(body: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: body[name] for name in names if name in body}
