"""What data policies come to: judged in a source when somebody asks, and told column by column."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta

from connectors.security.check import Outcome
from handlers.audit_trail import record
from handlers.names import RowId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Forbidden, NotFound, Operation, Page, Permission, Unavailable
from handlers.security.data_policy_shapes import (
    PATH,
    PolicyResult,
    SourceOutcome,
    require_policy,
    shown_outcome,
    shown_result,
)
from handlers.security.policy_evaluating import evaluate_source
from handlers.source_access import require_source
from storage import data_policies

# Whoever asks waits for it; the service that judges them by itself takes its time.
EVALUATION_SECONDS = 60.0
Place = tuple[RowId, Annotated[int, Meta(ge=0, le=2**31 - 1)]]


class ListPolicyResults(msgspec.Struct, frozen=True, kw_only=True):
    """By source, dataset and column."""

    policy_id: RowId
    outcome: Outcome | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class EvaluateDataPolicies(msgspec.Struct, frozen=True, kw_only=True):
    """Judges all that are enabled in one source, now; asks the source."""

    data_source_id: RowId


class PoliciesEvaluated(msgspec.Struct, frozen=True, kw_only=True):
    items: list[SourceOutcome]


async def list_results(context: Context, request: ListPolicyResults) -> Page[PolicyResult]:
    row = await require_policy(context, request.policy_id, Permission.MANAGE)
    after = decode_cursor("security.data_policies.results", request.cursor, Place)
    async with context.parts.database.read() as connection:
        rows = await data_policies.verdicts_of(
            connection, row.id, outcome=request.outcome, after=after, limit=request.limit + 1
        )
    return page_of(
        rows,
        request.limit,
        "security.data_policies.results",
        key=lambda each: each[:2],
        item=lambda each: shown_result(each[0], each[2]),
    )


async def evaluate_data_policies(context: Context, request: EvaluateDataPolicies) -> PoliciesEvaluated:
    source = await require_source(context, request.data_source_id, Permission.WRITE)
    try:
        async with asyncio.timeout(EVALUATION_SECONDS):
            count = await evaluate_source(context, source)
    except TimeoutError:
        message = f"The source did not answer within {EVALUATION_SECONDS:.0f} seconds; what was known of it stays."
        raise Unavailable(message, code="source_too_slow") from None
    async with context.parts.database.write() as connection:
        await record(connection, context, "security.data_policies.evaluate", str(source.id), {"policies": count})
        policies = await data_policies.in_force(connection, source.workspace_id)
        evaluations = await data_policies.evaluations_of(connection, [policy.id for policy in policies])
    found = [one for each in evaluations.values() for one in each if one.source_id == source.id]
    return PoliciesEvaluated(items=[shown_outcome(one) for one in sorted(found, key=lambda one: one.policy_id)])


OPERATIONS = (
    Operation(
        "security.data_policies.results",
        ListPolicyResults,
        Page[PolicyResult],
        list_results,
        f"GET {PATH}/{{policy_id}}/results",
        Permission.SIGNED_IN,
        "Tell in which columns what a data policy requires holds.",
        errors=(Forbidden,),
    ),
    Operation(
        "security.data_policies.evaluate",
        EvaluateDataPolicies,
        PoliciesEvaluated,
        evaluate_data_policies,
        f"POST {PATH}/evaluate",
        Permission.SIGNED_IN,
        "Judge the data policies in a source now.",
        errors=(Forbidden, NotFound),
    ),
)
