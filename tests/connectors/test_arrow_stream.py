"""Arrow's buffers, where they begin in the middle of something: engines may hand out parts of longer arrays."""

import ctypes
import random

import numpy as np
import pytest

from connectors.arrow_stream import _bits, _buffer


def address_of(data: bytes) -> tuple[ctypes.Array[ctypes.c_char], int]:
    """The bytes in memory, to be held as long as the address is used."""
    held = ctypes.create_string_buffer(data, len(data))
    return held, ctypes.addressof(held)


@pytest.mark.parametrize("seed", range(20))
def test_bits_begin_anywhere_and_are_of_any_number(seed: int) -> None:
    chance = random.Random(seed)
    flags = [chance.random() < 0.5 for _ in range(200)]
    held, address = address_of(np.packbits(flags, bitorder="little").tobytes())
    start = chance.randrange(150)
    length = chance.randrange(50)
    assert _bits(address, start, length).tolist() == flags[start : start + length], seed
    del held


def test_numbers_begin_anywhere() -> None:
    held, address = address_of(np.arange(100, dtype=np.int64).tobytes())
    assert _buffer(address, np.int64, 7, 3).tolist() == [7, 8, 9]
    del held


def test_an_empty_array_may_have_no_buffer() -> None:
    assert _buffer(None, np.float64, 0, 0).tolist() == []
    assert _bits(None, 3, 0).tolist() == []
