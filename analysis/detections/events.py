"""What detections look at: one thing that happened, whichever log told of it.

Kinds are those of the OWASP logging vocabulary where it has a word; `sql_statement` and `sql_error` are ours.
Source: https://cheatsheetseries.owasp.org/cheatsheets/Logging_Vocabulary_Cheat_Sheet.html
"""

from __future__ import annotations

import functools
import ipaddress
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Kind = Literal[
    "authn_login_success",
    "authn_login_fail",
    "authn_token_reuse",
    "session_use_after_expire",
    "authz_fail",
    "privilege_permissions_changed",
    "sensitive_read",
    "sensitive_delete",
    "sys_monitor_disabled",
    "input_validation_fail",
    "sql_statement",
    "sql_error",
]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Name = Annotated[str, Meta(max_length=400)]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened.

    `at` is the time in microseconds since 1970 (UTC), `id` unique in its log, so that an event that comes twice counts
    once. `count` stands for so many of the same. `target` is the account or right that is changed, `token` the id of
    the credential (never the credential), `input` what an untrusted person entered, `rows` how many were read.
    """

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    at: Annotated[int, Meta(ge=0, le=2**53)]
    kind: Kind
    actor: Name = ""
    address: Annotated[str, Meta(max_length=64)] = ""
    application: Name = ""
    object: Name = ""
    target: Name = ""
    token: Annotated[str, Meta(max_length=200)] = ""
    statement: Annotated[str, Meta(max_length=10_000)] = ""
    input: Annotated[str, Meta(max_length=10_000)] = ""
    error: Annotated[str, Meta(max_length=64)] = ""
    country: Annotated[str, Meta(max_length=64)] = ""
    network_owner: Annotated[str, Meta(max_length=200)] = ""
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    rows: Annotated[int, Meta(ge=0, le=2**53)] = 0
    count: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    is_admin: bool = False
    is_service: bool = False


@functools.lru_cache(maxsize=65_536)
def origin_of(address: str) -> str:
    """Who counts as one source: an IPv4 address, the /64 of an IPv6 address, or the text as it is."""
    return _network(address, 32, 64)


@functools.lru_cache(maxsize=65_536)
def network_of(address: str) -> str:
    """The network that an address is in: the /24 of an IPv4 address, the /48 of an IPv6 address."""
    return _network(address, 24, 48)


def _network(address: str, four: int, six: int) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.version == 4 and four == 32:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, four if parsed.version == 4 else six), strict=False))
