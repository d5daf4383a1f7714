"""Quality rules of data sources: stored, changed, and tried against the source before a scan does."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analysis.rules.rule_types import Referential, Rule, RuleError, SqlCondition
from handlers.audit_trail import record
from handlers.names import RowId, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
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
    Unavailable,
)
from handlers.scans.options import Pattern, matches
from handlers.scans.rule_rights import require_rights, shown_result
from handlers.scans.source_reading import full_name, list_datasets, read_dataset, reading
from handlers.scans.stored_rules import named_rule, rule_of
from handlers.scans.tasks import Part, QualityResult, Task
from handlers.source_access import answering_for_source, require_source
from handlers.source_readers import ReaderLostError
from storage import scan_rules
from storage.scans import Listed

MOST_OF_A_SOURCE = 500
_WILDCARDS = set("*?[")
TEST_ROWS = 100_000
# What a person waits for; a scan has more time.
TEST_SECONDS = 60.0


class ScanRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule for the datasets of a source that match the pattern."""

    id: RowId
    workspace_id: str
    source_id: RowId
    dataset: str
    rule: Rule
    enabled: bool
    created_by: str
    created_at: Instant
    updated_by: str
    updated_at: Instant


class ListRules(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId = "default"
    source_id: RowId | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with SQL is of one dataset, named without wildcards; others may be of many."""

    source_id: RowId
    dataset: Pattern
    rule: Rule
    enabled: bool = True


class GetRule(msgspec.Struct, frozen=True, kw_only=True):
    rule_id: RowId


class UpdateRule(msgspec.Struct, frozen=True, kw_only=True):
    """Only what is given changes; a rule changes as a whole."""

    rule_id: RowId
    dataset: Pattern | UnsetType = UNSET
    rule: Rule | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class DeleteRule(msgspec.Struct, frozen=True, kw_only=True):
    """What scans found by it stays."""

    rule_id: RowId


class TestRule(msgspec.Struct, frozen=True, kw_only=True):
    """Tried on a dataset that matches its pattern: `dataset`, or the first. About `rows` rows are looked at."""

    rule_id: RowId
    dataset: Annotated[str, Meta(min_length=1, max_length=5000, pattern=r"^[^\x00]+$(?!\n)")] | None = None
    rows: Annotated[int, Meta(ge=1, le=1_000_000)] = TEST_ROWS


class RuleTest(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a rule on one dataset, of which so many rows were looked at."""

    dataset: str
    rows: int
    result: QualityResult


async def list_rules(context: Context, request: ListRules) -> Page[ScanRule]:
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    after = decode_cursor("scan_rules", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await scan_rules.list_of(
            connection, request.workspace_id, source_id=request.source_id, after=after, limit=request.limit + 1
        )
    return page_of(rows, request.limit, "scan_rules", key=lambda row: row.id, item=_shown)


async def create_rule(context: Context, request: CreateRule) -> ScanRule:
    source = await require_source(context, request.source_id, Permission.WRITE)
    _check_dataset(request.rule, request.dataset)
    _check_condition(request.rule)
    await require_rights(context, source, request.dataset, request.rule)
    async with context.parts.database.write() as connection:
        if await scan_rules.count(connection, source.id) >= MOST_OF_A_SOURCE:
            raise Conflict(
                f"The source has {MOST_OF_A_SOURCE} rules already; delete some first.", code="too_many_rules"
            )
        row = await scan_rules.create(
            connection,
            workspace_id=source.workspace_id,
            source_id=source.id,
            dataset=request.dataset,
            rule=_encoded(request.rule),
            enabled=request.enabled,
            by=context.user.user_id,
            at=context.now(),
        )
        details = {"source_id": source.id, "name": request.rule.name}
        await record(connection, context, "scan_rules.create", str(row.id), details)
    return _shown(row)


async def get_rule(context: Context, request: GetRule) -> ScanRule:
    return _shown(await _require(context, request.rule_id, Permission.READ))


async def update_rule(context: Context, request: UpdateRule) -> ScanRule:
    seen = await _require(context, request.rule_id, Permission.WRITE)
    rule = rule_of(seen) if request.rule is UNSET else request.rule
    _check_dataset(rule, seen.dataset if request.dataset is UNSET else request.dataset)
    if request.rule is not UNSET:
        # One that was stored when less was refused can still be disabled.
        _check_condition(rule)
    if request.rule is not UNSET or request.dataset is not UNSET:
        source = await require_source(context, seen.source_id, Permission.WRITE)
        await require_rights(context, source, seen.dataset if request.dataset is UNSET else request.dataset, rule)
    given = {name: getattr(request, name) for name in ("dataset", "rule", "enabled")}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not UNSET}
    if "rule" in values:
        values["rule"] = _encoded(rule)
    async with context.parts.database.write() as connection:
        row = await scan_rules.change(connection, seen.id, by=context.user.user_id, at=context.now(), **values)
        if row is None:
            raise _gone(seen.id)
        await record(connection, context, "scan_rules.update", str(row.id), {"changed": sorted(values)})
    return _shown(row)


async def delete_rule(context: Context, request: DeleteRule) -> None:
    seen = await _require(context, request.rule_id, Permission.WRITE)
    async with context.parts.database.write() as connection:
        if not await scan_rules.remove(connection, seen.id):
            raise _gone(seen.id)
        await record(connection, context, "scan_rules.delete", str(seen.id), {"source_id": seen.source_id})


async def test_rule(context: Context, request: TestRule) -> RuleTest:
    row = await _require(context, request.rule_id, Permission.WRITE)
    source = await require_source(context, row.source_id, Permission.WRITE)
    try:
        with answering_for_source():
            async with asyncio.timeout(TEST_SECONDS), reading(context.parts, source) as reader:
                chosen = _chosen(row, request.dataset, await reader.run(list_datasets))
                task = Task(
                    schema_name=chosen.schema_name,
                    name=chosen.name,
                    parts=(Part.QUALITY,),
                    rules=(named_rule(row),),
                    sample_rows=request.rows,
                    expected_rows=chosen.estimated_rows,
                )
                answer = await reader.run(read_dataset, task)
    except ReaderLostError as error:
        raise Unavailable(f"The rule was not tried: {error}.", code="reader_lost") from None
    except TimeoutError:
        raise Unavailable(f"The rule took longer than {TEST_SECONDS:g} s; try fewer rows.", code="timeout") from None
    async with context.parts.database.write() as connection:
        await record(connection, context, "scan_rules.test", str(row.id), {"dataset": full_name(chosen)})
    [body] = answer.bodies
    result = await shown_result(context, source, chosen, body.json)
    return RuleTest(dataset=full_name(chosen), rows=answer.rows, result=result)


def _chosen(row: scan_rules.ScanRule, dataset: str | None, listed: list[Listed]) -> Listed:
    """The dataset to try the rule on. Raises InvalidRequest."""
    matching = [one for one in listed if matches(full_name(one), row.dataset)]
    chosen = next((one for one in matching if dataset is None or full_name(one) == dataset), None)
    if chosen is not None:
        return chosen
    if not matching:
        raise InvalidRequest(
            f"None of the source's {len(listed)} datasets matches {row.dataset!r}, the rule's pattern.",
            code="nothing_matches",
        )
    raise InvalidRequest(
        f"dataset: the rule's pattern matches no dataset {dataset!r}; it matches {full_name(matching[0])!r}.",
        code="nothing_matches",
        details={"parameter": "dataset"},
    )


def _check_dataset(rule: Rule, dataset: str) -> None:
    """Raises InvalidRequest for a pattern that the rule cannot have."""
    if isinstance(rule.condition, SqlCondition) and _WILDCARDS & set(dataset):
        raise _bad("dataset", f"a rule with SQL is of one dataset, and {dataset!r} is a pattern; name one")


def _check_condition(rule: Rule) -> None:
    """Raises InvalidRequest for a rule that could never be evaluated, or never fail."""
    from analysis.rules.evaluation import check_rule  # noqa: PLC0415 - it loads CEL and RE2

    condition = rule.condition
    if isinstance(condition, Referential) and "." not in condition.reference:
        raise _bad("rule", f"a reference is `dataset.column`, and {condition.reference!r} has no dot")
    try:
        check_rule(rule)
    except RuleError as error:
        raise _bad("rule", str(error)) from None


def _bad(parameter: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{parameter}: {why}.", code="bad_rule", details={"parameter": parameter})


def _encoded(rule: Rule) -> str:
    return msgspec.json.encode(rule).decode()


async def _require(context: Context, rule_id: int, permission: Permission) -> scan_rules.ScanRule:
    """The rule, if the caller may. Raises NotFound, Forbidden."""
    async with context.parts.database.read() as connection:
        row = await scan_rules.get(connection, rule_id)
    if row is None:
        raise _gone(rule_id)
    try:
        await context.parts.access.require(context.principal, permission, row.workspace_id)
    except NotFound:
        raise _gone(rule_id) from None
    return row


def _gone(rule_id: int) -> NotFound:
    return NotFound(f"There is no rule {rule_id}, or you are not a member of its workspace.")


def _shown(row: scan_rules.ScanRule) -> ScanRule:
    columns = {name: getattr(row, name) for name in ScanRule.__struct_fields__}
    return msgspec.convert(columns | {"rule": rule_of(row)}, ScanRule)


OPERATIONS = (
    Operation(
        "scan_rules.list",
        ListRules,
        Page[ScanRule],
        list_rules,
        "GET /scan-rules",
        Permission.SIGNED_IN,
        "List the quality rules of a workspace's sources.",
        errors=(Forbidden, NotFound),
    ),
    Operation(
        "scan_rules.create",
        CreateRule,
        ScanRule,
        create_rule,
        "POST /scan-rules",
        Permission.SIGNED_IN,
        "Make a quality rule.",
        status=201,
        errors=(Conflict, Forbidden, NotFound),
    ),
    Operation(
        "scan_rules.get",
        GetRule,
        ScanRule,
        get_rule,
        "GET /scan-rules/{rule_id}",
        Permission.SIGNED_IN,
        "Get a quality rule.",
        errors=(Forbidden,),
    ),
    Operation(
        "scan_rules.update",
        UpdateRule,
        ScanRule,
        update_rule,
        "PATCH /scan-rules/{rule_id}",
        Permission.SIGNED_IN,
        "Change a quality rule.",
        errors=(Forbidden,),
    ),
    Operation(
        "scan_rules.delete",
        DeleteRule,
        None,
        delete_rule,
        "DELETE /scan-rules/{rule_id}",
        Permission.SIGNED_IN,
        "Delete a quality rule.",
        status=204,
        errors=(Forbidden,),
    ),
    Operation(
        "scan_rules.test",
        TestRule,
        RuleTest,
        test_rule,
        "POST /scan-rules/{rule_id}/test",
        Permission.SIGNED_IN,
        "Try a quality rule on its source.",
        errors=(Conflict, Forbidden),
    ),
)
