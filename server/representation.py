"""What bodies look like: JSON, MessagePack or raw bytes in, JSON, MessagePack, NDJSON or raw bytes out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from handlers.page_policy import NOT_FRAMED, policy_of
from handlers.registry import Binary, InvalidRequest, OperationError, TooLarge

JSON = "application/json"
MESSAGEPACK = "application/msgpack"
NDJSON = "application/x-ndjson"
OCTETS = "application/octet-stream"

_MESSAGEPACK_NAMES = (MESSAGEPACK, "application/vnd.msgpack", "application/x-msgpack")
_OFFERED = (JSON, *_MESSAGEPACK_NAMES, NDJSON)


class UnsupportedMediaType(OperationError):
    status = 415
    default_code = "unsupported_media_type"


def preferred(accept: str, offered: Iterable[str]) -> str | None:
    """The offered media type that an Accept header likes best, the earlier of equals; None if it likes none."""
    ranges = [_parse_range(part) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    best, best_quality = None, 0.0
    for media_type in offered:
        quality = _quality(media_type, ranges)
        if quality > best_quality:
            best, best_quality = media_type, quality
    return best


def _parse_range(part: str) -> tuple[str, float]:
    media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return media_range, quality


def _quality(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """The most specific range that fits decides, as RFC 9110 section 12.5.1 has it."""
    for candidate in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        for media_range, quality in ranges:
            if media_range == candidate:
                return quality
    return 0.0


def wanted(request: Request) -> str:
    """JSON, MESSAGEPACK or NDJSON, by the Accept header; JSON for whoever wants none of them."""
    chosen = preferred(request.headers.get("accept", ""), _OFFERED) or JSON
    return MESSAGEPACK if chosen in _MESSAGEPACK_NAMES else chosen


def encode(value: Any, media_type: str) -> bytes:
    return msgspec.msgpack.encode(value) if media_type == MESSAGEPACK else msgspec.json.encode(value)


def respond(result: Any, status: int, media_type: str, headers: dict[str, str]) -> Response:
    """A handler's result as a response: nothing is 204, `Binary` is its own bytes."""
    if result is None:
        return Response(None, 204, headers)
    if isinstance(result, Binary):
        return Response(result.data, status, {**_policy(result), **headers}, result.media_type)
    return Response(encode(result, media_type), status, headers, media_type)


def _policy(result: Binary) -> dict[str, str]:
    """What a page that we made may do where it is shown."""
    if not result.media_type.startswith("text/html"):
        return {}
    return {"Content-Security-Policy": f"{policy_of(result.data.decode())}; {NOT_FRAMED}; sandbox"}


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; raises TooLarge as soon as it is known to be more than `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body may have at most {limit} bytes.", details={"limit": limit})


def media_type_of(request: Request) -> str:
    """The media type of the body without its parameters; octets if it is not said."""
    return request.headers.get("content-type", OCTETS).partition(";")[0].strip().lower()


def is_structured(media_type: str) -> bool:
    """Whether bodies of this type are decoded into values."""
    return media_type == JSON or media_type.endswith("+json") or media_type in _MESSAGEPACK_NAMES


def decode(body: bytes, media_type: str) -> Any:
    """The value of a JSON or MessagePack body. Raises InvalidRequest for what is not one."""
    try:
        if media_type in _MESSAGEPACK_NAMES:
            return msgspec.msgpack.decode(body)
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is not {media_type}: {error}", code="malformed_body") from None
