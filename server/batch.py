"""`POST /batch`: many operations in one call, run side by side, each with its own result or error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from handlers.dispatch import execute, find
from handlers.registry import Context, Operation, OperationError, Permission, TooLarge
from server.problems import Internal

logger = logging.getLogger(__name__)


class BatchItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call of a batch. `id` comes back with its answer."""

    id: int | Annotated[str, msgspec.Meta(max_length=100)]
    operation: str
    parameters: dict[str, Any] = {}


class BatchRequest(msgspec.Struct, frozen=True):
    body: list[BatchItem]


class BatchError(msgspec.Struct, frozen=True, kw_only=True):
    """Why one call of a batch was not done."""

    code: str
    message: str
    details: dict[str, Any] | None


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one call: its HTTP status, and either `result` (which may be null) or `error`."""

    id: int | str
    status: int
    result: Any = UNSET
    error: BatchError | UnsetType = UNSET


def batch_operation(operations: Sequence[Operation]) -> Operation:
    """The operation `batch` over the others. Answers stand in the order of the calls; none undoes another."""
    table = {operation.name: operation for operation in operations}

    async def run_batch(context: Context, request: BatchRequest) -> list[BatchAnswer]:
        limits = context.parts.limits
        if len(request.body) > limits.batch_items:
            raise TooLarge(f"A batch holds at most {limits.batch_items} calls.", details={"limit": limits.batch_items})
        turns = asyncio.Semaphore(limits.batch_concurrency)
        return await asyncio.gather(*(_answer(table, context, item, turns) for item in request.body))

    return Operation(
        "batch",
        BatchRequest,
        list[BatchAnswer],
        run_batch,
        "POST /batch",
        Permission.SIGNED_IN,
        "Run many operations side by side.",
        audited=False,
    )


def calls_beyond_one(operation: Operation, parameters: Mapping[str, Any]) -> int:
    """How many calls more than one a request holds: a batch is no way around limits."""
    calls = parameters.get("body")
    return max(0, len(calls) - 1) if operation.name == "batch" and isinstance(calls, list) else 0


async def _answer(
    table: Mapping[str, Operation], context: Context, item: BatchItem, turns: asyncio.Semaphore
) -> BatchAnswer:
    try:
        operation = find(table, item.operation)
        async with turns:
            result = await execute(operation, context, item.parameters)
    except OperationError as error:
        return _failed(item, error)
    except Exception:
        logger.exception("request %s failed at %s", context.request_id, item.operation)
        return _failed(item, Internal())
    return BatchAnswer(id=item.id, status=operation.status, result=result)


def _failed(item: BatchItem, error: OperationError) -> BatchAnswer:
    shown = BatchError(code=error.code, message=error.message, details=error.details)
    return BatchAnswer(id=item.id, status=error.status, error=shown)
