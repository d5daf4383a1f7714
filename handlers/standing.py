"""Whose standing changed, as the audit trail tells it: every change is written there, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.audit_trail import DONE
from storage import audit
from storage.database import Database

# More than this between two looks is an import or a long absence: everything counts as changed.
MOST_ROWS = 2000

_KINDS = ("members", "workspaces", "users")
# How actions begin that take back credentials of the one user whom the row names.
_CREDENTIALS = ("api_keys.revoke", "api_keys.rotate", "sessions.end")
_PUSH_KEY_REVOKED = "push_keys.revoke"
# Stands for those who push with a key, who are no users: no user has such a name.
PUSH_KEYS = "push/keys"


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody's standing changed. None means "every": a workspace deleted, a user deactivated."""

    workspace_id: str | None
    user_id: str | None

    def concerns(self, user_id: str, workspace_id: str) -> bool:
        return self.workspace_id in (None, workspace_id) and self.user_id in (None, user_id)


EVERYTHING = Change(None, None)


def change_of(entry: audit.Entry) -> Change | None:
    """Whose standing an audited action changed: members, workspaces, users, and the credentials of users."""
    if entry.outcome != DONE:
        return None
    if entry.action.startswith(_CREDENTIALS):
        return Change(None, entry.details.get("user"))
    if entry.action == _PUSH_KEY_REVOKED:
        return Change(None, PUSH_KEYS)
    kind = next((word for word in entry.action.split(".") if word in _KINDS), None)
    if kind is None:
        return None
    if kind == "members":
        workspace_id, _, user_id = entry.target.partition("/")
        return Change(workspace_id, user_id or None)
    return Change(entry.target, None) if kind == "workspaces" else Change(None, entry.target)


class AuditFollower:
    """Reads on from where it was. One query a look, on the trail's key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: audit.Head | None = None

    async def changes(self) -> list[Change]:
        """What changed since the last call, each once, the oldest first.

        The first call cannot know since when, and answers that everything may have changed. So does one that does not
        find what was read before: the database was restored, or lost its newest transactions in a failover.
        """
        async with self._database.read() as connection:
            rows = None if self._seen is None else await audit.read_after(connection, self._seen, limit=MOST_ROWS + 1)
            if rows is None or len(rows) > MOST_ROWS:
                self._seen = await audit.head(connection) or audit.Head(0, audit.NO_HASH)
                return [EVERYTHING]
        if rows:
            self._seen = audit.Head(rows[-1].id, rows[-1].hash)
        return list(dict.fromkeys(filter(None, map(change_of, rows))))
