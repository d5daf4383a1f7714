"""How a chunk is written down: a window of a few series, sorted by series and time, column by column.

The order of segments is that of `owner`, the place of each series in its group.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from storage.samples import floats, integers, rollup_body
from storage.samples.columns import Times, Values
from storage.samples.rollup import Rollup

# Of chunks that are rewritten soon, and of those that stay.
QUICK = 1
LASTING = 6

_SAMPLES = 1
_ROLLUP = 2


class _Body(msgspec.Struct, array_like=True, frozen=True):
    """`owners` are those that have segments, `counts` how long these are."""

    kind: int
    owners: bytes
    counts: list[int]
    parts: list[list[bytes]]


_DECODER = msgspec.msgpack.Decoder(_Body)


def encode_samples(owner: NDArray[np.int64], at_ms: Times, value: Values, level: int) -> bytes:
    """At least one sample; each time of an owner once."""
    owners, counts = _segments(owner)
    parts = [integers.encode(at_ms, counts, level), *floats.encode(value, counts, level)]
    return msgspec.msgpack.encode(_Body(_SAMPLES, owners, counts.tolist(), parts))


def decode_samples(body: bytes) -> tuple[NDArray[np.int64], Times, Values]:
    """The owner, time and value of each sample."""
    owner, counts, parts = _decoded(body, _SAMPLES)
    return owner, integers.decode(parts[0], counts), floats.decode(parts[1:], counts)


def encode_rollup(owner: NDArray[np.int64], rollup: Rollup, level: int) -> bytes:
    """At least one bucket; each start of an owner once."""
    owners, counts = _segments(owner)
    return msgspec.msgpack.encode(_Body(_ROLLUP, owners, counts.tolist(), rollup_body.encode(rollup, counts, level)))


def decode_rollup(body: bytes) -> tuple[NDArray[np.int64], Rollup]:
    """The owner of each bucket, and the buckets."""
    owner, counts, parts = _decoded(body, _ROLLUP)
    return owner, rollup_body.decode(parts, counts)


def _segments(owner: NDArray[np.int64]) -> tuple[bytes, NDArray[np.int64]]:
    begins = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    return owner[begins].astype(np.uint8).tobytes(), np.diff(np.r_[begins, len(owner)])


def _decoded(body: bytes, kind: int) -> tuple[NDArray[np.int64], NDArray[np.int64], list[list[bytes]]]:
    """The owner of each row, the counts and the parts."""
    decoded = _DECODER.decode(body)
    if decoded.kind != kind:
        raise ValueError(f"a chunk of kind {decoded.kind} where one of {kind} should be")
    counts = np.array(decoded.counts, np.int64)
    return np.repeat(np.frombuffer(decoded.owners, np.uint8).astype(np.int64), counts), counts, decoded.parts
