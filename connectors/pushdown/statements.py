"""Statements that compute sufficient statistics where the data lie: counts, sums, cross products, by group.

All SQL of it is made here, as expressions that sqlglot writes in the dialect of whatever source it is for. Only what
every dialect has is used; ranks and quantiles are not.

Numbers are doubles, without NaN and infinities. Before they are multiplied they are shifted by a provisional mean and
divided by the column's reach, so that sums neither overflow nor lose their digits to cancellation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from connectors.datasets import DatasetRef

# Sources bound what one SELECT may list, SQLite to 2000; and a statement has to end within its time limit.
MOST_EXPRESSIONS = 150
# Largest double; what is beyond is an infinity or no number.
_LARGEST = 1.7976931348623157e308
# The sum of the largest doubles must not overflow; the mean only has to be near.
# No AVG: PostgreSQL's sums squares, too, which overflow.
SMALL = 1e-13

# (what, column, other column)
Name = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL, and what each column of its one row is."""

    sql: str
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Shifted:
    """A column of numbers and how it is shifted and scaled: (x - shift) / scale. `complete`: no row lacks a number."""

    name: str
    shift: float
    scale: float
    complete: bool


def summaries(ref: DatasetRef, columns: Sequence[str], dialect: str) -> list[Statement]:
    """Of each column: rows that are not null, that are finite numbers, the least, the greatest, the sum x 1e-13.

    The first expression of the first statement counts all rows.
    """
    made: list[tuple[Name, exp.Expression]] = [(("rows", "", ""), exp.Count(this=exp.Star()))]
    for name in columns:
        number = _number(name)
        made += [
            (("present", name, ""), exp.Count(this=_column(name))),
            (("numbers", name, ""), exp.Count(this=number)),
            (("least", name, ""), exp.Min(this=number.copy())),
            (("greatest", name, ""), exp.Max(this=number.copy())),
            (("sum", name, ""), exp.Sum(this=exp.Mul(this=number.copy(), expression=_literal(SMALL)))),
        ]
    return [_statement(ref, part, dialect) for part in _portions(made)]


def products(ref: DatasetRef, columns: Sequence[Shifted], dialect: str) -> list[Statement]:
    """Counts, sums, sums of squares and of products of every pair, over the rows that have both numbers."""
    places = {column.name: f"z{place}" for place, column in enumerate(columns)}
    made: list[tuple[Name, exp.Expression]] = []
    for column in columns:
        made += _single(column.name, places[column.name])
    for place, one in enumerate(columns):
        for other in columns[place + 1 :]:
            made += _pair(one, other, places)
    shifted = [exp.alias_(_shifted(column), places[column.name], quoted=True) for column in columns]
    inner = exp.select(*shifted).from_(_table(ref))
    return [_statement(ref, part, dialect, inner.copy()) for part in _portions(made)]


def group_counts(ref: DatasetRef, columns: Sequence[str], dialect: str, *, most: int) -> str:
    """Rows by the values of these columns, null among them, the most frequent first, `most` + 1 groups at the most."""
    keys = [_column(name) for name in columns]
    count = exp.Count(this=exp.Star())
    query = exp.select(*keys, exp.alias_(count, "n", quoted=True)).from_(_table(ref))
    query = query.group_by(*(key.copy() for key in keys))
    return query.order_by(exp.Ordered(this=count.copy(), desc=True)).limit(most + 1).sql(dialect=dialect)


def _single(name: str, place: str) -> list[tuple[Name, exp.Expression]]:
    z = _column(place)
    return [
        (("n", name, name), exp.Count(this=z)),
        (("sum", name, name), exp.Sum(this=z.copy())),
        (("squares", name, name), exp.Sum(this=exp.Mul(this=z.copy(), expression=z.copy()))),
    ]


def _pair(one: Shifted, other: Shifted, places: dict[str, str]) -> list[tuple[Name, exp.Expression]]:
    """Only what does not follow from the columns alone: where a column is complete, the pair has the other's rows."""
    a, b = one.name, other.name
    first, second = _column(places[a]), _column(places[b])
    product = exp.Mul(this=first, expression=second)
    made: list[tuple[Name, exp.Expression]] = [(("product", a, b), exp.Sum(this=product))]
    if not one.complete and not other.complete:
        made.append((("n", a, b), exp.Count(this=product.copy())))
    for name, with_name, is_complete in ((a, b, other.complete), (b, a, one.complete)):
        if not is_complete:
            z, beside = _column(places[name]), _present(places[with_name])
            square = exp.Mul(this=z.copy(), expression=z.copy())
            made.append((("sum", name, with_name), exp.Sum(this=exp.Case().when(beside, z))))
            made.append((("squares", name, with_name), exp.Sum(this=exp.Case().when(beside.copy(), square))))
    return made


def _shifted(column: Shifted) -> exp.Expression:
    difference = exp.Sub(this=_number(column.name), expression=_literal(column.shift))
    return exp.Div(this=exp.Paren(this=difference), expression=_literal(column.scale), typed=False, safe=False)


def _number(name: str) -> exp.Expression:
    """The column as a double; null for NaN, infinities, and, where columns hold anything, what is no number."""
    within = exp.and_(
        exp.GTE(this=_column(name), expression=_literal(-_LARGEST)),
        exp.LTE(this=_column(name), expression=_literal(_LARGEST)),
    )
    return exp.Case().when(within, exp.cast(_column(name), exp.DataType.Type.DOUBLE))


def _present(name: str) -> exp.Expression:
    return exp.Not(this=exp.Is(this=_column(name), expression=exp.Null()))


def _column(name: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name, quoted=True))


def _table(ref: DatasetRef) -> exp.Table:
    schema = exp.to_identifier(ref.schema, quoted=True) if ref.schema else None
    return exp.Table(this=exp.to_identifier(ref.name, quoted=True), db=schema)


def _literal(value: float) -> exp.Expression:
    """With all its digits, and an exponent, which makes it a double where decimals would be another type."""
    text = f"{abs(value):.17e}"
    return exp.Neg(this=exp.Literal.number(text)) if value < 0 else exp.Literal.number(text)


def _statement(
    ref: DatasetRef, made: Sequence[tuple[Name, exp.Expression]], dialect: str, inner: exp.Select | None = None
) -> Statement:
    source = _table(ref) if inner is None else inner.subquery("shifted")
    # Named by place: two expressions without a name would be one column in some dialects' results.
    named = [exp.alias_(expression, f"e{place}", quoted=True) for place, (_, expression) in enumerate(made)]
    sql = exp.select(*named).from_(source).sql(dialect=dialect)
    return Statement(sql, tuple(name for name, _ in made))


def _portions(made: Sequence[tuple[Name, exp.Expression]]) -> Iterable[Sequence[tuple[Name, exp.Expression]]]:
    for start in range(0, len(made), MOST_EXPRESSIONS):
        yield made[start : start + MOST_EXPRESSIONS]
