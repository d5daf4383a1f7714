"""The primitives of the Yjs wire formats: varUint, varBytes and varString, read with bounds and written minimally."""

from collab_studio.errors import MalformedFrame

# The formats count with JavaScript numbers: 2^53 - 1 at most, which is eight bytes of seven bits.
MAX_UINT = 2**53 - 1
_MAX_UINT_BYTES = 8


def write_uint(number: int) -> bytes:
    """Seven bits a byte, low bits first, the high bit says that more follow."""
    if not 0 <= number <= MAX_UINT:
        raise ValueError(f"{number} does not fit a varUint")
    out = bytearray()
    while number > 0x7F:
        out.append(0x80 | (number & 0x7F))
        number >>= 7
    out.append(number)
    return bytes(out)


def write_bytes(data: bytes) -> bytes:
    return write_uint(len(data)) + data


def write_string(text: str) -> bytes:
    """The length counts UTF-8 bytes, not characters."""
    return write_bytes(text.encode())


class Reader:
    """Reads primitives off a frame. Every method raises MalformedFrame where the bytes do not suffice."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self._position = position

    @property
    def left(self) -> int:
        """How many bytes are unread."""
        return len(self._data) - self._position

    def uint(self) -> int:
        number = 0
        for index in range(_MAX_UINT_BYTES):
            if self.left == 0:
                raise MalformedFrame("the frame ends inside a number")
            byte = self._data[self._position]
            self._position += 1
            number |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                if number > MAX_UINT:
                    raise MalformedFrame("a number is above 2^53 - 1")
                return number
        raise MalformedFrame(f"a number is longer than {_MAX_UINT_BYTES} bytes")

    def var_bytes(self) -> bytes:
        length = self.uint()
        if length > self.left:
            raise MalformedFrame(f"{length} bytes were announced, {self.left} are left")
        start = self._position
        self._position += length
        return self._data[start : self._position]

    def string(self) -> str:
        try:
            return self.var_bytes().decode()
        except UnicodeDecodeError as error:
            raise MalformedFrame("a string is not UTF-8") from error

    def rest(self) -> bytes:
        """Everything unread."""
        start, self._position = self._position, len(self._data)
        return self._data[start:]
