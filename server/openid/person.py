"""Who signed in, as the claims of an ID token tell it, and whether they may come in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.openid.failures import SignInFailed, Told
from server.openid.id_tokens import subject_of
from server.openid.options import OpenIdOptions

MOST_GROUPS = 2000
LONGEST_NAME = 64
LONGEST_TITLE = 200
# Letters that look like others are left out: a name must not be taken for another's.
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the provider. `email` is one that the provider has verified, `session` its own `sid`."""

    issuer: str
    subject: str
    title: str
    wished_name: str
    email: str | None
    groups: frozenset[str]
    session: str | None


def person_of(claims: Mapping[str, Any], options: OpenIdOptions) -> Person:
    """Raises SignInFailed for claims that name nobody."""
    wished = _text(claims, "preferred_username") or _text(claims, "email") or ""
    name = _NOT_IN_NAMES.sub("-", wished.partition("@")[0].lower()).strip("._-")[:LONGEST_NAME].rstrip("._-")
    return Person(
        issuer=options.issuer,
        subject=subject_of(dict(claims)),
        title=_title(claims) or name or "user",
        wished_name=name or "user",
        email=_verified_email(claims),
        groups=_groups(claims, options.groups_claim),
        session=_text(claims, "sid"),
    )


def require_admitted(person: Person, options: OpenIdOptions) -> None:
    """Returns if each list that the operator made has the person in it. Raises SignInFailed."""
    if options.domains is not None:
        domain = person.email.rpartition("@")[2].lower() if person.email else None
        if domain not in options.domains:
            raise SignInFailed("domain_not_allowed", Told.NOT_ADMITTED, "no verified e-mail of an allowed domain")
    if options.groups is not None and not options.groups & person.groups:
        raise SignInFailed("group_not_allowed", Told.NOT_ADMITTED, "a member of no allowed group")


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= 320 else None


def _title(claims: Mapping[str, Any]) -> str:
    shown = "".join(letter for letter in _text(claims, "name") or "" if letter.isprintable())
    return shown.strip()[:LONGEST_TITLE]


def _verified_email(claims: Mapping[str, Any]) -> str | None:
    """Some providers say it in words; all that is not plainly yes is no."""
    verified = claims.get("email_verified")
    return _text(claims, "email") if verified is True or verified == "true" else None


def _groups(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """The groups in a claim of that name, or, where there is none, at that path of names with dots between them."""
    value: Any = claims.get(name)
    if value is None:
        value = claims
        for step in name.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
    found = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(each for each in found[:MOST_GROUPS] if isinstance(each, str))
