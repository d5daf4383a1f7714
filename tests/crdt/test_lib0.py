"""The lib0 encoding: what is written is read, and nothing outside of the buffer is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.lib0 import (
    MAX_SAFE_INTEGER,
    MalformedError,
    read_var_bytes,
    read_var_string,
    read_varuint,
    write_var_bytes,
    write_var_string,
    write_varuint,
)


@given(st.integers(0, MAX_SAFE_INTEGER), st.binary(max_size=4), st.binary(max_size=4))
def test_a_number_is_read_as_it_was_written(number: int, before: bytes, after: bytes) -> None:
    encoded = write_varuint(number)
    assert read_varuint(before + encoded + after, len(before)) == (number, len(before) + len(encoded))


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (2**32 - 1, "ffffffff0f"), (MAX_SAFE_INTEGER, "ffffffffffffff0f")],
)
def test_numbers_are_written_as_lib0_does(number: int, encoded: str) -> None:
    assert write_varuint(number).hex() == encoded


@pytest.mark.parametrize("number", [-1, MAX_SAFE_INTEGER + 1])
def test_what_javascript_cannot_hold_is_not_written(number: int) -> None:
    with pytest.raises(ValueError, match="varuint"):
        write_varuint(number)


def test_padded_numbers_are_read() -> None:
    assert read_varuint(bytes.fromhex("858000"), 0) == (5, 3)
    assert read_varuint(bytes.fromhex("85808080808000"), 0) == (5, 7)


@pytest.mark.parametrize(
    "encoded", ["", "80", "ffffffff", "ffffffffff", "ffffffffffffff10", "80808080808080808080", "ff" * 40]
)
def test_bad_numbers_are_malformed(encoded: str) -> None:
    with pytest.raises(MalformedError):
        read_varuint(bytes.fromhex(encoded), 0)


@given(st.binary(max_size=300))
def test_bytes_are_read_as_they_were_written(value: bytes) -> None:
    encoded = write_var_bytes(value)
    assert read_var_bytes(encoded + b"x", 0) == (value, len(encoded))


@given(st.text(max_size=100).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)))
def test_strings_are_read_as_they_were_written(value: str) -> None:
    encoded = write_var_string(value)
    assert read_var_string(encoded, 0) == (value, len(encoded))


@pytest.mark.parametrize("encoded", ["05616263", "ffffffff0f61", "01ff", "03eda080", "81"])
def test_bad_strings_are_malformed(encoded: str) -> None:
    with pytest.raises(MalformedError):
        read_var_string(bytes.fromhex(encoded), 0)


@given(st.binary(max_size=30), st.integers(0, 40))
def test_any_bytes_are_read_or_malformed(data: bytes, position: int) -> None:
    for read in (read_varuint, read_var_bytes, read_var_string):
        try:
            _, end = read(data, position)
        except MalformedError:
            continue
        assert position < end <= len(data)
