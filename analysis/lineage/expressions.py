"""Which columns an expression uses, and how: as they are, changed, summed up, or only to decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sqlglot import exp

from analysis.lineage.edges import IDENTITY, Kind, Transformation

TRANSFORMED = Transformation(Kind.TRANSFORMATION)
AGGREGATED = Transformation(Kind.AGGREGATION)
CONDITIONAL = Transformation(Kind.CONDITIONAL)
WINDOW = Transformation(Kind.WINDOW)
SORTED = Transformation(Kind.SORT)

_KEEPS = (exp.Alias, exp.Paren, exp.Subquery, exp.Tuple)
_COUNTS = (exp.Count, exp.CountIf, exp.ApproxDistinct)
_HASHES = (exp.MD5, exp.MD5Digest, exp.SHA, exp.SHA2, exp.SHA1Digest, exp.SHA2Digest)
_HASH_NAMES = frozenset({"digest", "hmac", "hash", "crypt", "sha224", "sha384", "sha512", "md5_number"})
_QUERIES = (exp.Select, exp.SetOperation)

Names = frozenset[str]


class Use(NamedTuple):
    """A column, a query or a star in an expression, and how its values are used."""

    node: exp.Expr
    transformation: Transformation


class _Step(NamedTuple):
    node: exp.Expr
    transformation: Transformation
    bound: Names


Windows = Callable[[str], exp.Expr | None]


def uses(expression: exp.Expr, use: Transformation = IDENTITY, windows: Windows = lambda _: None) -> Iterator[Use]:
    """Every column and every query in the expression. What is inside the queries is left to the caller.

    `windows` answers with the definition of a named window. It does not recurse: expressions are long chains at times.
    """
    waiting = [_Step(expression, use, frozenset())]
    seen: set[int] = set()
    while waiting:
        step = waiting.pop()
        node = step.node
        if isinstance(node, exp.Column):
            if _first_part(node) not in step.bound:
                yield Use(node, step.transformation)
        elif isinstance(node, _QUERIES):
            yield Use(node, step.transformation)
        elif isinstance(node, exp.Exists):
            yield Use(node, CONDITIONAL.after(step.transformation) if step.transformation.kind.is_direct else step[1])
        elif isinstance(node, exp.Columns):
            yield Use(node, step.transformation)
        else:
            if isinstance(node, exp.Window) and node.args.get("alias") is not None:
                named = windows(node.args["alias"].name)
                if named is not None and id(named) not in seen:
                    seen.add(id(named))
                    waiting.extend(_Step(child, _then(WINDOW, step), step.bound) for child in named.iter_expressions())
            waiting.extend(_below(step))


def _first_part(column: exp.Column) -> str:
    return column.parts[0].name


def _then(use: Transformation, step: _Step) -> Transformation:
    """How what is below is used: the way it is used here, inside the way this is used further up."""
    return step.transformation.after(use)


def _below(step: _Step) -> Iterator[_Step]:
    node = step.node
    bound = step.bound
    if isinstance(node, exp.Lambda):
        bound = bound | {each.name for each in node.expressions}
    for child in node.iter_expressions():
        yield _Step(child, _then(_use_of(node, child), step), bound)


def _use_of(node: exp.Expr, child: exp.Expr) -> Transformation:
    """How an expression uses one of its parts."""
    if isinstance(node, _KEEPS):
        return IDENTITY
    if isinstance(node, exp.Window):
        return IDENTITY if child.arg_key == "this" else WINDOW
    if isinstance(node, exp.Filter):
        return IDENTITY if child.arg_key == "this" else CONDITIONAL
    if isinstance(node, exp.WithinGroup):
        return IDENTITY if child.arg_key == "this" else AGGREGATED
    if isinstance(node, exp.Order):
        # Inside a function: sum(a ORDER BY b) is made of a, and its order of b.
        return IDENTITY if child.arg_key == "this" else _order_use(node)
    if isinstance(node, exp.Ordered):
        return IDENTITY
    if isinstance(node, exp.Case):
        return CONDITIONAL if child.arg_key == "this" else TRANSFORMED
    if isinstance(node, exp.If):
        return CONDITIONAL if child.arg_key == "this" else TRANSFORMED
    if isinstance(node, exp.AggFunc):
        return Transformation(Kind.AGGREGATION, isinstance(node, _COUNTS))
    if isinstance(node, _HASHES) or (isinstance(node, exp.Anonymous) and node.name.lower() in _HASH_NAMES):
        return Transformation(Kind.TRANSFORMATION, masking=True)
    return TRANSFORMED


def _order_use(order: exp.Order) -> Transformation:
    return IDENTITY if isinstance(order.parent, exp.WithinGroup | exp.Window) else SORTED


def holds_aggregate(expression: exp.Expr) -> bool:
    """Whether it sums rows up, as GROUP BY ALL asks of each column."""
    return any(not isinstance(node.parent, exp.Window) for node in expression.find_all(exp.AggFunc))
