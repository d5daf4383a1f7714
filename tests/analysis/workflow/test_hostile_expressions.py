"""Expressions written to do harm end soon, with an answer or a refusal, and take little memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from analysis.rules.expressions import ExpressionFailed
from analysis.workflow.expressions import evaluate
from analysis.workflow.mentions import ExpressionError
from analysis.workflow.templates import fill, split

LARGE = {
    "inputs": {
        "text": "x" * 1_000_000,
        "list": list(range(1000)),
        "longer": list(range(1001)),
        "rows": [{"a": "y" * 1000} for _ in range(1000)],
    }
}


@contextmanager
def bounded() -> Iterator[None]:
    """Two seconds of processor time, 300 MB more than before."""
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("(" * 400 + "1" + ")" * 400, "recursion limit"),
        ("[" * 400 + "1" + "]" * 400, "recursion limit"),
        ("+".join(["inputs.text"] * 80), "recursion depth"),
        ("1" * 1001, "1000 characters at most"),
        ("inputs.list.all(x, inputs.list.all(y, inputs.list.all(z, true)))", "2 deep at most"),
        ("inputs.list.all(x, '\\'' == '' // '\n|| inputs.list.all(y, [0].all(z, true)))", "2 deep at most"),
        ("inputs.text.replace('x', 'yyyy')", "undeclared reference"),
    ],
)
def test_refused_before_it_is_computed(source: str, message: str) -> None:
    with bounded(), pytest.raises(ExpressionError, match=message):
        evaluate(source, LARGE)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("inputs.list.map(x, inputs.list.map(y, x * y))", "Iteration budget"),
        ("inputs.longer.size()", "a list has 1001 items"),
        ("inputs.list.map(x, inputs.text)", "more than 4000000 characters"),
        ("inputs.list.map(x, [inputs.text, inputs.text, inputs.text])", "more than 4000000 characters"),
        ("inputs.list.map(x, inputs.list)", "more than 100000 values"),
        ("inputs.rows.map(x, inputs.rows)", "more than 4000000 characters"),
        ("inputs.list.map(x, size(inputs.text + string(x)))", "too much memory"),
        ("[1, 2, 3].map(y, inputs.list.map(x, inputs.text + string(x)))", "too much memory"),
    ],
)
def test_ended_while_it_is_computed(source: str, message: str) -> None:
    with bounded(), pytest.raises(ExpressionFailed, match=message):
        evaluate(source, LARGE)


def test_a_pattern_that_backtracks_elsewhere_takes_no_longer() -> None:
    with bounded():
        assert evaluate('inputs.text.matches("(x+)+y")', LARGE) is False


def test_what_people_write_is_not_taken_for_harm() -> None:
    rows = [{"name": "n" * 1000, "value": at} for at in range(1000)]
    with bounded():
        answer = evaluate("inputs.rows.map(r, r.name + ': ' + string(r.value))", {"inputs": {"rows": rows}})
    assert answer[999].endswith("n: 999")


def test_what_is_not_mentioned_is_not_looked_at() -> None:
    assert evaluate("inputs.n", {"inputs": {"n": 1, "longer": LARGE["inputs"]["longer"]}}) == 1


def test_texts_of_nothing_but_openings_are_cut_in_a_moment() -> None:
    with bounded():
        for text in ("${" * 50_000, "$" * 100_000 + " ", "${'" * 30_000, "${{}" * 20_000):
            with pytest.raises(ExpressionError, match="without its"):
                split(text + "${")
        with pytest.raises(ExpressionError, match="100 expressions at most"):
            split("${1}" * 20_000)
        assert fill("$${" * 30_000, {}) == "${" * 30_000
