"""Stored answers: what was found when, and what is different between two of them."""

from __future__ import annotations

from typing import Any

import msgspec

from handlers.analytics.answers import Verdict
from handlers.analytics.events import watched_list
from handlers.analytics.findings import Finding, findings_of, has_findings, is_changed
from handlers.analytics.grounds import Ground
from handlers.analytics.stored_answers import stored_answer
from handlers.analytics.tasks import AnalysisKind
from handlers.dataset_access import require_dataset
from handlers.names import RowId, WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import (
    Conflict,
    Context,
    Forbidden,
    Instant,
    InvalidRequest,
    NotFound,
    Operation,
    Page,
    Permission,
)
from storage import analytics
from storage.analytics import Result


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    """A stored answer. `key` is the same for the same question, `version` for the same content of the dataset.

    `findings` counts them. Of each question the newest 30 answers are kept, of each dataset 200.
    """

    id: RowId
    workspace_id: str
    dataset_id: RowId
    kind: AnalysisKind
    key: str
    version: str
    parameters: dict[str, Any]
    state: str
    findings: int
    seconds: float
    bytes: int
    created_by: str
    created_at: Instant


class StoredAnswer(StoredResult, frozen=True, kw_only=True):
    """`answer` is as it was given then, by the kind of question."""

    answer: dict[str, Any]


class JudgedFinding(Finding, frozen=True, kw_only=True):
    """A finding, and what somebody said of it."""

    verdict: Verdict | None


class ChangedFinding(msgspec.Struct, frozen=True, kw_only=True):
    before: Finding
    after: Finding


class ResultDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What the second of two answers has that the first had not, and the other way round.

    A finding is changed if its intervals do not overlap, or where it has none, if its sentence is another.
    """

    before: StoredResult
    after: StoredResult
    new: list[JudgedFinding]
    gone: list[JudgedFinding]
    changed: list[ChangedFinding]
    unchanged: int


class ListStoredResults(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first. With `dataset_id`, those of its workspace, which need not be named; without, of `default`."""

    workspace_id: WorkspaceId | None = None
    dataset_id: RowId | None = None
    kind: AnalysisKind | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class GetStoredResult(msgspec.Struct, frozen=True, kw_only=True):
    result_id: RowId


class ListFindings(msgspec.Struct, frozen=True, kw_only=True):
    """In the answer's order; those that somebody dismissed only with `dismissed=true`."""

    result_id: RowId
    dismissed: bool = False


class DiffResults(msgspec.Struct, frozen=True, kw_only=True):
    """Of one kind, about one dataset."""

    result_id: RowId
    other_id: RowId


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    items: list[JudgedFinding]
    dismissed: int


async def list_results(context: Context, request: ListStoredResults) -> Page[StoredResult]:
    workspace_id = await _workspace_of(context, request)
    before = decode_cursor("analytics.results", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await analytics.list_of(
            connection,
            workspace_id,
            dataset_id=request.dataset_id,
            kind=request.kind,
            before=before,
            limit=request.limit + 1,
        )
    return page_of(rows, request.limit, "analytics.results", key=lambda row: row.id, item=_shown)


async def _workspace_of(context: Context, request: ListStoredResults) -> str:
    """Raises NotFound also where the dataset is in another workspace than the one named."""
    if request.dataset_id is not None:
        dataset = await require_dataset(context, request.dataset_id, Permission.READ)
        if request.workspace_id not in (None, dataset.workspace_id):
            raise NotFound(f"There is no dataset {dataset.id} in the workspace {request.workspace_id!r}.")
        return dataset.workspace_id
    workspace_id = request.workspace_id or "default"
    await context.parts.access.require(context.principal, Permission.READ, workspace_id)
    return workspace_id


async def get_result(context: Context, request: GetStoredResult) -> StoredAnswer:
    row, answer, _ = await stored_answer(context, request.result_id)
    return StoredAnswer(**msgspec.structs.asdict(_shown(row)), answer=msgspec.to_builtins(answer, str_keys=True))


async def list_findings(context: Context, request: ListFindings) -> Findings:
    _, answer, ground = await stored_answer(context, request.result_id)
    judged = _judged(findings_of(answer).values(), ground)
    shown = [each for each in judged if request.dismissed or not _is_dismissed(each)]
    return Findings(items=shown, dismissed=sum(map(_is_dismissed, judged)))


async def diff_results(context: Context, request: DiffResults) -> ResultDiff:
    first, before, ground = await stored_answer(context, request.result_id)
    second, after, _ = await stored_answer(context, request.other_id)
    if (first.kind, first.dataset_id) != (second.kind, second.dataset_id):
        raise InvalidRequest("other_id: It is an answer about another dataset, or to another kind of question.")
    if not has_findings(AnalysisKind(first.kind)):
        raise InvalidRequest(f"Answers on {first.kind} have no findings to compare.", code="no_findings")
    old, new = findings_of(before), findings_of(after)
    both = [(old[key], new[key]) for key in new if key in old]
    changed = [ChangedFinding(before=one, after=other) for one, other in both if is_changed(one, other)]
    return ResultDiff(
        before=_shown(first),
        after=_shown(second),
        new=_judged((new[key] for key in new if key not in old), ground),
        gone=_judged((old[key] for key in old if key not in new), ground),
        changed=changed,
        unchanged=len(both) - len(changed),
    )


def _judged(findings: Any, ground: Ground) -> list[JudgedFinding]:
    said = {verdict.fingerprint: verdict for verdict in ground.verdicts}
    return [
        JudgedFinding(
            fingerprint=each.fingerprint,
            type=each.type,
            title=each.title,
            figures=each.figures,
            verdict=said.get(each.fingerprint),
        )
        for each in findings
    ]


def _is_dismissed(finding: JudgedFinding) -> bool:
    return finding.verdict is not None and finding.verdict.verdict == "dismissed"


def _shown(row: Result) -> StoredResult:
    return StoredResult(
        id=row.id,
        workspace_id=row.workspace_id,
        dataset_id=row.dataset_id,
        kind=AnalysisKind(row.kind),
        key=row.key,
        version=row.version,
        parameters=msgspec.json.decode(row.parameters),
        state=row.state,
        findings=row.findings,
        seconds=row.seconds,
        bytes=row.bytes,
        created_by=row.created_by,
        created_at=row.created_at,
    )


OPERATIONS = (
    Operation(
        "analytics.results.list",
        ListStoredResults,
        Page[StoredResult],
        list_results,
        "GET /analytics/results",
        Permission.SIGNED_IN,
        "List stored answers of analyses.",
        errors=(Forbidden, NotFound),
        watched=watched_list(),
    ),
    Operation(
        "analytics.results.get",
        GetStoredResult,
        StoredAnswer,
        get_result,
        "GET /analytics/results/{result_id}",
        Permission.SIGNED_IN,
        "Get a stored answer.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "analytics.results.findings",
        ListFindings,
        Findings,
        list_findings,
        "GET /analytics/results/{result_id}/findings",
        Permission.SIGNED_IN,
        "List what a stored answer found, and what people said of it.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "analytics.results.diff",
        DiffResults,
        ResultDiff,
        diff_results,
        "GET /analytics/results/{result_id}/diff/{other_id}",
        Permission.SIGNED_IN,
        "Compare two stored answers: findings that are new, gone, changed.",
        errors=(Conflict, Forbidden),
    ),
)
