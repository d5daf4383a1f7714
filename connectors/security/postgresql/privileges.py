"""Checks of rights on schemas, tables, functions and large objects."""

from __future__ import annotations

from connectors.security.check import Category, Check, References, Scope, Severity, every_row, remedy
from connectors.security.postgresql.statements import not_given, not_of_extension, not_of_system

_OWN = not_of_system("n")
_OWN_TABLE = f"{_OWN} AND {not_of_extension('c', 'pg_class')}"
_OWN_FUNCTION = f"{_OWN} AND {not_of_extension('p', 'pg_proc')}"
_TABLES = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
_FUNCTIONS = "pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
# A function's name alone is not which one it is.
_SIGNATURE = "format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid))"
_FUNCTION = (
    f"'function' AS kind, n.nspname AS schema, {_SIGNATURE} AS name,"
    " format('%s %I.%I(%s)', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,"
    " n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS target"
)

_CREATE_IN_SCHEMA = f"""
SELECT 'schema' AS kind, n.nspname AS name, quote_ident(n.nspname) AS target
  FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x
 WHERE x.grantee = 0 AND x.privilege_type = 'CREATE' AND {_OWN} ORDER BY 2
"""  # noqa: S608
_PUBLIC_WRITES = f"""
SELECT 'table' AS kind, n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS target,
       string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type) AS rights
  FROM {_TABLES}, aclexplode(c.relacl) x
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND x.grantee = 0 AND x.privilege_type <> 'SELECT' AND {_OWN_TABLE}
 GROUP BY n.nspname, c.relname ORDER BY 2, 3
"""  # noqa: S608
# Foreign tables and materialized views have checks of their own.
_PUBLIC_READS = f"""
SELECT 'table' AS kind, n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS target
  FROM {_TABLES}, aclexplode(c.relacl) x
 WHERE c.relkind IN ('r', 'p', 'v') AND x.grantee = 0 AND x.privilege_type = 'SELECT' AND {_OWN_TABLE} ORDER BY 2, 3
"""  # noqa: S608
_DATABASES = """
SELECT 'database' AS kind, d.datname AS name, x.privilege_type AS part,
       format('%s ON DATABASE %I', x.privilege_type, d.datname) AS target
  FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x
 WHERE x.grantee = 0 AND d.datallowconn AND NOT d.datistemplate AND x.privilege_type IN ('CONNECT', 'TEMPORARY')
 ORDER BY 2, 3
"""
_DEFINER_FOR_ALL = f"""
SELECT {_FUNCTION} FROM {_FUNCTIONS}, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
 WHERE p.prosecdef AND x.grantee = 0 AND x.privilege_type = 'EXECUTE' AND {_OWN_FUNCTION} ORDER BY 2, 3
"""  # noqa: S608
_DEFINER_UNPINNED = f"""
SELECT {_FUNCTION} FROM {_FUNCTIONS}
 WHERE p.prosecdef AND {_OWN_FUNCTION}
   AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'search\\_path=%') ORDER BY 2, 3
"""  # noqa: S608
_FILE_FUNCTIONS = f"""
SELECT 'function' AS kind, n.nspname AS schema, {_SIGNATURE} AS name, g.name AS part,
       format('FUNCTION %I.%I(%s) FROM %s', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid),
              CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(g.name) END) AS target
  FROM {_FUNCTIONS} CROSS JOIN LATERAL aclexplode(p.proacl) x LEFT JOIN pg_roles r ON r.oid = x.grantee
       CROSS JOIN LATERAL (SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE r.rolname END) g (name)
 WHERE p.proname IN ('pg_read_file', 'pg_read_binary_file', 'pg_ls_dir', 'pg_stat_file', 'lo_import', 'lo_export',
                     'pg_file_write')
   AND x.grantee NOT IN (10, p.proowner) AND (r.oid IS NULL OR {not_given("r")})
   AND NOT coalesce(r.rolsuper, false) ORDER BY 3, 4
"""  # noqa: S608
_DEFAULTS = """
SELECT 'default right' AS kind, r.rolname AS name, coalesce(n.nspname, 'all schemas') AS schema,
       x.privilege_type || ' on ' || o.objects AS part, x.privilege_type || ' on ' || o.objects AS rights,
       format('FOR ROLE %I%s REVOKE %s ON %s FROM PUBLIC', r.rolname,
              CASE WHEN n.nspname IS NULL THEN '' ELSE format(' IN SCHEMA %I', n.nspname) END,
              x.privilege_type, o.objects) AS target
  FROM pg_default_acl d JOIN pg_roles r ON r.oid = d.defaclrole LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
  JOIN (VALUES ('r'::"char", 'TABLES'), ('S', 'SEQUENCES'), ('f', 'FUNCTIONS'), ('T', 'TYPES'), ('n', 'SCHEMAS'),
               ('L', 'LARGE OBJECTS'))
       o (letter, objects) ON o.letter = d.defaclobjtype,
       aclexplode(d.defaclacl) x
 WHERE x.grantee = 0
   -- What everybody may anyway stands in the list too, as soon as somebody else was added to it.
   AND NOT (d.defaclnamespace = 0 AND ((d.defaclobjtype = 'f' AND x.privilege_type = 'EXECUTE')
                                        OR (d.defaclobjtype = 'T' AND x.privilege_type = 'USAGE')))
 ORDER BY 2, 3, 4
"""
_OF_SUPERUSERS = f"""
SELECT 'table' AS kind, n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS target,
       r.rolname AS owner
  FROM {_TABLES} JOIN pg_roles r ON r.oid = c.relowner
 WHERE c.relkind IN ('r', 'p') AND r.rolsuper AND r.rolcanlogin AND {_OWN_TABLE} ORDER BY 2, 3
"""  # noqa: S608
_LARGE_OBJECTS = """
SELECT 'large object' AS kind, m.oid::text AS name, m.oid::text AS part,
       format('REVOKE ALL ON LARGE OBJECT %s FROM PUBLIC;', m.oid) AS target
  FROM pg_largeobject_metadata m, aclexplode(m.lomacl) x WHERE x.grantee = 0 GROUP BY m.oid
UNION ALL
SELECT 'setting', name, NULL, 'ALTER SYSTEM SET lo_compat_privileges = off;'
  FROM pg_settings WHERE name = 'lo_compat_privileges' AND setting = 'on'
"""
_GRANTABLE = f"""
SELECT 'table' AS kind, n.nspname AS schema, c.relname AS name, r.rolname AS part,
       string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type) AS rights,
       format('%I.%I FROM %I', n.nspname, c.relname, r.rolname) AS target
  FROM {_TABLES}, aclexplode(c.relacl) x JOIN pg_roles r ON r.oid = x.grantee
 WHERE x.is_grantable AND x.grantee <> c.relowner AND {_OWN} GROUP BY n.nspname, c.relname, r.rolname ORDER BY 2, 3, 4
"""  # noqa: S608


def _check(
    number: int,
    severity: Severity,
    title: str,
    rationale: str,
    statement: str,
    advice: str,
    sql: str,
    cwe: int = 732,
    scope: Scope = Scope.DATABASE,
) -> Check:
    return Check(
        id=f"PG-PRIV-{number:03}",
        title=title,
        severity=severity,
        category=Category.AUTHENTICATION_AUTHORIZATION,
        rationale=rationale,
        statement=statement,
        judge=every_row,
        remediation=remedy(advice, sql),
        scope=scope,
        references=References(cis="4 User access and authorization", cwe=(cwe,)),
    )


CHECKS = (
    _check(
        1,
        Severity.HIGH,
        "Everybody may create objects in a schema",
        "Whoever puts a function or table before others in the search path has theirs run or read in its place.",
        _CREATE_IN_SCHEMA,
        "Revoke the right from PUBLIC; grant it to the roles that own the objects.",
        "REVOKE CREATE ON SCHEMA {target} FROM PUBLIC;",
        426,
    ),
    _check(
        2,
        Severity.HIGH,
        "Everybody may change a table",
        "Every login of this database, those to come too, may do it.",
        _PUBLIC_WRITES,
        "Revoke the rights from PUBLIC; grant them to the roles that need them.",
        "REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON {target} FROM PUBLIC;",
    ),
    _check(
        3,
        Severity.MEDIUM,
        "Everybody may read a table",
        "Every login of this database, those to come too, may do it.",
        _PUBLIC_READS,
        "Revoke the right from PUBLIC; grant it to the roles that need it.",
        "REVOKE SELECT ON {target} FROM PUBLIC;",
    ),
    _check(
        4,
        Severity.LOW,
        "Everybody may connect to a database or make temporary tables in it",
        "It is the default: a login made for one database reaches all.",
        _DATABASES,
        "Revoke the right from PUBLIC, after granting it to the roles that use the database.",
        "REVOKE {target} FROM PUBLIC;",
        284,
        Scope.SERVER,
    ),
    _check(
        5,
        Severity.HIGH,
        "Everybody may execute a function with its owner's rights",
        "SECURITY DEFINER lends the owner's rights to whoever may call; by default that is everybody.",
        _DEFINER_FOR_ALL,
        "Revoke the right from PUBLIC; grant it to the roles that call it.",
        "REVOKE EXECUTE ON {target} FROM PUBLIC;",
        250,
    ),
    _check(
        6,
        Severity.HIGH,
        "A function with its owner's rights looks names up where its caller says",
        "Who calls sets search_path to a schema of theirs, and their function runs with the owner's rights.",
        _DEFINER_UNPINNED,
        "Fix the search path to what the function needs, pg_temp last.",
        "ALTER {target} SET search_path = pg_catalog, pg_temp;",
        426,
    ),
    _check(
        7,
        Severity.HIGH,
        "A role may execute functions that reach files of the server",
        "These functions were closed to all but superusers; whoever reads files of the server reads every table.",
        _FILE_FUNCTIONS,
        "Revoke the right.",
        "REVOKE EXECUTE ON {target};",
        552,
    ),
    _check(
        8,
        Severity.MEDIUM,
        "Objects to come are open to everybody",
        "Default privileges give PUBLIC rights on each new object.",
        _DEFAULTS,
        "Revoke the default; what was created already keeps its rights.",
        "ALTER DEFAULT PRIVILEGES {target};",
    ),
    _check(
        9,
        Severity.MEDIUM,
        "Tables belong to a superuser who can sign in",
        "Their triggers, views and policies run with a superuser's rights, and the application signs in as one.",
        _OF_SUPERUSERS,
        "Give them to a role of the application that cannot log in.",
        "ALTER TABLE {target} OWNER TO <role>;",
        250,
    ),
    _check(
        10,
        Severity.MEDIUM,
        "Everybody may use large objects",
        "Rights on them are given by number, or, with lo_compat_privileges, not asked for at all.",
        _LARGE_OBJECTS,
        "Revoke the rights, or set lo_compat_privileges to off.",
        "{target}",
    ),
    _check(
        11,
        Severity.MEDIUM,
        "Somebody other than the owner may pass on rights to a table",
        "With GRANT OPTION a role decides by itself who else reads or changes the table.",
        _GRANTABLE,
        "Revoke the option; the right stays.",
        "REVOKE GRANT OPTION FOR ALL ON {target};",
        269,
    ),
)
