"""Checks of roles: what they may do beyond tables."""

from __future__ import annotations

from connectors.security.check import Category, Check, References, Severity, every_row, remedy
from connectors.security.postgresql.statements import not_given

_ABOUT = Category.AUTHENTICATION_AUTHORIZATION
_ACCESS = "4 User access and authorization"
# Roles of the server and of providers come with it; nobody gave them what they may.
_OWN = not_given("r")


def _of_roles(condition: str, evidence: str = "") -> str:
    return (
        f"SELECT 'role' AS kind, r.rolname AS name, quote_ident(r.rolname) AS target{evidence}"  # noqa: S608
        f" FROM pg_roles r WHERE {_OWN} AND {condition} ORDER BY 2"
    )


def _members(*predefined: str) -> str:
    names = ", ".join(f"'{name}'" for name in predefined)
    return (
        "SELECT 'role' AS kind, r.rolname AS name, p.rolname AS part,"  # noqa: S608
        " format('%I FROM %I', p.rolname, r.rolname) AS target"
        f" FROM pg_roles r JOIN pg_roles p ON p.rolname IN ({names})"
        f" WHERE {_OWN} AND NOT r.rolsuper AND pg_has_role(r.oid, p.oid, 'MEMBER') ORDER BY 2, 3"
    )


def _check(
    number: int,
    severity: Severity,
    title: str,
    rationale: str,
    statement: str,
    fix: tuple[str, str | None],
    cwe: tuple[int, ...],
) -> Check:
    return Check(
        id=f"PG-ROLE-{number:03}",
        title=title,
        severity=severity,
        category=_ABOUT,
        rationale=rationale,
        statement=statement,
        judge=every_row,
        remediation=remedy(*fix),
        references=References(cis=_ACCESS, cwe=cwe),
    )


_REVOKE = "Revoke the membership; where it comes by way of another role, revoke that one's."

_REMOTE_SUPERUSERS = """
SELECT DISTINCT 'role' AS kind, r.rolname AS name, quote_ident(r.rolname) AS target, host(a.client_addr) AS address
  FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
 WHERE r.rolsuper AND NOT (a.client_addr <<= inet '127.0.0.0/8' OR a.client_addr = inet '::1')
   AND a.client_addr <> coalesce(inet_server_addr(), inet '0.0.0.0') ORDER BY 2, 4
"""
_TO_SUPERUSER = f"""
SELECT 'role' AS kind, r.rolname AS name, s.rolname AS part,
       format('%I FROM %I', s.rolname, r.rolname) AS target
  FROM pg_roles r JOIN pg_roles s ON s.rolsuper AND s.oid <> r.oid
 WHERE {_OWN} AND NOT r.rolsuper AND r.rolcanlogin AND pg_has_role(r.oid, s.oid, 'MEMBER') ORDER BY 2, 3
"""  # noqa: S608
_WITH_ADMIN = f"""
SELECT DISTINCT 'role' AS kind, r.rolname AS name, g.rolname AS part,
       format('%I FROM %I', g.rolname, r.rolname) AS target
  FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
 WHERE m.admin_option AND NOT r.rolsuper AND {_OWN} ORDER BY 2, 3
"""  # noqa: S608
_RISKY_SETTINGS = r"""
SELECT 'role setting' AS kind, coalesce(r.rolname, 'all roles') AS name, coalesce(d.datname, 'all databases') AS schema,
       split_part(c, '=', 1) AS part, split_part(c, '=', 2) AS value,
       CASE WHEN r.rolname IS NULL AND d.datname IS NULL THEN 'ROLE ALL'
            WHEN r.rolname IS NULL THEN format('DATABASE %I', d.datname)
            WHEN d.datname IS NULL THEN format('ROLE %I', r.rolname)
            ELSE format('ROLE %I IN DATABASE %I', r.rolname, d.datname)
       END || ' RESET ' || split_part(c, '=', 1) AS target
  FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase,
       unnest(s.setconfig) c
 WHERE c ~* '^(session_replication_role=(replica|local)|row_security=(off|false|0|no)|log_statement=none)$'
    OR c ~* '^(log_connections=(off|false|0|no)?|pgaudit\.log=none)$'
    OR c ~* '^(session_preload_libraries|local_preload_libraries)=.' ORDER BY 2, 3, 4
"""

CHECKS = (
    _check(
        1,
        Severity.HIGH,
        "Superusers beside the first one",
        "A superuser passes by every right, policy and log setting; each further one is a further way to everything.",
        _of_roles("r.rolsuper AND r.oid <> 10", ", r.rolcanlogin AS can_login"),
        ("Take the attribute away and grant predefined roles for what is needed.", "ALTER ROLE {target} NOSUPERUSER;"),
        (250, 269),
    ),
    _check(
        2,
        Severity.HIGH,
        "A role passes by row-level security",
        "With BYPASSRLS policies do not count for this role.",
        _of_roles("r.rolbypassrls AND NOT r.rolsuper"),
        ("Take the attribute away; write a policy for what the role has to see.", "ALTER ROLE {target} NOBYPASSRLS;"),
        (269, 284),
    ),
    _check(
        3,
        Severity.MEDIUM,
        "A role may create and change roles",
        "Before version 16 CREATEROLE is nearly as much as superuser; since then it is over all roles it was given.",
        _of_roles("r.rolcreaterole AND NOT r.rolsuper"),
        ("Take the attribute away from all but those who manage accounts.", "ALTER ROLE {target} NOCREATEROLE;"),
        (250, 269),
    ),
    _check(
        4,
        Severity.LOW,
        "A role may create databases",
        "Its owner may do anything in a database, and fill the disk.",
        _of_roles("r.rolcreatedb AND NOT r.rolsuper"),
        ("Take the attribute away.", "ALTER ROLE {target} NOCREATEDB;"),
        (250,),
    ),
    _check(
        5,
        Severity.MEDIUM,
        "A login that may replicate",
        "Replication copies every byte of all databases, whatever the rights on tables. Accept dedicated ones.",
        _of_roles("r.rolreplication AND r.rolcanlogin AND NOT r.rolsuper"),
        ("Give replication an account of its own that does nothing else.", "ALTER ROLE {target} NOREPLICATION;"),
        (250, 269),
    ),
    _check(
        6,
        Severity.CRITICAL,
        "A role may run programs on the server",
        "Members of pg_execute_server_program run any command of the operating system as the server's own account.",
        _members("pg_execute_server_program"),
        (_REVOKE, "REVOKE {target};"),
        (250, 78),
    ),
    _check(
        7,
        Severity.HIGH,
        "A role may read or write files of the server",
        "Whoever writes files of the server becomes superuser by it; whoever reads them reads every table and key.",
        _members("pg_read_server_files", "pg_write_server_files"),
        (_REVOKE, "REVOKE {target};"),
        (250, 552),
    ),
    _check(
        8,
        Severity.MEDIUM,
        "A role may read or write all data",
        "The right holds for every table of every schema, those to come too.",
        _members("pg_read_all_data", "pg_write_all_data"),
        ("Grant rights on the schemas that are needed instead.", "REVOKE {target};"),
        (250,),
    ),
    _check(
        9,
        Severity.MEDIUM,
        "A login can become a superuser",
        "SET ROLE makes it one at any time, and it looks like an ordinary account.",
        _TO_SUPERUSER,
        (_REVOKE, "REVOKE {target};"),
        (269,),
    ),
    _check(
        10,
        Severity.LOW,
        "Memberships that may be passed on",
        "With ADMIN OPTION a role decides by itself who else gets the same rights.",
        _WITH_ADMIN,
        ("Revoke the option; the membership stays.", "REVOKE ADMIN OPTION FOR {target};"),
        (269,),
    ),
    _check(
        11,
        Severity.LOW,
        "Logins without an end",
        "A password that never ends stays good for whoever once saw it. Accept accounts that sign in without one.",
        _of_roles("r.rolcanlogin AND (r.rolvaliduntil IS NULL OR r.rolvaliduntil = 'infinity') AND r.oid >= 16384"),
        ("Set a date, and a new one with each new password.", "ALTER ROLE {target} VALID UNTIL '<date>';"),
        (262,),
    ),
    _check(
        12,
        Severity.LOW,
        "A login whose time is over is still there",
        "One statement makes it good again; certificates and peer authentication never asked for the date.",
        _of_roles("r.rolcanlogin AND r.rolvaliduntil < now()", ", r.rolvaliduntil AS valid_until"),
        ("Drop the role, or take its login away.", "ALTER ROLE {target} NOLOGIN;"),
        (262,),
    ),
    _check(
        13,
        Severity.LOW,
        "Logins without a limit of connections",
        "One client that misbehaves takes all connections of the server.",
        _of_roles("r.rolcanlogin AND r.rolconnlimit = -1 AND NOT r.rolsuper"),
        ("Set a limit above what the application's pool needs.", "ALTER ROLE {target} CONNECTION LIMIT <n>;"),
        (770,),
    ),
    Check(
        id="PG-ROLE-014",
        title="A superuser is connected from another machine",
        severity=Severity.HIGH,
        category=_ABOUT,
        rationale="What is used over the network can be guessed and stolen over the network.",
        statement=_REMOTE_SUPERUSERS,
        judge=every_row,
        remediation=remedy("Let superusers in by the local socket only: a reject line for them in pg_hba.conf."),
        probe="SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')",
        blind="this login sees its own sessions only; membership in pg_monitor lets it see all",
        references=References(cis="5 Connection and login", cwe=(250, 284)),
    ),
    _check(
        15,
        Severity.MEDIUM,
        "A role or database has a setting that weakens protection",
        "Settings of a role or database go before the server's: triggers, policies, logs or libraries differ there.",
        _RISKY_SETTINGS,
        ("Reset it.", "ALTER {target};"),
        (16, 778),
    ),
)
