"""What changed between two states of a document: for people, in hunks of text; for programs, in JSON operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from crdt.alignment import find_changes
from crdt.json_pointer import join_pointer
from crdt.json_values import canonical, storable
from crdt.text_edits import text_changes

Path = tuple[str | int, ...]


class Hunk(NamedTuple):
    """A stretch of text that stayed ("equal"), went ("delete") or came ("insert"), and where it begins in the old
    and in the new text, in code points."""

    op: Literal["equal", "delete", "insert"]
    text: str
    old: int
    new: int


def diff_text(old: str, new: str) -> list[Hunk]:
    """The hunks of both texts in order: without the inserted ones they are the old, without the deleted the new."""
    hunks: list[Hunk] = []
    old_at = new_at = 0
    for change in text_changes(old, new):
        if change.old_start > old_at:
            hunks.append(Hunk("equal", old[old_at : change.old_start], old_at, new_at))
        if change.old_end > change.old_start:
            hunks.append(Hunk("delete", old[change.old_start : change.old_end], change.old_start, change.new_start))
        if change.new_end > change.new_start:
            hunks.append(Hunk("insert", new[change.new_start : change.new_end], change.old_end, change.new_start))
        old_at, new_at = change.old_end, change.new_end
    if old_at < len(old):
        hunks.append(Hunk("equal", old[old_at:], old_at, new_at))
    return hunks


def diff_json(old: Any, new: Any) -> list[dict[str, Any]]:
    """RFC 6902 operations - add, replace, remove - that make `new` of `old`, in an order that depends on these only.

    Each replace and remove carries the value that it takes away as ``old``. Raises EditError for what is not JSON.
    """
    return list(_differences(storable(old), storable(new), ()))


def _differences(old: Any, new: Any, path: Path) -> Iterator[dict[str, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _objects(old, new, path)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _lists(old, new, path)
    elif canonical(old) != canonical(new):
        yield {"op": "replace", "path": join_pointer(path), "value": new, "old": old}


def _objects(old: dict[str, Any], new: dict[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    for key in sorted(old.keys() | new.keys()):
        here = (*path, key)
        if key not in new:
            yield {"op": "remove", "path": join_pointer(here), "old": old[key]}
        elif key not in old:
            yield {"op": "add", "path": join_pointer(here), "value": new[key]}
        else:
            yield from _differences(old[key], new[key], here)


def _lists(old: list[Any], new: list[Any], path: Path) -> Iterator[dict[str, Any]]:
    """From the end, so that the indexes of what is still to come stay right."""
    changes = find_changes([canonical(item) for item in old], [canonical(item) for item in new])
    for change in reversed(changes):
        pairs = min(change.old_end - change.old_start, change.new_end - change.new_start)
        for at in range(change.old_end - 1, change.old_start + pairs - 1, -1):
            yield {"op": "remove", "path": join_pointer((*path, at)), "old": old[at]}
        for offset in range(pairs, change.new_end - change.new_start):
            value = new[change.new_start + offset]
            yield {"op": "add", "path": join_pointer((*path, change.old_start + offset)), "value": value}
        for offset in range(pairs):
            here = (*path, change.old_start + offset)
            yield from _differences(old[change.old_start + offset], new[change.new_start + offset], here)
