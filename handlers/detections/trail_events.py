"""What a row of the audit trail tells detections, in the words of the OWASP logging vocabulary, and of which place.

Most rows tell nothing: somebody did what they may. Where a row names the workspace that it is about, its event is of
that workspace; credentials, sign-ins and refusals are of the whole server.
"""

from __future__ import annotations

from typing import Final

from analysis.detections.events import Event, Kind
from handlers.access import ROLES, Role
from handlers.audit_pacing import ANONYMOUS
from handlers.audit_tallies import READ
from handlers.audit_trail import (
    AUTH_LOCKED,
    KEY_EXPIRED,
    KEY_REVOKED,
    LOCKED_OUT,
    REFUSED,
    SIGN_IN,
    TOKEN_EXPIRED,
    WRONG_CREDENTIAL,
)
from storage.audit import Entry
from storage.tables import to_microseconds

# The whole server, where events stand by their workspace.
WHOLE_SERVER: Final = ""
# Reasons of refusals that are no failed sign-in: nothing was sent that could have been guessed. A page that is left
# open goes on asking with a token that has expired.
_NO_CREDENTIAL = frozenset({"not_authenticated", KEY_EXPIRED, TOKEN_EXPIRED})
# Whoever has to wait and goes on goes on guessing.
_FAILED = WRONG_CREDENTIAL | {LOCKED_OUT}
_ENDED = frozenset({"session_ended", KEY_REVOKED})
_HIGH_ROLES = frozenset(ROLES[ROLES.index(Role.ADMIN) :])
_DESTRUCTIVE = frozenset({"backups.delete", "collaboration.workspaces.delete", "data_sources.delete"})
_SETTINGS = frozenset({"detections.put_settings", "detections.put_trail_settings"})
# Reasons of refusals of the sign-in with a provider that are tries as well: codes that the provider does not know, and
# forged tokens. That a browser lost its cookie, or took too long, is none.
_FAILED_AT_PROVIDER = frozenset(
    {
        "bad_algorithm",
        "bad_key_id",
        "bad_signature",
        "bad_token",
        "code_refused",
        "logout_replayed",
        "no_logout",
        "unknown_key",
    }
)
_MOST_COUNT = 1_000_000
_LONGEST = 400

# What the trail can tell of a workspace, and of the server.
KINDS_OF_A_WORKSPACE: Final = frozenset[Kind](
    {"privilege_permissions_changed", "sensitive_delete", "sensitive_read", "sys_monitor_disabled"}
)
KINDS_OF_THE_SERVER: Final = KINDS_OF_A_WORKSPACE | frozenset[Kind](
    {"authn_login_fail", "authn_login_success", "authz_fail", "session_use_after_expire"}
)

Told = tuple[str, Event]


def told_by(entry: Entry) -> Told | None:
    """The workspace's id, or WHOLE_SERVER, and the event; None for what tells nothing about security."""
    if entry.outcome == REFUSED:
        return _refusal(entry)
    if entry.action == SIGN_IN:
        return WHOLE_SERVER, _event(entry, "authn_login_success", application=_text(entry, "reason"))
    if entry.action == READ:
        return workspace_of(entry), _event(entry, "sensitive_read", about=_text(entry, "workspace_id") or "the server")
    for tells in (_role, _administrator, _key_of_another, _deletion, _watch_turned_off):
        if (found := tells(entry)) is not None:
            return workspace_of(entry), found
    return None


def workspace_of(entry: Entry) -> str:
    """The workspace that the row names."""
    if named := _text(entry, "workspace_id"):
        return named
    return entry.target.partition("/")[0] if entry.action.startswith("collaboration.") else WHOLE_SERVER


def _refusal(entry: Entry) -> Told | None:
    reason = _text(entry, "reason")
    if reason in _NO_CREDENTIAL or entry.action == AUTH_LOCKED:
        return None
    kind: Kind = "authz_fail"
    if reason in _FAILED or (entry.action.startswith("auth.") and reason in _FAILED_AT_PROVIDER):
        kind = "authn_login_fail"
    elif reason in _ENDED:
        kind = "session_use_after_expire"
    return WHOLE_SERVER, _event(entry, kind, about=f"{entry.action} {entry.target}".strip(), error=reason)


def _role(entry: Entry) -> Event | None:
    """Somebody may do all in a workspace. At the console nobody is given more than whoever sits there has."""
    is_change = entry.action in ("collaboration.members.add", "collaboration.members.put")
    if not is_change or _text(entry, "via") == "cli":
        return None
    role, before = _text(entry, "role"), _text(entry, "before")
    if role not in _HIGH_ROLES or (before and ROLES.index(Role(before)) >= ROLES.index(Role(role))):
        return None
    workspace_id, _, user_id = entry.target.partition("/")
    return _event(entry, "privilege_permissions_changed", target=user_id, about=f"{role} of {workspace_id}")


def _administrator(entry: Entry) -> Event | None:
    """Groups at the provider make somebody one who administers the server."""
    if entry.action != "users.change" or entry.details.get("is_admin") is not True:
        return None
    return _event(entry, "privilege_permissions_changed", target=entry.target, about="administrator of the server")


def _key_of_another(entry: Entry) -> Event | None:
    """Whoever has a key of another's can act as that one, as far as the key's scope goes."""
    user_id = _text(entry, "user")
    if entry.action not in ("api_keys.create", "api_keys.rotate") or not user_id or user_id == entry.actor:
        return None
    scope = entry.details.get("scope")
    level = f", to {scope['level']}" if isinstance(scope, dict) and isinstance(scope.get("level"), str) else ""
    return _event(entry, "privilege_permissions_changed", target=user_id, about=f"an API key of {user_id}{level}")


def _deletion(entry: Entry) -> Event | None:
    is_purge = entry.action == "collaboration.documents.delete" and entry.details.get("permanent") is True
    if not is_purge and entry.action not in _DESTRUCTIVE:
        return None
    return _event(entry, "sensitive_delete", about=f"{entry.action} {entry.target}")


def _watch_turned_off(entry: Entry) -> Event | None:
    if entry.action in _SETTINGS and (disabled := entry.details.get("disabled")):
        return _event(entry, "sys_monitor_disabled", about=f"detections {', '.join(map(str, disabled))}")
    if entry.action == "alerts.routes.delete":
        return _event(entry, "sys_monitor_disabled", about=f"alert route {entry.target}")
    if entry.action == "security.exports.delete" or _is_stopped(entry):
        return _event(entry, "sys_monitor_disabled", about=f"export {entry.target} of the audit trail")
    return None


def _is_stopped(entry: Entry) -> bool:
    """Nothing goes to the SIEM any more."""
    changed = entry.details.get("changed")
    is_about_it = entry.action == "security.exports.update" and isinstance(changed, list) and "enabled" in changed
    return is_about_it and entry.details.get("enabled") is False


def _event(
    entry: Entry, kind: Kind, *, about: str = "", target: str = "", application: str = "", error: str = ""
) -> Event:
    return Event(
        id=f"audit:{entry.id}",
        at=max(0, to_microseconds(entry.at)),
        kind=kind,
        actor=_text(entry, "account") if entry.actor == ANONYMOUS else entry.actor,
        address=_text(entry, "address")[:64],
        application=application,
        object=about[:_LONGEST],
        target=target[:_LONGEST],
        error=error[:64],
        count=_number(entry, "count"),
        rows=_number(entry, "things") if kind == "sensitive_read" else 0,
    )


def _number(entry: Entry, name: str) -> int:
    number = entry.details.get(name)
    return min(max(number, 1), _MOST_COUNT) if isinstance(number, int) else 1


def _text(entry: Entry, name: str) -> str:
    value = entry.details.get(name)
    return value if isinstance(value, str) else ""
