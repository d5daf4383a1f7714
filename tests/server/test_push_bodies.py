"""Bodies are unpacked to as much as is allowed, and never to more on the way."""

from __future__ import annotations

import tracemalloc
import zlib

import cramjam
import pytest

from handlers.registry import InvalidRequest, TooLarge
from server.push_bodies import GZIP, IDENTITY, SNAPPY, ZSTD, unpack
from server.representation import UnsupportedMediaType

LIMIT = 64 * 1024
ALL = (IDENTITY, GZIP, ZSTD, SNAPPY)


def packed(body: bytes) -> dict[str, bytes]:
    return {
        IDENTITY: body,
        GZIP: zlib.compress(body, 9, 31),
        ZSTD: bytes(cramjam.zstd.compress(body)),
        SNAPPY: bytes(cramjam.snappy.compress_raw(body)),
    }


@pytest.mark.parametrize("encoding", ALL)
@pytest.mark.parametrize("size", [0, 1, LIMIT])
def test_what_fits_comes_out_as_it_went_in(encoding: str, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert unpack(packed(body)[encoding], f" {encoding.upper()} ", ALL, LIMIT) == body


@pytest.mark.parametrize("encoding", [GZIP, ZSTD, SNAPPY])
def test_what_would_not_fit_is_never_unpacked(encoding: str) -> None:
    bomb = packed(bytes(64 * LIMIT))[encoding]
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="when unpacked"):
            unpack(bomb, encoding, ALL, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 4 * LIMIT
    finally:
        tracemalloc.stop()
    with pytest.raises(TooLarge):
        unpack(packed(bytes(LIMIT + 1))[encoding], encoding, ALL, LIMIT)


@pytest.mark.parametrize("encoding", [GZIP, ZSTD, SNAPPY])
def test_what_is_cut_off_or_something_else_is_refused(encoding: str) -> None:
    whole = packed(bytes(range(200)))[encoding]
    for body in (whole[:-3], b"something else", b""):
        with pytest.raises(InvalidRequest, match=f"not {encoding}"):
            unpack(body, encoding, ALL, LIMIT)
    if encoding == GZIP:
        with pytest.raises(InvalidRequest):
            unpack(whole + whole, encoding, ALL, LIMIT)


def test_other_encodings_are_told_from_the_ones_that_are_taken() -> None:
    for given in ("br", "gzip, gzip", SNAPPY):
        with pytest.raises(UnsupportedMediaType, match="may be identity or gzip here"):
            unpack(b"", given, (IDENTITY, GZIP), LIMIT)
