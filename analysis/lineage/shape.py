"""The shape of a graph of datasets: where it begins and ends, its longest chain, its cycles, and what is used most."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MOST_SHOWN = 20

Graph = Mapping[int, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Shape:
    """Nodes are numbers, those of `externals` negative.

    `cycles` are groups of nodes that all depend on each other, the largest first. A chain takes one node of each group,
    so that `longest_chain` ends. `most_used` are (node, users), direct ones. `self_edges` are nodes that depend on
    themselves: no cycle, but told.
    """

    nodes: int
    externals: int
    edges: int
    roots: int
    leaves: int
    self_edges: int
    longest_chain: list[int]
    cycle_count: int
    cycles: list[list[int]]
    most_used: list[tuple[int, int]]


def shape_of(packed: bytes) -> Shape:
    """`packed` are 64-bit numbers, each two an edge from what is used to what uses it. No edge is there twice."""
    numbers = array("q")
    numbers.frombytes(packed)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    users = _users_of(pairs)
    used = {target for source, target in pairs if source != target}
    groups = _groups(users)
    cycles = sorted((sorted(group) for group in groups if len(group) > 1), key=lambda group: (-len(group), group))
    ranked = sorted(((node, len(them)) for node, them in users.items() if them), key=lambda pair: (-pair[1], pair[0]))
    return Shape(
        nodes=len(users),
        externals=sum(node < 0 for node in users),
        edges=len(pairs),
        roots=sum(bool(them) and node not in used for node, them in users.items()),
        leaves=sum(not them and node in used for node, them in users.items()),
        self_edges=sum(source == target for source, target in pairs),
        longest_chain=_longest_chain(users, groups),
        cycle_count=len(cycles),
        cycles=[cycle[:MOST_SHOWN] for cycle in cycles[:MOST_SHOWN]],
        most_used=ranked[:MOST_SHOWN],
    )


def _users_of(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """Of every node the others that use it."""
    users: dict[int, list[int]] = {}
    for source, target in pairs:
        of_source = users.setdefault(source, [])
        users.setdefault(target, [])
        if source != target:
            of_source.append(target)
    return users


def _groups(graph: Graph) -> list[list[int]]:
    """The strongly connected components (Tarjan), what is reached before what reaches it; without recursion."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    groups: list[list[int]] = []
    for start in graph:
        if start in index:
            continue
        work = [(start, iter(graph[start]))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, following = work[-1]
            for other in following:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(graph[other])))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    before = work[-1][0]
                    low[before] = min(low[before], low[node])
                if low[node] == index[node]:
                    groups.append(_popped(stack, on_stack, node))
    return groups


def _popped(stack: list[int], on_stack: set[int], until: int) -> list[int]:
    group: list[int] = []
    while not group or group[-1] != until:
        group.append(stack.pop())
        on_stack.discard(group[-1])
    return group


def _longest_chain(graph: Graph, groups: Sequence[Sequence[int]]) -> list[int]:
    """One node of each group on the longest way. The groups come with what is reached first."""
    group_of = {node: place for place, group in enumerate(groups) for node in group}
    length, following = [1] * len(groups), [-1] * len(groups)
    for place, group in enumerate(groups):
        for other in {group_of[user] for node in group for user in graph[node]} - {place}:
            if length[other] + 1 > length[place]:
                length[place], following[place] = length[other] + 1, other
    chain = []
    place = max(range(len(groups)), key=length.__getitem__, default=-1)
    while place >= 0:
        chain.append(min(groups[place]))
        place = following[place]
    return chain
