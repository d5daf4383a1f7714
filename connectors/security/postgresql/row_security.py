"""Checks of row-level security: policies that do nothing, or can be got around."""

from __future__ import annotations

from connectors.security.check import Category, Check, References, Scope, Severity, every_row, remedy
from connectors.security.postgresql.statements import not_of_extension, not_of_system, since

_TABLE = "'table' AS kind, n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS target"
_FROM = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
_OWN = f"{not_of_system('n')} AND {not_of_extension('c', 'pg_class')}"
_POLICIES = "SELECT FROM pg_policy p WHERE p.polrelid = c.oid"

_OFF = f"SELECT {_TABLE} FROM {_FROM} WHERE NOT c.relrowsecurity AND EXISTS ({_POLICIES}) AND {_OWN} ORDER BY 2, 3"  # noqa: S608
_EMPTY = f"SELECT {_TABLE} FROM {_FROM} WHERE c.relrowsecurity AND NOT EXISTS ({_POLICIES}) AND {_OWN} ORDER BY 2, 3"  # noqa: S608
_ALWAYS = f"""
SELECT 'policy' AS kind, n.nspname AS schema, c.relname AS name, p.polname AS part,
       format('%I ON %I.%I', p.polname, n.nspname, c.relname) AS target,
       CASE p.polcmd WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS command
  FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE p.polpermissive AND p.polcmd <> 'r' AND {_OWN} AND EXISTS (
       SELECT FROM unnest(ARRAY[pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)]) e
        WHERE regexp_replace(lower(e), '[\\s()]', '', 'g') IN ('true', '1=1'))
 ORDER BY 2, 3, 4
"""  # noqa: S608
_UNFORCED = f"""
SELECT {_TABLE}, r.rolname AS owner FROM {_FROM} JOIN pg_roles r ON r.oid = c.relowner
 WHERE c.relrowsecurity AND NOT c.relforcerowsecurity AND r.rolcanlogin AND {_OWN} ORDER BY 2, 3
"""  # noqa: S608
_VIEWS = f"""
SELECT DISTINCT 'view' AS kind, n.nspname AS schema, c.relname AS name, t.oid::regclass::text AS part,
       format('%I.%I', n.nspname, c.relname) AS target
  FROM {_FROM} JOIN pg_rewrite w ON w.ev_class = c.oid
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
  JOIN pg_class t ON t.oid = d.refobjid AND t.relrowsecurity
 WHERE c.relkind = 'v' AND {_OWN}
   AND NOT EXISTS (SELECT FROM unnest(c.reloptions) o WHERE o ~* '^security_invoker=(true|on|1|yes)$')
 ORDER BY 2, 3, 4
"""  # noqa: S608


def _check(
    number: int,
    severity: Severity,
    title: str,
    rationale: str,
    statement: str,
    advice: str,
    sql: str | None,
    *,
    of_version: int = 0,
) -> Check:
    return Check(
        id=f"PG-RLS-{number:03}",
        title=title,
        severity=severity,
        category=Category.AUTHENTICATION_AUTHORIZATION,
        rationale=rationale,
        statement=statement,
        judge=every_row,
        remediation=remedy(advice, sql),
        applies=since(of_version),
        scope=Scope.DATABASE,
        references=References(cis="4 User access and authorization", cwe=(284,)),
    )


CHECKS = (
    _check(
        1,
        Severity.HIGH,
        "A table has policies that are not in force",
        "Without row-level security enabled its policies are never looked at.",
        _OFF,
        "Enable it.",
        "ALTER TABLE {target} ENABLE ROW LEVEL SECURITY;",
    ),
    _check(
        2,
        Severity.LOW,
        "A table has row-level security and no policy",
        "Nobody but its owner sees a row. Accept it where that is meant.",
        _EMPTY,
        "Write a policy.",
        "CREATE POLICY <name> ON {target} USING (<condition>);",
    ),
    _check(
        3,
        Severity.HIGH,
        "A policy lets everything be written",
        "Its condition is always true, and permissive policies add up: no other one restricts any more.",
        _ALWAYS,
        "Write a condition that tells the rows of one from those of another.",
        "ALTER POLICY {target} USING (<condition>) WITH CHECK (<condition>);",
    ),
    _check(
        4,
        Severity.MEDIUM,
        "Policies do not count for the owner of the table",
        "The owner can sign in, and sees and changes every row.",
        _UNFORCED,
        "Force it, or give the table to a role that cannot log in.",
        "ALTER TABLE {target} FORCE ROW LEVEL SECURITY;",
    ),
    _check(
        5,
        Severity.MEDIUM,
        "A view shows rows that policies hide",
        "It reads the table with the rights of the view's owner, whatever policies there are for who asks.",
        _VIEWS,
        "Have the view read with the rights of who asks.",
        "ALTER VIEW {target} SET (security_invoker = true);",
        of_version=150000,
    ),
)
