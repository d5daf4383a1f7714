"""Cut a large update into small ones, so that it can be applied, or sent, over several turns of the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from crdt.structs import Struct, read_structs, write_update


def split_update(data: bytes, max_structs: int) -> list[bytes]:
    """Updates of at most `max_structs` structs or deletions each which, applied in this order, are the whole.

    In causal order: what a part refers to lies in it or before it, unless the update itself lacks it or its clients
    refer to each other in a circle. Deletions come last. The update must have passed `inspect_update`.
    """
    sections, deletions = read_structs(data)
    if sum(map(len, sections.values())) + len(deletions) <= max_structs:
        return [data]
    structs = list(causal_order(sections))
    return [
        *(write_update(data, structs[at : at + max_structs], ()) for at in range(0, len(structs), max_structs)),
        *(write_update(data, (), deletions[at : at + max_structs]) for at in range(0, len(deletions), max_structs)),
    ]


def causal_order(sections: dict[int, list[Struct]]) -> Iterator[Struct]:
    """All structs, each client's by clock, each after those of other clients that it refers to.

    Higher clients first: of items in one place the lower client's goes to the left, so that it need not look past them.
    """
    cursors = dict.fromkeys(sections, 0)
    for client in sorted(sections, reverse=True):
        stack = [(client, sections[client][-1].clock)]
        waiting = {client}
        while stack:
            current, until = stack[-1]
            section, cursor = sections[current], cursors[current]
            if cursor == len(section) or section[cursor].clock > until:
                stack.pop()
                waiting.discard(current)
                continue
            struct = section[cursor]
            missing = _missing(struct, sections, cursors, waiting)
            if missing is None:
                yield struct
                cursors[current] += 1
            else:
                stack.append(missing)
                waiting.add(missing[0])


def _missing(
    struct: Struct, sections: dict[int, list[Struct]], cursors: dict[int, int], waiting: set[int]
) -> tuple[int, int] | None:
    """The first reference of a struct that is still to come, in a client that is not itself waiting for one."""
    for client, clock in struct.references:
        if client not in waiting and client in sections:
            section, cursor = sections[client], cursors[client]
            if cursor < len(section) and section[cursor].clock <= clock:
                return client, clock
    return None
