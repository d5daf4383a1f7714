"""Cut what a document's state is into portions that a slow link carries one at a time.

`crdt.split` cuts for engines, by the number of structs; this cuts for connections, by bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from crdt.item_content import STRING, utf16_length
from crdt.lib0 import read_varuint, write_var_bytes, write_varuint
from crdt.split import causal_order
from crdt.structs import Range, Struct, read_structs, write_deletions, write_update

# A deleted range takes at most so much: its clock, its length, and its share of its client's head.
BYTES_A_DELETION = 16


def portions(data: bytes, max_bytes: int) -> list[bytes]:
    """Updates of about `max_bytes` at most which, applied in this order, are the whole.

    In causal order as `split_update` has it, deletions last. Texts that are longer are cut; a single value that is
    longer, such as an image, stays whole. The update must have passed `inspect_update`, or come from the engine.
    """
    sections, deletions = read_structs(data)
    if any(is_long(struct, max_bytes) for section in sections.values() for struct in section):
        data = with_texts_cut(data, sections, deletions, max_bytes)
        sections, deletions = read_structs(data)
    at_once = max(1, max_bytes // BYTES_A_DELETION)
    return [
        *(write_update(data, structs, ()) for structs in gathered(causal_order(sections), max_bytes)),
        *(write_update(data, (), deletions[at : at + at_once]) for at in range(0, len(deletions), at_once)),
    ]


def gathered(structs: Iterable[Struct], max_bytes: int) -> Iterator[list[Struct]]:
    """The structs in order, in lists of so many bytes; a longer one is alone in its list."""
    batch: list[Struct] = []
    size = 0
    for struct in structs:
        length = struct.end - struct.start
        if batch and size + length > max_bytes:
            yield batch
            batch, size = [], 0
        batch.append(struct)
        size += length
    if batch:
        yield batch


def is_long(struct: Struct, max_bytes: int) -> bool:
    return struct.kind == STRING and struct.end - struct.start > max_bytes and struct.parent_sub is None


def with_texts_cut(data: bytes, sections: dict[int, list[Struct]], deletions: Iterable[Range], max_bytes: int) -> bytes:
    """The same update with long texts as several items, as if they had been typed in so many strokes."""
    parts = [write_varuint(len(sections))]
    for client, section in sections.items():
        items = [item for struct in section for item in _items_of(data, struct, max_bytes)]
        parts += (write_varuint(len(items)), write_varuint(client), write_varuint(section[0].clock), *items)
    return b"".join((*parts, write_deletions(deletions)))


def _items_of(data: bytes, struct: Struct, max_bytes: int) -> Iterator[bytes]:
    if not is_long(struct, max_bytes):
        yield data[struct.start : struct.end]
        return
    _, start = read_varuint(data, struct.content)
    head, clock = data[struct.start : struct.content], struct.clock
    for text in pieces(data[start : struct.end], max_bytes):
        yield head + write_var_bytes(text)
        clock += utf16_length(text)
        # Each follows the last unit of the one before it, to the left of what the whole text was.
        head = _head_after((struct.client, clock - 1), struct)


def _head_after(origin: tuple[int, int], struct: Struct) -> bytes:
    references = [origin] if struct.right_origin is None else [origin, struct.right_origin]
    info = STRING | 0x80 | (0x40 if struct.right_origin is not None else 0)
    return bytes([info]) + b"".join(write_varuint(number) for reference in references for number in reference)


def pieces(text: bytes, max_bytes: int) -> Sequence[bytes]:
    """UTF-8 text in pieces of so many bytes at most (four or more), cut between characters."""
    found = []
    at = 0
    while at < len(text):
        end = min(at + max_bytes, len(text))
        while end < len(text) and text[end] & 0xC0 == 0x80:
            end -= 1
        found.append(text[at:end])
        at = end
    return found
