"""Samples as plain JSON over HTTP, in whichever way they come: an object, a list, or one a line."""

from __future__ import annotations

import asyncio
from typing import Any

from handlers.dispatch import validate
from handlers.ingest.json_lines import BadLines, PushedSample, parse_lines
from handlers.ingest.pushing import MOST_BYTES_AT_ONCE
from handlers.ingest.samples import MOST_SAMPLES, OPERATIONS, PushSamples, bad_samples
from handlers.registry import InvalidRequest, TooLarge
from server.push_bodies import GZIP, IDENTITY, ZSTD
from server.representation import NDJSON, UnsupportedMediaType, decode, is_structured

PLAIN_ENCODINGS = (IDENTITY, GZIP, ZSTD)
# What people call one value a line.
_LINES = (NDJSON, "application/jsonl", "application/json-lines", "application/x-jsonlines")
_SOURCE = "data_source_id"


async def samples_of(body: bytes, media_type: str, source_id: int) -> PushSamples:
    """What a body asks to store. Raises OperationError."""
    if len(body) <= MOST_BYTES_AT_ONCE:
        return _samples_of(body, media_type, source_id)
    return await asyncio.to_thread(_samples_of, body, media_type, source_id)


def _samples_of(body: bytes, media_type: str, source_id: int) -> PushSamples:
    if media_type in _LINES:
        return PushSamples(data_source_id=source_id, samples=_lines(body))
    if not is_structured(media_type):
        raise UnsupportedMediaType(
            f"Samples come as JSON, as MessagePack, or one a line as {NDJSON}: say which in Content-Type.",
            details={"given": media_type[:100]},
        )
    value = decode(body, media_type) if body else {}
    return _validated(value if isinstance(value, dict) else {"samples": value}, source_id)


def _lines(body: bytes) -> list[PushedSample]:
    try:
        samples = parse_lines(body)
    except BadLines as error:
        raise bad_samples(error) from None
    if len(samples) > MOST_SAMPLES:
        raise TooLarge(f"A request holds at most {MOST_SAMPLES} samples.", details={"limit": MOST_SAMPLES})
    return samples


def _validated(parameters: dict[str, Any], source_id: int) -> PushSamples:
    if _SOURCE in parameters:
        raise InvalidRequest("The address says which data source it is.", details={"unknown": [_SOURCE]})
    request = validate(OPERATIONS[0], {**parameters, _SOURCE: source_id})
    assert isinstance(request, PushSamples)
    return request
