"""What somebody sees of a dataset, ready to be applied where its values are: it travels to readers as it is."""

from __future__ import annotations

import hashlib

import msgspec

from analysis.access_policies.patterns import matches
from analysis.access_policies.policies import Effect, RowCondition


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """A policy that keeps back a column, and by what the column is chosen."""

    policy_id: int
    policy: str
    effect: Effect
    why: str


class ColumnView(msgspec.Struct, frozen=True, kw_only=True):
    """How a column is kept back; `reasons` has the most important policy first."""

    effect: Effect
    reasons: tuple[Reason, ...]


class ByName(msgspec.Struct, frozen=True, kw_only=True):
    """How columns are kept back whose names are like a pattern."""

    pattern: str
    effect: Effect
    policy: str


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that rows have to meet, and whose it is."""

    policy_id: int
    policy: str
    condition: RowCondition


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What one viewer sees: `columns` that are kept back, and the conditions that all `rows` shown have to meet.

    `known` are the columns that were decided about one by one; of others `by_name` says it.
    """

    user_id: str | None = None
    role: str | None = None
    columns: dict[str, ColumnView] = {}
    known: frozenset[str] = frozenset()
    by_name: tuple[ByName, ...] = ()
    rows: tuple[RowFilter, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether nothing is kept back."""
        return not (self.columns or self.by_name or self.rows)

    def effect_on(self, column: str) -> Effect | None:
        """How the column is kept back; None where it is shown."""
        if column in self.columns:
            return self.columns[column].effect
        if column in self.known:
            return None
        effects = {each.effect for each in self._named(column)}
        return Effect.HIDE if Effect.HIDE in effects else Effect.MASK if effects else None

    def why(self, column: str) -> str:
        """What keeps the column back, in words."""
        if column in self.columns:
            return f"what the access policy {self.columns[column].reasons[0].policy!r} keeps back"
        return f"what the access policy {self._named(column)[0].policy!r} keeps back"

    @property
    def digest(self) -> str:
        """Different for views that may show something else."""
        shown = (
            {name: each.effect for name, each in sorted(self.columns.items())},
            [(each.pattern, each.effect) for each in self.by_name],
            self.row_digest,
        )
        return _digest_of(shown)

    @property
    def row_digest(self) -> str | None:
        """Different for views that may show other rows; None where all are shown."""
        if not self.rows:
            return None
        return _digest_of((self.user_id, self.role, [each.condition for each in self.rows]))

    def brief(self) -> View:
        """The view for a reader: one reason a column, the same object for all of a policy, which is sent once."""
        of: dict[tuple[int, Effect], ColumnView] = {}
        columns = {
            name: of.setdefault(
                (each.reasons[0].policy_id, each.effect), ColumnView(effect=each.effect, reasons=each.reasons[:1])
            )
            for name, each in self.columns.items()
        }
        return msgspec.structs.replace(self, columns=columns, known=self.known if self.by_name else frozenset())

    def _named(self, column: str) -> list[ByName]:
        return [each for each in self.by_name if matches(each.pattern, column)]


OPEN = View()


def _digest_of(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:32]
