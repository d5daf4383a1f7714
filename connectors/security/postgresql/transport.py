"""Checks of encryption on the way, and of where the server listens."""

from __future__ import annotations

import re

from connectors.security.check import Category, Check, References, Severity, every_row, remedy
from connectors.security.postgresql.settings import setting_check
from connectors.security.postgresql.statements import own_host

_DATA = Category.DATA_PROTECTION
_SURFACE = Category.SURFACE_AREA
_TLS = References(cis="6 PostgreSQL settings", cwe=(319, 326))
_SEES_SESSIONS = "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
_BLIND = "this login sees its own sessions only; membership in pg_monitor lets it see all"
_REMOTE = "a.client_addr IS NOT NULL AND NOT (a.client_addr <<= inet '127.0.0.0/8' OR a.client_addr = inet '::1')"
_CLEAR_SESSIONS = f"""
SELECT DISTINCT 'role' AS kind, coalesce(a.usename, 'unknown') AS name, host(a.client_addr) AS part
  FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
  LEFT JOIN pg_stat_gssapi g USING (pid)
 WHERE NOT s.ssl AND NOT coalesce(g.encrypted, false) AND {_REMOTE} ORDER BY 2, 3
"""  # noqa: S608
_OLD_SESSIONS = """
SELECT DISTINCT 'role' AS kind, coalesce(a.usename, 'unknown') AS name, host(a.client_addr) AS part,
       s.version AS protocol
  FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
 WHERE s.ssl AND s.version IN ('SSLv3', 'TLSv1', 'TLSv1.1') ORDER BY 2, 3
"""
_WEAK = re.compile(r"(?:^|:)(?:e?NULL|EXP\w*|RC4|3?DES|MD5|aNULL|ADH|AECDH|LOW|ALL|COMPLEMENTOFALL)\b", re.IGNORECASE)


def _has_weak(ciphers: str) -> bool:
    """Ciphers named to be used: `!` and `-` take one away, `+` only moves it, `ALL` brings those of no signature."""
    return _WEAK.search(ciphers) is not None and not ("!aNULL" in ciphers and re.fullmatch(r"ALL(:!\w+)+", ciphers))


def _is_wildcard(addresses: str) -> bool:
    return any(address.strip() in ("*", "0.0.0.0", "::") for address in addresses.split(","))  # noqa: S104


CHECKS = (
    setting_check(
        "PG-TLS-001",
        "The server does not encrypt connections",
        Severity.HIGH,
        _DATA,
        "ssl",
        lambda value: value == "off",
        "Statements and rows cross the network as they are.",
        "on",
        advice="Install a certificate (ssl_cert_file, ssl_key_file) and set ssl to on.",
        references=_TLS,
    ),
    setting_check(
        "PG-TLS-002",
        "Old versions of TLS are allowed",
        Severity.HIGH,
        _DATA,
        "ssl_min_protocol_version",
        lambda value: value in ("", "TLSv1", "TLSv1.1"),
        "TLS before 1.2 is broken.",
        "TLSv1.2",
        references=_TLS,
    ),
    setting_check(
        "PG-TLS-003",
        "Weak ciphers are allowed",
        Severity.MEDIUM,
        _DATA,
        "ssl_ciphers",
        _has_weak,
        "The list names ciphers that can be broken, or that do not prove who the server is.",
        "HIGH:!aNULL",
        references=_TLS,
    ),
    setting_check(
        "PG-TLS-004",
        "Clients choose the cipher",
        Severity.LOW,
        _DATA,
        "ssl_prefer_server_ciphers",
        lambda value: value == "off",
        "The client's order counts, which may begin with the weakest.",
        "on",
        references=_TLS,
    ),
    Check(
        id="PG-TLS-005",
        title="Somebody is connected from another machine without encryption",
        severity=Severity.HIGH,
        category=_DATA,
        rationale="What this session asks and is answered can be read on the way.",
        statement=_CLEAR_SESSIONS,
        judge=every_row,
        remediation=remedy("Have clients use sslmode=verify-full, and change their line in pg_hba.conf to hostssl."),
        probe=_SEES_SESSIONS,
        blind=_BLIND,
        references=_TLS,
    ),
    Check(
        id="PG-TLS-006",
        title="Somebody is connected by an old version of TLS",
        severity=Severity.MEDIUM,
        category=_DATA,
        rationale="TLS before 1.2 is broken; the client would fail once it is no longer allowed.",
        statement=_OLD_SESSIONS,
        judge=every_row,
        remediation=remedy("Upgrade the client's libraries, then set ssl_min_protocol_version to TLSv1.2."),
        probe=_SEES_SESSIONS,
        blind=_BLIND,
        references=_TLS,
    ),
    setting_check(
        "PG-NET-001",
        "The server listens on every address",
        Severity.MEDIUM,
        _SURFACE,
        "listen_addresses",
        _is_wildcard,
        "A network that is added later reaches the server at once.",
        "<addresses>",
        advice="Name the addresses that clients use.",
        is_at_restart=True,
        applies=own_host,
        references=References(cis="5 Connection and login", cwe=(668,)),
    ),
    setting_check(
        "PG-NET-002",
        "Every account of the machine reaches the socket",
        Severity.LOW,
        _SURFACE,
        "unix_socket_permissions",
        lambda value: value not in ("0770", "0700", "0760"),
        "Whoever has an account on the machine may try to sign in.",
        "0770",
        is_at_restart=True,
        applies=own_host,
        references=References(cis="5 Connection and login", cwe=(732,)),
    ),
)
