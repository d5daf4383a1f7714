"""What a statement does and how it is shaped, told from its words: cheap enough for each statement of a log."""

from __future__ import annotations

import functools
import re

from analysis.detections.events import Kind
from analysis.detections.sql_text import parts_of, plain

_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b|\$\d+")
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_DANGEROUS = re.compile(
    r"\b(?:pg_read_file|pg_read_binary_file|pg_ls_dir|pg_stat_file|lo_import|"
    r"lo_export|load_file|sys_exec|sys_eval|xp_cmdshell|dblink_connect)\s*\(|\binto\s+(?:out|dump)file\b|"
    r"\blanguage\s+'?(?:c|plpython3?u|plperlu|pltclu|plsh)\b|\bload\s+data\s+(?:\w+\s+){0,2}infile\b|\balter\s+system\b",
    re.IGNORECASE | re.DOTALL,
)
_PROGRAM = re.compile(r"\b(?:from|to)\s+program\b", re.IGNORECASE)
_COPY = re.compile(r"\bcopy\b", re.IGNORECASE)
# How far before the program its COPY may stand: a list of columns or a query lies between.
_COPIED = 1_000
_CATALOG = re.compile(r"\b(?:pg_catalog\.|pg_shadow\b|pg_authid\b|information_schema\.|mysql\.user\b)", re.IGNORECASE)
_PRIVILEGES = re.compile(
    r"^(?:grant|alter\s+(?:role|user|default\s+privileges)|create\s+(?:role|user)|set\s+role|alter\s+\w+\s+\S+\s+owner|"
    r"(?:update|insert\s+into|replace(?:\s+into)?)\s+`?mysql`?\.`?(?:user|global_priv|db|tables_priv|roles_mapping)`?)\b",
    re.IGNORECASE,
)
_MORE_RIGHTS = re.compile(
    r"^(?:grant|update|insert|replace)\b|\b(?:superuser|bypassrls|createrole|createdb|replication)\b|"
    r"^alter\s+\w+\s+\S+\s+owner\b",
    re.IGNORECASE,
)
_EVASION = re.compile(
    r"\b(?:pgaudit\.\w+|log_statement|log_connections|log_disconnections|logging_collector|server_audit_logging|"
    r"general_log|audit_log_policy|audit_log_disable|log_min_duration_statement)\b\s*(?:=|to)\s*"
    r"(?:'?(?:none|off|0|-1|false)\b|''|default\b)|\b(?:audit_log_disable\s*=\s*'?(?:on|1|true)|"
    r"server_audit_(?:excl_users|incl_users|events)\s*=)|"
    r"\balter\s+system\s+reset\s+(?:all|pgaudit\.\w+|log_\w+|logging_collector)\b|"
    r"\bdrop\s+extension\b.{0,200}\bpgaudit\b|"
    r"\buninstall\s+(?:plugin|soname|component)\b.{0,200}audit|\bpurge\s+binary\s+logs\b",
    re.IGNORECASE | re.DOTALL,
)
_SECRET_WORD = re.compile(r"password|identified", re.IGNORECASE)
_SECRET = re.compile(
    r"(\bpassword\s*=?\s*\(?\s*|\bidentified\s+(?:with\s+\S+\s+)?(?:by|as|using)\s+(?:password\s*\(?\s*)?)"
    r"e?'(?:[^'\\]|''|\\.)*(?:'|$)",
    re.IGNORECASE | re.DOTALL,
)
_DROP = re.compile(r"^(?:drop\s+(?:table|schema|database|materialized|view)|truncate)\b", re.IGNORECASE)
_DELETE = re.compile(r"^delete\s+from\b", re.IGNORECASE)
_GRAVEST_FIRST: tuple[Kind, ...] = ("sys_monitor_disabled", "privilege_permissions_changed", "sensitive_delete")
_GRANTEE = re.compile(r"\bto\s+\"?([\w$.-]+)|^(?:alter|create)\s+(?:role|user)\s+\"?([\w$.-]+)", re.IGNORECASE)
_OBJECT = re.compile(
    r"\b(?:from|into|table|update|truncate|copy)\s+(?:if\s+exists\s+|only\s+|table\s+)*([\w$.\"`]+)", re.IGNORECASE
)


def without_secrets(statement: str) -> str:
    """The statement with its passwords starred out, as logs hold them in the clear."""
    return _SECRET.sub(r"\1'*****'", statement) if _SECRET_WORD.search(statement) else statement


@functools.lru_cache(maxsize=16_384)
def shape_of(statement: str) -> str:
    """The statement without what differs from call to call."""
    return _LIST.sub("(?)", _LITERAL.sub("?", plain(statement))).lower()[:500]


@functools.lru_cache(maxsize=16_384)
def kind_of(statement: str) -> Kind:
    """What sort of event a statement is; of several in one, the gravest."""
    text = plain(statement)
    if ";" not in text:
        return _kind_of_one(text)
    kinds = {_kind_of_one(part) for part in parts_of(text)}
    return next((kind for kind in _GRAVEST_FIRST if kind in kinds), "sql_statement")


def _kind_of_one(text: str) -> Kind:
    if _EVASION.search(text):
        return "sys_monitor_disabled"
    if _PRIVILEGES.search(text) and _MORE_RIGHTS.search(text):
        return "privilege_permissions_changed"
    if _DROP.search(text) or (_DELETE.search(text) and not re.search(r"\bwhere\b", text, re.IGNORECASE)):
        return "sensitive_delete"
    return "sql_statement"


@functools.lru_cache(maxsize=16_384)
def is_dangerous(statement: str) -> bool:
    """Whether it reaches files or programs of the server."""
    text = plain(statement)
    return _DANGEROUS.search(text) is not None or _runs_program(text)


def _runs_program(text: str) -> bool:
    found = [each.start() for each in _PROGRAM.finditer(text)]
    return any(_COPY.search(text, max(0, at - _COPIED), at) for at in found)


def reads_catalog(statement: str) -> bool:
    return _CATALOG.search(statement) is not None


def target_of(statement: str) -> str:
    """Whom rights are given to."""
    found = _GRANTEE.search(plain(statement))
    return (found[1] or found[2]) if found else ""


def object_of(statement: str) -> str:
    """The first table that is named."""
    found = _OBJECT.search(plain(statement))
    return re.sub(r"[\"`]", "", found[1]) if found else ""
