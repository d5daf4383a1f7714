"""What a database knows of itself, the same for every kind: figures, statements, who waits for whom, index advice.

Counters are handed on as the database counts them, since it began to. When it began is said beside them, as the *epoch*
of their group: rates may be computed within one epoch only (epochs.py). What a database cannot tell, or not to this
account, is `Unsupported`, never a zero.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

GAUGE = "gauge"
COUNTER = "counter"

Labels = tuple[tuple[str, str], ...]


class Level(enum.StrEnum):
    """How much a visit asks for. Each level asks for figures of its own, so that all of them together are the whole."""

    FAST = "fast"
    MEDIUM = "medium"
    SLOW = "slow"


class Figure(NamedTuple):
    """One number. `labels` are sorted by name; `unit` is one of UCUM (`By`, `s`, `{transactions}`).

    Readers hand out the same names and labels as the same objects again and again, so comparing them is cheap.
    """

    metric: str
    labels: Labels
    kind: str
    unit: str
    value: float


class FigureGroup(NamedTuple):
    """Figures that began to be counted together. `name` is the same in every visit, `epoch` says since when.

    Two epochs are compared, nothing else is done with them: another one means that the counters began anew, or belong
    to another server.
    """

    name: str
    epoch: str
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Unsupported:
    """What cannot be told. `reason` is a sentence; `remedy` what an administrator would run, where that helps."""

    what: str
    reason: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """What one visit brought.

    `at_ms` is when the database was read, in ms since 1970 UTC by our clock; `server` identifies the running server
    (another one after a restart or a failover); `cost_seconds` is how long the source took to answer.
    """

    at_ms: int
    server: str
    groups: Sequence[FigureGroup]
    cost_seconds: float
    unsupported: Sequence[Unsupported] = ()


@dataclass(frozen=True, slots=True)
class StatementSnapshot:
    """What every statement came to since it was first seen by the database, at one moment.

    `counters` has a row for each of `keys` and a column for each of `names`. Names are `calls`, `seconds`, `rows` and,
    as far as the database counts them, `planning_seconds`, `lock_seconds`, `rows_examined`, `blocks_hit`,
    `blocks_read`, `blocks_dirtied`, `blocks_written`, `temp_blocks_read`, `temp_blocks_written`, `read_seconds`,
    `write_seconds`, `wal_bytes`, `temp_disk_tables`, `without_index`, `errors`. `since` says for each row when it
    began to be counted, in microseconds by the database's clock, 0 where that is not known. `epoch` is that of the
    whole; `evicted` counts what the database forgot for want of room, None where it does not say.
    """

    at_ms: int
    epoch: str
    keys: Sequence[str]
    names: tuple[str, ...]
    counters: NDArray[np.float64]
    since: NDArray[np.int64]
    databases: Sequence[str]
    users: Sequence[str]
    evicted: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StatementText:
    """`text` as the database keeps it, `normalised` without a single literal: for those who may not see rows."""

    text: str
    normalised: str


@dataclass(frozen=True, slots=True)
class StatementPlan:
    """How a statement would be executed. `shape` is the same for plans that do the same with the same tables and
    indexes, whatever they cost; `plan` is the database's own, without literals; `cost` in the database's units."""

    shape: str
    plan: Mapping[str, Any]
    cost: float | None


@dataclass(frozen=True, slots=True)
class WaitingSession:
    """A session that waits for others or is waited for. Times are ms since 1970 UTC.

    `blocked_by` are ids of others in the same answer, empty for a root. `statement` is what it executes, or executed
    last, as it is; `normalised` without literals. Both are None where the account may not see them.
    """

    id: str
    blocked_by: tuple[str, ...]
    user: str | None = None
    database: str | None = None
    application: str | None = None
    client: str | None = None
    state: str | None = None
    wait: str | None = None
    lock: str | None = None
    on: str | None = None
    waiting_since_ms: int | None = None
    transaction_since_ms: int | None = None
    statement_since_ms: int | None = None
    statement: str | None = None
    normalised: str | None = None


@dataclass(frozen=True, slots=True)
class Blocking:
    """Who waits for whom at one moment: those that wait and those that are waited for."""

    at_ms: int
    sessions: Sequence[WaitingSession]
    unsupported: Sequence[Unsupported] = ()

    @property
    def roots(self) -> list[str]:
        """Those that are waited for and wait for nobody."""
        return [session.id for session in self.sessions if not session.blocked_by]


class AdviceKind(enum.StrEnum):
    UNUSED = "unused"
    DUPLICATE = "duplicate"
    REDUNDANT = "redundant"
    INVALID = "invalid"
    MISSING = "missing"
    BLOATED = "bloated"


@dataclass(frozen=True, slots=True)
class IndexAdvice:
    """What could be better with one index. `sql` would do it; nothing here ever does.

    `index` is None for a missing one; `bytes` is what would be won, None where nothing would be or is not known;
    `evidence` are the figures it stands on, `caveats` what else has to be thought of, in sentences.
    """

    kind: AdviceKind
    schema: str
    table: str
    index: str | None
    columns: tuple[str, ...]
    bytes: int | None
    reason: str
    sql: str
    evidence: Mapping[str, Any]
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexAdvices:
    """`since_ms` is when the database began to count what this stands on, None where it does not say."""

    at_ms: int
    since_ms: int | None
    advices: Sequence[IndexAdvice]
    unsupported: Sequence[Unsupported] = ()


class PerformanceReader(Protocol):
    """Reads what one database knows of itself, over one connection of its own, which it opens when it needs it.

    One question at a time: who asks meanwhile waits. Methods raise ConnectorError; after one that broke the
    connection the next question opens another.
    """

    async def visit(self, level: Level) -> Visit: ...

    async def statements(self) -> StatementSnapshot | Unsupported:
        """All statements with what they came to, without their texts."""

    async def statement_texts(self, keys: Sequence[str]) -> dict[str, StatementText]:
        """The texts of those that the database still knows. Dear: once for each new key."""

    async def plan(self, key: str) -> StatementPlan | Unsupported:
        """How it would execute the statement now, found without executing it."""

    async def blocking(self) -> Blocking: ...

    async def index_advice(self) -> IndexAdvices: ...

    async def aclose(self) -> None:
        """Closes the connection. May be called again."""
