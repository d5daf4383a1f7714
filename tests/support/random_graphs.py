"""Workflows made by chance, of lanes, arms, loops, retries, error branches, approvals, delays and workflows inside."""

from __future__ import annotations

from random import Random
from typing import Any

from workflow_graphs import form, node, work

Json = dict[str, Any]
SECONDS = 0.02


class Drawing:
    """A graph that grows by segments, each from one node to one node."""

    def __init__(self, random: Random, inside: int) -> None:
        self._random = random
        self._inside = inside
        self._nodes: dict[str, Json] = {}
        self._edges: list[str] = []

    def draw(self) -> Json:
        """From the start to the end, a handful of segments."""
        # Always with lanes: which of them ends first is what a run has to remember.
        at = self._lanes(self._add(node("start")), 0)
        for _ in range(self._random.randint(1, 3)):
            at = self._segment(at, 0)
        end = self._add(node("end", output=f"nodes.{at}"))
        self._edges.append(f"{at}>{end}")
        return form(self._nodes, *self._edges)

    def _add(self, what: Json) -> str:
        name = f"{what['type']}{len(self._nodes)}"
        self._nodes[name] = what
        return name

    def _after(self, at: str, what: Json) -> str:
        name = self._add(what)
        self._edges.append(f"{at}>{name}")
        return name

    def _segment(self, at: str, depth: int) -> str:
        kinds = [self._work, self._flaky, self._failing, self._delay, self._approval, self._sub_workflow]
        if depth < 2:
            kinds += [self._lanes, self._lanes, self._arms, self._loop]
        kind = self._random.choice(kinds)
        return kind(at, depth)

    def _work(self, at: str, depth: int) -> str:
        return self._after(at, work(value=self._random.randint(0, 99), seconds=SECONDS * self._random.random()))

    def _flaky(self, at: str, depth: int) -> str:
        return self._after(at, work(value="at last", failures=1, policy={"retry_max": 2, "interval": 0.01}))

    def _failing(self, at: str, depth: int) -> str:
        failing = self._after(at, work(failures=9, policy={"on_error": "branch"}))
        one, join = self._add(work(value="mended")), self._add(node("join"))
        self._edges += [f"{failing}:error>{one}", f"{one}>{join}", f"{failing}>{join}"]
        return join

    def _delay(self, at: str, depth: int) -> str:
        return self._after(at, node("delay", seconds=0.1 * self._random.random()))

    def _approval(self, at: str, depth: int) -> str:
        asked, join = self._after(at, node("approval", title="Go on?")), self._add(node("join"))
        for port in ("approved", "rejected"):
            one = self._add(work(value=port))
            self._edges += [f"{asked}:{port}>{one}", f"{one}>{join}"]
        return join

    def _sub_workflow(self, at: str, depth: int) -> str:
        inputs = {"n": self._random.randint(0, 9)}
        return self._after(at, node("sub_workflow", workflow_id=str(self._inside), inputs=inputs))

    def _lanes(self, at: str, depth: int) -> str:
        ends = [self._segment(at, depth + 1) for _ in range(self._random.randint(2, 3))]
        join = self._add(node("join"))
        self._edges += [f"{end}>{join}" for end in ends]
        return join

    def _arms(self, at: str, depth: int) -> str:
        fork = self._after(at, node("condition", expression=f"{self._random.randint(0, 1)} == 1"))
        join = self._add(node("join"))
        for port in ("true", "false"):
            arm = self._add(work(value=port))
            self._edges += [f"{fork}:{port}>{arm}", f"{self._segment(arm, depth + 1)}>{join}"]
        return join

    def _loop(self, at: str, depth: int) -> str:
        loop = self._after(at, node("loop", items="[1, 2, 3]", concurrency=self._random.randint(1, 3)))
        body = self._add(work(value="${item * 2}", seconds=SECONDS * self._random.random()))
        after = self._add(node("transform", expression=f"nodes.{body} + index"))
        join = self._add(node("join"))
        self._edges += [f"{loop}:item>{body}", f"{body}>{after}", f"{after}>{loop}:next", f"{loop}:done>{join}"]
        return join
