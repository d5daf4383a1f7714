"""What somebody does often: rows of the audit trail once it is much, never one a request.

What a user reads in a workspace is counted, and written when it is a thousand things, then after each thousand or, with
more than four thousand within the hour, after each fourth more; what is left is written when the hour is over. So an
hour of ordinary work is one row, and a large export some twenty. What somebody asks for that is not there, or not to
be known, is counted in the same way by tens within five minutes; fewer than ten leave no row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

READ: Final = "read"
MISSED: Final = "missed"
_MOST_KEYS = 10_000
_MOST_OPERATIONS = 10


class Tally(NamedTuple):
    """A row to be written; `action` is READ or MISSED, `target` a workspace or, for the latter, what was asked last."""

    at: datetime
    actor: str
    action: str
    target: str
    details: dict[str, Any]


@dataclass(slots=True)
class _Use:
    """Of one user, since when: all of it, and what no row tells of yet."""

    since: datetime
    total: int = 0
    untold: int = 0
    requests: int = 0
    last: str = ""
    operations: Counter[str] = field(default_factory=Counter)


class _Counting:
    """Uses by whose they are, for so long each."""

    def __init__(self, step: int, span: timedelta) -> None:
        self._step, self._span = step, span
        self._uses: dict[tuple[str, str], _Use] = {}

    def add(self, key: tuple[str, str], number: int, operation: str, last: str, now: datetime) -> bool:
        """Whether there is something to write."""
        use = self._uses.get(key)
        if use is None:
            use = self._uses[key] = _Use(now)
        use.total += number
        use.untold += number
        use.requests += 1
        use.last = last
        use.operations[operation] += number
        return self._is_much(use) or len(self._uses) > _MOST_KEYS

    def _is_much(self, use: _Use) -> bool:
        return use.untold >= max(self._step, use.total // 5)

    def taken(self, now: datetime, *, everything: bool) -> list[tuple[tuple[str, str], _Use, bool]]:
        """Those to be written, each with whether it is much; they begin anew, or are forgotten when they are over."""
        found = []
        surplus = len(self._uses) - _MOST_KEYS
        for number, (key, use) in enumerate(list(self._uses.items())):
            is_over = everything or use.since <= now - self._span or number < surplus
            is_much = self._is_much(use)
            if is_over:
                del self._uses[key]
            elif is_much:
                self._uses[key] = _Use(use.since, use.total)
            else:
                continue
            if use.untold:
                found.append((key, use, is_much))
        return found


class Tallies:
    """Counts; `taken` gives what is to be written."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._reads = _Counting(1_000, timedelta(hours=1))
        self._misses = _Counting(10, timedelta(minutes=5))

    def read(self, who: str, workspace_id: str, operation: str, things: int) -> bool:
        """Somebody was given so many things. Whether there is something to write."""
        return self._reads.add((who, workspace_id), things, operation, workspace_id, self._now())

    def missed(self, who: str, operation: str, target: str) -> bool:
        """Somebody asked for what is not there, or not to be known. Whether there is something to write."""
        return self._misses.add((who, ""), 1, operation, target, self._now())

    def taken(self, *, everything: bool = False) -> list[Tally]:
        """What is to be written; with `everything` what could wait, too."""
        now = self._now()
        rows = []
        for (who, workspace_id), use, _ in self._reads.taken(now, everything=everything):
            details = {"workspace_id": workspace_id or None, "things": use.untold, **_shared(use)}
            rows.append(Tally(now, who, READ, workspace_id, details))
        for (who, _), use, is_much in self._misses.taken(now, everything=everything):
            if is_much:
                details = {"reason": "not_found", "count": use.untold, **_shared(use)}
                rows.append(Tally(now, who, MISSED, use.last, details))
        return rows


def _shared(use: _Use) -> dict[str, Any]:
    return {
        "requests": use.requests,
        "operations": dict(use.operations.most_common(_MOST_OPERATIONS)),
        "since": use.since.isoformat(),
    }
