"""Samples pushed as plain JSON: the operation, for sockets and batches as well."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.gathered_samples import window_of
from handlers.ingest.json_lines import BadLines, PushedSample, gather
from handlers.ingest.pushing import Pushed, push
from handlers.names import RowId
from handlers.parts import Parts
from handlers.registry import Context, Forbidden, InvalidRequest, Operation, Permission
from handlers.source_access import require_source
from storage.data_sources import DataSource
from storage.tables import to_microseconds

# About what a body of the default size holds.
MOST_SAMPLES = 100_000


class PushSamples(msgspec.Struct, frozen=True, kw_only=True):
    """Over HTTP the body may also be a list of samples, or one a line (`application/x-ndjson`), and a push key will do.

    If one of them is no sample, nothing is stored. Those whose time is too far ahead or too long ago, or whose series
    is one too many, are counted in `refused` and the others stored. To push the same again changes nothing.
    """

    data_source_id: RowId
    samples: Annotated[list[PushedSample], Meta(max_length=MOST_SAMPLES)]


class PushAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored is durable; `message` says why others were refused."""

    stored: int
    refused: int
    message: str | None


async def push_samples(context: Context, request: PushSamples) -> PushAnswer:
    source = await require_source(context, request.data_source_id, Permission.WRITE)
    return await store_samples(context.parts, source, request.samples, context.now())


async def store_samples(parts: Parts, source: DataSource, samples: list[PushedSample], now: datetime) -> PushAnswer:
    """Whoever calls this has asked whether the caller may."""
    try:
        decoded = gather(samples, to_microseconds(now) // 1000, window_of(parts.samples.policy, now))
    except BadLines as error:
        raise bad_samples(error) from None
    return answer_of(await push(parts, source, decoded))


def answer_of(pushed: Pushed) -> PushAnswer:
    return PushAnswer(stored=pushed.stored, refused=pushed.refusals.count, message=pushed.refusals.sentence() or None)


def bad_samples(error: BadLines) -> InvalidRequest:
    """All that is wrong, and that nothing was stored."""
    first = error.lines[0]
    others = f" So are {error.count - 1} others." if error.count > 1 else ""
    return InvalidRequest(
        f"Nothing was stored. Line {first.line} is no sample: {first.message}{others}",
        code="bad_samples",
        details={"bad": error.count, "lines": msgspec.to_builtins(error.lines)},
    )


OPERATIONS = (
    Operation(
        "metrics.push",
        PushSamples,
        PushAnswer,
        push_samples,
        "POST /performance/sources/{data_source_id}/samples",
        Permission.SIGNED_IN,
        "Push samples to a data source.",
        # Each of thousands a second would leave a row, and be told as a change of all measurements; the way in for
        # measurements says which source has some.
        audited=False,
        errors=(Forbidden,),
    ),
)
