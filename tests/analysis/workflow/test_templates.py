"""Texts with expressions between braces."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.workflow.mentions import ExpressionError
from analysis.workflow.templates import Part, fill, is_dynamic, split


def test_a_text_is_cut_at_its_expressions() -> None:
    assert split("Found ${nodes.a.n} in ${inputs.s}.") == [
        Part("Found "),
        Part("nodes.a.n", is_expression=True),
        Part(" in "),
        Part("inputs.s", is_expression=True),
        Part("."),
    ]
    assert split("none, not even $5 or {x}") == [Part("none, not even $5 or {x}")]
    assert split("") == []


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("${ {'a': {'b': 1}}.a.b }", " {'a': {'b': 1}}.a.b "),
        ("${'}'}", "'}'"),
        ("${\"}\" + '\\'}'}", "\"}\" + '\\'}'"),
        ("${'''}'}'''}", "'''}'}'''"),
        ("${1 // }\n}", "1 // }\n"),
    ],
)
def test_braces_of_maps_quotes_and_comments_do_not_close(text: str, inner: str) -> None:
    assert split(text) == [Part(inner, is_expression=True)]


@pytest.mark.parametrize("text", ["${", "a ${1", "${'}'", "${ {1}"])
def test_a_brace_that_is_not_closed_is_said(text: str) -> None:
    with pytest.raises(ExpressionError, match="without its"):
        split(text)


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("${inputs.n}", 5),
        ("${inputs.list}", [1, None, "a"]),
        ("n is ${inputs.n}, ${inputs.none}, ${inputs.list}, ${inputs.n > 3}", 'n is 5, , [1,null,"a"], true'),
        ({"a": ["${inputs.n}", {"b": "x${inputs.n}"}], "${inputs.n}": 1}, {"a": [5, {"b": "x5"}], "${inputs.n}": 1}),
        ("$${inputs.n} costs $$5 ${inputs.n}", "${inputs.n} costs $$5 5"),
        ("${inputs.n}$${x}", "5${x}"),
        (7, 7),
    ],
)
def test_filled_in_with_the_values_of_a_run(value: Any, filled: Any) -> None:
    assert fill(value, {"inputs": {"n": 5, "list": [1, None, "a"]}}) == filled


def test_what_is_filled_in_is_not_looked_at_again() -> None:
    assert fill("${inputs.evil}", {"inputs": {"evil": "${inputs.secret}", "secret": 1}}) == "${inputs.secret}"


def test_whether_a_value_depends_on_the_run() -> None:
    assert is_dynamic({"a": ["x", {"b": "${1}"}]})
    assert not is_dynamic({"${1}": ["x", 5, None]})
