"""Rules of a dataset, evaluated while its rows go by, over its profile, or by its source. Runs in a reader."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from analysis.profile.figures import TableProfile
from analysis.rules.evaluation import Evaluation, columns_of, profile_result
from analysis.rules.rows import Rows, rows_of
from analysis.rules.rule_types import (
    ProfileExpression,
    Referential,
    RowCount,
    Rule,
    RuleError,
    RuleResult,
    SqlCondition,
    Uniqueness,
)
from analysis.rules.verdicts import not_evaluated, sql_rows_judged, sql_value_judged
from analysis.sensitive.masking import masked
from connectors.connector import Connector
from connectors.datasets import ColumnBatch
from connectors.errors import ConnectorError, Unreachable
from handlers.scans.tasks import NamedRule, QualityResult

# More failing rows than this need no counting; who wants the number asks the source for it.
MOST_QUERY_ROWS = 1_000
# A set of more takes more memory than a reader has.
MOST_REFERENCES = 1_000_000
_PARTIAL = "only rows that came since the last scan were read; a full scan tells"


class RuleReading:
    """The rules of one dataset. One that cannot be evaluated says why, and the others go on."""

    def __init__(self, rules: Sequence[NamedRule], *, is_partial: bool = False, now: datetime | None = None) -> None:
        """`is_partial`: not all rows are read, so what is about all of them is not judged."""
        self._rules = rules
        self._now = now or datetime.now(UTC)
        self._results: dict[int, RuleResult] = {}
        self._evaluations: dict[int, Evaluation] = {}
        for named in rules:
            condition = named.rule.condition
            if is_partial and isinstance(condition, RowCount | Uniqueness | ProfileExpression):
                self._results[named.id] = not_evaluated(named.rule, _PARTIAL)
            elif not isinstance(condition, ProfileExpression | SqlCondition | Referential):
                self._start(named)

    @property
    def need_profile(self) -> bool:
        return any(isinstance(rule.condition, ProfileExpression) for rule in self._open())

    def row_rules(self) -> list[Rule]:
        """Those that look at rows."""
        return [rule for rule in self._open() if not isinstance(rule.condition, ProfileExpression | SqlCondition)]

    async def prepare(self, connector: Connector) -> None:
        """Fetches what rules refer to. Raises Unreachable."""
        for named in self._rules:
            condition = named.rule.condition
            if named.id in self._results or not isinstance(condition, Referential):
                continue
            try:
                values = await _referenced(connector, condition.reference)
                self._start(named, {condition.reference: values})
            except (RuleError, ConnectorError) as error:
                self._give_up(named, error)

    def add(self, batch: ColumnBatch, *, first_row: int) -> None:
        """Rows are told by their number."""
        if not self._evaluations:
            return
        rows = _rows_of(batch, self._wanted(list(batch.columns)), first_row)
        for named in self._rules:
            evaluation = self._evaluations.get(named.id)
            if evaluation is None:
                continue
            try:
                evaluation.add(rows)
            except RuleError as error:
                del self._evaluations[named.id]
                self._give_up(named, error)

    async def ask(self, connector: Connector, profile: TableProfile, expected_rows: int | None) -> None:
        """Judges what is about the profile, and asks the source its queries. Raises Unreachable."""
        for named in self._rules:
            if named.id in self._results:
                continue
            match named.rule.condition:
                case ProfileExpression():
                    self._results[named.id] = profile_result(named.rule, profile)
                case SqlCondition():
                    rows = profile.rows or expected_rows or 0
                    try:
                        self._results[named.id] = await query_result(connector, named.rule, rows)
                    except (RuleError, ConnectorError) as error:
                        self._give_up(named, error)

    def results(self) -> list[tuple[str | None, QualityResult]]:
        """For each rule what came of it, with the column that it is about if it is about one."""
        found = []
        for named in self._rules:
            evaluation = self._evaluations.get(named.id)
            result = evaluation.result() if evaluation else self._results[named.id]
            column: str | None = getattr(named.rule.condition, "column", None)
            fields = {name: getattr(result, name) for name in RuleResult.__struct_fields__}
            found.append((column, QualityResult(rule_id=named.id, **fields)))
        return found

    def _open(self) -> list[Rule]:
        return [named.rule for named in self._rules if named.id not in self._results]

    def _wanted(self, columns: list[str]) -> list[str]:
        wanted = columns_needed(self, columns)
        return columns if wanted is None else [column for column in wanted if column in columns]

    def _start(self, named: NamedRule, references: dict[str, Any] | None = None) -> None:
        try:
            self._evaluations[named.id] = Evaluation(named.rule, now=self._now, references=references)
        except RuleError as error:
            self._give_up(named, error)

    def _give_up(self, named: NamedRule, error: Exception) -> None:
        if isinstance(error, Unreachable):
            raise error
        self._results[named.id] = not_evaluated(named.rule, f"it could not be evaluated: {error}")


def columns_needed(rules: RuleReading, known: Sequence[str]) -> list[str] | None:
    """The columns that rules about rows look at; None for all. One that is missing is told by its rule."""
    wanted: dict[str, None] = {}
    for rule in rules.row_rules():
        columns = columns_of(rule.condition)
        if columns is None:
            return None
        wanted |= dict.fromkeys(columns)
    chosen = [column for column in known if column in wanted]
    # How many rows there are shows in any column.
    return chosen or (list(known[:1]) if rules.row_rules() else [])


async def query_result(connector: Connector, rule: Rule, rows: int) -> RuleResult:
    """Of a rule that its source evaluates, by one query that only reads. Raises ConnectorError, RuleError."""
    condition = rule.condition
    assert isinstance(condition, SqlCondition)
    if condition.compare is not None:
        answer = await connector.query(condition.statement, max_rows=2)
        if len(answer.rows) != 1 or len(answer.columns) != 1:
            raise RuleError("a query with `compare` answers one row with one number")
        return sql_value_judged(rule, answer.rows[0][0])
    answer = await connector.query(condition.statement, max_rows=MOST_QUERY_ROWS)
    failing = len(answer.rows)
    # Nobody knows what a query brings: its rows are shown by their shape.
    sample = [masked(str(row[0])) for row in answer.rows[:5] if row]
    result = sql_rows_judged(rule, rows, failing, sample)
    if not answer.truncated:
        return result
    if result.verdict == "pass":
        return not_evaluated(
            rule, f"more than {failing} rows fail, and no more are fetched; count them by a query with `compare`"
        )
    return msgspec.structs.replace(result, reason=f"at least {result.reason}")


async def _referenced(connector: Connector, reference: str) -> set[Any]:
    """The values of `dataset.column`. Raises ConnectorError, RuleError."""
    dataset, _, column = reference.rpartition(".")
    known = {str(found.ref): found.ref for found in await connector.list_datasets()}
    ref = known.get(dataset)
    if ref is None:
        raise RuleError(f"the source has no dataset {dataset!r} to refer to")
    values: set[Any] = set()
    async for batch in connector.fetch(ref, [column], row_cap=MOST_REFERENCES, text_limit=None):
        values.update(_rows_of(batch, [column], 1).columns[column])
        if batch.truncated:
            raise RuleError(
                f"{reference!r} has more than {MOST_REFERENCES} rows; state the rule as a query with a join"
            )
    values.discard(None)
    return values


def _rows_of(batch: ColumnBatch, columns: Sequence[str], first_row: int) -> Rows:
    arrays: dict[str, Any] = {}
    for name in columns:
        stretch = batch.columns[name]
        arrays[name] = stretch.values if stretch.nulls is None else np.ma.array(stretch.values, mask=stretch.nulls)
    return rows_of(arrays, None if arrays else range(first_row, first_row + batch.rows), first_row)
