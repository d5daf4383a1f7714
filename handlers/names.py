"""The names that users choose, as request fields: what may be one is checked before anything is asked of storage."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

WORKSPACE_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"

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
        pattern=r"^[^\x00-\x20\x7f/](?:[^\x00-\x1f\x7f/]{0,198}[^\x00-\x20\x7f/])?$",
        max_length=200,
        description="A user's name, as in the `sub` of tokens.",
        examples=["ada"],
    ),
]
Title = Annotated[str, Meta(min_length=1, max_length=200, description="What people call it.")]
