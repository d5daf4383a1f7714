"""Stored answers, each as whoever asks for it may see it by now."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from analysis.access_policies.policies import Effect
from handlers.analytics.answers import Analysis
from handlers.analytics.asking import decode
from handlers.analytics.grounds import Ground, ground_of
from handlers.analytics.relationships import open_datasets
from handlers.analytics.tasks import AnalysisKind
from handlers.analytics.untold import without_datasets, without_values
from handlers.registry import Conflict, Context, NotFound
from storage import analytics
from storage.analytics import Result


async def stored_answer(context: Context, result_id: int) -> tuple[Result, Analysis[Any], Ground]:
    """A result as the caller may see it: without what came between, such as formulas of columns that are hidden by now.

    Raises NotFound; Conflict where values in it are hidden by now.
    """
    async with context.parts.database.read() as connection:
        found = await analytics.get(connection, result_id)
    gone = NotFound(f"There is no result {result_id}, or you are not a member of its workspace.")
    if found is None:
        raise gone
    row, body = found
    try:
        ground = await ground_of(context, row.dataset_id, None, is_missing_allowed=True)
    except NotFound:
        raise gone from None
    answer = await asyncio.to_thread(decode, AnalysisKind(row.kind), body)
    if secret := _kept_back(answer, ground):
        raise Conflict(
            f"It tells values of {secret[0]!r}, which are hidden by now; ask anew.",
            code="now_hidden",
            details={"columns": secret[:100]},
        )
    if ground.view.rows and answer.row_view != ground.view.row_digest:
        raise Conflict("It is about rows that access policies keep back from you; ask anew.", code="now_hidden")
    return row, await _shown_answer(context, answer, ground), ground


async def _shown_answer(context: Context, answer: Analysis[Any], ground: Ground) -> Analysis[Any]:
    masked = [column.name for column in answer.columns if column.original in ground.hidden]
    result = without_values(answer.kind, answer.result, answer.dataset, masked)
    if answer.kind is AnalysisKind.RELATIONSHIPS and result is not None:
        others = {seen.dataset for seen in result.datasets} - {answer.dataset}
        result = without_datasets(result, others - await open_datasets(context, ground.dataset, others))
    return msgspec.structs.replace(answer, result=result)


def _kept_back(answer: Analysis[Any], ground: Ground) -> list[str]:
    """The columns of which an answer tells what whoever asks may not know."""
    there = [column.original for column in answer.columns if column.status != "left_out"]
    gone = {name for name in there if ground.view.effect_on(name) is Effect.HIDE}
    if not answer.may_tell_values:
        return sorted(gone)
    told = {column.original for column in answer.columns if column.status != "hidden"}
    masked = {name for name in told if name in ground.hidden or ground.view.effect_on(name) is not None}
    return sorted(gone | masked)
