"""Edits of shared text, positions in Unicode code points.

The engine counts the bytes of UTF-8, and whatever is embedded as one; an offset inside a character corrupts the
document. It also walks the text to every offset, so edits are few and large.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

from pycrdt import Text, XmlText

from crdt.alignment import Change, find_changes
from crdt.edits import EditError, Splice, check_count, check_text

SharedText = Text | XmlText

# A stretch of equal characters shorter than this between two changes is not worth a splice of its own.
SHORTEST_GAP = 4

# Up to this many characters a change is looked at word by word; a larger one is replaced as a whole.
LARGEST_REFINED = 50_000

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


def plain_text(text: SharedText) -> str:
    """The characters of a text, without formatting and without what is embedded."""
    if isinstance(text, XmlText):
        return "".join(chunk for chunk, _ in text.diff() if isinstance(chunk, str))
    return str(text)


def splice_text(text: SharedText, splices: Sequence[Splice]) -> None:
    """Apply splices one after the other, each to what the one before left. Raises EditError out of range."""
    check_count(len(splices))
    current = plain_text(text)
    has_embeds = _has_embeds(text, current)
    for position, delete, insert in splices:
        check_text(insert)
        if position < 0 or delete < 0 or position + delete > len(current):
            message = f"positions {position} to {position + delete} are outside of a text of {len(current)} characters"
            raise EditError("out_of_range", message)
        _splice(text, current, Splice(position, delete, insert), has_embeds=has_embeds)
        current = current[:position] + insert + current[position + delete :]


def replace_text_of(text: SharedText, new: str) -> None:
    """Make the text `new` with few splices that leave alone what stays, and who wrote it."""
    check_text(new)
    old = plain_text(text)
    has_embeds = _has_embeds(text, old)
    # From the end, so that the positions of what is still to come stay right.
    for change in reversed(text_changes(old, new)):
        insert = new[change.new_start : change.new_end]
        splice = Splice(change.old_start, change.old_end - change.old_start, insert)
        _splice(text, old, splice, has_embeds=has_embeds)


def _splice(text: SharedText, current: str, splice: Splice, *, has_embeds: bool) -> None:
    """One splice of a text whose characters up to the end of the splice are those of `current`."""
    position, delete, insert = splice
    start = _utf8_length(current, 0, position)
    length = _utf8_length(current, position, position + delete)
    if has_embeds:
        # What is embedded at either end of the range stays; a mere insertion goes before it.
        embeds = _embeds(text)
        before = sum(at < position or (at == position and delete > 0) for at in embeds)
        start += before
        length += sum(at < position + delete for at in embeds) - before if delete else 0
    if length:
        del text[start : start + length]
    if insert:
        text.insert(start, insert)


def _utf8_length(text: str, start: int, end: int) -> int:
    return end - start if text.isascii() else len(text[start:end].encode())


def _has_embeds(text: SharedText, characters: str) -> bool:
    check_offsets(text)
    return len(text) != _utf8_length(characters, 0, len(characters))


def check_offsets(text: SharedText) -> None:
    """Refuse a text with a string embedded in it: what is read of it is like its characters, but has the length 1."""
    chunks = [chunk for chunk, _ in text.diff()]
    if sum(len(chunk.encode()) if isinstance(chunk, str) else 1 for chunk in chunks) != len(text):
        raise EditError("unsupported", "a text with embedded strings cannot be edited at positions")


def _embeds(text: SharedText) -> list[int]:
    """Where something is embedded: how many characters stand before it."""
    found = []
    at = 0
    for chunk, _ in text.diff():
        if isinstance(chunk, str):
            at += len(chunk)
        else:
            found.append(at)
    return found


def text_changes(old: str, new: str) -> list[Change]:
    """How one text became another: by lines, changed lines by words, changed words from end to end."""
    changes: list[Change] = []
    for change in _by_pieces(old, new, old.splitlines(keepends=True), new.splitlines(keepends=True)):
        old_part, new_part = old[change.old_start : change.old_end], new[change.new_start : change.new_end]
        if not old_part or not new_part or len(old_part) + len(new_part) > LARGEST_REFINED:
            changes.append(_trimmed(old, new, change))
            continue
        for word in _by_pieces(old_part, new_part, _WORDS.findall(old_part), _WORDS.findall(new_part)):
            moved = Change(
                change.old_start + word.old_start,
                change.old_start + word.old_end,
                change.new_start + word.new_start,
                change.new_start + word.new_end,
            )
            changes.append(_trimmed(old, new, moved))
    return _joined(changes)


def _by_pieces(old: str, new: str, old_pieces: list[str], new_pieces: list[str]) -> list[Change]:
    """The changes between two texts cut into pieces, in characters."""
    if old == new:
        return []
    old_at = [0, *accumulate(map(len, old_pieces))]
    new_at = [0, *accumulate(map(len, new_pieces))]
    return [
        Change(old_at[change.old_start], old_at[change.old_end], new_at[change.new_start], new_at[change.new_end])
        for change in find_changes(old_pieces, new_pieces)
    ]


def _trimmed(old: str, new: str, change: Change) -> Change:
    old_start, old_end, new_start, new_end = change
    while old_start < old_end and new_start < new_end and old[old_start] == new[new_start]:
        old_start += 1
        new_start += 1
    while old_start < old_end and new_start < new_end and old[old_end - 1] == new[new_end - 1]:
        old_end -= 1
        new_end -= 1
    return Change(old_start, old_end, new_start, new_end)


def _joined(changes: list[Change]) -> list[Change]:
    joined: list[Change] = []
    for change in changes:
        last = joined[-1] if joined else None
        if last and change.old_start - last.old_end < SHORTEST_GAP:
            joined[-1] = Change(last.old_start, change.old_end, last.new_start, change.new_end)
        else:
            joined.append(change)
    return joined
