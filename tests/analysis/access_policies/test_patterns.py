"""Names are like patterns whatever their case, and a pattern never makes trouble."""

from __future__ import annotations

import time

import pytest

from analysis.access_policies.patterns import matches, matches_any, may_meet


@pytest.mark.parametrize(
    ("pattern", "name", "holds"),
    [
        ("*salary*", "Base_SALARY_2024", True),
        ("PAY", "pay", True),
        ("pay", "payroll", False),
        ("p?y", "pry", True),
        ("p[ar]y", "pzy", False),
        ("straße", "STRASSE", True),
        ("a.b", "axb", False),
        ("*", "", True),
        ("a|b", "a", False),
        ("line", "line\n", False),
    ],
)
def test_a_name_is_like_a_pattern_as_a_whole(pattern: str, name: str, holds: bool) -> None:
    assert matches(pattern, name) is holds
    assert matches_any(("no such", pattern), name) is holds


def test_no_pattern_is_like_nothing() -> None:
    assert not matches_any((), "a")
    assert not matches_any((), "")


def test_many_wildcards_take_no_time() -> None:
    pattern = "*a" * 100 + "b"
    began = time.process_time()
    assert not matches(pattern, "a" * 2_000)
    assert time.process_time() - began < 2.0


def test_patterns_may_meet_unless_they_begin_differently() -> None:
    for one, other in (("hr.*", "HR.pay"), ("hr.pay", "hr.*"), ("hr.*", "*.pay"), ("h*", "hr.?"), ("a*", "[ab]c")):
        assert may_meet(one, other), (one, other)
        assert may_meet(other, one), (one, other)
    for one, other in (("hr.*", "crm.pay"), ("hr.pay", "hr.paid"), ("hr.*", "crm.*"), ("hr.p*", "hr.q?")):
        assert not may_meet(one, other), (one, other)
        assert not may_meet(other, one), (one, other)
