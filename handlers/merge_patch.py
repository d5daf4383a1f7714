"""JSON Merge Patch (RFC 7396): what turns one JSON value into another, where it can say so."""

from __future__ import annotations

from typing import Any


class NotPatchable(Exception):
    """A member became null, which in a patch means that it is gone."""


def patch_between(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The patch that turns `before` into `after`. Raises NotPatchable where there is none."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for name, value in after.items():
        if name in before and _same(before[name], value):
            continue
        if value is None:
            raise NotPatchable(name)
        if isinstance(value, dict):
            was = before.get(name)
            # What is not an object is taken for an empty one.
            patch[name] = patch_between(was if isinstance(was, dict) else {}, value)
        else:
            patch[name] = value
    return patch


def _same(one: Any, other: Any) -> bool:
    """1 and 1.0 are the same number, 1 and true are not the same."""
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def same_but_for(one: Any, other: Any, names: frozenset[str]) -> bool:
    """Whether two JSON values differ at most in members of these names, at any depth."""
    return _same(_without(one, names), _without(other, names))


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, names) for name, inner in value.items() if name not in names}
    if isinstance(value, list):
        return [_without(inner, names) for inner in value]
    return value
