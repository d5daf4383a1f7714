"""The shape of a graph: chains and cycles as a slow, plain search finds them."""

import random
from array import array
from itertools import chain

import pytest

from analysis.lineage.shape import Shape, shape_of


def shape(*pairs: tuple[int, int]) -> Shape:
    return shape_of(array("q", chain.from_iterable(pairs)).tobytes())


def test_nothing_has_a_shape() -> None:
    told = shape()
    assert (told.nodes, told.edges, told.longest_chain, told.cycles, told.most_used) == (0, 0, [], [], [])


def test_a_chain_of_any_length_is_followed() -> None:
    told = shape(*((node, node + 1) for node in range(1, 50_000)))
    assert told.longest_chain == list(range(1, 50_001))
    assert (told.roots, told.leaves, told.cycle_count) == (1, 1, 0)


def test_a_chain_passes_a_cycle_once() -> None:
    told = shape((1, 2), (2, 3), (3, 2), (3, 4), (5, 5), (-1, 1))
    assert told.longest_chain == [-1, 1, 2, 4]
    assert (told.cycles, told.self_edges, told.externals) == ([[2, 3]], 1, 1)
    assert (told.roots, told.leaves) == (1, 1)


def reachable(users: dict[int, set[int]], node: int) -> set[int]:
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        for other in users.get(waiting.pop(), set()) - seen:
            seen.add(other)
            waiting.append(other)
    return seen


@pytest.mark.parametrize("seed", range(30))
def test_cycles_and_the_longest_chain_are_those_of_a_plain_search(seed: int) -> None:
    print(f"seed {seed}")
    rng = random.Random(seed)
    size = rng.randint(2, 12)
    pairs = {(rng.randint(1, size), rng.randint(1, size)) for _ in range(rng.randint(1, 20))}
    users: dict[int, set[int]] = {}
    for source, target in pairs:
        users.setdefault(source, set()).add(target)
    nodes = {node for pair in pairs for node in pair}
    reach = {node: reachable(users, node) for node in nodes}
    group = {node: frozenset({node} | {other for other in reach[node] if node in reach[other]}) for node in nodes}

    def longest(of: frozenset[int]) -> int:
        after = {group[user] for node in of for user in users.get(node, ())} - {of}
        return 1 + max(map(longest, after), default=0)

    told = shape(*sorted(pairs))
    assert sorted(map(sorted, {each for each in group.values() if len(each) > 1})) == sorted(told.cycles)
    assert len(told.longest_chain) == max(map(longest, set(group.values())))
    for before, after in zip(told.longest_chain, told.longest_chain[1:], strict=False):
        assert after in reach[before]
        assert before not in reach[after]
