"""How samples are written down as they come: three columns, compressed quickly rather than well.

They are read by those who follow the tail, and soon sealed into chunks.
"""

from __future__ import annotations

import struct

import cramjam
import numpy as np
from numpy.typing import NDArray

from storage.samples.columns import Times, Values

_HEADER = struct.Struct("<BI")
_FORMAT = 1
# Higher levels take three times as long for a tenth less.
_LEVEL = 1


def encode(numbers: NDArray[np.int64], at_ms: Times, value: Values) -> bytes:
    """`numbers` are those of the series within their source."""
    count = len(numbers)
    columns = np.empty((count, 20), np.uint8)
    columns[:, :4] = _bytes_of(np.diff(numbers, prepend=0).astype("<i4"), 4)
    columns[:, 4:12] = _bytes_of(np.diff(at_ms, prepend=0).astype("<i8"), 8)
    columns[:, 12:] = _bytes_of(value.astype("<f8"), 8)
    # Bytes of the same weight side by side: the high ones hardly differ.
    packed = cramjam.zstd.compress(columns.T.tobytes(), level=_LEVEL)
    return _HEADER.pack(_FORMAT, count) + bytes(packed)


def decode(body: bytes) -> tuple[NDArray[np.int64], Times, Values]:
    """The numbers of the series, the times and the values."""
    kind, count = _HEADER.unpack_from(body)
    if kind != _FORMAT:
        raise ValueError(f"a batch of format {kind}, which a later version wrote")
    unpacked = memoryview(cramjam.zstd.decompress(memoryview(body)[_HEADER.size :], output_len=20 * count))
    columns = np.ascontiguousarray(np.frombuffer(unpacked, np.uint8).reshape(20, count).T)
    numbers = np.cumsum(np.ascontiguousarray(columns[:, :4]).view("<i4").ravel(), dtype=np.int64)
    at_ms = np.cumsum(np.ascontiguousarray(columns[:, 4:12]).view("<i8").ravel(), dtype=np.int64)
    value = np.ascontiguousarray(columns[:, 12:]).view("<f8").ravel()
    return numbers, at_ms, value


def _bytes_of(column: NDArray[np.generic], width: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(column).view(np.uint8).reshape(-1, width)
