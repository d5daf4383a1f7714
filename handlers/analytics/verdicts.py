"""What people say of findings: it stays with a finding through later answers, and everybody sees it."""

from __future__ import annotations

import contextlib
from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.analytics.answers import Decision, Verdict, shown_verdict
from handlers.analytics.events import add_verdict, watched
from handlers.analytics.findings import findings_of
from handlers.analytics.stored_answers import stored_answer
from handlers.audit_trail import record
from handlers.dataset_access import require_dataset
from handlers.names import RowId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, InvalidRequest, NotFound, Operation, Page, Permission
from storage import analytics
from storage.catalog import Dataset

# A finding that none of the newest answers has is not there to be judged.
_LOOKED_AT = 20

Fingerprint = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,128}$(?!\n)", description="Of a finding, as answers tell it.")
]
Reason = Annotated[str, Meta(max_length=2000, pattern=r"^[^\x00]*$(?!\n)", description="Why, for everybody to read.")]


class DecideVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """In place of what was said before. A dismissal needs a reason."""

    dataset_id: RowId
    fingerprint: Fingerprint
    verdict: Decision
    reason: Reason = ""


class TakeBackVerdict(msgspec.Struct, frozen=True, kw_only=True):
    dataset_id: RowId
    fingerprint: Fingerprint


class ListVerdicts(msgspec.Struct, frozen=True, kw_only=True):
    """By fingerprint."""

    dataset_id: RowId
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


async def decide(context: Context, request: DecideVerdict) -> Verdict:
    dataset = await require_dataset(context, request.dataset_id, Permission.COMMENT)
    if request.verdict is Decision.DISMISSED and not request.reason.strip():
        raise InvalidRequest("reason: Say why it is dismissed; everybody sees it.", details={"parameter": "reason"})
    await _require_finding(context, dataset, request.fingerprint)
    verdict = analytics.Verdict(
        dataset.id,
        request.fingerprint,
        request.verdict.value,
        request.reason.strip(),
        context.user.user_id,
        context.now(),
    )
    async with context.parts.feeds.writing() as (connection, outbox):
        await analytics.decide(connection, verdict)
        said = {"fingerprint": verdict.fingerprint, "verdict": verdict.verdict, "reason": verdict.reason}
        add_verdict(outbox, dataset, said, verdict.decided_by)
        await record(connection, context, "analytics.verdicts.decide", str(dataset.id), said)
    return shown_verdict(verdict)


async def take_back(context: Context, request: TakeBackVerdict) -> None:
    dataset = await require_dataset(context, request.dataset_id, Permission.COMMENT)
    async with context.parts.feeds.writing() as (connection, outbox):
        if not await analytics.take_back(connection, dataset.id, request.fingerprint):
            raise NotFound(f"Nothing was said of the finding {request.fingerprint!r}.", code="no_such_verdict")
        said = {"fingerprint": request.fingerprint, "verdict": None}
        add_verdict(outbox, dataset, said, context.user.user_id)
        await record(connection, context, "analytics.verdicts.take_back", str(dataset.id), said)


async def list_verdicts(context: Context, request: ListVerdicts) -> Page[Verdict]:
    dataset = await require_dataset(context, request.dataset_id, Permission.READ)
    after = decode_cursor("analytics.verdicts", request.cursor, Fingerprint)
    async with context.parts.database.read() as connection:
        rows = await analytics.verdicts_of(connection, dataset.id, after=after, limit=request.limit + 1)
    return page_of(list(rows), request.limit, "analytics.verdicts", key=lambda row: row.fingerprint, item=shown_verdict)


async def _require_finding(context: Context, dataset: Dataset, fingerprint: str) -> None:
    """Raises NotFound for one that none of the newest answers has."""
    async with context.parts.database.read() as connection:
        rows = await analytics.list_of(connection, dataset.workspace_id, dataset_id=dataset.id, limit=_LOOKED_AT)
    for row in rows:
        # What somebody may not see is not confirmed to them either: a fingerprint is made of what was found.
        with contextlib.suppress(NotFound, Conflict):
            _, answer, _ = await stored_answer(context, row.id)
            if fingerprint in findings_of(answer):
                return
    raise NotFound(
        f"None of the newest answers about dataset {dataset.id} has a finding {fingerprint!r}.", code="no_such_finding"
    )


OPERATIONS = (
    Operation(
        "analytics.verdicts.list",
        ListVerdicts,
        Page[Verdict],
        list_verdicts,
        "GET /analytics/datasets/{dataset_id}/verdicts",
        Permission.SIGNED_IN,
        "List what people said of findings about a dataset.",
        errors=(Forbidden,),
        watched=watched(ListVerdicts),
    ),
    Operation(
        "analytics.verdicts.decide",
        DecideVerdict,
        Verdict,
        decide,
        "PUT /analytics/datasets/{dataset_id}/verdicts/{fingerprint}",
        Permission.SIGNED_IN,
        "Acknowledge or dismiss a finding.",
        errors=(Forbidden,),
    ),
    Operation(
        "analytics.verdicts.take_back",
        TakeBackVerdict,
        None,
        take_back,
        "DELETE /analytics/datasets/{dataset_id}/verdicts/{fingerprint}",
        Permission.SIGNED_IN,
        "Take back what was said of a finding.",
        status=204,
        errors=(Forbidden,),
    ),
)
