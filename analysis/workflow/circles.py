"""Circles among the nodes of a graph that no loop allows."""

from __future__ import annotations

from collections import defaultdict

from analysis.workflow.graph import Graph


def circles(graph: Graph) -> list[list[str]]:
    """The strongly connected components that hold an edge, each sorted (Kosaraju's algorithm, without recursion)."""
    ordered = set(graph.order)
    following: dict[str, list[str]] = defaultdict(list)
    before: dict[str, list[str]] = defaultdict(list)
    for edge in graph.edges.values():
        # What has a place in the order is in no circle.
        if edge.id not in graph.closing and edge.source not in ordered and edge.target not in ordered:
            following[edge.source].append(edge.target)
            before[edge.target].append(edge.source)
    components = _components(list(following), following, before)
    return sorted(sorted(nodes) for nodes in components if len(nodes) > 1 or nodes[0] in following.get(nodes[0], ()))


def _components(nodes: list[str], following: dict[str, list[str]], before: dict[str, list[str]]) -> list[list[str]]:
    seen: set[str] = set()
    finished: list[str] = []
    for node in nodes:
        finished += _finished(node, following, seen)
    taken: set[str] = set()
    return [_finished(node, before, taken) for node in reversed(finished) if node not in taken]


def _finished(start: str, following: dict[str, list[str]], seen: set[str]) -> list[str]:
    """What is reached from the start and was not seen before, in the order in which it is left."""
    if start in seen:
        return []
    seen.add(start)
    left: list[str] = []
    work = [(start, iter(following.get(start, ())))]
    while work:
        node, rest = work[-1]
        to = next((node for node in rest if node not in seen), None)
        if to is None:
            left.append(node)
            work.pop()
        else:
            seen.add(to)
            work.append((to, iter(following.get(to, ()))))
    return left
