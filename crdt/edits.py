"""What edits over HTTP are made of, and how they fail."""

from __future__ import annotations

from typing import Any, NamedTuple

# Each splice and each pointer edit costs a walk over the document.
MAX_EDITS = 1000


class EditError(Exception):
    """An edit that cannot be made; the document is as it was if the edit was made on a copy.

    Codes: ``wrong_kind``, ``out_of_range``, ``bad_pointer``, ``not_found``, ``test_failed``, ``bad_value``,
    ``too_deep``, ``too_large``, ``too_many``, ``unsupported``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)  # both, so that it can be pickled on its way out of a worker
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class Splice(NamedTuple):
    """At `position`, remove `delete` characters and put `insert` there. Counted in Unicode code points."""

    position: int
    delete: int
    insert: str


class PointerEdit(NamedTuple):
    """One operation of RFC 6902 - add, replace, remove or test - at an RFC 6901 pointer."""

    op: str
    path: str
    value: Any = None


def check_count(edits: int) -> None:
    """Refuse more edits than one request may have."""
    if edits > MAX_EDITS:
        raise EditError("too_many", f"at most {MAX_EDITS} edits at once")


def check_text(text: object) -> str:
    """Text that can be encoded: JSON may carry halves of surrogate pairs, documents may not."""
    if not isinstance(text, str):
        raise EditError("bad_value", "text must be a string")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EditError("bad_value", "text must not hold half of a surrogate pair") from None
    return text
