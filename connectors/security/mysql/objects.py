"""Checks of what is in the databases: code that runs with others' rights, left-overs, engines."""

from __future__ import annotations

from connectors.security.check import Category, Check, References, Severity, every_row, remedy
from connectors.security.mysql.passwords import none_of
from connectors.security.mysql.statements import PLUGINS, SEES_ALL_OBJECTS, SEES_NOT_ALL

_SYSTEM = "'mysql', 'information_schema', 'performance_schema', 'sys'"
# Of a definer it is told whether it may do anything, and whether there is such an account at all.
_DEFINERS = """
SELECT d.kind AS kind, d.name AS name, d.schema_name AS `schema`, d.definer AS definer,
 CASE WHEN u.User IS NULL THEN 'is gone' ELSE 'has SUPER' END AS why,
 CONCAT('`', REPLACE(d.schema_name, '`', '``'), '`.`', REPLACE(d.name, '`', '``'), '`') AS target
FROM ({objects}) d
LEFT JOIN mysql.user u ON CONCAT(u.User, '@', u.Host) = d.definer
WHERE d.schema_name NOT IN ({system}) AND (u.User IS NULL OR u.Super_priv = 'Y')
ORDER BY 3, 2
"""
# MariaDB keeps routines and events in tables that can be granted; MySQL shows them to who may see them.
_ROUTINES = """
/*M! SELECT LOWER(type) AS kind, name, db AS schema_name, definer FROM mysql.proc WHERE security_type = 'DEFINER' */
/*!80000 SELECT LOWER(ROUTINE_TYPE) AS kind, ROUTINE_NAME AS name, ROUTINE_SCHEMA AS schema_name, DEFINER AS definer
 FROM information_schema.ROUTINES WHERE SECURITY_TYPE = 'DEFINER' */
"""
_EVENTS = """
/*M! SELECT 'event' AS kind, name, db AS schema_name, definer FROM mysql.event */
/*!80000 SELECT 'event' AS kind, EVENT_NAME AS name, EVENT_SCHEMA AS schema_name, DEFINER AS definer
 FROM information_schema.EVENTS */
"""
_VIEWS = """
SELECT 'view' AS kind, TABLE_NAME AS name, TABLE_SCHEMA AS schema_name, DEFINER AS definer
FROM information_schema.VIEWS WHERE SECURITY_TYPE = 'DEFINER'
"""
# On MariaDB to read the table is to see all. MySQL has a right for it: SHOW_ROUTINE everywhere, EVENT for events.
_SEES_MYSQL = """
SELECT /*M! TRUE */ /*!80000 (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES
 WHERE GRANTEE = CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@',
 QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1))) AND PRIVILEGE_TYPE IN ({rights})) > 0 */ AS sees_all
"""
_TEST_DATABASES = r"""
SELECT 'database' AS kind, SCHEMA_NAME AS name, CONCAT('`', REPLACE(SCHEMA_NAME, '`', '``'), '`') AS target
FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'test' ORDER BY 2
"""
_ENGINES = f"""
SELECT 'table' AS kind, TABLE_NAME AS name, TABLE_SCHEMA AS `schema`, ENGINE AS engine,
 CONCAT('`', REPLACE(TABLE_SCHEMA, '`', '``'), '`.`', REPLACE(TABLE_NAME, '`', '``'), '`') AS target
FROM information_schema.TABLES
WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE IN ('MyISAM', 'Aria', 'MEMORY', 'CSV') AND TABLE_SCHEMA NOT IN ({_SYSTEM})
ORDER BY 3, 2
"""  # noqa: S608 - names of our own
_FUNCTIONS = """
SELECT 'function' AS kind, name AS name, dl AS library, CONCAT('`', REPLACE(name, '`', '``'), '`') AS target
FROM mysql.func ORDER BY name
"""


def _of_definers(objects: str) -> str:
    return _DEFINERS.format(objects=objects, system=_SYSTEM)


def _is_audit(name: str) -> bool:
    """`server_audit`, `audit_log`, `audit_log_filter` and MySQL's components of these names."""
    return "audit" in name.rpartition("/")[2] and not name.endswith("_udf")


def _defined(check_id: str, what: str, objects: str, probe: str, blind: str, sql: str) -> Check:
    return Check(
        id=check_id,
        title=f"{what} with the rights of a superuser",
        severity=Severity.MEDIUM,
        category=Category.AUTHENTICATION_AUTHORIZATION,
        rationale="Whoever may use it acts with its definer's rights; a definer that is gone may be made by others.",
        statement=_of_definers(objects),
        judge=every_row,
        remediation=remedy("Let it run with its caller's rights, or give it a definer of few rights.", sql),
        probe=probe,
        blind=blind,
        partly_visible=True,
        references=References(cwe=(250, 269)),
    )


CHECKS = (
    Check(
        id="MY-CFG-010",
        title="Nothing records who did what",
        severity=Severity.MEDIUM,
        category=Category.AUDITING_LOGGING,
        rationale="After an incident nobody can tell what was read or changed, and by whom.",
        statement=PLUGINS,
        judge=none_of("audit", _is_audit),
        remediation=remedy(
            "Install an audit plugin.", "INSTALL SONAME 'server_audit'; SET GLOBAL server_audit_logging = ON;"
        ),
        references=References(cwe=(778,)),
    ),
    Check(
        id="MY-OBJ-001",
        title="Database to try things out",
        severity=Severity.LOW,
        category=Category.SURFACE_AREA,
        rationale="The server's defaults let everybody write to it.",
        statement=_TEST_DATABASES,
        judge=every_row,
        remediation=remedy("Drop it once nobody needs what is in it.", "DROP DATABASE {target};"),
        probe=SEES_ALL_OBJECTS,
        blind=SEES_NOT_ALL,
        partly_visible=True,
        references=References(cwe=(1188,)),
    ),
    _defined(
        "MY-OBJ-002",
        "Routine",
        _ROUTINES,
        _SEES_MYSQL.format(rights="'SHOW_ROUTINE', 'SELECT'"),
        "this login sees only routines that it has rights on; grant it SHOW_ROUTINE on *.*",
        "ALTER PROCEDURE {target} SQL SECURITY INVOKER; -- of a function: ALTER FUNCTION",
    ),
    _defined(
        "MY-OBJ-003",
        "View",
        _VIEWS,
        SEES_ALL_OBJECTS,
        SEES_NOT_ALL,
        "ALTER SQL SECURITY INVOKER VIEW {target} AS <its query>;",
    ),
    Check(
        id="MY-OBJ-004",
        title="Table without transactions",
        severity=Severity.LOW,
        category=Category.SCHEMA_HYGIENE,
        rationale="A statement that fails half-way leaves half of its changes, and a crash may damage the table.",
        statement=_ENGINES,
        judge=every_row,
        remediation=remedy("Move it to InnoDB.", "ALTER TABLE {target} ENGINE = InnoDB;"),
        probe=SEES_ALL_OBJECTS,
        blind=SEES_NOT_ALL,
        partly_visible=True,
    ),
    Check(
        id="MY-OBJ-005",
        title="Function from a library of the machine",
        severity=Severity.HIGH,
        category=Category.SURFACE_AREA,
        rationale="It runs in the server, with all of its rights, and is a known way to stay after an attack.",
        statement=_FUNCTIONS,
        judge=every_row,
        remediation=remedy("Drop it unless it is known where it is from.", "DROP FUNCTION {target};"),
        references=References(cwe=(114,)),
    ),
    _defined(
        "MY-OBJ-006",
        "Event",
        _EVENTS,
        _SEES_MYSQL.format(rights="'EVENT'"),
        "this login sees only events of databases that it has the right EVENT on, a right to make them, too",
        "ALTER DEFINER = <an account of few rights> EVENT {target};",
    ),
)
