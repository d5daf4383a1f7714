"""Bodies of those that push: unpacked, but never to more than is allowed."""

from __future__ import annotations

import asyncio
import zlib

import cramjam

from handlers.registry import InvalidRequest, TooLarge
from server.representation import UnsupportedMediaType

SNAPPY, GZIP, ZSTD, IDENTITY = "snappy", "gzip", "zstd", "identity"

# A header and a trailer of gzip around what zlib unpacks.
_GZIP = 16 + zlib.MAX_WBITS
# How the library says that the room is used up.
_NO_ROOM = "failed to write whole buffer"


# Unpacking so much takes a few ten milliseconds at most, whatever is in it.
MOST_BYTES_AT_ONCE = 64 * 1024


async def unpacked(body: bytes, encoding: str, accepted: tuple[str, ...], limit: int) -> bytes:
    """As `unpack`; a large body is unpacked in a thread."""
    if len(body) <= MOST_BYTES_AT_ONCE or not encoding:
        return unpack(body, encoding, accepted, limit)
    return await asyncio.to_thread(unpack, body, encoding, accepted, limit)


def unpack(body: bytes, encoding: str, accepted: tuple[str, ...], limit: int) -> bytes:
    """The body without its content encoding, at most `limit` bytes.

    Raises UnsupportedMediaType for an encoding that is not accepted, TooLarge, and InvalidRequest.
    """
    encoding = encoding.strip().lower() or IDENTITY
    if encoding not in accepted:
        raise UnsupportedMediaType(
            f"Content-Encoding may be {' or '.join(accepted)} here.", details={"given": encoding[:100]}
        )
    match encoding:
        case "snappy":
            return _snappy(body, limit)
        case "gzip":
            return _gzip(body, limit)
        case "zstd":
            return _zstd(body, limit)
        case _:
            return body


def _snappy(body: bytes, limit: int) -> bytes:
    """Block format. Its length stands in front, and is believed only to refuse."""
    try:
        if cramjam.snappy.decompress_raw_len(body) > limit:
            raise _too_large(limit)
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError:
        raise _bad(SNAPPY) from None


def _gzip(body: bytes, limit: int) -> bytes:
    """One stream: that many may follow each other is used by nobody who pushes."""
    unpacking = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacking.decompress(body, limit + 1)
    except zlib.error:
        raise _bad(GZIP) from None
    if len(unpacked) > limit:
        raise _too_large(limit)
    if not unpacking.eof or unpacking.unused_data:
        raise _bad(GZIP)
    return unpacked


def _zstd(body: bytes, limit: int) -> bytes:
    """The room is there before it is unpacked, and there is no more; pages that are not needed are never touched."""
    room = bytearray(limit)
    try:
        size = cramjam.zstd.decompress_into(body, room)
    except cramjam.DecompressionError as error:
        raise (_too_large(limit) if _NO_ROOM in str(error) else _bad(ZSTD)) from None
    return bytes(memoryview(room)[:size])


def _bad(encoding: str) -> InvalidRequest:
    return InvalidRequest(f"The body is not {encoding}.", code="malformed_body")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body may have at most {limit} bytes when unpacked.", details={"limit": limit})
