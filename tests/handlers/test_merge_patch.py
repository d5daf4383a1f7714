"""Merge patches: applied as RFC 7396 says, they give the value that they were made for, or there is none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.merge_patch import NotPatchable, patch_between, same_but_for

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-1, 1) | st.text("ab", max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


def apply(target: Any, patch: Any) -> Any:
    """The algorithm of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = apply(target.get(name), value)
    return target


def holds_null(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and any(map(holds_null, value.values())))


@given(OBJECTS, OBJECTS)
def test_the_patch_gives_the_value_or_there_is_none(before: dict[str, Any], after: dict[str, Any]) -> None:
    try:
        patch = patch_between(before, after)
    except NotPatchable:
        assert holds_null(after)
        return
    made = apply(before, patch)
    assert made == after
    assert same_but_for(made, after, frozenset())
    assert (patch == {}) == same_but_for(before, after, frozenset())


@given(OBJECTS)
def test_nothing_changed_is_an_empty_patch(value: dict[str, Any]) -> None:
    assert patch_between(value, value) == {}


def test_what_became_null_cannot_be_said() -> None:
    assert patch_between({"a": None, "b": 1}, {"a": None, "b": 2}) == {"b": 2}
    for before, after in (({"a": 1}, {"a": None}), ({}, {"a": {"b": None}}), ({"a": [1]}, {"a": {"b": None}})):
        with pytest.raises(NotPatchable):
            patch_between(before, after)


def test_true_is_not_one_and_one_is_one() -> None:
    assert patch_between({"a": 1, "b": [True]}, {"a": True, "b": [1]}) == {"a": True, "b": [1]}
    assert patch_between({"a": 1}, {"a": 1.0}) == {}


def test_passing_members_are_left_out_at_any_depth() -> None:
    one = {"as_of": 1, "a": [{"as_of": 2, "b": 3}]}
    assert same_but_for(one, {"as_of": 5, "a": [{"b": 3}]}, frozenset({"as_of"}))
    assert not same_but_for(one, {"as_of": 1, "a": [{"as_of": 2, "b": 4}]}, frozenset({"as_of"}))
