"""How a statement would be executed, found without executing it: its generic plan, which needs no parameters."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from connectors.errors import RightsMissing, StatementFailed
from connectors.performance.figures import StatementPlan, Unsupported
from connectors.performance.literals import without_literals
from connectors.performance.postgresql.session import Session
from connectors.performance.postgresql.statements import LONGEST_TEXT, Statements

WHAT = "plan"
_PLANNED = re.compile(r"\s*(?:\(\s*)*(select|insert|update|delete|merge|with|values|table)\b", re.IGNORECASE)
# What a node is and works on; everything else of it is cost, or an expression that may hold literals.
_NAMES = frozenset(
    {
        "Node Type",
        "Relation Name",
        "Schema",
        "Index Name",
        "Alias",
        "Join Type",
        "Strategy",
        "Partial Mode",
        "Parent Relationship",
        "Operation",
        "Command",
        "Scan Direction",
        "CTE Name",
        "Subplan Name",
        "Function Name",
        "Parallel Aware",
        "Async Capable",
    }
)
_SHAPE = ("Node Type", "Relation Name", "Schema", "Index Name", "Join Type", "Strategy", "Operation", "CTE Name")
_NAME = "collab_studio_plan"


async def plan_of(session: Session, statements: Statements, key: str) -> StatementPlan | Unsupported:
    found = await statements.text_of(key)
    if found is None:
        return Unsupported(WHAT, "the database does not know this statement any more")
    database, text = found
    if database != session.facts.database_oid:
        return Unsupported(
            WHAT, "the statement belongs to another database of the server than the one that is connected"
        )
    return await plan_of_text(session, text)


async def plan_of_text(session: Session, text: str) -> StatementPlan | Unsupported:
    """Of a statement as pg_stat_statements keeps it."""
    if len(text) >= LONGEST_TEXT:
        return Unsupported(WHAT, f"the statement is longer than {LONGEST_TEXT} characters")
    if not has_plan(text):
        return Unsupported(WHAT, "only SELECT, INSERT, UPDATE, DELETE and MERGE have a plan")
    try:
        answer = await _explained(session, text)
    except RightsMissing as error:
        return Unsupported(WHAT, str(error), "GRANT SELECT on the tables of the statement")
    except StatementFailed as error:
        return Unsupported(WHAT, f"the database does not plan it for this account: {without_literals(str(error))}")
    [explained] = msgspec.json.decode(answer)
    root = explained["Plan"]
    return StatementPlan(shape_of(root), concealed(root), root.get("Total Cost"))


def has_plan(text: str) -> bool:
    return _PLANNED.match(without_literals(text)) is not None


async def _explained(session: Session, text: str) -> str:
    """JSON. The text comes from the server; it is sent so that it can be no more than one statement.

    The session takes generic plans only. EXPLAIN (GENERIC_PLAN) would do with less, but not over the protocol that
    keeps statements apart.
    """
    await session.once(f"PREPARE {_NAME} AS {text}")
    try:
        counting = "SELECT cardinality(parameter_types) AS n FROM pg_prepared_statements WHERE name = $1"
        [count] = await session.once(counting, _NAME)
        arguments = ", ".join(["NULL"] * count["n"])
        execute = f"{_NAME}({arguments})" if arguments else _NAME
        [row] = await session.once(f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE {execute}")
        return str(row["QUERY PLAN"])
    finally:
        await session.once(f"DEALLOCATE {_NAME}")


def shape_of(node: Mapping[str, Any]) -> str:
    """The same for plans that do the same with the same tables and indexes, whatever they cost."""
    return hashlib.sha256(msgspec.json.encode(_shape(node))).hexdigest()[:16]


def _shape(node: Mapping[str, Any]) -> list[Any]:
    return [[node.get(name) for name in _SHAPE], [_shape(child) for child in node.get("Plans", ())]]


def concealed(node: Mapping[str, Any]) -> dict[str, Any]:
    """The plan without literals: conditions may hold some even of a statement that has parameters."""
    return {name: value if name in _NAMES else _concealed(value) for name, value in node.items()}


def _concealed(value: Any) -> Any:
    match value:
        case str():
            return without_literals(value)
        case dict():
            return concealed(value)
        case list():
            return [_concealed(one) for one in value]
        case _:
            return value
