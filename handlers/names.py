"""The names that users choose, as request fields: what may be one is checked before anything is asked of storage."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

# "$" alone would let a line break through at the end.
_END = r"$(?!\n)"
WORKSPACE_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}" + _END
_WORKSPACE = re.compile(WORKSPACE_PATTERN)

WorkspaceId = Annotated[
    str,
    Meta(
        pattern=WORKSPACE_PATTERN,
        description="A workspace's name: lower-case letters, digits, `-` and `_`, at most 63.",
        examples=["default"],
    ),
]
# What a token issuer may call somebody: an address, an account, an opaque id. Nothing that hides in a log line.
UserId = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x20\x7f/](?:[^\x00-\x1f\x7f/]{0,198}[^\x00-\x20\x7f/])?" + _END,
        max_length=200,
        description="A user's name, as in the `sub` of tokens.",
        examples=["ada"],
    ),
]
Title = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+" + _END,
        description="What people call it, in one line.",
    ),
]
RowId = Annotated[int, Meta(ge=1, le=2**63 - 1)]


def is_workspace_id(text: str) -> bool:
    """Whether a workspace may have this name; where not, there is none to be asked for."""
    return _WORKSPACE.match(text) is not None
