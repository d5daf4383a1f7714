"""What a statement does and how it is shaped, told from its words: cheap enough for each statement of a log."""

from __future__ import annotations

import functools
import re

from analysis.detections.events import Kind

_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b|\$\d+")
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_SPACE = re.compile(r"\s+")
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_DANGEROUS = re.compile(
    r"\bcopy\b.*\b(?:from|to)\s+program\b|\b(?:pg_read_file|pg_read_binary_file|pg_ls_dir|pg_stat_file|lo_import|"
    r"lo_export|load_file|sys_exec|sys_eval|xp_cmdshell|dblink_connect)\s*\(|\binto\s+(?:out|dump)file\b|"
    r"\blanguage\s+'?(?:c|plpython3?u|plperlu|pltclu|plsh)\b|\bload\s+data\s+infile\b|\balter\s+system\b",
    re.IGNORECASE | re.DOTALL,
)
_CATALOG = re.compile(r"\b(?:pg_catalog\.|pg_shadow\b|pg_authid\b|information_schema\.|mysql\.user\b)", re.IGNORECASE)
_PRIVILEGES = re.compile(
    r"^(?:grant|alter\s+(?:role|user|default\s+privileges)|create\s+(?:role|user)|set\s+role|alter\s+\w+\s+\S+\s+owner)\b",
    re.IGNORECASE,
)
_MORE_RIGHTS = re.compile(
    r"^grant\b|\b(?:superuser|bypassrls|createrole|createdb|replication)\b|^alter\s+\w+\s+\S+\s+owner\b", re.IGNORECASE
)
_EVASION = re.compile(
    r"\b(?:pgaudit\.\w+|log_statement|log_connections|log_disconnections|logging_collector|server_audit_logging|"
    r"general_log|audit_log_policy|log_min_duration_statement)\b\s*(?:=|to)\s*'?(?:none|off|0|-1|false)\b|"
    r"\bdrop\s+extension\b.*\bpgaudit\b|\buninstall\s+(?:plugin|soname|component)\b.*audit|\bpurge\s+binary\s+logs\b",
    re.IGNORECASE | re.DOTALL,
)
_DROP = re.compile(r"^(?:drop\s+(?:table|schema|database|materialized|view)|truncate)\b", re.IGNORECASE)
_DELETE = re.compile(r"^delete\s+from\b", re.IGNORECASE)
_GRANTEE = re.compile(r"\bto\s+\"?([\w$.-]+)|^(?:alter|create)\s+(?:role|user)\s+\"?([\w$.-]+)", re.IGNORECASE)
_OBJECT = re.compile(
    r"\b(?:from|into|table|update|truncate|copy)\s+(?:if\s+exists\s+|only\s+|table\s+)*([\w$.\"`]+)", re.IGNORECASE
)


def plain(statement: str) -> str:
    """Without comments, and with single spaces."""
    return _SPACE.sub(" ", _COMMENT.sub(" ", statement)).strip()


@functools.lru_cache(maxsize=16_384)
def shape_of(statement: str) -> str:
    """The statement without what differs from call to call."""
    return _LIST.sub("(?)", _LITERAL.sub("?", plain(statement))).lower()[:500]


@functools.lru_cache(maxsize=16_384)
def kind_of(statement: str) -> Kind:
    """What sort of event a statement is."""
    text = plain(statement)
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
    return _DANGEROUS.search(plain(statement)) is not None


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
