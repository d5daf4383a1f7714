"""The primitives, and that no bytes make the reader do anything but read or say MalformedFrame."""

import pytest
from collab_studio.errors import MalformedFrame
from collab_studio.lib0 import MAX_UINT, Reader, write_bytes, write_string, write_uint
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, "00"), (1, "01"), (127, "7F"), (128, "80 01"), (300, "AC 02"), (MAX_UINT, "FF FF FF FF FF FF FF 0F")],
)
def test_numbers(number: int, encoded: str) -> None:
    assert write_uint(number) == bytes.fromhex(encoded)
    assert Reader(bytes.fromhex(encoded)).uint() == number


@pytest.mark.parametrize("number", [-1, MAX_UINT + 1])
def test_numbers_that_do_not_fit_are_not_written(number: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        write_uint(number)


@pytest.mark.parametrize("encoded", ["", "80", "FF FF FF FF FF FF FF 1F", "80 80 80 80 80 80 80 80 01"])
def test_numbers_that_are_cut_or_too_large_are_refused(encoded: str) -> None:
    with pytest.raises(MalformedFrame):
        Reader(bytes.fromhex(encoded)).uint()


def test_strings_count_bytes_not_characters() -> None:
    assert write_string("é😀") == bytes.fromhex("06 C3 A9 F0 9F 98 80")
    assert Reader(write_string("é😀")).string() == "é😀"


def test_a_string_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(MalformedFrame, match="UTF-8"):
        Reader(bytes.fromhex("02 C3 28")).string()


def test_more_bytes_than_there_are_is_refused() -> None:
    with pytest.raises(MalformedFrame, match="5 bytes were announced, 1 are left"):
        Reader(b"\x05a").var_bytes()


@given(st.lists(st.one_of(st.integers(0, MAX_UINT), st.binary(), st.text())))
def test_what_is_written_is_read_back(values: list[int | bytes | str]) -> None:
    def write(value: int | bytes | str) -> bytes:
        if isinstance(value, int):
            return write_uint(value)
        return write_bytes(value) if isinstance(value, bytes) else write_string(value)

    reader = Reader(b"".join(map(write, values)) + b"rest")
    for value in values:
        if isinstance(value, int):
            assert reader.uint() == value
        elif isinstance(value, bytes):
            assert reader.var_bytes() == value
        else:
            assert reader.string() == value
    assert reader.rest() == b"rest"
    assert reader.left == 0
