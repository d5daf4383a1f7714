"""What a security check is, whatever kind of source it is made on, and what became of one.

A check asks a source for rows with one statement that only reads; a pure function judges them. Whether this login can
see the evidence at all is asked first, with the check's *probe*: a check that cannot see never passes.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Row = Mapping[str, Any]
Value = str | int | float | bool | None


class Severity(enum.StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Category(enum.StrEnum):
    AUTHENTICATION_AUTHORIZATION = "authentication_authorization"
    AUDITING_LOGGING = "auditing_logging"
    DATA_PROTECTION = "data_protection"
    UPDATES_PATCHES = "updates_patches"
    SURFACE_AREA = "surface_area"
    # Is never counted into how secure a source is.
    SCHEMA_HYGIENE = "schema_hygiene"


class Outcome(enum.StrEnum):
    PASS = "pass"  # noqa: S105 - the word of every audit
    FAIL = "fail"
    NOT_EVALUATED = "not_evaluated"
    NOT_APPLICABLE = "not_applicable"
    ERROR = "error"


class Scope(enum.StrEnum):
    """A check of the server has the same answer in each of its databases; one of a database has its own in each."""

    SERVER = "server"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Server:
    """Who is audited.

    `product` is `postgresql`, `mysql`, `mariadb`, `sqlite`, `duckdb` or a format of files; `version_num` compares
    within a product (PostgreSQL: 150004, MySQL and MariaDB: 101104 for 10.11.4; 0 where there is none). `flavour` names
    a provider who manages the host (`rds`, `cloudsql`, `azure`), None where its owner does.
    """

    product: str
    version_text: str
    version_num: int = 0
    flavour: str | None = None
    database: str | None = None
    user: str | None = None


class Session(Protocol):
    """An open, read-only session whose statements have a time limit."""

    @property
    def server(self) -> Server: ...

    async def rows(self, statement: str) -> list[Row]:
        """Raises ConnectorError: RightsMissing where the login may not, Unreachable where the source is gone."""


@dataclass(frozen=True, slots=True)
class AuditedObject:
    """What a violation is about. Together with the check and the source it says which finding it is, from scan to
    scan: so no counters, line numbers or object ids are in it.

    `kind` is `role`, `table`, `function`, `setting`, `server` and the like; `part` a column, policy or privilege.
    """

    kind: str
    name: str
    schema: str | None = None
    part: str | None = None
    database: str | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """`evidence` holds what was seen, never a secret; `target` is the object as the source's own SQL writes it."""

    object: AuditedObject
    evidence: Mapping[str, Value] = field(default_factory=dict)
    target: str = ""


@dataclass(frozen=True, slots=True)
class Remediation:
    """What to do, and the SQL that does it: a suggestion for an administrator, who runs it; None where no SQL does."""

    text: str
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class References:
    """`cis` names the section of the CIS benchmark, `cwe` numbers of weaknesses, `stig` ids of its controls."""

    cis: str | None = None
    cwe: tuple[int, ...] = ()
    stig: tuple[str, ...] = ()


Judge = Callable[[Sequence[Row]], list[Violation]]
Remedy = Callable[[Violation], Remediation]
# Why a check means nothing on this server; None where it does.
Applies = Callable[[Server], str | None]


@dataclass(frozen=True, slots=True)
class Check:
    """`statement` brings the rows that `judge` turns into violations.

    `probe` answers one row whose first value is true when this login sees the evidence, None where everybody does;
    `blind` says what is missing when it does not. Of a check that is `partly_visible` what can be seen is judged even
    then: a violation is one, but to find none proves nothing.
    """

    id: str
    title: str
    severity: Severity
    category: Category
    rationale: str
    statement: str
    judge: Judge
    remediation: Remedy
    probe: str | None = None
    blind: str = ""
    partly_visible: bool = False
    applies: Applies = lambda _: None
    scope: Scope = Scope.SERVER
    references: References = References()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`reason` says why there is no verdict: for every outcome but pass and fail. `seconds` is how long it took."""

    check: Check
    outcome: Outcome
    violations: tuple[Violation, ...] = ()
    reason: str | None = None
    seconds: float = 0.0


# Columns of a row that say what it is about. All others are evidence.
_OF_OBJECT = ("kind", "name", "schema", "part", "target")


def every_row(rows: Sequence[Row]) -> list[Violation]:
    """The judge of statements that bring nothing but violations.

    Columns `kind` and `name`, and `schema`, `part` and `target` where there are some, say of what; others are evidence.
    """
    return [
        Violation(
            AuditedObject(str(row["kind"]), str(row["name"]), _text(row.get("schema")), _text(row.get("part"))),
            {key: _value(value) for key, value in row.items() if key not in _OF_OBJECT},
            str(row.get("target") or ""),
        )
        for row in rows
    ]


def remedy(text: str, sql: str | None = None) -> Remedy:
    """A remedy whose SQL names the violation's target where it says `{target}`."""

    def of(violation: Violation) -> Remediation:
        return Remediation(text, sql.replace("{target}", violation.target) if sql is not None else None)

    return of


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _value(value: object) -> Value:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
