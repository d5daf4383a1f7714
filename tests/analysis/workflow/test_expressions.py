"""Expressions over what a run has at hand: their types, what they refer to, what they answer."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.rules.expressions import ExpressionFailed
from analysis.workflow.expressions import Answers, InputType, compile_expression, evaluate
from analysis.workflow.mentions import ExpressionError, Mentions, mentions

RUN: dict[str, Any] = {
    "inputs": {"n": 5, "share": 0.5, "names": ["ann", "ben"]},
    "nodes": {"fetch": {"rows": [{"a": 1}, {"a": None}]}, "f-1": {"ok": True}},
    "run": {"id": "r1", "started_at": "2026-03-01T00:00:00Z"},
    "item": {"a": 7},
    "index": 2,
}


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("inputs.n > 3 && inputs.share < 1.0", True),
        ('nodes["f-1"].ok', True),
        ("nodes['f-1'].ok ? 'yes' : 'no'", "yes"),
        ("nodes . fetch // the rows\n .rows", [{"a": 1}, {"a": None}]),
        ("nodes.fetch.rows.filter(row, row.a != null).size()", 1),
        ("inputs.names.map(item, item + '!')", ["ann!", "ben!"]),
        ("item.a + index", 9),
        ("inputs.unknown == null", True),
        ("nodes.skipped == null", True),
        ("timestamp(run.started_at) + duration('1h')", "2026-03-01T01:00:00Z"),
        ("duration('90s')", 90.0),
        ("{'a': [1, 2.5, null, {'b': 'c'}]}", {"a": [1, 2.5, None, {"b": "c"}]}),
        ("'nodes.none + inputs' + \"[]\"", "nodes.none + inputs[]"),
    ],
)
def test_an_expression_answers_json(source: str, answer: Any) -> None:
    assert evaluate(source, RUN) == answer


@pytest.mark.parametrize(
    ("source", "answers", "message"),
    [
        ("inputs.n + 'a'", "any", "no matching overload"),
        ("inputs.n.size()", "any", "no matching overload"),
        ("inputs.other", "any", "there is no input 'other'"),
        ("unknown > 3", "any", "undeclared reference to 'unknown'"),
        ("1 +", "any", "Syntax error"),
        ("", "any", "no CEL"),
        ("inputs.n", "boolean", "has to answer true or false, and this one answers INT"),
        ("'a'", "list", "has to answer a list"),
        ("nodes", "any", "followed by the id"),
        ("nodes[inputs.name]", "any", "followed by the id"),
        ("nodes['a' + 'b']", "any", "followed by the id"),
        ("inputs['n']", "any", "followed by the name"),
        ("[1].map(nodes, nodes)", "any", "another name"),
    ],
)
def test_what_can_never_be_computed_is_refused_at_once(source: str, answers: Answers, message: str) -> None:
    types: dict[str, InputType] = {"n": "integer", "name": "text"}
    with pytest.raises(ExpressionError, match=message):
        compile_expression(source, types, answers=answers)


@pytest.mark.parametrize("answers", ["boolean", "list"])
def test_what_is_known_only_in_a_run_is_looked_at_there(answers: Answers) -> None:
    compile_expression("nodes.fetch.x", {}, answers=answers)
    with pytest.raises(ExpressionFailed, match="it answered a text, not"):
        evaluate("nodes.fetch.x", {"nodes": {"fetch": {"x": "y"}}}, answers=answers)
    assert evaluate("[1]", {}, answers="list") == [1]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "divide by zero"),
        ("9223372036854775807 + 1", "overflow"),
        ("nodes.fetch.none", "Key not found"),
        ("nodes.skipped.rows", "a node that has not run"),
        ("double('nan')", "not finite"),
        ("{1: 2}", "keys of an object are text"),
        ("b'\\xff'", "no way to write"),
        ("type(1)", "no way to write"),
    ],
)
def test_what_cannot_be_computed_or_written_says_why(source: str, message: str) -> None:
    with pytest.raises(ExpressionFailed, match=message):
        evaluate(source, RUN)


def test_mentions_are_found_outside_of_quotes_and_behind_no_dot() -> None:
    source = """nodes.a.nodes + nodes["b c"] + x.inputs + inputs.n + 'nodes.q' + r"inputs.z\\" // nodes.c
        + y.map(item, item + index)"""
    expected = Mentions(frozenset({"a", "b c"}), frozenset({"n"}), frozenset({"index"}))
    assert mentions(source) == expected
    assert mentions(source.replace("nodes.a", "'''nodes.z \\''' ' ''' + nodes.a")) == expected
