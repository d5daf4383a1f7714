"""Checks of ways to other servers: foreign servers and what signs in to them, publications and subscriptions."""

from __future__ import annotations

from connectors.security.check import Severity
from connectors.security.postgresql.surface_check import surface_check

_MAPPINGS = """
SELECT 'user mapping' AS kind, srvname AS name, CASE umuser WHEN 0 THEN 'PUBLIC' ELSE usename END AS part,
       format('%s SERVER %I', CASE umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(usename) END, srvname) AS target,
       EXISTS (SELECT FROM unnest(umoptions) o WHERE o ~* '^password=') AS stores_password
  FROM pg_user_mappings
 WHERE umuser = 0 OR EXISTS (SELECT FROM unnest(umoptions) o WHERE o ~* '^password=') ORDER BY 2, 3
"""
# Options of others are hidden as NULL; one that has none looks the same, and only a superuser can tell.
_SEES_MAPPINGS = """
SELECT NOT EXISTS (SELECT FROM pg_user_mappings WHERE umoptions IS NULL)
    OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
"""
_FOREIGN_SERVERS = """
SELECT 'foreign server' AS kind, s.srvname AS name, quote_ident(s.srvname) AS target
  FROM pg_foreign_server s, aclexplode(s.srvacl) x WHERE x.grantee = 0 AND x.privilege_type = 'USAGE' ORDER BY 2
"""
_SUBSCRIPTIONS = """
SELECT 'subscription' AS kind, subname AS name, quote_ident(subname) AS target
  FROM pg_subscription
 WHERE subconninfo ~* '(\\mpassword\\s*=|://[^/@]*:[^/@]+@)'
   AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 2
"""
_PUBLICATIONS = """
SELECT 'publication' AS kind, pubname AS name, quote_ident(pubname) AS target
  FROM pg_publication WHERE puballtables ORDER BY 2
"""

CHECKS = (
    surface_check(
        5,
        Severity.HIGH,
        "A way to another server is open to all, or stores a password",
        "A mapping for PUBLIC lends its account to everybody; a stored one is in dumps.",
        _MAPPINGS,
        (
            "Make mappings for single roles; sign in by certificate or a password file.",
            "DROP USER MAPPING FOR {target};",
        ),
        522,
        probe=_SEES_MAPPINGS,
        blind="options of mappings of others are hidden from all but a superuser; there are some",
        partly_visible=True,
    ),
    surface_check(
        6,
        Severity.MEDIUM,
        "Everybody may use a foreign server",
        "Every role may make a mapping of its own and reach that server from here.",
        _FOREIGN_SERVERS,
        ("Revoke the right from PUBLIC.", "REVOKE USAGE ON FOREIGN SERVER {target} FROM PUBLIC;"),
        732,
    ),
    surface_check(
        8,
        Severity.MEDIUM,
        "A subscription stores a password",
        "It is readable by superusers and in dumps.",
        _SUBSCRIPTIONS,
        (
            "Sign in by certificate or a password file.",
            "ALTER SUBSCRIPTION {target} CONNECTION '<without a password>';",
        ),
        522,
        probe="SELECT has_column_privilege('pg_catalog.pg_subscription', 'subconninfo', 'SELECT')",
        blind="only a superuser sees how subscriptions connect",
    ),
    surface_check(
        9,
        Severity.LOW,
        "A publication sends every table",
        "Tables to come are sent too, whatever they hold.",
        _PUBLICATIONS,
        ("Publish a list of tables.", None),
        200,
    ),
)
