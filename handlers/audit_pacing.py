"""How many rows of the audit trail refusals may become: whoever floods the server with failures fills no disk.

Each row stands for all of a kind: the same caller, action, target and reason. A caller may begin ten such rows a
minute, and half as many in each minute after one in which these were used up; strangers together may begin two
hundred. What is refused beyond that is counted in one row for the caller and the reason, or for all strangers and the
reason, which is written when a minute is over. So a flood costs a few rows a minute, and every refusal is in a count.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from datetime import datetime

ANONYMOUS = "anonymous"
# Stands for actions, targets and addresses that are not told apart.
ANY = "*"

_OF_A_CALLER = 10
_OF_STRANGERS = 200
_LEAST_OF_STRANGERS = 20
# Callers that are remembered; more than strangers can begin rows in two minutes.
_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class Kind:
    """What rows are about: what is of one kind is one row with a count."""

    actor: str
    action: str
    target: str
    outcome: str
    reason: str
    address: str = ""
    # Whose a refused credential claims to be.
    account: str = ""

    @property
    def is_gathered(self) -> bool:
        """Whether it stands for what goes beyond the allowance, and so waits for the end of its minute."""
        return self.action == ANY


@dataclass(slots=True)
class _Allowance:
    """Rows that may be begun in a minute; `size` is halved after each minute that used them up, down to `least`."""

    most: int
    least: int
    minute: int
    size: int = 0
    left: int = 0

    def take(self, minute: int) -> bool:
        if minute != self.minute or not self.size:
            goes_on = minute == self.minute + 1 and not self.left and self.size
            self.size = max(self.least, self.size // 2) if goes_on else self.most
            self.left, self.minute = self.size, minute
        if not self.left:
            return False
        self.left -= 1
        return True


class Pacing:
    """Which row a refusal is counted in."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._strangers = _Allowance(_OF_STRANGERS, _LEAST_OF_STRANGERS, 0)
        self._callers: dict[tuple[str, str], _Allowance] = {}

    def narrowed(self, kind: Kind, waiting: Container[Kind]) -> Kind:
        """The kind itself where a row of it waits or may be begun, else what it is gathered in."""
        if kind in waiting:
            return kind
        minute = int(self._now().timestamp()) // 60
        is_stranger = kind.actor == ANONYMOUS
        if is_stranger and not self._may_stranger(kind, minute):
            return replace(kind, action=ANY, target=ANY, address=ANY, account="")
        if self._caller(kind, minute).take(minute):
            return kind
        return replace(kind, action=ANY, target=ANY, account="")

    def _may_stranger(self, kind: Kind, minute: int) -> bool:
        """A caller beyond its own allowance begins no row, and so takes nothing from the others."""
        known = self._callers.get((kind.actor, kind.address))
        is_spent = known is not None and known.minute == minute and not known.left
        return is_spent or self._strangers.take(minute)

    def _caller(self, kind: Kind, minute: int) -> _Allowance:
        who = (kind.actor, kind.address)
        found = self._callers.get(who)
        if found is None:
            if len(self._callers) >= _REMEMBERED:
                self._callers = {each: held for each, held in self._callers.items() if held.minute >= minute - 1}
            found = self._callers[who] = _Allowance(_OF_A_CALLER, 1, minute)
        return found
