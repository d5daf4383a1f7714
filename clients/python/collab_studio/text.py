"""A shared text edited by positions that count Unicode code points, as Python strings do.

The engine counts UTF-8 bytes and silently clamps positions that are out of range; here such positions raise IndexError.
"""

from typing import Any

import pycrdt


class Text:
    """A handle on one text of a document. Reads and writes the live document; `shared` is the engine's own type."""

    def __init__(self, ydoc: pycrdt.Doc[Any], root: str) -> None:
        self.shared: pycrdt.Text = ydoc.get(root, type=pycrdt.Text)
        self._ydoc = ydoc

    def __str__(self) -> str:
        return str(self.shared)

    def __len__(self) -> int:
        return len(str(self.shared))

    def insert(self, position: int, text: str) -> None:
        self.splice(position, 0, text)

    def append(self, text: str) -> None:
        self.shared += text

    def delete(self, position: int, length: int) -> None:
        self.splice(position, length, "")

    def splice(self, position: int, delete: int, insert: str) -> None:
        """Delete so many code points at a position, and put `insert` there, in one transaction.

        Raises IndexError if the range is not within the text, ValueError if the text holds embedded objects, which
        have no place in a string.
        """
        with self._ydoc.transaction():
            content = str(self.shared)
            if position < 0 or delete < 0 or position + delete > len(content):
                raise IndexError(f"{position}+{delete} is not within a text of {len(content)} code points")
            before, deleted = content[:position].encode(), content[position : position + delete].encode()
            if len(self.shared) != len(content.encode()):
                raise ValueError("the text holds embedded objects; edit it through `shared`")
            start = len(before)
            if deleted:
                del self.shared[start : start + len(deleted)]
            if insert:
                self.shared.insert(start, insert)

    def replace(self, text: str) -> None:
        """Make the text equal `text` by one splice of what differs, so that edits of others around it survive."""
        with self._ydoc.transaction():
            content = str(self.shared)
            start = _common_prefix(content, text)
            end = _common_prefix(content[start:][::-1], text[start:][::-1])
            if start + end < max(len(content), len(text)):
                self.splice(start, len(content) - start - end, text[start : len(text) - end])


def _common_prefix(a: str, b: str) -> int:
    """How many code points two strings share at their start."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[:middle] == b[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
