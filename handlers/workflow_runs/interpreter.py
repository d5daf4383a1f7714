"""Goes through a graph: what is ready is begun, and what ended says what is ready next.

It only decides, and always alike for the same outcomes in the same order, which the run records: no clock, no chance.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from analysis.workflow.graph import Graph
from analysis.workflow.node_types import ERROR_PORT, NODE_TYPES, outputs_of
from handlers.jobs import Begun, LongRun, StepFailed
from handlers.workflow_runs.flow import Flow, Turn
from handlers.workflow_runs.flow_nodes import one_of
from handlers.workflow_runs.nodes import Executor, perform
from handlers.workflow_runs.outcomes import MOST_OUTPUT, Outcome, Task, ended
from handlers.workflow_runs.recording import Recorder
from handlers.workflow_runs.scopes import LoopRound, Scope
from storage.workflow_runs import NodeRow

Json = dict[str, Any]


class Interpreter:
    """One run through a graph, on the engine's loop. `seeds` are outcomes of an earlier run, by place."""

    def __init__(
        self,
        run: LongRun,
        recorder: Recorder,
        graph: Graph,
        executors: Mapping[str, Executor],
        waiting: frozenset[str],
        names: Json,
        seeds: Mapping[str, Outcome],
        depth: int,
    ) -> None:
        """`waiting` are the types whose nodes only wait; `names` what all expressions see but for the nodes."""
        self._run = run
        self._recorder = recorder
        self._graph = graph
        self._executors = executors
        self._waiting = waiting
        self._names = names
        self._seeds = seeds
        self._depth = depth
        self._begun: dict[Begun[Outcome], tuple[Scope, str]] = {}
        self._failure: StepFailed | None = None
        self._done = 0
        self._rows: list[NodeRow] = []
        self._ends: Json = {}

    async def work(self, timer: Begun[Any] | None) -> Json:
        """What the nodes of the type `end` gave, by their ids. Once the `timer` has ended, nothing is waited for.

        Raises StepFailed for a node that failed for good.
        """
        root = Scope(Flow(self._graph), ChainMap({}), self._names)
        self._go_on(root, root.flow.start())
        while begun := self._worth_waiting_for():
            self._tell(len(root.flow.nodes))
            for one in await self._run.first([*begun, *([timer] if timer else [])]):
                if one is timer:
                    raise StepFailed("The run took longer than the settings of the workflow allow.", code="timeout")
                scope, node = self._begun.pop(one)
                outcome = one.outcome()
                if isinstance(outcome, StepFailed):
                    raise outcome
                self._ended(scope, node, outcome)
        self._rows += [NodeRow(scope.place(node), node, "cancelled") for scope, node in self._begun.values()]
        self._tell(len(root.flow.nodes))
        if self._failure is not None:
            raise self._failure
        return dict(sorted(self._ends.items()))

    def _worth_waiting_for(self) -> list[Begun[Outcome]]:
        """What is under way. Once the run has failed: what has an effect, and is to be seen to its end."""
        if self._failure is None:
            return list(self._begun)
        return [one for one, (_, node) in self._begun.items() if self._type(node) not in self._waiting]

    def _tell(self, total: int) -> None:
        if self._rows:
            self._run.post(self._recorder.note, self._rows)
            self._rows = []
        self._run.tell(self._done, max(total, self._done))

    # What is next

    def _go_on(self, scope: Scope, turn: Turn) -> None:
        self._done += len(turn.skipped)
        self._rows += [NodeRow(scope.place(node), node, "skipped") for node in turn.skipped]
        for node in turn.ready:
            if self._failure is not None or scope.failure is not None:
                return
            form, came = self._graph.nodes[node], self._came(scope, node)
            if form.get("disabled"):
                self._done += 1
                self._rows.append(NodeRow(scope.place(node), node, "skipped"))
                self._gave(scope, node, one_of(came), self._first_port(node))
            elif (seed := self._seeds.get(scope.place(node))) is not None:
                scope.open += 1
                self._ended(scope, node, seed)
            else:
                self._begin(scope, node, form, came)

    def _came(self, scope: Scope, node: str) -> Json:
        return {source: scope.outputs.get(source) for source in scope.flow.came_from(node)}

    def _begin(self, scope: Scope, node: str, form: Json, came: Json) -> None:
        values = {**scope.names, "nodes": scope.outputs}
        place = scope.place(node)
        task = Task(self._run, self._recorder, node, place, form, values, came, self._depth)
        waits = self._type(node) in self._waiting
        scope.open += 1
        begun = self._run.begin(perform, task, self._executors, waits, name=place, waits=waits)
        self._begun[begun] = scope, node

    def _ended(self, scope: Scope, node: str, outcome: Outcome) -> None:
        scope.open -= 1
        if self._type(node) == "loop" and outcome.code is None and outcome.port != "done":
            scope.open += 1
            self._rows.append(NodeRow(scope.place(node), node, "running", started_at=outcome.started_at))
            self._go_round(LoopRound(scope, node, outcome, outcome.output, [None] * len(outcome.output)))
            return
        self._done += 1
        self._rows.append(ended(node, scope.place(node), outcome))
        self._note_time(scope, outcome.finished_at)
        if outcome.code is None:
            self._gave(scope, node, outcome.output, outcome.port)
        else:
            self._failed(scope, node, outcome)
        self._end_if_over(scope)

    def _gave(self, scope: Scope, node: str, output: Any, port: str | None) -> None:
        scope.outputs[node] = output
        if self._type(node) == "end" and scope.loop is None:
            self._ends[node] = output
        self._go_on(scope, scope.flow.ended(node, port))

    def _failed(self, scope: Scope, node: str, outcome: Outcome) -> None:
        error = {"code": outcome.code, "message": outcome.message}
        match (self._graph.nodes[node].get("policy") or {}).get("on_error"):
            case "branch":
                self._gave(scope, node, error, ERROR_PORT)
            case "continue":
                self._gave(scope, node, {"error": error}, self._first_port(node))
            case _:
                self._fail(scope, StepFailed(f"The node {scope.place(node)!r} failed: {outcome.message}", code="node"))

    def _fail(self, scope: Scope, failure: StepFailed) -> None:
        """Of a loop that skips what fails, only the item; else the run."""
        loop = scope.loop
        if loop is None or self._params(loop.node).get("on_item_error") != "skip":
            self._failure = self._failure or failure
        else:
            scope.failure = scope.failure or failure

    # Loops

    def _go_round(self, loop: LoopRound) -> None:
        """Begins as many items as may be under way; after the last, the loop has ended."""
        at_once = self._params(loop.node).get("concurrency", 4)
        while self._failure is None and loop.under_way < at_once and loop.begun < len(loop.items):
            index = loop.begun
            loop.begun += 1
            loop.under_way += 1
            outer = loop.scope
            names = {**outer.names, "item": loop.items[index], "index": index}
            suffix = f"{outer.suffix}.{index}" if outer.suffix else f":{index}"
            scope = Scope(Flow(self._graph, loop.node), outer.outputs.new_child(), names, suffix, loop)
            self._go_on(scope, scope.flow.start())
            self._end_if_over(scope)
        if loop.under_way == 0 and loop.begun == len(loop.items):
            loop.begun += 1
            self._end_loop(loop)

    def _end_if_over(self, scope: Scope) -> None:
        loop = scope.loop
        if loop is None or scope.open or self._failure is not None:
            return
        # An item ends once.
        scope.open = -1
        index = scope.names["index"]
        if scope.failure is not None:
            loop.results[index] = {"error": {"code": scope.failure.code, "message": scope.failure.message}}
        elif sources := scope.flow.ends_round():
            loop.results[index] = one_of({source: scope.outputs.get(source) for source in sources})
        loop.under_way -= 1
        self._go_round(loop)

    def _end_loop(self, loop: LoopRound) -> None:
        size = len(msgspec.json.encode(loop.results))
        too_large = f"What the loop gives has {size} bytes as JSON; at most {MOST_OUTPUT} are kept."
        is_too_large = size > MOST_OUTPUT
        outcome = Outcome(
            started_at=loop.first.started_at,
            finished_at=loop.finished_at or loop.first.finished_at,
            attempts=loop.first.attempts,
            port=None if is_too_large else "done",
            output=None if is_too_large else loop.results,
            shown={"items": len(loop.items)},
            code="output_too_large" if is_too_large else None,
            message=too_large if is_too_large else None,
        )
        self._ended(loop.scope, loop.node, outcome)

    @staticmethod
    def _note_time(scope: Scope, at: datetime) -> None:
        """A loop ends when the last of what is in it does."""
        loop = scope.loop
        while loop is not None:
            loop.finished_at = max(at, loop.finished_at or at)
            loop = loop.scope.loop

    # What the graph says

    def _type(self, node: str) -> str:
        return str(self._graph.nodes[node].get("type"))

    def _params(self, node: str) -> Json:
        return self._graph.nodes[node].get("params") or {}

    def _first_port(self, node: str) -> str | None:
        kind = NODE_TYPES[self._type(node)]
        return next(iter(outputs_of(self._graph.nodes[node], kind)), None)
