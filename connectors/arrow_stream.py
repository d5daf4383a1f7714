"""Reads Arrow's C stream of a query into numpy, without another package: numbers are copied, texts decoded, once.

Only what DuckDB is asked for is understood: 64-bit integers and floats, booleans, days, microseconds, text and bytes.
See https://arrow.apache.org/docs/format/CDataInterface.html.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Generator, Sequence
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int64, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.datasets import Column, ColumnBatch, ColumnValues, LogicalType


class _Schema(Structure):
    pass


class _Array(Structure):
    pass


class _Stream(Structure):
    pass


_Schema._fields_ = [
    ("format", c_char_p),
    ("name", c_char_p),
    ("metadata", c_char_p),
    ("flags", c_int64),
    ("n_children", c_int64),
    ("children", POINTER(POINTER(_Schema))),
    ("dictionary", POINTER(_Schema)),
    ("release", c_void_p),
    ("private_data", c_void_p),
]
_Array._fields_ = [
    ("length", c_int64),
    ("null_count", c_int64),
    ("offset", c_int64),
    ("n_buffers", c_int64),
    ("n_children", c_int64),
    ("buffers", POINTER(c_void_p)),
    ("children", POINTER(POINTER(_Array))),
    ("dictionary", POINTER(_Array)),
    ("release", c_void_p),
    ("private_data", c_void_p),
]
_Stream._fields_ = [
    ("get_schema", CFUNCTYPE(c_int, POINTER(_Stream), POINTER(_Schema))),
    ("get_next", CFUNCTYPE(c_int, POINTER(_Stream), POINTER(_Array))),
    ("get_last_error", CFUNCTYPE(c_char_p, POINTER(_Stream))),
    ("release", c_void_p),
    ("private_data", c_void_p),
]
_RELEASE_SCHEMA = CFUNCTYPE(None, POINTER(_Schema))
_RELEASE_ARRAY = CFUNCTYPE(None, POINTER(_Array))
_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = c_void_p
_pointer_of.argtypes = [ctypes.py_object, c_char_p]

_WIDTHS = {"l": np.int64, "g": np.float64, "tdD": np.int32, "tsu": np.int64, "i": np.int32}
_OFFSETS = {"u": np.int32, "z": np.int32, "U": np.int64, "Z": np.int64}


class ArrowError(Exception):
    """The stream failed; the text is the engine's."""


class ArrowStream:
    """One result, read chunk by chunk. The capsule frees the stream when the last reference to it goes."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule
        self._stream = _Stream.from_address(_pointer_of(capsule, b"arrow_array_stream"))
        schema = _Schema()
        self._check(self._stream.get_schema(byref(self._stream), byref(schema)))
        self._formats = [schema.children[n].contents.format.decode() for n in range(schema.n_children)]
        _RELEASE_SCHEMA(schema.release)(byref(schema))

    def chunks(self, columns: Sequence[Column], text_limit: int | None) -> Generator[ColumnBatch, None, None]:
        """Batches as the engine makes them; the columns are those that were asked for, in their order."""
        while True:
            array = _Array()
            self._check(self._stream.get_next(byref(self._stream), byref(array)))
            if not array.release:
                return
            try:
                yield self._batch(array, columns, text_limit)
            finally:
                _RELEASE_ARRAY(array.release)(byref(array))

    def _batch(self, array: _Array, columns: Sequence[Column], text_limit: int | None) -> ColumnBatch:
        values = {
            column.name: _values(array.children[n].contents, array.offset, array.length, format_, column, text_limit)
            for n, (column, format_) in enumerate(zip(columns, self._formats, strict=True))
        }
        return ColumnBatch(values, array.length)

    def _check(self, code: int) -> None:
        if code:
            raise ArrowError((self._stream.get_last_error(byref(self._stream)) or b"").decode(errors="replace"))


def _values(
    array: _Array, offset: int, length: int, format_: str, column: Column, text_limit: int | None
) -> ColumnValues:
    start = array.offset + offset
    nulls = _nulls(array, start, length)
    kind = format_.partition(":")[0]
    if kind in _OFFSETS:
        return _texts(array, start, length, kind, column, nulls, text_limit)
    if kind == "b":
        return ColumnValues(column.logical_type, _bits(array.buffers[1], start, length), nulls)
    values = _buffer(array.buffers[1], _WIDTHS[kind], start, length).copy()
    if column.logical_type is LogicalType.DATE:
        values = values.astype(np.int64).view("datetime64[D]")
    elif column.logical_type is LogicalType.TIMESTAMP:
        values = values.view("datetime64[us]")
    return ColumnValues(column.logical_type, values, nulls)


def _texts(
    array: _Array,
    start: int,
    length: int,
    kind: str,
    column: Column,
    nulls: NDArray[np.bool_] | None,
    limit: int | None,
) -> ColumnValues:
    offsets = _buffer(array.buffers[1], _OFFSETS[kind], start, length + 1).tolist()
    first, last = offsets[0], offsets[-1]
    # A view into the engine's memory, of which each text is cut and copied.
    data = ctypes.string_at((array.buffers[2] or 0) + first, last - first) if last > first else b""
    spans = [(begin - first, end - first) for begin, end in itertools.pairwise(offsets)]
    values: list[Any]
    if kind in "zZ":
        values = [data[begin:end] for begin, end in spans]
    elif data.isascii():
        text = data.decode("ascii")
        values = [text[begin:end] for begin, end in spans]
    else:
        values = [data[begin:end].decode() for begin, end in spans]
    cut = 0
    if limit is not None and (cut := sum(1 for value in values if len(value) > limit)):
        values = [value[:limit] for value in values]
    taken = np.empty(length, dtype=object)
    taken[:] = values
    if nulls is not None:
        taken[nulls] = None
    return ColumnValues(column.logical_type, taken, nulls, cut)


def _nulls(array: _Array, start: int, length: int) -> NDArray[np.bool_] | None:
    if array.null_count == 0 or not array.buffers[0]:
        return None
    nulls = ~_bits(array.buffers[0], start, length)
    return nulls if nulls.any() else None


def _bits(address: int | None, start: int, length: int) -> NDArray[np.bool_]:
    first = start // 8
    packed = _buffer(address, np.uint8, first, (start + length + 7) // 8 - first)
    return np.unpackbits(packed, bitorder="little")[start - first * 8 :][:length].astype(np.bool_)


def _buffer(address: int | None, dtype: Any, start: int, length: int) -> NDArray[Any]:
    """The engine's own memory; copy what is to live longer than the chunk."""
    width = np.dtype(dtype).itemsize
    if not address or not length:
        return np.zeros(length, dtype)
    return np.frombuffer((ctypes.c_char * (length * width)).from_address(address + start * width), dtype)
