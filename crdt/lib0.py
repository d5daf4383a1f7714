"""The lib0 encoding that every Yjs message is made of: variable-length integers, byte strings, strings.

Readers take the whole buffer and a position and return the value with the position after it. They never read past
the end of the buffer and never trust a declared length; what does not fit raises `MalformedError`.
"""

from __future__ import annotations

# JavaScript clients hold these numbers as doubles: above this they are no longer exact, and lib0 throws.
MAX_SAFE_INTEGER = 2**53 - 1

# A value below 2**53 takes 8 bytes. Writers may pad with leading zeros; the engine stops reading after 10 bytes.
_MAX_VARUINT_BYTES = 10


class MalformedError(ValueError):
    """Bytes from outside that are not what they claim to be."""


def write_varuint(number: int) -> bytes:
    """Encode a number from 0 to 2**53 - 1, seven bits a byte, least significant first."""
    if not 0 <= number <= MAX_SAFE_INTEGER:
        raise ValueError(f"not a lib0 varuint: {number}")
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def read_varuint(data: bytes, position: int) -> tuple[int, int]:
    """Read a number from 0 to 2**53 - 1; returns it and the position after it.

    The first five bytes are unrolled: client ids have five, and every update of every user has some.
    """
    try:
        byte = data[position]
        if byte < 128:
            return byte, position + 1
        number = byte - 128
        byte = data[position + 1]
        if byte < 128:
            return number | byte << 7, position + 2
        number |= byte - 128 << 7
        byte = data[position + 2]
        if byte < 128:
            return number | byte << 14, position + 3
        number |= byte - 128 << 14
        byte = data[position + 3]
        if byte < 128:
            return number | byte << 21, position + 4
        number |= byte - 128 << 21
        byte = data[position + 4]
        if byte < 128:
            return number | byte << 28, position + 5
        return _read_long_varuint(data, position + 5, number | byte - 128 << 28)
    except IndexError:
        raise MalformedError("the data ends inside a number") from None


def _read_long_varuint(data: bytes, position: int, number: int) -> tuple[int, int]:
    """The rest of a number whose first five bytes are read."""
    for shift in range(35, 7 * _MAX_VARUINT_BYTES, 7):
        byte = data[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            if number > MAX_SAFE_INTEGER:
                raise MalformedError("a number is 2**53 or more")
            return number, position
    raise MalformedError("a number is longer than 10 bytes")


def write_var_bytes(value: bytes) -> bytes:
    """Encode a byte string: its length as varuint, then the bytes."""
    return write_varuint(len(value)) + value


def read_var_bytes(data: bytes, position: int) -> tuple[bytes, int]:
    """Read a byte string; returns a copy of it and the position after it."""
    length, position = read_varuint(data, position)
    end = position + length
    if end > len(data):
        raise MalformedError(f"{length} bytes are declared, {len(data) - position} are left")
    return data[position:end], end


def write_var_string(value: str) -> bytes:
    """Encode a string: the length of its UTF-8 form in bytes, then that form."""
    return write_var_bytes(value.encode())


def read_var_string(data: bytes, position: int) -> tuple[str, int]:
    """Read a string; bytes that are not UTF-8 are malformed, as they are for JavaScript clients."""
    encoded, end = read_var_bytes(data, position)
    try:
        return encoded.decode(), end
    except UnicodeDecodeError:
        raise MalformedError("a string is not UTF-8") from None
