"""Nodes that say where a run goes, and what is computed on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec

from analysis.workflow import flow_parameters as flow
from analysis.workflow.expressions import compile_expression
from analysis.workflow.node_types import DEFAULT_PORT, NODE_TYPES
from analysis.workflow.templates import fill, split, texts_in
from handlers.jobs import StepFailed
from handlers.workflow_runs.nodes import Executor
from handlers.workflow_runs.outcomes import Given, Task

P = TypeVar("P", bound=msgspec.Struct)


async def start(task: Task) -> Given:
    return Given(output=task.values["inputs"])


async def end(task: Task) -> Given:
    params = await filled(task, flow.EndParameters)
    return Given(output=None if params.output is None else await computed(task, params.output), port="")


async def condition(task: Task) -> Given:
    params = await filled(task, flow.ConditionParameters)
    is_so = await computed(task, params.expression, answers="boolean")
    return Given(output=one_of(task.came), port="true" if is_so else "false", shown=is_so)


async def switch(task: Task) -> Given:
    params = await filled(task, flow.SwitchParameters)
    for key, case in sorted(params.cases.items()):
        if await computed(task, case.when, answers="boolean"):
            return Given(output=one_of(task.came), port=key, shown=key)
    return Given(output=one_of(task.came), port=DEFAULT_PORT, shown=DEFAULT_PORT)


async def join(task: Task) -> Given:
    return Given(output=dict(task.came))


async def transform(task: Task) -> Given:
    params = await filled(task, flow.TransformParameters)
    return Given(output=await computed(task, params.expression))


async def items_of(task: Task) -> Given:
    """What a loop goes over: recorded before the first of them is begun."""
    params = await filled(task, flow.LoopParameters)
    items = await computed(task, params.items, answers="list")
    if len(items) > params.max_items:
        raise StepFailed(
            f"The loop has {len(items)} items, and `max_items` says at most {params.max_items}.", code="too_many_items"
        )
    return Given(output=items)


FLOW_NODES: Mapping[str, Executor] = {
    "start": start,
    "end": end,
    "condition": condition,
    "switch": switch,
    "join": join,
    "transform": transform,
    "loop": items_of,
}


def one_of(came: Mapping[str, Any]) -> Any:
    """What came along the one way in; of several, each by the node that it is from."""
    return next(iter(came.values())) if len(came) == 1 else dict(came)


async def computed(task: Task, source: str, *, answers: Literal["boolean", "list", "any"] = "any") -> Any:
    """What the expression answers. Raises ExpressionError, ExpressionFailed."""

    def compute() -> Any:
        expression = compile_expression(source, answers=answers)
        return expression.evaluate(_seen(task.values, expression.mentions.nodes))

    # It cannot run away, but may take some milliseconds.
    return await asyncio.to_thread(compute)


async def filled(task: Task, shape: type[P]) -> P:
    """The parameters, with what comes from the run. Raises ExpressionError, ExpressionFailed, ValidationError."""
    kind = NODE_TYPES[task.form["type"]]
    plain = {name.partition("/")[0] for name in kind.expressions} | kind.literal

    def fill_in() -> dict[str, Any]:
        dynamic = {name: value for name, value in task.params.items() if name not in plain}
        parts = [part for _, text in texts_in(dynamic) for part in split(text) if part.is_expression]
        if not parts:
            return task.params
        named = frozenset[str]().union(*(compile_expression(part.text).mentions.nodes for part in parts))
        return {**task.params, **fill(dynamic, _seen(task.values, named))}

    return msgspec.convert(await asyncio.to_thread(fill_in), shape)


def _seen(values: Mapping[str, Any], nodes: frozenset[str]) -> dict[str, Any]:
    """The values with no more than these nodes: what an expression does not name costs it nothing."""
    return {**values, "nodes": {node: values["nodes"][node] for node in sorted(nodes) if node in values["nodes"]}}
