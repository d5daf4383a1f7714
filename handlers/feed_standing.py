"""Who watches feeds, or answers, on this node, and whether they still may."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from handlers.access import Access, Change
from handlers.registry import NotAuthenticated, OperationError, Permission, Principal, Unavailable
from storage.errors import StorageError


class Standing(Protocol):
    """A watch, as far as it matters who has it. `workspace_id` is None where it is about no workspace."""

    principal: Principal

    @property
    def workspace_id(self) -> str | None: ...

    @property
    def permission(self) -> Permission: ...

    @property
    def operation(self) -> str: ...


W = TypeVar("W", bound=Standing)


class Watches(Generic[W]):
    """The watches that are not over, by user."""

    def __init__(self) -> None:
        self._of: dict[str, set[W]] = {}

    def add(self, watch: W) -> None:
        self._of.setdefault(watch.principal.user_id, set()).add(watch)

    def discard(self, watch: W) -> None:
        mine = self._of.get(watch.principal.user_id)
        if mine is not None:
            mine.discard(watch)
            if not mine:
                del self._of[watch.principal.user_id]

    def all(self) -> list[W]:
        return [watch for mine in self._of.values() for watch in mine]

    def concerned(self, change: Change) -> list[W]:
        """Those whose watchers may perhaps no longer watch."""
        mine: Iterable[W] = self.all() if change.user_id is None else self._of.get(change.user_id, ())
        return [watch for watch in mine if change.workspace_id in (None, watch.workspace_id)]


def has_ended(watch: Standing, now: datetime) -> bool:
    """Whether the credential that the watch was begun with has ended."""
    expires_at = watch.principal.expires_at
    return expires_at is not None and expires_at <= now


def token_expired() -> NotAuthenticated:
    return NotAuthenticated("The token has expired; watch again with a new one.", code="token_expired")


def key_in_doubt(watch: Standing, change: Change) -> bool:
    """Whether the change may be the end of the API key that the watch was begun with."""
    return watch.principal.via == "api_key" and change.workspace_id is None


def show_key_again() -> NotAuthenticated:
    return NotAuthenticated("The key has to be shown again; sign in and watch again.", code="sign_in_again")


async def refusal(access: Access, watch: Standing, now: datetime) -> OperationError | None:
    """Why the watcher may not watch, or not now; None if they may."""
    if has_ended(watch, now):
        return token_expired()
    try:
        await access.require(watch.principal, watch.permission, watch.workspace_id, operation=watch.operation)
    except OperationError as error:
        return error
    except StorageError:
        return Unavailable("The database cannot be used at this moment; watch again.")
    return None
