"""Make shared maps and arrays hold a given JSON value, changing only what differs.

What is kept keeps its identity: edits that others make in it at the same time are merged, and its authors stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycrdt import Array, Map, Text

from crdt.alignment import Change, find_changes
from crdt.json_values import canonical, read_shared, storable
from crdt.text_edits import replace_text_of

Path = tuple[str, ...]
Build = Callable[[Any, Path], Any]
"""Turns a JSON value that is new at a path into what the document holds there."""


def build_nested(value: Any, path: Path) -> Any:
    """Objects and arrays as shared types, so that people can edit apart in them; everything else as it is."""
    if isinstance(value, dict):
        return Map({key: build_nested(item, (*path, key)) for key, item in value.items()})
    if isinstance(value, list):
        return Array([build_nested(item, (*path, "")) for item in value])
    return value


def replace_map(shared: Map[Any], new: dict[str, Any], build: Build, path: Path = ()) -> None:
    """Make a shared map hold a storable object."""
    old = read_shared(shared)
    for key in old:
        if key not in new:
            del shared[key]
    for key, value in new.items():
        if key not in old:
            shared[key] = build(value, (*path, key))
        elif not _same(old[key], value) and not _merge(shared[key], value, build, (*path, key)):
            shared[key] = _rebuild(shared[key], value, build, (*path, key))


def replace_array(shared: Array[Any], new: list[Any], build: Build, path: Path = ()) -> None:
    """Make a shared array hold a storable list."""
    old = [canonical(storable(item)) for item in read_shared(shared)]
    inside = (*path, "")
    for change in reversed(find_changes(old, [canonical(item) for item in new])):
        _replace_elements(shared, change, new, build, inside)


def _replace_elements(shared: Array[Any], change: Change, new: list[Any], build: Build, path: Path) -> None:
    """One element that became one other is changed in place where that can be; else elements go and come."""
    values = new[change.new_start : change.new_end]
    if len(values) == change.old_end - change.old_start == 1 and _merge(
        shared[change.old_start], values[0], build, path
    ):
        return
    if change.old_end > change.old_start:
        del shared[change.old_start : change.old_end]
    for offset, value in enumerate(values):
        shared.insert(change.old_start + offset, build(value, path))


def _same(old: Any, new: Any) -> bool:
    return canonical(storable(old)) == canonical(new)


def _merge(shared: Any, value: Any, build: Build, path: Path) -> bool:
    """Change a shared type in place if the value is of its kind."""
    if isinstance(shared, Map) and isinstance(value, dict):
        replace_map(shared, value, build, path)
    elif isinstance(shared, Array) and isinstance(value, list):
        replace_array(shared, value, build, path)
    elif isinstance(shared, Text) and isinstance(value, str):
        replace_text_of(shared, value)
    else:
        return False
    return True


def _rebuild(old: Any, value: Any, build: Build, path: Path) -> Any:
    """What replaces a plain value: an object that was plain stays plain, as its author has it."""
    plain = isinstance(old, dict | list) and isinstance(value, dict | list)
    return value if plain else build(value, path)
