"""How the settings of sign-ins by OpenID Connect are read, and which of them do not go together."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from handlers.names import is_workspace_id
from server.setting_values import BadValueError

if TYPE_CHECKING:
    from server.settings import Settings

# Owners are made by owners: a workspace keeps one whatever a provider's groups say.
GIVEN_ROLES = ("viewer", "commenter", "editor", "admin")
EVERYBODY = "*"
_ROLE = re.compile(r"(?P<group>.+)=(?P<workspace>[^=:]+):(?P<role>[a-z]+)")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+", re.ASCII)


def issuer(value: str) -> str:
    """The address of a provider, letter for letter as it names itself: one that ends in a slash keeps it."""
    stripped = value.strip()
    try:
        parts = urlsplit(stripped)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadValueError(f"it is not a URL ({error}); use https://login.example.org") from None
    if parts.scheme not in ("http", "https") or not host or not stripped.isascii() or not stripped.isprintable():
        raise BadValueError(f"{value!r} is not a web address; use for example https://login.example.org")
    if parts.query or parts.fragment or parts.username is not None or " " in stripped:
        raise BadValueError("it has more than host and path; use for example https://login.example.org")
    if parts.scheme == "http" and not is_loopback(host):
        raise BadValueError("who signs in there is not safe without encryption; use https")
    return stripped


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def scopes(value: str) -> str:
    """Scopes with blanks between them; `openid` is among them in any case."""
    found = value.split()
    if bad := next((scope for scope in found if not _SCOPE.fullmatch(scope)), None):
        raise BadValueError(f"{bad!r} is no scope; use for example 'openid email profile groups'")
    return " ".join(dict.fromkeys(("openid", *found)))


def domains(value: str) -> tuple[str, ...]:
    """Comma-separated domains of e-mail addresses, or `*`."""
    found = tuple(part.lower().removeprefix("@") for part in _parts(value))
    for each in found:
        if each != EVERYBODY and not _DOMAIN.fullmatch(each):
            raise BadValueError(f"{each!r} is not the domain of an e-mail address; use example.org, or * for all")
    return _alone(found)


def groups(value: str) -> tuple[str, ...]:
    """Comma-separated names of groups."""
    return tuple(dict.fromkeys(_parts(value)))


def groups_or_all(value: str) -> tuple[str, ...]:
    """Comma-separated names of groups, or `*`."""
    return _alone(tuple(_parts(value)))


def roles(value: str) -> tuple[tuple[str, str, str], ...]:
    """Comma-separated `group=workspace:role`."""
    found = []
    for each in _parts(value):
        match = _ROLE.fullmatch(each)
        if match is None or not is_workspace_id(match["workspace"]):
            raise BadValueError(f"{each!r} is not such a rule; use group=workspace:role, as analysts=default:editor")
        if match["role"] not in GIVEN_ROLES:
            raise BadValueError(f"{each!r}: groups give the roles {', '.join(GIVEN_ROLES)}; owners are made by owners")
        found.append((match["group"], match["workspace"], match["role"]))
    return tuple(dict.fromkeys(found))


def contradictions(settings: Settings, sources: Mapping[str, str]) -> list[str]:
    """What is missing, or too much, beside the others; each is told at the setting that was made."""
    if sources["oidc_issuer"] == "default":
        names = ("oidc_client_id", "oidc_client_secret", "oidc_allowed_domains", "oidc_allowed_groups", "oidc_roles")
        lonely = next((name for name in (*names, "oidc_admin_groups") if getattr(settings, name)), None)
        return [f"{sources[lonely]}: sign-in at which provider? set oidc_issuer to its address"] if lonely else []
    source = sources["oidc_issuer"]
    problems = []
    if sources["oidc_client_id"] == "default":
        problems.append(f"{source}: set oidc_client_id to the name that the provider gave this server")
    if sources["public_url"] == "default":
        problems.append(f"{source}: the provider sends people back to an address; set public_url to this server's")
    if sources["oidc_allowed_domains"] == sources["oidc_allowed_groups"] == "default":
        problems.append(
            f"{source}: who may come in? set oidc_allowed_domains or oidc_allowed_groups (* for everybody there)"
        )
    return problems


def _parts(value: str) -> list[str]:
    return [part for part in (part.strip() for part in value.split(",")) if part]


def _alone(found: tuple[str, ...]) -> tuple[str, ...]:
    if EVERYBODY in found and len(set(found)) > 1:
        raise BadValueError("* is everybody, so that the others say nothing; use it alone, or leave it out")
    return tuple(dict.fromkeys(found))
