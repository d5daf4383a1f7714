"""What an API key may of what its user may: how much, in which workspaces, and with which operations.

Whoever has the key is asked for both: what the user may, by roles, and what the key is for. A key with a scope is never
a server administrator, and neither sees nor makes credentials.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from handlers.names import WorkspaceId
from handlers.registry import Forbidden

MOST_NAMES = 100
# Editing over a socket, and reading the server's own figures: no operations, and asked for like them.
EDIT = "collaboration.documents.edit"
METRICS = "server.metrics"
# Of the account itself: a key that may little must not find, make or end what may more.
_OF_THE_ACCOUNT = ("api_keys", "sessions")
# Of no workspace, and yet telling or making something of others than those a key is for.
_BEYOND_WORKSPACES = (
    "collaboration.workspaces.create",
    "collaboration.workspaces.list",
    "notifications",
    METRICS,
)

Prefix = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$(?!\n)",
        max_length=100,
        description="An operation's name or the beginning of names up to a dot: `catalog` stands for `catalog.export`.",
        examples=["catalog"],
    ),
]


class Scope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a key is for. `read` changes nothing, `write` does what editors do, `manage` what administrators do.

    `workspaces` and `operations` name all that it may be used for; null is no limit. Editing over a socket is
    `collaboration.documents.edit`, watching a feed `feeds.watch` and the inbox `notifications.watch`.
    """

    level: Literal["read", "write", "manage"]
    workspaces: Annotated[tuple[WorkspaceId, ...], Meta(min_length=1, max_length=MOST_NAMES)] | None = None
    operations: Annotated[tuple[Prefix, ...], Meta(min_length=1, max_length=MOST_NAMES)] | None = None

    def reaches(self, workspace_id: str) -> bool:
        """Whether it is for this workspace."""
        return self.workspaces is None or workspace_id in self.workspaces

    def require(self, operation: str, *, changes: bool) -> None:
        """Raises Forbidden for an operation that it is not for."""
        if self.operations is not None and not _is_below(operation, self.operations):
            raise _out_of_scope(f"This key is not for {operation}.")
        if _is_below(operation, _OF_THE_ACCOUNT):
            raise _out_of_scope("A key with a scope neither sees nor changes credentials; sign in.")
        if self.workspaces is not None and _is_below(operation, _BEYOND_WORKSPACES):
            raise _out_of_scope(f"This key is for some workspaces only, and {operation} reaches beyond them.")
        if changes and self.level == "read":
            raise _out_of_scope("This key may only read.")


def _is_below(operation: str, prefixes: tuple[str, ...]) -> bool:
    return any(operation == prefix or operation.startswith(f"{prefix}.") for prefix in prefixes)


def _out_of_scope(message: str) -> Forbidden:
    return Forbidden(message, code="out_of_scope")


def encode(scope: Scope | None) -> str | None:
    """As it is stored."""
    return None if scope is None else msgspec.json.encode(scope).decode()


def decode(text: str | None) -> Scope | None:
    """What was stored. Raises ValidationError for what is no scope: nobody may more because it cannot be read."""
    return None if text is None else msgspec.json.decode(text, type=Scope)
