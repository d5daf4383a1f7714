"""Whole numbers as bytes of the same weight side by side, each such plane compressed by itself.

The high bytes of small numbers are all alike and take next to nothing; each plane has a distribution of its own.
"""

from __future__ import annotations

import cramjam
import numpy as np
from numpy.typing import NDArray

_CONSTANT = b"c"
_PLAIN = b"p"
_ZSTD = b"z"


def encode(numbers: NDArray[np.int64], level: int) -> list[bytes]:
    """The planes up to the highest one that is not all zero; numbers near zero, of either sign, have few."""
    folded = (numbers << 1) ^ (numbers >> 63)
    columns = folded.astype("<i8").view(np.uint8).reshape(-1, 8)
    highest = int(np.bitwise_or.reduce(folded.view(np.uint64))) if len(folded) else 0
    return [packed(np.ascontiguousarray(columns[:, place]), level) for place in range((highest.bit_length() + 7) // 8)]


def decode(planes: list[bytes], count: int) -> NDArray[np.int64]:
    """The numbers."""
    columns = np.zeros((count, 8), np.uint8)
    for place, plane in enumerate(planes):
        columns[:, place] = unpacked(plane, count)
    folded = columns.view("<u8").ravel()
    numbers: NDArray[np.int64] = (folded >> np.uint64(1)).view(np.int64) ^ -(folded & np.uint64(1)).view(np.int64)
    return numbers


def packed(plane: NDArray[np.uint8], level: int) -> bytes:
    """Some bytes, at least one."""
    if plane[0] == plane[-1] and np.all(plane == plane[0]):
        return _CONSTANT + plane[:1].tobytes()
    packed = bytes(cramjam.zstd.compress(plane.data, level=level))
    return _ZSTD + packed if len(packed) < len(plane) else _PLAIN + plane.tobytes()


def unpacked(plane: bytes, count: int) -> NDArray[np.uint8] | int:
    """The bytes, or what each of them is."""
    kind, rest = plane[:1], memoryview(plane)[1:]
    if kind == _CONSTANT:
        return rest[0]
    if kind == _ZSTD:
        rest = memoryview(cramjam.zstd.decompress(rest, output_len=count))
    return np.frombuffer(rest, np.uint8)
