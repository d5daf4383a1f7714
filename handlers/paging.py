"""Cursors: an opaque text that says where the next page of a list begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from handlers.registry import InvalidRequest, Page

R = TypeVar("R")
S = TypeVar("S")

MAX_ITEMS = 200

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_ITEMS, description="How many items a page holds at most.")]
Cursor = Annotated[str, msgspec.Meta(max_length=1024, description="`next_cursor` of the page before.")]


def encode_cursor(list_name: str, key: Any) -> str:
    """The cursor of a position in a list; `key` is the sort key of the last item given out."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode((list_name, key))).rstrip(b"=").decode()


def decode_cursor(list_name: str, cursor: str | None, key_type: Any) -> Any:
    """The key a cursor holds, None for no cursor. Raises InvalidRequest for what is not a cursor of that list.

    `key_type` is checked as in a request, so `Annotated` bounds hold: a cursor may be forged.
    """
    if cursor is None:
        return None
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name, key = msgspec.msgpack.decode(data, type=tuple[str, key_type])
    except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError):
        name, key = "", None
    if name != list_name or _holds_nul(key):
        raise InvalidRequest("This is not a cursor of this list.", code="bad_cursor", details={"parameter": "cursor"})
    return key


def _holds_nul(key: Any) -> bool:
    """Whether there is U+0000 in the key, which one of the databases cannot be asked for."""
    if isinstance(key, str):
        return "\0" in key
    return isinstance(key, tuple | list) and any(map(_holds_nul, key))


def page_of(
    rows: Sequence[R], limit: int, list_name: str, *, key: Callable[[R], Any], item: Callable[[R], S]
) -> Page[S]:
    """A page out of up to `limit + 1` rows: the row too many only tells that there is a next page."""
    shown = rows[:limit]
    cursor = encode_cursor(list_name, key(shown[-1])) if len(rows) > limit else None
    return Page(items=[item(row) for row in shown], next_cursor=cursor)
